"""Changes in a series: what they are, where, and how often noise is taken for one."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from bench.change_rates import course, noise
from bench.changes import LEAST_COMMITS, MissingLibrary, find_changes


def series(
    lengths: tuple[int, int, int], *, sd: float = 0.005, seed: int = 1, change: float = 0.03
) -> list[float]:
    clean = course(*lengths, change)
    drawn: list[float] = np.exp(clean + noise(np.random.default_rng(seed), clean.size, "normal") * sd).tolist()
    return drawn


def test_a_step_is_found_at_its_commit_with_its_size() -> None:
    (change,) = find_changes(series((40, 1, 39))).changes
    assert (change.kind, change.first, change.last, change.is_open) == ("step", 40, 40, False)
    assert change.size.low is not None
    assert change.size.high is not None
    assert change.size.low < 0.03 < change.size.high


def test_a_drift_is_one_change_from_its_first_commit_to_its_last() -> None:
    (change,) = find_changes(series((40, 20, 40), sd=0.003)).changes
    assert (change.kind, change.is_open) == ("drift", False)
    assert change.first == pytest.approx(40, abs=4)
    assert change.last == pytest.approx(59, abs=4)
    assert change.size.estimate == pytest.approx(0.03, abs=0.004)


def test_a_drift_that_goes_on_says_so() -> None:
    (change,) = find_changes(series((40, 20, 0), sd=0.001)).changes
    assert (change.kind, change.is_open) == ("drift", True)
    assert change.last == pytest.approx(59, abs=1)


def test_a_long_series_is_looked_at_coarsely_and_then_closely() -> None:
    (change,) = find_changes(series((300, 20, 300), sd=0.002)).changes
    assert change.kind == "drift"
    assert change.first == pytest.approx(300, abs=3)
    assert change.last == pytest.approx(319, abs=3)


def test_there_and_back_again_are_two_steps() -> None:
    there = series((30, 1, 29))
    back = series((0, 1, 39), change=1e-9, seed=2)
    first, second = find_changes([*there, *back]).changes
    assert first.size.estimate > 0.02
    assert second.size.estimate < -0.02
    assert (first.last, second.last) == (30, 60)


def test_outliers_are_no_change() -> None:
    ratios = series((50, 1, 49), change=1e-9)
    for place in (10, 33, 34, 71, 99):
        ratios[place] *= 1.5
    assert find_changes(ratios).changes == ()


def test_a_change_below_the_least_is_none_however_sure() -> None:
    ratios = series((50, 1, 49), sd=0.0005, change=0.005)
    assert find_changes(ratios).changes == ()
    assert len(find_changes(ratios, least_change=0.002).changes) == 1


def test_few_commits_have_no_changes_and_no_smallest_step() -> None:
    found = find_changes([1.0, 2.0] * 4)
    assert (len(found.changes), found.smallest_step) == (0, None)
    assert find_changes([1.0]).noise_sd == 0.0


def test_a_series_without_noise_is_no_fault() -> None:
    assert find_changes([2.0] * LEAST_COMMITS).changes == ()
    (change,) = find_changes([2.0] * 10 + [2.2] * 10).changes
    assert change.size.estimate == pytest.approx(0.1)


def test_the_smallest_step_is_found_in_most_series() -> None:
    estimated = find_changes(series((60, 1, 9), change=1e-9))
    assert estimated.smallest_step is not None
    told = estimated.smallest_step * 0.005 / estimated.noise_sd
    found = [
        find_changes(series((60, 1, 9), change=told, seed=seed), least_change=0.001).changes
        for seed in range(40)
    ]
    # The noise itself is estimated, so that some series ask for a little more.
    assert sum(map(bool, found)) >= 34


def test_without_the_library_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "ruptures":
            raise ImportError(name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingLibrary, match="pip install 'ruptures"):
        find_changes([1.0] * 20)
