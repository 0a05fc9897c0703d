"""Rows: times, ratios and verdicts from samples; none from those that may not be timed."""

from __future__ import annotations

import pytest

from bench.agreement import Agreement
from bench.measurement import Failure, Measurement
from bench.result import Row, RowVerdict
from bench.rows import legacy_note, noise_of, range_of, rows_of, timing_of
from bench.scenario import LEGACY, SETTINGS, V2
from tests.bench.fakes import TIMES_NS, measurement_of, variant_of

SIDECARS = SETTINGS[0]
VARIANT = variant_of()
NOBODY = Agreement((), {})


def first_row(measurement: Measurement, agreement: Agreement = NOBODY) -> Row:
    return rows_of(SIDECARS, VARIANT, measurement, agreement)[0]


def test_a_row_tells_times_ratio_and_distance_to_the_floor() -> None:
    row = first_row(measurement_of(SIDECARS, VARIANT))
    assert row.reference is not None
    assert row.candidate is not None
    assert row.ratio is not None
    assert row.ratio.low is not None
    assert row.ratio.high is not None
    # The fake's times are 400 ms, 1 ms and 50 us.
    assert row.ratio.low <= 400.0 <= row.ratio.high
    assert row.ratio.estimate == pytest.approx(400, rel=0.001)
    assert row.times_floor == pytest.approx(20, rel=0.001)
    assert row.reference.per_checkpoint_ns == pytest.approx(400e6 / 14, rel=0.02)
    assert (row.candidate.calls, row.candidate.processes) == (24, 6)
    assert row.verdict is RowVerdict.HOLDS


def test_each_scenario_has_a_row_under_its_conditions() -> None:
    rows = rows_of(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT), NOBODY)
    assert [row.scenario for row in rows] == ["sidecars-warm", "remembered", "remembered-index"]
    assert {(row.checkpoints, row.cache_state, row.sidecar_share) for row in rows} == {(14, "warm", 1.0)}


def test_a_remembered_catalog_is_held_to_the_time_of_the_whole() -> None:
    row = rows_of(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT), NOBODY)[1]
    assert row.verdict is RowVerdict.BELOW
    assert row.remarks == ("V2 takes 1.00 ms for the catalog here, not < 1 ms in all",)


@pytest.mark.parametrize("name", ["legacy", "v2"])
def test_unequal_outputs_void_the_row(name: str) -> None:
    faults = {name: (RowVerdict.OUTPUTS_DIFFER, "a.ckpt: epochs: ...")}
    row = first_row(measurement_of(SIDECARS, VARIANT), Agreement((), faults))
    assert row.verdict is RowVerdict.OUTPUTS_DIFFER
    assert (row.ratio, row.candidate, row.reference, row.times_floor) == (None, None, None, None)
    assert row.remarks == ("a.ckpt: epochs: ...",)


def test_nothing_measured_outranks_a_wrong_answer() -> None:
    faults = {
        "legacy": (RowVerdict.OUTPUTS_DIFFER, "wrong"),
        "v2": (RowVerdict.NOTHING_MEASURED, "v2 listed 0 of 14 checkpoints"),
    }
    row = first_row(measurement_of(SIDECARS, VARIANT), Agreement((), faults))
    assert row.verdict is RowVerdict.NOTHING_MEASURED
    assert row.remarks == ("wrong", "v2 listed 0 of 14 checkpoints")


def test_another_s_fault_leaves_the_row_alone() -> None:
    faults = {"adapter": (RowVerdict.OUTPUTS_DIFFER, "wrong")}
    assert first_row(measurement_of(SIDECARS, VARIANT), Agreement((), faults)).verdict is RowVerdict.HOLDS


def test_one_pair_gives_no_interval_and_no_verdict() -> None:
    row = first_row(measurement_of(SIDECARS, VARIANT, groups=1, rounds=1))
    assert row.ratio is not None
    assert (row.ratio.low, row.ratio.high) == (None, None)
    assert row.verdict is RowVerdict.UNCLEAR


def test_the_floor_s_failure_leaves_the_distance_open() -> None:
    failure = Failure("floor-read", "raised", 0, 0, "OSError")
    row = first_row(measurement_of(SIDECARS, VARIANT, failures=[failure]))
    assert (row.floor, row.times_floor) == (None, None)
    assert row.ratio is not None


def test_a_failed_contestant_has_no_time() -> None:
    measurement = measurement_of(SIDECARS, VARIANT, failures=[Failure("v2", "hung", 0, 0, "no answer")])
    assert timing_of(V2, measurement, 14) is None
    assert range_of(V2, measurement) is None
    assert timing_of(LEGACY, measurement, 14) is not None


def test_one_process_is_judged_by_the_worst_it_did() -> None:
    found = range_of(V2, measurement_of(SIDECARS, VARIANT, groups=1, rounds=4))
    assert found is not None
    assert (found.low, found.high) == (1_000_000, 1_003_000)


def test_noise_is_measured_where_v2_ran_twice() -> None:
    (noise,) = noise_of(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT))
    assert noise.ratio.estimate == pytest.approx(1.0)
    assert noise_of(SETTINGS[1], VARIANT, measurement_of(SETTINGS[1], VARIANT)) == ()


def test_the_note_says_what_legacy_takes_here() -> None:
    rows = rows_of(SIDECARS, VARIANT, measurement_of(SIDECARS, VARIANT), NOBODY)
    note = legacy_note(rows)
    assert note is not None
    assert "and not the 2-5 s that was claimed" in note
    assert legacy_note(()) is None


def test_who_is_faster_than_looking_at_its_files_measured_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIMES_NS, "v2", 20_000)  # 0.4 times the floor
    row = first_row(measurement_of(SIDECARS, VARIANT))
    assert (row.verdict, row.ratio) == (RowVerdict.NOTHING_MEASURED, None)
    assert "did not look" in row.remarks[0]
