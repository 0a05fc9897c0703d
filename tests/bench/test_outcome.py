"""Targets judged, and the exit code that all of it comes to."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from bench.outcome import WORDS, exit_code, judge, left_out
from bench.result import (
    EqualityOutcome,
    EqualityVerdict,
    Interval,
    Row,
    RowVerdict,
    TargetOutcome,
    TargetState,
)
from bench.targets import Target
from bench.verdict import ExitCode

ROW = Row(
    scenario="sidecars-warm",
    title="sidecars, first load",
    setting="sidecars-warm",
    tree="10 x 1 MB",
    checkpoints=10,
    checkpoint_bytes=1_000_000,
    sidecar_share=1.0,
    cache_state="warm",
    claimed_legacy="",
    claimed_v2="",
    claimed_ratio="",
    verdict=RowVerdict.HOLDS,
)
SECOND = Target("total", "sidecars-warm", "seconds", 1.0, 50)
EACH = Target("each", "sidecars-warm", "milliseconds_per_checkpoint", 10.0)
MEMORY = Target("memory", "sidecars-warm", "megabytes", 100.0)
EQUAL = EqualityOutcome(
    setting="s", tree="t", left="v2", right="expected", entries=1, fields=1, differences=0,
    verdict=EqualityVerdict.EQUAL,
)  # fmt: skip


def seconds(low: float, high: float) -> Interval:
    return Interval(estimate=(low + high) / 2 * 1e9, low=low * 1e9, high=high * 1e9)


@pytest.mark.parametrize(
    ("target", "measured", "state"),
    [
        (SECOND, seconds(0.8, 1.0), TargetState.MET),
        (SECOND, seconds(0.8, 1.001), TargetState.MISSED),
        (EACH, seconds(0.09, 0.1), TargetState.MET),
        (EACH, seconds(0.09, 0.11), TargetState.MISSED),
        (MEMORY, Interval(estimate=9e7, low=9e7, high=9e7), TargetState.MET),
        (MEMORY, Interval(estimate=2e8, low=2e8, high=2e8), TargetState.MISSED),
        (SECOND, None, TargetState.NOTHING_MEASURED),
        (SECOND, seconds(float("nan"), float("nan")), TargetState.NOTHING_MEASURED),
        (SECOND, Interval(estimate=1.0), TargetState.UNCLEAR),
    ],
)
def test_the_whole_interval_has_to_keep_the_target(
    target: Target, measured: Interval | None, state: TargetState
) -> None:
    assert judge(target, ROW, measured).verdict is state


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (RowVerdict.OUTPUTS_DIFFER, TargetState.OUTPUTS_DIFFER),
        (RowVerdict.NOTHING_MEASURED, TargetState.NOTHING_MEASURED),
    ],
)
def test_a_void_row_keeps_no_target(verdict: RowVerdict, state: TargetState) -> None:
    outcome = judge(SECOND, replace(ROW, verdict=verdict), seconds(0.1, 0.2))
    assert (outcome.verdict, outcome.measured) == (state, None)


def test_a_target_s_value_is_told_in_its_own_unit() -> None:
    outcome = judge(EACH, ROW, seconds(0.05, 0.05))
    assert outcome.measured is not None
    assert outcome.measured.estimate == pytest.approx(5.0)
    assert outcome.unit == "ms"


def test_what_was_not_measured_is_named() -> None:
    judged = [judge(SECOND, ROW, seconds(0.1, 0.2))]
    (one,) = left_out([SECOND, EACH], judged)
    assert (one.name, one.verdict) == ("each", TargetState.NOT_IN_THIS_RUN)


def coded(
    row: RowVerdict = RowVerdict.HOLDS,
    target: TargetState = TargetState.MET,
    equality: EqualityVerdict = EqualityVerdict.EQUAL,
) -> ExitCode:
    outcome: dict[str, Any] = {
        "name": "n",
        "limit": "",
        "scenario": "s",
        "tree": "t",
        "measured": None,
        "unit": "s",
    }
    return exit_code(
        [replace(ROW, verdict=row)],
        [TargetOutcome(**outcome, verdict=target)],
        [replace(EQUAL, verdict=equality)],
    )


def test_nothing_wrong_passes() -> None:
    assert coded() is ExitCode.PASS


def test_a_claim_that_does_not_hold_is_no_failure() -> None:
    assert coded(row=RowVerdict.BELOW) is ExitCode.PASS
    assert coded(row=RowVerdict.UNCLEAR) is ExitCode.PASS


def test_each_fault_has_its_code() -> None:
    assert coded(target=TargetState.MISSED) is ExitCode.MISSED
    assert coded(row=RowVerdict.OUTPUTS_DIFFER) is ExitCode.OUTPUTS_DIFFER
    assert coded(equality=EqualityVerdict.DIFFER) is ExitCode.OUTPUTS_DIFFER
    assert coded(row=RowVerdict.NOTHING_MEASURED) is ExitCode.NOTHING_MEASURED
    assert coded(equality=EqualityVerdict.NOTHING_MEASURED) is ExitCode.NOTHING_MEASURED
    assert coded(target=TargetState.NOTHING_MEASURED) is ExitCode.NOTHING_MEASURED


def test_a_wrong_answer_outranks_a_missed_target() -> None:
    assert coded(target=TargetState.MISSED, equality=EqualityVerdict.DIFFER) is ExitCode.OUTPUTS_DIFFER


def test_no_row_and_no_judged_target_are_nothing_measured() -> None:
    assert exit_code([], [], []) is ExitCode.NOTHING_MEASURED
    assert exit_code([ROW], [], [EQUAL]) is ExitCode.NOTHING_MEASURED
    assert coded(target=TargetState.NOT_IN_THIS_RUN) is ExitCode.NOTHING_MEASURED


def test_every_exit_code_has_its_words() -> None:
    assert set(WORDS) == set(ExitCode)
