"""How the time of a self-test is divided."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bench.injected import FAULTS
from bench.selftest_plan import (
    FULL_BUDGET_S,
    QUICK_BUDGET_S,
    SIMULATION_S,
    Kind,
    SelfTestRequest,
    Step,
    announcement,
    next_step,
)

FULL = SelfTestRequest(started_at="")
QUICK = SelfTestRequest(started_at="", is_quick=True, budget_s=QUICK_BUDGET_S)


def course(request: SelfTestRequest, *, of_budget: float = 1.0) -> list[Step]:
    """All steps of a self-test, if each takes this part of its own budget."""
    spent_s: dict[str, float] = {}
    done: dict[str, int] = {}
    steps = []
    while step := next_step(request, spent_s, done, sum(spent_s.values())):
        steps.append(step)
        spent_s[step.lane] = spent_s.get(step.lane, 0.0) + of_budget * step.budget_s
        done[step.lane] = done.get(step.lane, 0) + 1
    return steps


@pytest.mark.parametrize("minutes", [10, 40, 90])
@pytest.mark.parametrize("has_neighbour", [False, True])
def test_no_step_is_begun_that_could_exceed_the_total(minutes: int, has_neighbour: bool) -> None:
    request = replace(FULL, budget_s=60.0 * minutes, has_neighbour=has_neighbour)
    pools = 4 if has_neighbour else 2
    spent_s = sum(step.budget_s for step in course(request))
    assert spent_s <= request.budget_s - pools * SIMULATION_S
    assert spent_s > request.budget_s - pools * SIMULATION_S - 60.0


def test_the_time_is_divided_by_the_shares_of_the_kinds() -> None:
    steps = course(replace(FULL, budget_s=36_000.0))
    spent_s: Counter[Kind] = Counter()
    for step in steps:
        spent_s[step.kind] += int(step.budget_s)
    total_s = spent_s.total()
    assert spent_s[Kind.SAME] / total_s == pytest.approx(0.42, abs=0.02)
    assert spent_s[Kind.RECORD] / total_s == pytest.approx(0.24, abs=0.02)
    assert spent_s[Kind.CHANGED] / total_s == pytest.approx(0.29, abs=0.02)


def test_both_conditions_and_all_scenarios_get_equal_time() -> None:
    steps = course(replace(FULL, budget_s=36_000.0, has_neighbour=True))
    spent_s: Counter[tuple[str, str]] = Counter()
    for step in steps:
        spent_s[step.condition, step.scenario] += int(step.budget_s)
    assert len(spent_s) == 4
    assert max(spent_s.values()) / min(spent_s.values()) < 1.05


def test_an_interruption_leaves_a_balance() -> None:
    steps = course(replace(FULL, budget_s=7200.0))
    half = Counter(step.kind for step in steps[: len(steps) // 2])
    whole = Counter(step.kind for step in steps)
    for kind in Kind:
        assert half[kind] == pytest.approx(whole[kind] / 2, abs=4 + whole[kind] / 20)


def test_the_work_is_weighed_before_a_gate_has_any_injected() -> None:
    for request in (FULL, QUICK):
        kinds = [step.kind for step in course(request)]
        assert kinds.index(Kind.WEIGH) < kinds.index(Kind.CHANGED)


def test_every_fault_of_an_answer_comes_in_turn_and_none_is_no_fault() -> None:
    steps = [step for step in course(replace(FULL, budget_s=36_000.0)) if step.kind is Kind.WRONG]
    assert {step.fault for step in steps} == set(FAULTS) - {"none"}


def test_steps_of_one_lane_are_numbered() -> None:
    lanes: dict[str, list[int]] = {}
    for step in course(FULL):
        lanes.setdefault(step.lane, []).append(step.number)
    assert all(numbers == list(range(len(numbers))) for numbers in lanes.values())


def test_a_quick_self_test_is_ten_gates_within_two_minutes() -> None:
    steps = course(QUICK, of_budget=0.9)
    assert sum(step.kind is not Kind.WEIGH for step in steps) == 10
    assert not any(step.kind is Kind.RECORD for step in steps)
    assert sum(step.budget_s for step in course(QUICK)) <= QUICK_BUDGET_S < 120.0


def test_a_quick_self_test_beside_a_neighbour_has_both_conditions() -> None:
    steps = course(replace(QUICK, has_neighbour=True), of_budget=0.9)
    assert {step.condition for step in steps} == {"quiet", "neighbour"}


def test_quick_says_that_it_tells_no_rates_and_full_what_it_does() -> None:
    quick, full = "\n".join(announcement(QUICK)), "\n".join(announcement(FULL))
    assert "not its rates" in quick
    assert "10 gates" in quick
    assert f"{FULL_BUDGET_S / 60:g} minutes" in full
    assert "not its rates" not in full
