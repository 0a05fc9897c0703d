"""Cost curves: the exponent, and a change of it, among noise of processes and of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from bench.scaling import Growth, compare_growth
from bench.statistics import InsufficientData

SIZES = [100.0, 300.0, 1000.0, 3000.0]
Curves = list[list[float]]
NAN = float("nan")


def curves(rng: np.random.Generator, exponent: float, groups: int = 12) -> Curves:
    """Times by group and size: 2 % between processes, and 6 % a call, of which a time averages ten."""
    clean = 1e-5 * np.array(SIZES) ** exponent
    level = 0.02 * rng.standard_normal((groups, 1))
    noise = 0.06 / np.sqrt(10.0) * rng.standard_normal((groups, len(SIZES)))
    return [[float(time) for time in group] for group in clean * np.exp(level + noise)]


def grown(candidate: float, reference: float, runs: int) -> list[Growth]:
    """The verdicts of many comparisons."""
    rng = np.random.default_rng(1)
    return [compare_growth(SIZES, curves(rng, candidate), curves(rng, reference)).growth for _ in range(runs)]


def test_a_change_from_linear_to_a_power_of_1_2_is_caught() -> None:
    assert grown(1.2, 1.0, 500).count(Growth.STEEPER) >= 495
    assert grown(1.0, 1.2, 100).count(Growth.FLATTER) >= 99


def test_it_is_caught_as_a_gate_measures_it_with_other_processes_at_every_size() -> None:
    rng = np.random.default_rng(5)
    sizes = np.array([25.0, 50.0, 100.0, 200.0])

    def arm(exponent: float) -> Curves:
        noise = 0.014 * rng.standard_normal((12, 4)) + 0.015 * rng.standard_normal((12, 4))
        return [[float(time) for time in group] for group in sizes**exponent * np.exp(noise)]

    found = [compare_growth([*sizes], arm(1.2), arm(1.0)) for _ in range(300)]
    assert sum(one.growth is Growth.STEEPER for one in found) >= 297
    assert all(abs(one.candidate.estimate - 1.2) < 0.05 for one in found)


def test_the_same_growth_is_alike() -> None:
    verdicts = grown(1.0, 1.0, 500)
    assert Growth.STEEPER not in verdicts
    assert verdicts.count(Growth.ALIKE) >= 495


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.2, 2.0])
def test_the_exponent_is_right_within_a_twentieth(exponent: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        found = compare_growth(SIZES, curves(rng, exponent), curves(rng, 1.0))
        assert abs(found.candidate.estimate - exponent) < 0.05
        assert abs(found.difference.estimate - (exponent - 1.0)) < 0.05


def test_a_group_that_is_an_outlier_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    candidate = curves(rng, 1.0)
    candidate[4][-1] *= 10.0
    assert compare_growth(SIZES, candidate, curves(rng, 1.0)).growth is Growth.ALIKE


def test_noise_beyond_telling_is_inconclusive() -> None:
    rng = np.random.default_rng(4)
    wild = [[time * float(np.exp(rng.normal(0.0, 1.0))) for time in group] for group in curves(rng, 1.0)]
    assert compare_growth(SIZES, wild, curves(rng, 1.0)).growth is Growth.INCONCLUSIVE


SOUND: Curves = [[1.0, 3.0, 10.0, 30.0]] * 6


@pytest.mark.parametrize(
    ("sizes", "candidate", "reference"),
    [
        (SIZES[:3], [[1.0, 2.0, 3.0]] * 6, [[1.0, 2.0, 3.0]] * 6),
        ([1.0, 2.0, 3.0, 3.0], SOUND, SOUND),
        (SIZES, SOUND[:5], SOUND[:5]),
        (SIZES, SOUND, [*SOUND, SOUND[0]]),
        (SIZES, [*SOUND, [1.0, 2.0]], [*SOUND, SOUND[0]]),
        (SIZES, SOUND, [*SOUND[:5], [1.0, 3.0, 10.0, NAN]]),
        (SIZES, SOUND, [*SOUND[:5], [1.0, 3.0, 10.0, 0.0]]),
    ],
)
def test_no_growth_is_told_of_too_little_or_of_impossible_times(
    sizes: list[float], candidate: Curves, reference: Curves
) -> None:
    with pytest.raises(InsufficientData):
        compare_growth(sizes, candidate, reference)
