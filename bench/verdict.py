"""What an estimate means: a comparison's verdict, a target's, and the exit code of a whole run. Pure."""

from __future__ import annotations

from enum import Enum, IntEnum
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.statistics import RatioEstimate

DEFAULT_MARGIN = 0.01
"""A change of less than this share is no change, unless a caller says otherwise."""


class Verdict(Enum):
    """What the interval of a ratio (candidate to reference) says about the candidate."""

    SLOWER = "slower"
    FASTER = "faster"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


class TargetVerdict(Enum):
    """Whether a time stays within its target."""

    MET = "met"
    MISSED = "missed"
    NOTHING_MEASURED = "nothing measured"


class ExitCode(IntEnum):
    """How a run ends. The report names the reason; this is all that a script needs."""

    PASS = 0
    """Everything was measured, outputs agree, targets are met."""
    MISSED = 1
    """A target is missed, or the candidate is slower."""
    USAGE = 2
    """The request makes no sense as it stands; nothing was run."""
    OUTPUTS_DIFFER = 3
    """Two that were timed, or one and what is expected, give different answers."""
    INCONCLUSIVE = 4
    """The measurement cannot tell; more of it might."""
    NOTHING_MEASURED = 5
    """Nothing, or not everything that was asked for, was measured."""


_WORST_FIRST = (
    ExitCode.USAGE,
    ExitCode.OUTPUTS_DIFFER,
    ExitCode.NOTHING_MEASURED,
    ExitCode.MISSED,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASS,
)


def judge(ratio: RatioEstimate | None, *, margin: float = DEFAULT_MARGIN, noise_floor: float = 0.0) -> Verdict:
    """Judge a ratio of times, candidate to reference.

    *Slower*: the interval lies above 1 + margin; *faster*: below 1/(1 + margin); *equivalent*: strictly
    between the two, which a margin of 0 leaves no room for. All else, and no ratio at all, is
    *inconclusive*. `noise_floor` is the change that identical code showed in the same run, as a share:
    a smaller change is never told from it, so that it widens the margin and forbids *equivalent* where it
    exceeds it. Raises ValueError for a margin or floor that is negative or not finite.
    """
    if not all(isfinite(share) and share >= 0.0 for share in (margin, noise_floor)):
        raise ValueError(f"expected shares of 0 or more, found margin {margin} and noise floor {noise_floor}")
    if ratio is None or not 0.0 < ratio.low <= ratio.high < float("inf"):
        return Verdict.INCONCLUSIVE
    beyond = 1.0 + max(margin, noise_floor)
    if ratio.low > beyond:
        return Verdict.SLOWER
    if ratio.high < 1.0 / beyond:
        return Verdict.FASTER
    if noise_floor <= margin and 1.0 / (1.0 + margin) < ratio.low and ratio.high < 1.0 + margin:
        return Verdict.EQUIVALENT
    return Verdict.INCONCLUSIVE


def judge_target(low: float, high: float, target: float) -> TargetVerdict:
    """Judge the bounds of a measured value against a target in the same unit.

    *Met* only if both bounds are: a value that may lie on either side misses. Raises ValueError for a
    target that nothing can meet.
    """
    if not (isfinite(target) and target > 0.0):
        raise ValueError(f"expected a target above 0, found {target}")
    if not 0.0 < low <= high < float("inf"):
        return TargetVerdict.NOTHING_MEASURED
    return TargetVerdict.MET if high <= target else TargetVerdict.MISSED


def exit_code_of(verdict: Verdict | TargetVerdict) -> ExitCode:
    """The exit code that one verdict alone would give."""
    return {
        Verdict.SLOWER: ExitCode.MISSED,
        Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        TargetVerdict.MISSED: ExitCode.MISSED,
        TargetVerdict.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
    }.get(verdict, ExitCode.PASS)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code of a run in which several apply; of none at all, *nothing measured*.

    From the worst: usage, outputs differ (a time of a wrong answer means nothing), nothing measured, missed,
    inconclusive, pass.
    """
    applying = set(codes)
    return next((code for code in _WORST_FIRST if code in applying), ExitCode.NOTHING_MEASURED)
