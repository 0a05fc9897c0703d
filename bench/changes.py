"""Where a series of ratios changed: steps, and drifts that took several commits. Pure.

Places come from `ruptures` (PELT; Killick, Fearnhead and Eckley, JASA 107, 2012) with the squared distance to
each segment's mean, in units of the noise. Two things are added, since a benchmark's noise has outliers and its
changes are not all steps: values far off their neighbours are drawn in first (Hampel's filter), and a place, or
several in one direction, is told as a drift where a ramp fits better by Schwarz's criterion (Annals of
Statistics 6, 1978).
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy ships no types

from bench.result import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

LEAST_COMMITS = 10
"""In fewer the noise cannot be told from a change."""

LEAST_SEGMENT = 3
LEAST_CHANGE = 0.01
"""A smaller change is none, however sure: the gate's own margin."""

_PENALTY = 20.0
_FOR_FEW_COMMITS = 20.0
"""The noise of a short series is badly known: the penalty of n commits is 20 * (1 + 20 / n), by simulation."""

_NEIGHBOURS = 5
_FAR_OFF_SDS = 3.0
_MAD_TO_SD = 1.4826
_LEAST_SD = 1e-4
_COARSE_PLACES = 40


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A lasting change of level; `size` is a share, above 0 is slower.

    `first` is the first value beyond the old level, `last` the first at the new one: the same for a step. A
    drift `is_open` if it may go on where the series ends.
    """

    kind: Literal["step", "drift"]
    first: int
    last: int
    size: Interval
    is_open: bool = False


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """All changes in their order; `noise_sd` is the spread between neighbours, as a share.

    `smallest_step` would be told from such noise ten commits later, in about 95 of 100 series; None in too
    short a series.
    """

    noise_sd: float
    smallest_step: float | None
    changes: tuple[Change, ...] = ()


class _Shape(NamedTuple):
    """A change as it was fitted: what it costs by Schwarz's criterion, and its size in logarithms."""

    cost: float
    kind: Literal["step", "drift"]
    first: int
    last: int
    size: float
    standard_error: float
    degrees_of_freedom: int


class MissingLibrary(Exception):  # noqa: N818 - the name says what is the matter
    """`ruptures` is not installed."""


def find_changes(ratios: Sequence[float], *, least_change: float = LEAST_CHANGE) -> Changes:
    """Changes of at least `least_change` in a series of ratios above 0, in the order of their commits.

    None is looked for in fewer than `LEAST_COMMITS`. Raises MissingLibrary.
    """
    values = np.log(np.asarray(ratios, dtype=np.float64))
    if values.size < LEAST_COMMITS:
        return Changes(noise_sd=_noise_sd(values) if values.size > 1 else 0.0, smallest_step=None)
    noise_sd = _noise_sd(values)
    steady = _drawn_in(values, noise_sd) / noise_sd
    shapes = _shapes(steady, _places(steady))
    changes = [_change(one, noise_sd, values.size) for one in shapes]
    return Changes(
        noise_sd=noise_sd,
        smallest_step=exp(_smallest_step(values.size) * noise_sd) - 1.0,
        changes=tuple(one for one in changes if abs(one.size.estimate) >= least_change),
    )


def penalty(commits: int) -> float:
    """What a change has to explain, in squared standard deviations of the noise."""
    return _PENALTY * (1.0 + _FOR_FEW_COMMITS / commits)


def _noise_sd(values: Values) -> float:
    """From the differences of neighbours, whose median no change of level moves."""
    return max(float(_MAD_TO_SD * np.median(np.abs(np.diff(values))) / sqrt(2.0)), _LEAST_SD)


def _drawn_in(values: Values, noise_sd: float) -> Values:
    """What lies far off the median of its neighbours, brought as near as three standard deviations."""
    around = np.pad(values, _NEIGHBOURS, mode="reflect")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * _NEIGHBOURS + 1), axis=1)
    far = _FAR_OFF_SDS * noise_sd
    return np.clip(values, middle - far, middle + far)


def _places(steady: Values) -> list[int]:
    """The first value of every segment but the first."""
    try:
        from ruptures import KernelCPD  # type: ignore[import-untyped]  # ships no types; takes 2 s to import
    except ImportError as error:
        raise MissingLibrary(
            "expected ruptures, which finds change points, found none; pip install 'ruptures>=1.1.10' "
            "(there is none for Python 3.14 yet)"
        ) from error
    search = KernelCPD(kernel="linear", min_size=LEAST_SEGMENT).fit(steady[:, None])
    return [int(one) for one in search.predict(pen=penalty(steady.size))[:-1]]


def _shapes(steady: Values, places: list[int]) -> list[_Shape]:
    """The cheapest reading of all places: each a step, or some in one direction a drift."""
    bounds = [0, *places, steady.size]
    levels = [float(steady[begin:end].mean()) for begin, end in pairwise(bounds)]
    best: list[tuple[float, list[_Shape]]] = [(0.0, [])]
    for last in range(len(places)):
        readings = []
        for first in range(last, -1, -1):
            if (levels[last + 1] > levels[last]) != (levels[first + 1] > levels[first]):
                break
            shape = _shape(steady, bounds[first : last + 3])
            cost, before = best[first]
            readings.append((cost + shape.cost, [*before, shape]))
        best.append(min(readings, key=lambda one: one[0]))
    return best[-1][1]


def _shape(steady: Values, bounds: list[int]) -> _Shape:
    """One place, or several in one direction, as a step or a drift between the segments around them."""
    drift = _drift(steady, bounds, _drift_cost(steady, bounds))
    if len(bounds) > 3:
        return drift
    step = _step(steady, bounds)
    return min(drift, step, key=lambda one: one.cost)


def _step(steady: Values, bounds: list[int]) -> _Shape:
    begin, place, end = bounds
    before, after = steady[begin:place], steady[place:end]
    return _Shape(
        cost=2.0 * log(steady.size),
        kind="step",
        first=place,
        last=place,
        size=float(after.mean() - before.mean()),
        standard_error=sqrt(1.0 / before.size + 1.0 / after.size),
        degrees_of_freedom=max(end - begin - 2, 1),
    )


def _drift(steady: Values, bounds: list[int], cost: float) -> _Shape:
    """The best ramp from one level to another, between the segments around it."""
    begin, end = bounds[0], bounds[-1]
    values = steady[begin:end]
    left, right = _ramp_places(values)
    size, _, spread = _fit(values, _ramp(values.size, left, right))
    return _Shape(
        cost=cost,
        kind="drift",
        first=begin + left + 1,
        last=begin + right,
        size=size,
        standard_error=1.0 / sqrt(spread),
        degrees_of_freedom=max(values.size - 4, 1),
    )


def _drift_cost(steady: Values, bounds: list[int]) -> float:
    """What a ramp costs beside the segments' means; of a segment that a neighbour shares half counts."""
    first, last = bounds[0], bounds[-1]
    begin = first and (first + bounds[1]) // 2
    end = last if last == steady.size else (bounds[-2] + last + 1) // 2
    values = steady[begin:end]
    _, residual, _ = _fit(values, _ramp(values.size, *_ramp_places(values)))
    inner = [begin, *bounds[1:-1], end]
    segments = sum(float(np.var(steady[one:other]) * (other - one)) for one, other in pairwise(inner))
    return residual - segments + 3.0 * log(steady.size)


def _ramp_places(values: Values) -> tuple[int, int]:
    """The last value at the old level and the first at the new one: a coarse look first, then around it."""
    count = values.size
    width = max(1, count // _COARSE_PLACES)
    coarse = sorted({*range(0, count, width), count - 1})
    left, right = _best_ramp(values, coarse, coarse)
    if width == 1:
        return left, right
    near = [range(max(0, one - width), min(count, one + width + 1)) for one in (left, right)]
    return _best_ramp(values, near[0], near[1])


def _best_ramp(values: Values, lefts: Sequence[int], rights: Sequence[int]) -> tuple[int, int]:
    """Of all pairs the one whose ramp leaves the least squares over."""
    pairs = np.array([(left, right) for left in lefts for right in rights if right > left + 1])
    places = np.arange(values.size, dtype=np.float64)
    ramps = np.clip((places - pairs[:, :1]) / (pairs[:, 1:] - pairs[:, :1]), 0.0, 1.0)
    across = ramps - ramps.mean(axis=1, keepdims=True)
    explained = (across @ values) ** 2 / (across**2).sum(axis=1)
    left, right = pairs[int(np.argmax(explained))]
    return int(left), int(right)


def _ramp(count: int, left: int, right: int) -> Values:
    """0 as far as `left`, 1 from `right` on, and straight between."""
    return np.clip((np.arange(count, dtype=np.float64) - left) / (right - left), 0.0, 1.0)


def _fit(values: Values, ramp: Values) -> tuple[float, float, float]:
    """Least squares: the height of the ramp, the squares left over, and the spread of the ramp itself."""
    across = ramp - ramp.mean()
    spread = float(across @ across)
    height = float(across @ values) / spread
    return height, float(np.var(values) * values.size) - height * height * spread, spread


def _change(shape: _Shape, noise_sd: float, commits: int) -> Change:
    reach = float(stdtrit(shape.degrees_of_freedom, 0.975)) * shape.standard_error
    low, middle, high = (
        exp(noise_sd * one) - 1.0 for one in (shape.size - reach, shape.size, shape.size + reach)
    )
    return Change(
        kind=shape.kind,
        first=shape.first,
        last=shape.last,
        size=Interval(estimate=middle, low=low, high=high),
        is_open=shape.kind == "drift" and shape.last > commits - LEAST_SEGMENT,
    )


def _smallest_step(commits: int) -> float:
    """The step, in standard deviations, that a series shows ten commits later in about 95 of 100 cases."""
    after = min(10, commits // 2)
    weight = after * (commits - after) / commits
    return (sqrt(penalty(commits)) + 1.645) / sqrt(weight)
