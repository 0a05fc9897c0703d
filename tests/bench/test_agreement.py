"""Who may be timed, and why not."""

from __future__ import annotations

import msgspec
import pytest

from bench.agreement import Agreement, examine
from bench.measurement import Failure
from bench.result import EqualityVerdict, RowVerdict
from bench.scenario import SETTINGS
from bench.worker import Answer
from fixtures.spec import TreeSpec
from tests.bench.fakes import measurement_of, right_answer, variant_of

SIDECARS = SETTINGS[0]
BY_NAME = {one.name: one for one in SIDECARS.contestants}
VARIANT = variant_of()


def examined(**answers: list[Answer]) -> Agreement:
    named = {name.replace("_", "-"): told for name, told in answers.items()}
    return examine(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT, answers=named))


def shortened(answer: Answer, count: int) -> Answer:
    return msgspec.structs.replace(
        answer, records=answer.records[:count], display_options=answer.display_options[:count]
    )


def wrong(answer: Answer) -> Answer:
    first, *others = answer.records
    return msgspec.structs.replace(answer, records=[{**first, "epochs": 77}, *others])


def test_right_answers_leave_nobody_at_fault() -> None:
    agreement = examined()
    assert agreement.faults == {}
    outcomes = agreement.outcomes("sidecars-warm", "tree")
    assert {one.verdict for one in outcomes} == {EqualityVerdict.EQUAL}
    compared = {(one.left, one.right) for one in outcomes}
    assert {("legacy", "expected"), ("v2", "expected"), ("adapter", "expected"), ("legacy", "v2")} <= compared
    assert ("legacy", "adapter") in compared


def test_a_wrong_answer_is_its_own_fault_alone() -> None:
    agreement = examined(v2=[wrong(right_answer(BY_NAME["v2"], VARIANT))])
    assert list(agreement.faults) == ["v2"]
    verdict, reason = agreement.faults["v2"]
    assert verdict is RowVerdict.OUTPUTS_DIFFER
    assert "epochs: v2 says 77, expected says" in reason
    unequal = [one for one in agreement.outcomes("s", "t") if one.verdict is EqualityVerdict.DIFFER]
    assert {(one.left, one.right) for one in unequal} == {("v2", "expected"), ("legacy", "v2")}


def test_one_wrong_answer_among_right_ones_is_seen() -> None:
    right = right_answer(BY_NAME["v2"], VARIANT)
    assert list(examined(v2=[right, wrong(right)]).faults) == ["v2"]


@pytest.mark.parametrize("count", [0, 13])
def test_fewer_than_expected_is_nothing_measured(count: int) -> None:
    agreement = examined(v2=[shortened(right_answer(BY_NAME["v2"], VARIANT), count)])
    assert agreement.faults == {
        "v2": (RowVerdict.NOTHING_MEASURED, f"v2 listed {count} of 14 checkpoints"),
    }
    verdicts = {one.verdict for one in agreement.outcomes("s", "t") if "v2" in {one.left, one.right}}
    assert verdicts == {EqualityVerdict.NOTHING_MEASURED}


def test_who_failed_is_nothing_measured_with_the_reason() -> None:
    failure = Failure("adapter", "crashed", 0, 0, "exit code 1")
    agreement = examine(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT, failures=[failure]))
    assert agreement.faults == {"adapter": (RowVerdict.NOTHING_MEASURED, "adapter crashed: exit code 1")}
    (told,) = [one for one in agreement.outcomes("s", "t") if one.left == "adapter"]
    assert (told.verdict, told.reason) == (EqualityVerdict.NOTHING_MEASURED, "adapter crashed: exit code 1")


def test_a_floor_that_lists_too_little_is_at_fault() -> None:
    agreement = examined(floor_read=[Answer([{}], [None], None, None)])
    assert agreement.faults["floor-read"][0] is RowVerdict.NOTHING_MEASURED


def test_a_tree_in_which_nothing_is_to_be_listed_measures_nothing() -> None:
    empty = variant_of(TreeSpec(experiments=0))
    agreement = examine(SIDECARS, empty, measurement_of(SIDECARS, empty))
    assert set(agreement.faults) == set(BY_NAME)


def test_an_answer_that_keeps_skipped_or_problems_to_itself_is_wrong() -> None:
    right = right_answer(BY_NAME["v2"], VARIANT)
    agreement = examined(v2=[msgspec.structs.replace(right, problems=None)])
    verdict, reason = agreement.faults["v2"]
    assert verdict is RowVerdict.OUTPUTS_DIFFER
    assert "problems" in reason
