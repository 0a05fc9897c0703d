"""What the changelog of the V2 integration claims, as data; times in nanoseconds for one checkpoint.

The claims are quoted as they were made, vague ones included. Each row of a report sets one of them beside
what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MS = 1_000_000
"""Nanoseconds in a millisecond."""


class Standing(StrEnum):
    """How a measured interval stands to a claimed range."""

    HOLDS = "holds"
    ABOVE = "above the claim"
    BELOW = "below the claim"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Range:
    """A claimed range, both ends included; `None` is open. `text` is how the claim put it."""

    text: str
    low: float | None
    high: float | None

    def judge(self, low: float, high: float) -> Standing:
        """Where the measured interval from `low` to `high` lies: it counts only if all of it lies there."""
        if self.low is not None and high < self.low:
            return Standing.BELOW
        if self.high is not None and low > self.high:
            return Standing.ABOVE
        if (self.low is None or low >= self.low) and (self.high is None or high <= self.high):
            return Standing.HOLDS
        return Standing.UNCLEAR


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the changelog's table: legacy's time, V2's time and the speed-up.

    `is_v2_total` says that V2's time was claimed for a whole catalog and not for one checkpoint.
    """

    name: str
    title: str
    legacy_ns: Range
    v2_ns: Range
    speedup: Range
    is_v2_total: bool = False


_LEGACY = Range("2-5 s", 2_000 * MS, 5_000 * MS)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "sidecars", "with .metadata.yaml", _LEGACY, Range("< 10 ms", None, 10 * MS), Range("200-500x", 200, 500)
    ),
    Claim("wandb", "W&B fallback", _LEGACY, Range("100-500 ms", 100 * MS, 500 * MS), Range("4-50x", 4, 50)),
    Claim(
        "remembered",
        "remembered (later loads)",
        _LEGACY,
        Range("< 1 ms in all", None, 1 * MS),
        Range("~1000x+", 1_000, None),
        is_v2_total=True,
    ),
    Claim(
        "fallback",
        "no metadata (fallback)",
        _LEGACY,
        Range("2-5 s", 2_000 * MS, 5_000 * MS),
        Range("~1x", 0.8, 1.25),
    ),
    Claim(
        "coverage",
        "good metadata coverage, first load",
        _LEGACY,
        Range("(not claimed)", None, None),
        Range("40-100x", 40, 100),
    ),
)
"""Every row of the table, and the speed-up expected of a catalog of which most checkpoints have sidecars."""

BY_NAME = {claim.name: claim for claim in CLAIMS}

HISTORY = (
    'The changelog\'s 900,000x divides an estimate (14 checkpoints at 2.5 s, "35.0 s") by cache hits that were '
    "printed as 0.000 s; neither was a measured first load."
)
"""Where the largest of the claimed figures comes from."""
