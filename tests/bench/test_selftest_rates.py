"""From records to rows: counts, intervals, and what each row says of the gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import beta  # type: ignore[import-untyped]  # scipy ships no types

from bench.calibration import Achieved
from bench.selftest_log import MutantRecord, Recorded, WeighedRecord
from bench.selftest_plan import SelfTestRequest
from bench.selftest_promises import exact
from bench.selftest_rates import assess, injected, mutants, real_gates
from bench.selftest_result import Gates, State
from tests.bench.selftests import BEGUN, HEADER, QUICK, gate_of, groups_of

FULL = SelfTestRequest(started_at=BEGUN)


def row_of(*verdicts: str, is_quick: bool = False, **common: Any) -> Gates:
    (row,) = real_gates([gate_of(one, **common) for one in verdicts], is_quick=is_quick)
    return row


def test_the_interval_is_the_exact_one_of_clopper_and_pearson() -> None:
    rate = exact(3, 20)
    assert rate.low == pytest.approx(float(beta.ppf(0.025, 3, 18)))
    assert rate.high == pytest.approx(float(beta.ppf(0.975, 4, 17)))
    assert (exact(0, 100).low, exact(100, 100).high) == (0.0, 1.0)


def test_gates_are_counted_by_what_they_said() -> None:
    row = row_of("slower", "slower", "inconclusive", change=0.05)
    assert row.called == {"slower": 2, "inconclusive": 1}
    assert (row.rate.happened, row.rate.of, row.gates) == (2, 3, 3)
    assert (row.median_s, row.longest_s, row.smallest_detectable) == (10.0, 10.0, 0.02)


def test_conditions_changes_and_faults_have_rows_of_their_own() -> None:
    records = [
        gate_of("equivalent"),
        gate_of("equivalent", condition="neighbour"),
        gate_of("slower", change=0.05),
        gate_of("slower", change=0.1),
        gate_of("outputs differ", fault="an epoch"),
        gate_of("no answer", fault="a record"),
    ]
    rows = real_gates(records, is_quick=False)
    assert [row.gates for row in rows] == [1, 1, 1, 1, 2]
    assert rows[-1].rate.happened == 2


@pytest.mark.parametrize("wrong", ["slower", "faster", "outputs differ"])
def test_one_alarm_about_identical_code_is_one_too_many(wrong: str) -> None:
    assert row_of(*["equivalent"] * 99, wrong).state is State.FAILED
    assert row_of(*["equivalent"] * 60, *["inconclusive"] * 40).state is State.HOLDS


def test_a_slow_down_called_equivalent_or_faster_is_wrong_however_often_it_was_found() -> None:
    for wrong in ("equivalent", "faster"):
        assert row_of(*["slower"] * 99, wrong, change=0.05).state is State.FAILED


def test_a_slow_down_found_as_often_as_promised_holds_within_the_interval() -> None:
    assert row_of(*["slower"] * 20, change=0.05).state is State.HOLDS
    assert row_of(*["slower"] * 18, *["inconclusive"] * 2, change=0.03).state is State.HOLDS
    assert row_of(*["slower"] * 15, *["inconclusive"] * 5, change=0.03, detectable=0.01).state is State.FAILED


@pytest.mark.parametrize(
    ("detectable", "state"), [(0.05, State.NOISY), (None, State.NOISY), (0.015, State.FAILED)]
)
def test_unfound_is_a_failure_only_of_gates_that_said_they_would_see_it(
    detectable: float | None, state: State
) -> None:
    for verdicts in (["inconclusive"], ["slower"] * 5 + ["inconclusive"] * 5):
        assert row_of(*verdicts, change=0.05, detectable=detectable).state is state


def test_unfound_is_no_failure_in_more_noise_than_is_promised_for_and_a_false_answer_is_one() -> None:
    noisy = {("quiet", "14 checkpoints")}
    missed = [gate_of(one, change=0.05, detectable=0.015) for one in ("slower", "inconclusive")]
    (quiet,), (row,) = real_gates(missed[1:], is_quick=False), real_gates(missed[1:], noisy, is_quick=False)
    assert (quiet.state, row.state) == (State.FAILED, State.NOISY)
    wrong = gate_of("equivalent", change=0.05)
    assert real_gates([*missed, wrong], noisy, is_quick=False)[0].state is State.FAILED
    assert real_gates([gate_of("slower")], noisy, is_quick=False)[0].state is State.FAILED


def test_a_quick_self_test_asks_for_one_of_each() -> None:
    assert row_of("slower", "inconclusive", change=0.1, is_quick=True).state is State.HOLDS
    assert (
        row_of("inconclusive", "inconclusive", change=0.1, is_quick=True, detectable=0.2).state is State.NOISY
    )


def test_a_wrong_answer_that_was_timed_as_if_right_is_a_failure() -> None:
    for passed in ("equivalent", "inconclusive", "slower"):
        assert row_of("outputs differ", passed, fault="an epoch").state is State.FAILED


def test_gates_without_a_verdict_are_told() -> None:
    assert row_of("equivalent", "crashed").state is State.BROKEN
    assert row_of("slower", "hung", change=0.05).state is State.BROKEN
    assert row_of("outputs differ", "crashed", fault="an epoch").state is State.BROKEN


def test_injected_work_is_told_over_all_times_it_was_weighed() -> None:
    def weighed(mean: float) -> WeighedRecord:
        share = Achieved(0.05, 100, mean, mean - 0.001, mean + 0.001, 3)
        return WeighedRecord(
            lane="", condition="quiet", scenario="14", at=BEGUN, elapsed_s=1.0, achieved=(share,)
        )

    (row,) = injected([weighed(0.049), weighed(0.051)])
    assert (row.mean, row.low, row.high) == pytest.approx((0.05, 0.048, 0.052))
    assert row.processes == 6


def test_a_mutant_that_survives_is_named() -> None:
    def fate(name: str, caught_by: str | None) -> MutantRecord:
        return MutantRecord(
            lane="mutants",
            condition="quiet",
            scenario="",
            at=BEGUN,
            elapsed_s=1.0,
            name=name,
            caught_by=caught_by,
        )

    assert mutants([]) is None
    sound = mutants([fate("one", "a case")])
    assert sound is not None
    assert (sound.state, sound.survivors) == (State.HOLDS, ())
    hole = mutants([fate("one", "a case"), fate("two", None)])
    assert hole is not None
    assert (hole.state, hole.survivors, hole.caught.happened) == (State.FAILED, ("two",), 1)


def test_a_survivor_of_the_tool_with_a_reason_is_no_hole_and_a_stillborn_one_counts_for_nothing() -> None:
    def fate(name: str, caught_by: str | None, **more: Any) -> MutantRecord:
        told: dict[str, Any] = {"lane": "mutants", "condition": "quiet", "scenario": "", "elapsed_s": 1.0}
        return MutantRecord(name=name, caught_by=caught_by, at=BEGUN, **told, **more)

    found = mutants(
        [
            fate("one", "a case"),
            fate("two", None, is_by_hand=False, reason="says the same"),
            fate("three", "its import", is_by_hand=False, is_stillborn=True),
        ]
    )
    assert found is not None
    assert (found.state, found.survivors, found.caught.of) == (State.HOLDS, (), 2)
    assert (found.by_hand, found.by_tool) == (exact(1, 1), exact(0, 1))
    assert [(one.maker, one.caught_by) for one in found.fates] == [
        ("by hand", "a case"),
        ("by the tool", "survived: says the same"),
        ("by the tool", "not counted, it fails at once on its import"),
    ]


def test_what_was_not_run_has_a_row_that_says_so() -> None:
    quick = assess(Recorded(HEADER, [gate_of("equivalent")]), QUICK, {}, is_simulated=False)
    missing = [(row.change, row.fault) for row in quick.gates if row.state is State.UNMEASURED]
    assert sorted(missing) == [(0.0, True), (0.05, False), (0.1, False)]
    full = assess(Recorded(HEADER), FULL, {}, is_simulated=False)
    assert len(full.gates) == 5 * 2
    assert {row.state for row in full.gates} == {State.UNMEASURED}


def test_too_few_recorded_groups_are_told_and_not_resampled() -> None:
    groups = {("quiet", "14 checkpoints"): groups_of(20)}
    result = assess(Recorded(HEADER, [], groups), FULL, {}, is_simulated=True)
    assert not any(row.gates for row in result.gates if not row.real)
    assert result.coverage == ()
    assert any("20 groups recorded, wanted 300" in note for note in result.notes)


def test_every_pool_of_recorded_groups_is_resampled_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import selftest_resampled

    monkeypatch.setattr(selftest_resampled, "SIMULATED_SAME", 3)
    monkeypatch.setattr(selftest_resampled, "SIMULATED_CHANGED", 2)
    groups = {(condition, "14 checkpoints"): groups_of(40) for condition in ("quiet", "neighbour")}
    recorded = Recorded(HEADER, [], groups)
    asked = replace(FULL, has_neighbour=True)
    result = assess(recorded, asked, {}, is_simulated=True)
    drawn = [(row.condition, row.change, row.gates) for row in result.gates if not row.real]
    assert len(drawn) == 2 * 4
    assert ("neighbour", 0.0, 3) in drawn
    assert ("quiet", 0.03, 2) in drawn
    assert len(result.coverage) == 2 * 3
    again = assess(recorded, asked, {}, is_simulated=True)
    assert again == result
    assert not [row for row in assess(recorded, asked, {}, is_simulated=False).gates if not row.real]
