"""The level of each look: published boundaries, what simulated looks really use up, what cannot be planned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm  # type: ignore[import-untyped]  # scipy ships no types

from bench.spending import level, spent


def boundaries(seen: tuple[int, ...], used: tuple[float, ...]) -> list[float]:
    """The boundary of every look in standard deviations."""
    looks = range(1, len(seen) + 1)
    return [float(norm.isf(level(seen[:look], used[:look]))) for look in looks]


def test_the_boundaries_of_lan_and_demets_come_out() -> None:
    # One-sided 0.025 spent as O'Brien and Fleming do, at five equal looks (Reboussin, DeMets, Kim and Lan,
    # "Computations for group sequential boundaries", Controlled Clinical Trials 21, 2000).
    shares = np.arange(1, 6) / 5
    used = tuple(float(2 * norm.sf(norm.isf(0.0125) / np.sqrt(share))) for share in shares)
    assert boundaries((1, 2, 3, 4, 5), used) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=1e-3)


def test_one_look_takes_the_whole_error() -> None:
    assert level((16,), (0.002,)) == pytest.approx(0.002)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_the_looks_together_use_up_what_they_may(exponent: float) -> None:
    seen = (16, 32, 64, 84)
    used = tuple(spent(0.05, groups / seen[-1], exponent) for groups in seen)
    sums = np.random.default_rng(1).standard_normal((40_000, seen[-1]))[:, : seen[-1]].cumsum(axis=1)
    means = sums[:, np.array(seen) - 1] / np.sqrt(seen)
    crossed = (means > boundaries(seen, used)).cumsum(axis=1) > 0
    assert crossed.mean(axis=0) == pytest.approx(used, abs=0.004)


def test_more_is_left_to_the_end_than_by_dividing_among_the_looks() -> None:
    seen = (16, 32, 64, 84)
    used = tuple(spent(0.002, groups / seen[-1], 2.0) for groups in seen)
    assert level(seen, used) > 0.6 * 0.002 > 0.002 / len(seen)


def test_a_look_that_may_use_nothing_has_no_level() -> None:
    assert level((16, 32), (0.01, 0.01)) == 0.0


def test_nothing_is_spent_beyond_the_error() -> None:
    assert [spent(0.01, share, 2.0) for share in (0.5, 1.0, 1.5)] == pytest.approx([0.0025, 0.01, 0.01])


@pytest.mark.parametrize(
    ("seen", "used"),
    [
        ((), ()),
        ((16,), ()),
        ((16, 16), (0.01, 0.02)),
        ((16, 32), (0.02, 0.01)),
        ((16,), (1.0,)),
        ((0,), (0.1,)),
    ],
)
def test_looks_at_no_more_data_or_with_less_error_are_refused(
    seen: tuple[int, ...], used: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        level(seen, used)
