"""When a measurement ends and what is said then: looks, what forbids a pass, confirmation by fresh groups."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.sampling import (
    CONFIRMATION_GROUPS,
    LEAST_GROUPS,
    LOOKS,
    Continue,
    Decision,
    Final,
    SamplingPlan,
    pairs_per_group,
    plan_within,
    values_of,
)
from bench.statistics import InsufficientData
from bench.verdict import Verdict

SD = 0.01


def groups(count: int, change: float = 0.0, *, sd: float = SD, seed: int = 0) -> list[float]:
    """Group values around a change, spread like a normal sample with nothing left to chance but its order."""
    quantiles = (np.arange(count) + 0.5) / count
    level = np.log1p(change) + sd * np.sqrt(3) * (2 * quantiles - 1)
    return list(np.random.default_rng(seed).permutation(level))


def final(decision: Decision, values: list[float], again: list[float], *, last: bool = False) -> Final:
    """The outcome, which has to be final."""
    outcome = decision.look(values, again, last=last)
    assert isinstance(outcome, Final)
    return outcome


def test_nothing_is_spent_before_the_planned_look() -> None:
    decision = Decision(SamplingPlan())
    for count in (0, 5, 15):
        assert decision.look(groups(count), groups(count)) == Continue(groups=16, phase="sampling")
    assert final(decision, groups(16, sd=0.001), groups(16, sd=0.001)).looks == 1


def test_what_is_unclear_is_looked_at_as_planned_and_then_given_up() -> None:
    decision = Decision(SamplingPlan())
    for count, following in pairwise(LOOKS):
        outcome = decision.look(groups(count, sd=0.2), groups(count, sd=0.2))
        assert outcome == Continue(groups=following, phase="sampling")
    outcome = final(decision, groups(LOOKS[-1], sd=0.2), groups(LOOKS[-1], sd=0.2))
    assert (outcome.verdict, outcome.looks) == (Verdict.INCONCLUSIVE, len(LOOKS))
    with pytest.raises(RuntimeError):
        decision.look([], [])


def test_early_looks_are_stricter_than_the_same_groups_alone() -> None:
    values = groups(16, sd=0.001)
    once, often = (final(Decision(SamplingPlan(looks=looks)), values, values) for looks in ((16,), LOOKS))
    for one, other in ((once.ratio, often.ratio), (once.strict, often.strict)):
        assert one is not None
        assert other is not None
        assert one.confidence == other.confidence
        assert other.low < one.low
        assert one.high < other.high


def test_the_last_of_many_looks_is_hardly_stricter_than_a_single_one() -> None:
    decision = Decision(SamplingPlan())
    for count in LOOKS[:-1]:
        decision.look(groups(count, sd=0.2), groups(count, sd=0.2))
    values = groups(LOOKS[-1], sd=0.2)
    often, once = (
        final(decision, values, values),
        final(Decision(SamplingPlan(looks=LOOKS[-1:])), values, values),
    )
    for one, other in ((once.ratio, often.ratio), (once.strict, often.strict)):
        assert one is not None
        assert other is not None
        assert 1.0 < np.log(other.high / other.low) / np.log(one.high / one.low) < 1.1


def test_a_budget_that_ends_early_may_use_all_of_the_error() -> None:
    values = groups(20, sd=0.2)
    early, single = Decision(SamplingPlan()), Decision(SamplingPlan(looks=(20,)))
    one, other = final(early, values, values, last=True), final(single, values, values)
    assert (one.ratio, one.strict) == (other.ratio, other.strict)


def test_the_same_groups_looked_at_once_more_as_the_last_may_use_what_is_left() -> None:
    values = groups(16, sd=0.2)
    twice = Decision(SamplingPlan())
    assert isinstance(twice.look(values, values), Continue)
    again = final(twice, values, values, last=True)
    assert again.ratio == final(Decision(SamplingPlan(looks=(16,))), values, values).ratio


def test_strict_bounds_stay_what_they_were_when_their_error_was_spent() -> None:
    plan = plan_within(60.0, 1.0)
    decision = Decision(plan)
    for count in plan.looks[:-1]:
        decision.look(groups(count, sd=0.2), groups(count, sd=0.2))
    outcome = final(decision, groups(plan.looks[-1], sd=0.2), groups(plan.looks[-1], sd=0.2))
    assert outcome.strict is not None
    assert outcome.ratio is not None
    assert (outcome.strict.groups, outcome.ratio.groups) == plan.looks[-2:]


def test_a_slow_down_is_confirmed_by_fresh_groups() -> None:
    decision = Decision(SamplingPlan())
    found = groups(16, 0.05)
    until = 16 + CONFIRMATION_GROUPS
    assert decision.look(found, groups(16)) == Continue(groups=until, phase="confirming")
    outcome = final(decision, found + groups(CONFIRMATION_GROUPS, 0.04), groups(until))
    assert outcome.verdict is Verdict.SLOWER
    assert outcome.ratio is not None
    assert outcome.confirmation is not None
    assert outcome.ratio.estimate == pytest.approx(1.05)
    assert outcome.confirmation.estimate == pytest.approx(1.04)


def test_a_slow_down_that_fresh_groups_do_not_show_is_not_reported() -> None:
    decision = Decision(SamplingPlan())
    values = groups(16, 0.05)
    decision.look(values, groups(16))
    values += groups(CONFIRMATION_GROUPS)
    until = 16 + 2 * CONFIRMATION_GROUPS
    assert decision.look(values, groups(28)) == Continue(groups=until, phase="confirming")
    outcome = final(decision, values + groups(CONFIRMATION_GROUPS), groups(until))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "do not confirm" in outcome.reason


def test_as_many_groups_again_may_confirm_what_the_first_left_open() -> None:
    decision = Decision(SamplingPlan())
    values = groups(16, 0.05)
    decision.look(values, groups(16))
    values += groups(CONFIRMATION_GROUPS, 0.005)
    decision.look(values, groups(28))
    assert final(decision, values + groups(CONFIRMATION_GROUPS, 0.05), groups(40)).verdict is Verdict.SLOWER


@pytest.mark.parametrize("fresh", [0, LEAST_GROUPS - 1])
def test_without_groups_to_confirm_it_a_slow_down_is_inconclusive(fresh: int) -> None:
    at_once = final(Decision(SamplingPlan()), groups(16, 0.05), groups(16), last=True)
    assert at_once.verdict is Verdict.INCONCLUSIVE
    decision = Decision(SamplingPlan())
    decision.look(groups(16, 0.05), groups(16))
    later = final(decision, groups(16, 0.05) + groups(fresh, 0.05), groups(16), last=True)
    assert later.verdict is Verdict.INCONCLUSIVE
    assert "raise the budget" in later.reason


def test_the_last_look_of_a_budget_alarms_nobody() -> None:
    plan = plan_within(60.0, 1.0)
    decision = Decision(plan)
    for count in plan.looks[:-1]:
        assert isinstance(decision.look(groups(count, sd=0.2), groups(count)), Continue)
    assert final(decision, groups(plan.looks[-1], 0.2), groups(60)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("values", "again", "margin", "told"),
    [
        (groups(128), groups(128, 0.02), 0.01, "noise floor"),
        (groups(128), groups(128, sd=0.08), 0.01, "noise floor"),
        (groups(128), [], 0.01, "A/A arm"),
        (groups(128, 0.2)[:5], groups(128), 0.01, "only 5 groups"),
        (groups(128), groups(128), 0.0, "margin of 0"),
        (groups(128, 0.009), groups(128), 0.01, "reaches over the margin"),
        (groups(128, sd=0.05), groups(128), 0.01, "smallest change"),
    ],
)
def test_what_forbids_a_pass_is_named(
    values: list[float], again: list[float], margin: float, told: str
) -> None:
    outcome = final(Decision(SamplingPlan(looks=(128,)), margin=margin), values, again, last=True)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert told in outcome.reason


def test_a_gain_is_no_pass_without_the_noise_floor() -> None:
    plan = SamplingPlan(looks=(16,))
    assert final(Decision(plan), groups(16, -0.1), groups(16)).verdict is Verdict.FASTER
    assert final(Decision(plan), groups(16, -0.1), []).verdict is Verdict.INCONCLUSIVE


def test_a_bias_between_arms_of_the_same_code_is_no_slow_down() -> None:
    decision = Decision(SamplingPlan(looks=(32,)))
    assert final(decision, groups(32, 0.03), groups(32, 0.03)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_impossible_value_is_refused(value: float) -> None:
    with pytest.raises(InsufficientData):
        Decision(SamplingPlan()).look([*groups(16), value], groups(16))
    with pytest.raises(InsufficientData):
        Decision(SamplingPlan()).look(groups(16), [*groups(16), value])


@pytest.mark.parametrize("group_s", [0.3, 0.6, 1.0, 3.0, 6.0])
def test_a_plan_keeps_to_its_budget_and_leaves_groups_for_a_confirmation(group_s: float) -> None:
    plan = plan_within(60.0, group_s)
    assert plan.limit == plan.looks[-1]
    assert plan.looks[-1] * group_s <= max(60.0, 2 * LEAST_GROUPS * group_s)
    assert plan.looks[-2] + plan.confirmation_groups == plan.limit
    assert list(plan.looks) == sorted(set(plan.looks))
    assert LEAST_GROUPS <= plan.confirmation_groups <= CONFIRMATION_GROUPS


@pytest.mark.parametrize("times", [(0.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)])
def test_impossible_times_are_refused(times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="times above 0"):
        plan_within(*times)
    with pytest.raises(ValueError, match="times above 0"):
        pairs_per_group(*times)


def test_dear_rounds_are_fewer() -> None:
    assert [pairs_per_group(0.4, pair_s) for pair_s in (0.001, 0.01, 0.03, 1.0)] == [30, 19, 11, 8]


def test_both_arms_are_held_against_the_reference() -> None:
    values, again = values_of([[4.0, 4.0]], [[2.0, 2.0]], [[1.0, 1.0]])
    assert np.exp(values) == pytest.approx([2.0])
    assert np.exp(again) == pytest.approx([0.5])
