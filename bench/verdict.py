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


def judge(
    ratio: RatioEstimate | None,
    *,
    margin: float = DEFAULT_MARGIN,
    noise_floor: float = 0.0,
    bias: float = 0.0,
    smallest_detectable: float = 0.0,
    strict: RatioEstimate | None = None,
) -> Verdict:
    """Judge a ratio of times, candidate to reference.

    *Slower*: the interval lies above 1 + margin; *faster*: below 1/(1 + margin); *equivalent*: strictly
    between the two, which a margin of 0 leaves no room for. All else, and no ratio at all, is
    *inconclusive*. `noise_floor` is the change that identical code may have shown in the same run, as a
    share: where it, or the `smallest_detectable` change of the run, exceeds the margin, nothing is
    *equivalent*, and *faster* has to lie beyond the floor as well. `bias` is what identical code did show,
    as a share: *slower* has to lie beyond it as well. `strict` is the same ratio at a higher confidence,
    where *slower* and *faster* ask for more than *equivalent*. Raises ValueError for a share that is
    negative or not finite.
    """
    shares = (margin, noise_floor, bias, smallest_detectable)
    if not all(isfinite(share) and share >= 0.0 for share in shares):
        raise ValueError(
            f"expected shares of 0 or more, found margin {margin}, noise floor {noise_floor},"
            f" bias {bias} and smallest detectable change {smallest_detectable}"
        )
    if ratio is None or not _is_interval(ratio) or not _is_interval(strict or ratio):
        return Verdict.INCONCLUSIVE
    if (strict or ratio).low > 1.0 + max(margin, bias):
        return Verdict.SLOWER
    if (strict or ratio).high < 1.0 / (1.0 + max(margin, noise_floor)):
        return Verdict.FASTER
    sees_the_margin = max(noise_floor, smallest_detectable) <= margin
    if sees_the_margin and 1.0 / (1.0 + margin) < ratio.low and ratio.high < 1.0 + margin:
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


def _is_interval(ratio: RatioEstimate) -> bool:
    return 0.0 < ratio.low <= ratio.high < float("inf")
