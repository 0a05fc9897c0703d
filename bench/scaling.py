"""How time grows with size: the exponent of each arm's cost curve, and whether the candidate's is another.

In every process group both arms are measured at every size, so that each group has a slope of its own; what
varies between processes shows between them, as it does for ratios.
"""

from __future__ import annotations

from enum import Enum
from math import log
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from bench.statistics import Exponent, InsufficientData, ratio_of_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST_SIZES = 4
EXPONENT_MARGIN = 0.05
"""A difference of exponents up to this is none."""


class Growth(Enum):
    """What the difference of two exponents (candidate less reference) says about the candidate."""

    STEEPER = "steeper"
    FLATTER = "flatter"
    ALIKE = "alike"
    INCONCLUSIVE = "inconclusive"


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """Both exponents with their intervals, and that of their difference, by which growth is judged."""

    growth: Growth
    candidate: Exponent
    reference: Exponent
    difference: Exponent


def compare_growth(
    sizes: Sequence[float],
    candidate: Sequence[Sequence[float]],
    reference: Sequence[Sequence[float]],
    *,
    confidence: float = 0.999,
    margin: float = EXPONENT_MARGIN,
) -> Scaling:
    """Compare two cost curves; `candidate[group][size]` is the time of a group at a size, in any unit.

    *Steeper*: the interval of the difference lies above the margin; *flatter*: below; *alike*: within. Each
    group's exponent is the slope of least squares through the logarithms; over groups it is the trimmed mean
    with the interval of `bench.statistics.ratio_of_values`. A fixed cost, the same at all sizes, lowers an
    exponent: subtract it, or leave out the sizes that it governs. Raises InsufficientData for fewer than four
    different sizes or six groups, other numbers of times, and times that are not above 0 and finite.
    """
    x = np.log(_table([sizes], len(sizes)))[0]
    if np.unique(x).size < LEAST_SIZES:
        raise InsufficientData(f"expected at least {LEAST_SIZES} sizes, found {np.unique(x).size}")
    ours = _slopes(x, _table(candidate, len(sizes)))
    theirs = _slopes(x, _table(reference, len(sizes)))
    if ours.size != theirs.size:
        raise InsufficientData(f"expected as many groups of both, found {ours.size} and {theirs.size}")
    difference = _over_groups(ours - theirs, confidence)
    return Scaling(
        growth=_judge(difference, margin),
        candidate=_over_groups(ours, confidence),
        reference=_over_groups(theirs, confidence),
        difference=difference,
    )


def _judge(difference: Exponent, margin: float) -> Growth:
    if difference.low > margin:
        return Growth.STEEPER
    if difference.high < -margin:
        return Growth.FLATTER
    if -margin < difference.low and difference.high < margin:
        return Growth.ALIKE
    return Growth.INCONCLUSIVE


def _slopes(x: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = x - x.mean()
    return np.asarray(np.log(times) @ spread / (spread @ spread))


def _over_groups(slopes: NDArray[np.float64], confidence: float) -> Exponent:
    found = ratio_of_values(slopes, confidence=confidence)  # a slope, like a log-ratio, varies by addition
    return Exponent(estimate=log(found.estimate), low=log(found.low), high=log(found.high))


def _table(rows: Sequence[Sequence[float]], columns: int) -> NDArray[np.float64]:
    if any(len(row) != columns for row in rows):
        raise InsufficientData(f"expected a time for each of {columns} sizes in every group, found others")
    values = np.array(rows, dtype=np.float64).reshape(len(rows), columns)
    if not (np.isfinite(values) & (values > 0.0)).all():
        raise InsufficientData("expected values above 0 and finite, found others; look at the clock")
    return values
