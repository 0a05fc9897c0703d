"""Intervals cover what they say they do, by simulation; data that no clock gives is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.statistics import (
    InsufficientData,
    at_confidence,
    fit_exponent,
    group_values,
    median_interval,
    noise_floor,
    ratio,
    ratio_of_values,
    smallest_detectable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Pairs = list[list[tuple[float, float]]]
NAN = float("nan")

BETWEEN_SD = 0.01
PAIR_SD = 0.06


def simulated(
    seed: int, runs: int, processes: int, pairs: int, *, change: float = 1.0, outliers: float = 0.0
) -> Iterator[Pairs]:
    """Measurements of a change, with noise between processes and between pairs, both about as measured.

    `outliers` is the share of processes that are off by half.
    """
    rng = np.random.default_rng(seed)
    off = np.where(rng.random((runs, processes, 1)) < outliers, 1.5, 1.0)
    level = BETWEEN_SD * rng.standard_normal((runs, processes, 1))
    ratios = change * off * np.exp(level + PAIR_SD * rng.standard_normal((runs, processes, pairs)))
    for run in ratios.tolist():
        yield [[(0.001 * value, 0.001) for value in process] for process in run]


def coverage(measurements: Iterator[Pairs], true_ratio: float) -> float:
    """The share of intervals that hold the true ratio."""
    estimates = [ratio(groups) for groups in measurements]
    return float(np.mean([estimate.low <= true_ratio <= estimate.high for estimate in estimates]))


# Two standard errors of a share of 0.95 among 2,000 runs are 0.01.
@pytest.mark.parametrize("processes", [6, 10, 20])
def test_the_interval_over_processes_covers(processes: int) -> None:
    assert 0.93 <= coverage(simulated(processes, 2000, processes, 10, change=1.05), 1.05) <= 0.965


@pytest.mark.parametrize(("processes", "pairs"), [(2, 1), (2, 5), (3, 10), (5, 4)])
def test_few_processes_cover_at_least_as_often_as_they_say(processes: int, pairs: int) -> None:
    assert coverage(simulated(processes, 1500, processes, pairs, change=0.9), 0.9) >= 0.94


@pytest.mark.parametrize("pairs", [2, 5, 30])
def test_one_process_covers_what_it_cannot_see(pairs: int) -> None:
    assert coverage(simulated(pairs, 1500, 1, pairs, change=300.0), 300.0) >= 0.95


def test_pairs_alone_would_not_cover() -> None:
    as_processes = ([[pair] for process in run for pair in process] for run in simulated(3, 300, 6, 30))
    assert coverage(as_processes, 1.0) < 0.9


def found_slower(measurements: Iterator[Pairs], margin: float = 0.01) -> float:
    """The share of measurements that call the candidate slower."""
    return float(np.mean([ratio(groups).low > 1.0 + margin for groups in measurements]))


def test_processes_that_are_outliers_cost_no_power() -> None:
    clean = found_slower(simulated(1, 400, 20, 30, change=1.03))
    spoilt = found_slower(simulated(1, 400, 20, 30, change=1.03, outliers=0.01))
    untrimmed = np.mean(
        [ratio(groups, trim=0.0).low > 1.01 for groups in simulated(1, 400, 20, 30, change=1.03, outliers=0.01)]
    )
    assert clean > 0.98
    assert spoilt > 0.97
    assert untrimmed < 0.9


def test_identical_code_is_rarely_called_slower() -> None:
    assert found_slower(simulated(2, 1000, 10, 20)) <= 0.002


def test_the_smallest_detectable_change_is_found_as_often_as_promised() -> None:
    widths = [ratio(groups) for groups in simulated(4, 200, 20, 20)]
    change = 1.0 + float(np.median([smallest_detectable(one, margin=0.01, power=0.9) for one in widths]))
    assert 0.82 <= found_slower(simulated(5, 600, 20, 20, change=change)) <= 0.97


def test_the_estimate_is_symmetric_in_what_is_called_the_reference() -> None:
    (groups,) = simulated(6, 1, 8, 9, change=1.2)
    forth = ratio(groups)
    back = ratio([[(second, first) for first, second in process] for process in groups])
    assert forth.estimate * back.estimate == pytest.approx(1.0)
    assert forth.low * back.high == pytest.approx(1.0)


def test_the_estimate_does_not_depend_on_the_order_of_processes_or_pairs() -> None:
    (groups,) = simulated(7, 1, 8, 9)
    assert ratio([process[::-1] for process in groups[::-1]]) == ratio(groups)


@pytest.mark.parametrize(
    ("processes", "method"),
    [(1, "one process"), (2, "processes and pairs"), (5, "processes and pairs"), (6, "processes")],
)
def test_the_method_follows_from_the_number_of_processes(processes: int, method: str) -> None:
    (groups,) = simulated(8, 1, processes, 4)
    estimate = ratio(groups)
    assert (estimate.method, estimate.groups, estimate.pairs) == (method, processes, processes * 4)


def test_values_of_processes_give_the_ratio_that_their_pairs_give() -> None:
    (groups,) = simulated(8, 1, 12, 7)
    estimate = ratio_of_values(group_values(groups), confidence=0.9)
    whole = ratio(groups, confidence=0.9)
    assert (estimate.low, estimate.high, estimate.groups) == (whole.low, whole.high, whole.groups)


def test_another_confidence_is_another_interval_of_the_same_ratio() -> None:
    (groups,) = simulated(8, 1, 12, 7)
    wider, asked = at_confidence(ratio(groups), 0.999), ratio(groups, confidence=0.999)
    assert (wider.low, wider.high) == pytest.approx((asked.low, asked.high))
    assert wider.estimate == pytest.approx(asked.estimate)


@pytest.mark.parametrize("values", [[0.0] * 5, [0.0] * 6 + [NAN], [0.0] * 6 + [1e999]])
def test_no_ratio_is_made_of_too_few_values_or_of_impossible_ones(values: list[float]) -> None:
    with pytest.raises(InsufficientData):
        ratio_of_values(values)


def test_two_processes_that_agree_by_chance_are_as_unsure_as_their_pairs() -> None:
    pairs = [(0.9, 1.0), (1.1, 1.0), (1.0, 1.0), (0.95, 1.0)]
    estimate = ratio([pairs, pairs[::-1]])
    assert estimate.high / estimate.low > 1.1


def test_a_process_that_measured_nothing_does_not_count() -> None:
    (groups,) = simulated(9, 1, 6, 4)
    assert ratio([*groups, []]) == ratio(groups)


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [[]],
        [[(1.0, 1.0)]],
        [[(1.0, NAN)] * 3],
        [[(1.0, 0.0)] * 3],
        [[(-1.0, 1.0)] * 3],
        [[(1.0, 1e999)] * 3],
    ],
)
def test_no_ratio_is_made_of_too_little_or_of_impossible_times(groups: Pairs) -> None:
    with pytest.raises(InsufficientData):
        ratio(groups)


@pytest.mark.parametrize(
    ("confidence", "trim"), [(0.0, 0.2), (1.0, 0.2), (NAN, 0.2), (0.95, 0.5), (0.95, -0.1), (0.95, NAN)]
)
def test_impossible_settings_are_refused(confidence: float, trim: float) -> None:
    (groups,) = simulated(9, 1, 6, 4)
    with pytest.raises(ValueError, match="expected a"):
        ratio(groups, confidence=confidence, trim=trim)


def test_the_noise_floor_is_the_farther_end_of_the_same_codes_interval() -> None:
    (groups,) = simulated(10, 1, 10, 20)
    estimate = ratio(groups)
    exchanged = [[(second, first) for first, second in process] for process in groups]
    assert noise_floor(groups) == pytest.approx(noise_floor(exchanged))
    assert noise_floor(groups) == pytest.approx(max(estimate.high - 1.0, 1.0 / estimate.low - 1.0))


def test_a_bias_between_arms_of_the_same_code_raises_the_noise_floor() -> None:
    (groups,) = simulated(11, 1, 10, 20, change=1.1)
    assert noise_floor(groups) > 0.09


@pytest.mark.parametrize("count", [6, 9, 10, 25, 60])
def test_the_median_is_covered_as_often_as_told(count: int) -> None:
    rng = np.random.default_rng(count)
    skewed = rng.lognormal(0.0, 2.0, size=(1000, count))  # its median is 1
    intervals = [median_interval(row) for row in skewed.tolist()]
    held = np.mean([one.low <= 1.0 <= one.high for one in intervals])
    assert intervals[0].confidence >= 0.95
    assert held == pytest.approx(intervals[0].confidence, abs=0.025)


def test_a_median_of_few_values_admits_what_its_range_attains() -> None:
    interval = median_interval([3.0, 1.0, 2.0])
    assert (interval.low, interval.median, interval.high) == (1.0, 2.0, 3.0)
    assert interval.confidence == pytest.approx(0.75)


def test_a_median_interval_leaves_the_extremes_out_where_it_can() -> None:
    interval = median_interval([*range(1, 20), 1000.0])
    assert interval.high < 1000.0
    assert interval.confidence >= 0.95


@pytest.mark.parametrize("values", [[], [1.0], [1.0, NAN], [1.0, 0.0], [1.0, -1.0], [1.0, 1e999]])
def test_no_median_is_made_of_one_time_or_of_impossible_ones(values: list[float]) -> None:
    with pytest.raises(InsufficientData):
        median_interval(values)


SIZES = [100.0, 300.0, 1000.0, 3000.0, 10000.0]


def curves(exponent: float, runs: int) -> Iterator[list[float]]:
    """Times over SIZES with 2 % of noise."""
    rng = np.random.default_rng(12)
    clean = 1e-6 * np.array(SIZES) ** exponent
    yield from (clean * np.exp(0.02 * rng.standard_normal((runs, len(SIZES))))).tolist()


@pytest.mark.parametrize("exponent", [1.0, 1.2, 2.0])
def test_the_exponent_is_found_and_covered(exponent: float) -> None:
    fits = [fit_exponent(SIZES, times) for times in curves(exponent, 2000)]
    assert max(abs(fit.estimate - exponent) for fit in fits) < 0.05
    assert 0.935 <= np.mean([fit.low <= exponent <= fit.high for fit in fits]) <= 0.965


def test_growth_beyond_linear_is_told_from_linear() -> None:
    fits = [fit_exponent(SIZES, times) for times in curves(1.2, 500)]
    assert np.mean([fit.low > 1.0 for fit in fits]) >= 0.99


@pytest.mark.parametrize(
    ("sizes", "times"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 3], [1, 2, 3, 3]),
        ([1, 2, 3, 4], [1, 2, 3]),
        ([1, 2, 3, 4], [1, 2, 3, NAN]),
        ([0, 2, 3, 4], [1, 2, 3, 4]),
    ],
)
def test_no_exponent_is_made_of_too_few_sizes(sizes: list[float], times: list[float]) -> None:
    with pytest.raises(InsufficientData):
        fit_exponent(sizes, times)
