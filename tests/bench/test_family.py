"""Many benchmarks: the total is kept, what looks slower is served first, the error is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.family import SCREEN_GROUPS, Family, Request
from bench.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP_S = 0.5


def run(family: Family, changes: Mapping[str, float], *, sd: float = 0.012) -> list[Request]:
    """Measure as the family asks, with normal noise; its requests in order."""
    rng = np.random.default_rng(0)
    requests = []
    while (request := family.next()) is not None:
        requests.append(request)
        values = np.log1p(changes.get(request.name, 0.0)) + sd * rng.standard_normal(request.groups)
        family.record(request.name, values, sd * rng.standard_normal(request.groups), request.groups * GROUP_S)
    return requests


def test_all_are_screened_and_then_the_slower_one_is_served_first() -> None:
    names = [f"b{index}" for index in range(20)]
    family = Family(names, budget_s=240.0)
    requests = run(family, {"b7": 0.05})
    assert requests[:20] == [Request(name, SCREEN_GROUPS) for name in names]
    assert requests[20].name == "b7"
    finals = family.finals()
    assert [name for name in names if finals[name].verdict is Verdict.SLOWER] == ["b7"]
    assert sum(request.groups for request in requests) * GROUP_S <= 240.0


def test_a_total_too_small_for_all_passes_none_that_it_did_not_reach() -> None:
    names = [f"b{index}" for index in range(50)]
    family = Family(names, budget_s=20.0)
    reached = {request.name for request in run(family, {})}
    assert len(reached) < 50
    for name in set(names) - reached:
        assert family.finals()[name].verdict is Verdict.INCONCLUSIVE


def test_no_benchmark_exceeds_its_own_budget() -> None:
    family = Family(["noisy"], budget_s=600.0, benchmark_budget_s=30.0)
    requests = run(family, {}, sd=0.2)
    assert sum(request.groups for request in requests) * GROUP_S <= 30.0
    assert family.finals()["noisy"].verdict is Verdict.INCONCLUSIVE


def test_one_of_several_may_take_more_than_its_own_budget_but_not_of_the_total() -> None:
    family = Family(["noisy", "quiet"], budget_s=120.0)
    rng = np.random.default_rng(1)
    took_s = dict.fromkeys(["noisy", "quiet"], 0.0)
    while (request := family.next()) is not None:
        sd = 0.2 if request.name == "noisy" else 0.001
        noise = sd * rng.standard_normal((2, request.groups))
        took_s[request.name] += request.groups * GROUP_S
        family.record(request.name, noise[0], noise[1], request.groups * GROUP_S)
    assert 60.0 < took_s["noisy"] <= 120.0 - took_s["quiet"]


def test_the_error_is_divided_among_the_benchmarks() -> None:
    strict = []
    for count in (1, 100):
        family = Family([str(index) for index in range(count)], budget_s=60.0 * count)
        run(family, {}, sd=0.001)
        strict.append(family.finals()["0"].strict)
    assert strict[0] is not None
    assert strict[1] is not None
    assert strict[0].confidence == pytest.approx(0.996)
    assert strict[1].confidence == pytest.approx(0.9998)


def test_a_withdrawn_benchmark_is_not_asked_for_and_has_no_final() -> None:
    family = Family(["broken", "sound"])
    family.withdraw("broken")
    assert {request.name for request in run(family, {})} == {"sound"}
    assert list(family.finals()) == ["sound"]


def test_fewer_groups_than_requested_are_asked_for_again_and_none_end_it() -> None:
    family = Family(["b"])
    family.record("b", [0.0] * 3, [0.0] * 3, 1.5)
    assert family.next() == Request("b", SCREEN_GROUPS - 3)
    family.record("b", [], [], 1.0)
    assert family.next() is None
    assert family.finals()["b"].verdict is Verdict.INCONCLUSIVE


def test_more_groups_than_requested_are_looked_at_at_once() -> None:
    family = Family(["b"])
    noise = [0.001, -0.001] * 50
    family.record("b", noise[:SCREEN_GROUPS], noise[:SCREEN_GROUPS], SCREEN_GROUPS * GROUP_S)
    family.record("b", noise, noise, 10.0)
    assert family.next() is None
    assert family.finals()["b"].verdict is Verdict.EQUIVALENT


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_names_are_needed_and_differ(names: list[str]) -> None:
    with pytest.raises(ValueError, match="different names"):
        Family(names)


@pytest.mark.parametrize("budget_s", [0.0, -1.0, float("nan")])
def test_impossible_times_are_refused(budget_s: float) -> None:
    with pytest.raises(ValueError, match="budgets above 0"):
        Family(["a"], budget_s=budget_s)
    with pytest.raises(ValueError, match="a time above 0"):
        Family(["a"]).record("a", [0.0], [0.0], budget_s)
