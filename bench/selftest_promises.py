"""What the gate promises, and how a count is held against it."""

from __future__ import annotations

from typing import Final

from scipy.stats import binomtest  # type: ignore[import-untyped]  # scipy ships no types

from bench.selftest_result import Rate

FOUND: Final = {0.03: 0.95, 0.05: 0.99, 0.1: 0.99}
"""How often a slow-down of this share has to be found."""

GATES_PER_ALARM: Final = 3000
"""At most one resampled gate of identical code in so many may say that it differs; of real ones, none."""

COVERED_FIXED: Final = (0.94, 0.96)
COVERED_AT_A_STOP: Final = 0.95

QUIET_SD: Final = 0.02
"""The noise between processes up to which the rates are promised, groups that are far off left aside."""


def exact(happened: int, of: int) -> Rate:
    """A rate with its interval (Clopper-Pearson, 95 %). Raises ValueError for nothing that was counted."""
    interval = binomtest(happened, of).proportion_ci()
    return Rate(happened, of, float(interval.low), float(interval.high))
