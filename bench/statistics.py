"""Samples made into ratios, intervals and noise floors. Pure: no input, no output, no clock.

Times are ratios at heart: they are compared as logarithms, so that twice as slow and twice as fast are
equally far from no change. What is called a process here is a group of `bench.engine`.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy ships no types
from scipy.stats import binom  # type: ignore[import-untyped]  # as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PROCESSES_FOR_TRIMMING = 6
"""From here on a process that is an outlier is trimmed away. At five the interval would cover 93.9 %."""

PAIRS_ARE_NOT_ENOUGH = 0.05
"""What processes may differ by (standard deviation of the log-ratio) where one alone was measured."""


Method = Literal["processes", "processes and pairs", "one process"]


class InsufficientData(ValueError):  # noqa: N818 - the name says what is the matter
    """Too few samples, or samples that no clock can give."""


class RatioEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio of times with its interval; `groups` processes and `pairs` pairs of calls speak for it.

    `standard_error` and `degrees_of_freedom` belong to the ratio's logarithm. `method` says where the
    interval comes from: see `ratio`. `pairs` is None where processes' values alone were given.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    groups: int
    pairs: int | None
    standard_error: float
    degrees_of_freedom: int
    method: Method


class MedianInterval(msgspec.Struct, frozen=True, kw_only=True):
    """A median and an interval of order statistics, in the unit of the values.

    `confidence` is what the interval attains; with five values or fewer it stays below 95 %.
    """

    median: float
    low: float
    high: float
    confidence: float
    values: int


class Exponent(msgspec.Struct, frozen=True, kw_only=True):
    """The exponent of a power law, time = c * size^exponent, with its interval."""

    estimate: float
    low: float
    high: float


class _Mean(NamedTuple):
    """A trimmed mean, its standard error (0 for a single value) and degrees of freedom."""

    value: float
    standard_error: float
    degrees_of_freedom: int


def ratio(
    groups: Sequence[Sequence[tuple[float, float]]], *, confidence: float = 0.95, trim: float = 0.2
) -> RatioEstimate:
    """How many times the first of each pair takes of the second; `groups[process][pair]` = (first, second).

    A process's value is the trimmed mean of its pairs' log-ratios, the share `trim` left out at either end.

    - Six processes or more (*processes*): their trimmed mean with the interval of Tukey and McLaughlin
      ("Less vulnerable confidence and significance procedures for location", Sankhya A 25, 1963).
    - Two to five (*processes and pairs*): their mean with Student's interval over processes, or over pairs
      where that is the wider. Few processes can agree by chance more closely than their own pairs allow.
      A process that is an outlier is not withstood.
    - One (*one process*): its pairs' interval, widened by what processes may differ by
      (`PAIRS_ARE_NOT_ENOUGH`), since it cannot tell.

    Raises InsufficientData for no pair, a single one in all, and a time that is not above 0 and finite.
    """
    _check_shares(confidence, trim)
    logs = [_log_ratios(group) for group in groups if len(group)]
    pairs = sum(values.size for values in logs)
    if pairs < 2:
        raise InsufficientData(f"expected at least 2 pairs of times, found {pairs}; measure more rounds")
    means = [_trimmed_mean(values, trim) for values in logs]
    quantile = (1.0 + confidence) / 2.0
    mean, method = _of_processes(means, trim, quantile)
    return _estimate(mean, confidence, groups=len(logs), pairs=pairs, method=method)


def group_values(groups: Sequence[Sequence[tuple[float, float]]], *, trim: float = 0.2) -> NDArray[np.float64]:
    """Each process's value, the trimmed mean of its pairs' log-ratios: what `ratio_of_values` takes.

    A process without a pair is left out. Raises InsufficientData for a time that is not above 0 and finite.
    """
    _check_shares(0.5, trim)
    logs = [_log_ratios(group) for group in groups if len(group)]
    return np.array([_trimmed_mean(values, trim).value for values in logs])


def ratio_of_values(
    values: Sequence[float] | NDArray[np.float64], *, confidence: float = 0.95, trim: float = 0.2
) -> RatioEstimate:
    """The ratio of six processes or more, as `ratio` has it, from their values.

    Raises InsufficientData for fewer, and for a value that is not finite.
    """
    _check_shares(confidence, trim)
    logs = np.asarray(values, dtype=np.float64)
    if logs.size < PROCESSES_FOR_TRIMMING:
        raise InsufficientData(f"expected at least {PROCESSES_FOR_TRIMMING} processes, found {logs.size}")
    if not np.isfinite(logs).all():
        raise InsufficientData("expected finite values of processes, found others; look at the clock")
    return _estimate(
        _trimmed_mean(logs, trim), confidence, groups=int(logs.size), pairs=None, method="processes"
    )


def at_confidence(estimate: RatioEstimate, confidence: float) -> RatioEstimate:
    """The same ratio with the interval that belongs to another confidence."""
    _check_shares(confidence, 0.0)
    mean = _Mean(log(estimate.estimate), estimate.standard_error, estimate.degrees_of_freedom)
    return _estimate(mean, confidence, groups=estimate.groups, pairs=estimate.pairs, method=estimate.method)


def noise_floor(
    groups: Sequence[Sequence[tuple[float, float]]], *, confidence: float = 0.95, trim: float = 0.2
) -> float:
    """The change that two arms of the same code may have shown, as a share (0.01 is 1 %).

    It is the end of their ratio's interval that lies farther from 1. Raises as `ratio` does.
    """
    return noise_floor_of(ratio(groups, confidence=confidence, trim=trim))


def noise_floor_of(same: RatioEstimate) -> float:
    """As `noise_floor`, of the ratio of two arms of the same code."""
    return max(same.high, 1.0 / same.low) - 1.0


def smallest_detectable(estimate: RatioEstimate, *, margin: float, power: float = 0.95) -> float:
    """The smallest slow-down, as a share, that a measurement like this one calls slower.

    It does so with the probability `power`: the ratio has to lie beyond the margin by the interval's half
    width, and by what chance may take from it. At a margin of 0 it is the change that is told from none.
    """
    _check_shares(power, 0.0)
    degrees_of_freedom = estimate.degrees_of_freedom
    reach = stdtrit(degrees_of_freedom, (1.0 + estimate.confidence) / 2.0) + stdtrit(degrees_of_freedom, power)
    return (1.0 + margin) * exp(estimate.standard_error * float(reach)) - 1.0


def median_interval(values: Sequence[float], *, confidence: float = 0.95) -> MedianInterval:
    """The median of independent times, between two of them: no distribution is assumed.

    The interval is the narrowest pair of order statistics, equally far from both ends, that holds the
    median with `confidence` (binomial); the whole range where there are too few values. Calls of one
    process are not independent: give one value a process. Raises InsufficientData for fewer than two
    values, and for one that is not above 0 and finite.
    """
    _check_shares(confidence, 0.0)
    ordered = np.sort(_positive(values))
    if ordered.size < 2:
        raise InsufficientData(f"expected at least 2 times, found {ordered.size}; measure more")
    below = np.arange(ordered.size // 2)
    attained = 1.0 - 2.0 * binom.cdf(below, ordered.size, 0.5)
    rank = max(int(np.count_nonzero(attained >= confidence)) - 1, 0)
    return MedianInterval(
        median=float(np.median(ordered)),
        low=float(ordered[rank]),
        high=float(ordered[-1 - rank]),
        confidence=float(attained[rank]),
        values=int(ordered.size),
    )


def fit_exponent(sizes: Sequence[float], times: Sequence[float], *, confidence: float = 0.95) -> Exponent:
    """The exponent of a cost curve: least squares through the logarithms, with Student's interval.

    A fixed cost that does not grow with size bends the curve and lowers the exponent: subtract it, or leave
    out sizes that it governs. Raises InsufficientData for fewer than four different sizes.
    """
    _check_shares(confidence, 0.0)
    x, y = np.log(_positive(sizes)), np.log(_positive(times))
    if x.size != y.size or np.unique(x).size < 4:
        raise InsufficientData(
            f"expected times of at least 4 sizes, found {y.size} times of {np.unique(x).size}"
        )
    spread = x - x.mean()
    slope = float(spread @ y / (spread @ spread))
    residuals = y - y.mean() - slope * spread
    degrees_of_freedom = x.size - 2
    standard_error = float(np.sqrt(residuals @ residuals / degrees_of_freedom / (spread @ spread)))
    half = standard_error * float(stdtrit(degrees_of_freedom, (1.0 + confidence) / 2.0))
    return Exponent(estimate=slope, low=slope - half, high=slope + half)


def _estimate(
    mean: _Mean, confidence: float, *, groups: int, pairs: int | None, method: Method
) -> RatioEstimate:
    half = _half_width(mean, (1.0 + confidence) / 2.0)
    return RatioEstimate(
        estimate=exp(mean.value),
        low=exp(mean.value - half),
        high=exp(mean.value + half),
        confidence=confidence,
        groups=groups,
        pairs=pairs,
        standard_error=mean.standard_error,
        degrees_of_freedom=mean.degrees_of_freedom,
        method=method,
    )


def _of_processes(means: list[_Mean], trim: float, quantile: float) -> tuple[_Mean, Method]:
    if len(means) == 1:
        (only,) = means
        widened = float(np.hypot(only.standard_error, PAIRS_ARE_NOT_ENOUGH))
        return only._replace(standard_error=widened), "one process"
    values = np.array([mean.value for mean in means])
    if len(means) >= PROCESSES_FOR_TRIMMING:
        return _trimmed_mean(values, trim), "processes"
    over_processes = _trimmed_mean(values, 0.0)
    over_pairs = _Mean(
        over_processes.value,
        float(np.linalg.norm([mean.standard_error for mean in means])) / len(means),
        sum(mean.degrees_of_freedom for mean in means),
    )
    wider = max(over_processes, over_pairs, key=lambda mean: _half_width(mean, quantile))
    return wider, "processes and pairs"


def _half_width(mean: _Mean, quantile: float) -> float:
    if mean.degrees_of_freedom < 1:
        return 0.0
    return mean.standard_error * float(stdtrit(mean.degrees_of_freedom, quantile))


def _trimmed_mean(values: NDArray[np.float64], trim: float) -> _Mean:
    """Trimmed mean; its error is that of the winsorised values, as Tukey and McLaughlin have it."""
    ordered = np.sort(values)
    cut = int(trim * ordered.size)
    kept = ordered[cut : ordered.size - cut]
    if kept.size < 2:
        return _Mean(float(kept.mean()), 0.0, 0)
    winsorised = np.clip(ordered, kept[0], kept[-1])
    squares = float(np.square(winsorised - winsorised.mean()).sum())
    return _Mean(float(kept.mean()), float(np.sqrt(squares / (kept.size * (kept.size - 1)))), kept.size - 1)


def _log_ratios(group: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    logs = np.log(_positive(group))
    if logs.ndim != 2 or logs.shape[1] != 2:
        raise InsufficientData(f"expected pairs of times, found values of shape {logs.shape}")
    return np.asarray(logs[:, 0] - logs[:, 1])


def _positive(times: Sequence[float] | Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    values = np.asarray(times, dtype=np.float64)
    unusable = values[~(np.isfinite(values) & (values > 0.0))]
    if unusable.size:
        raise InsufficientData(f"expected values above 0 and finite, found {unusable[0]}; look at the clock")
    return values


def _check_shares(confidence: float, trim: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"expected a confidence between 0 and 1, found {confidence}")
    if not 0.0 <= trim < 0.5:
        raise ValueError(f"expected a trim from 0 to below 0.5, found {trim}")
