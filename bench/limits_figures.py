"""Figures out of samples: pairs to ratios, differences to medians, each with its interval. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.figures import duration
from bench.limits_result import Figure
from bench.result import Interval
from bench.statistics import median_interval, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MS: Final = 1e6
"""Nanoseconds in a millisecond."""

_SHIFT_NS: Final = 1e12


def times_floor(
    name: str, title: str, checkpoints: int, replies: Sequence[Mapping[str, Any]], *, limit: float
) -> Figure:
    """The figure of a candidate in alternation with its floor, a reply a process."""
    estimate = ratio(pairs(replies))
    rounds = [len(reply["rounds"]) for reply in replies]
    return Figure(
        name=name,
        title=title,
        checkpoints=checkpoints,
        measured=duration(median(times(replies, "candidate"))),
        floor=duration(median(times(replies, "floor"))),
        times_floor=estimate.estimate,
        value=Interval(estimate=estimate.estimate, low=estimate.low, high=estimate.high),
        limit=limit,
        calls=f"{len(replies)} processes x {rounds[0]} pairs",
        remark=next((f"it wrote: {reply['wrote']}" for reply in replies if reply["wrote"]), ""),
        samples=[reply["rounds"] for reply in replies],
    )


def pairs(replies: Sequence[Mapping[str, Any]]) -> list[list[tuple[float, float]]]:
    """Times of candidate and floor in ns, process by process: what `bench.statistics.ratio` takes."""
    return [[(one["candidate"], one["floor"]) for one in reply["rounds"]] for reply in replies]


def times(replies: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """All times of one contestant in ns."""
    return [one[name] for reply in replies for one in reply["rounds"]]


def difference_ms(differences_ns: Sequence[float]) -> Interval:
    """The median of differences with its interval; moved up meanwhile, since those of times are above 0."""
    middle = median_interval([one + _SHIFT_NS for one in differences_ns])
    return scaled(middle.median - _SHIFT_NS, middle.low - _SHIFT_NS, middle.high - _SHIFT_NS, MS)


def scaled(estimate: float, low: float, high: float, unit: float) -> Interval:
    """An interval in another unit."""
    return Interval(estimate=estimate / unit, low=low / unit, high=high / unit)


def exactly(value: float) -> Interval:
    """A value that was counted."""
    return Interval(estimate=value, low=value, high=value)
