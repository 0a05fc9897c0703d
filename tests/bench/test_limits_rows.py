"""Rows: what they make of replies, and of processes that fail or answer wrongly."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace

from bench import limits_header
from bench.limits_header import HeaderRow
from bench.limits_process import Opens, ProcessError
from bench.limits_rows import ROWS
from bench.limits_session import Effort, OutputsDiffer, Plan, Session
from bench.result import TargetState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.limits_process import Processes
    from bench.limits_result import Figure
    from bench.worker import Call, Memory

MS = 1_000_000
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
EFFORT = {0: Effort(2, 3)}
PLAN = Plan(EFFORT, EFFORT, EFFORT, EFFORT, Effort(5), Effort(6, 2), settle_s=0.0)


class FakeProcesses:
    """Replies without processes: a candidate takes `factor` times its floor, which grows with `power`."""

    def __init__(self, *, factor: float = 2.0, power: float = 1.0) -> None:
        self.factor = factor
        self.power = power
        self.opened = Opens((), (), ("/home/the.index",))
        self.imported = frozenset({"catalog", "msgspec"})
        self.digest = "same"
        self.missing = 0
        self.jobs: list[Mapping[str, Any]] = []

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        self.jobs.append(job)
        size = int(Path(job["outputs_dir"]).name)
        floor_ns = int(1000 * size**self.power)
        if job["do"] == "change":
            unchanged = [{"written": 40 * MS, "unwritten": 40 * MS}] * job["rounds"]
            changed = [{"written": 49 * MS, "unwritten": 43 * MS}] * job["rounds"]
            seen = dict.fromkeys(job["targets"], job["rounds"])
            return {"changed": changed, "unchanged": unchanged, "seen": seen}
        return {
            "rounds": [{"candidate": int(self.factor * floor_ns), "floor": floor_ns}] * job.get("rounds", 0),
            "counts": {"candidate": [size - self.missing], "floor": [size]},
            "digests": {"candidate": [self.digest], "floor": ["other"]},
            "wrote": "",
        }

    def opens(self, _job: object, _root: Path) -> Opens:
        return self.opened

    def time_ns(self, command: Sequence[str]) -> int:
        return 90 * MS if "list" in command else 10 * MS

    def imported_by(self, _arguments: Sequence[str]) -> frozenset[str]:
        return self.imported

    def memory(self, _target: str, _call: Call, _rng: random.Random) -> Memory:
        raise ProcessError("expected memory, found none")


def session_with(processes: FakeProcesses) -> Session:
    trees = {size: Path(f"/trees/{size}") for size in SIZES}
    return Session(Path("/trees"), trees, cast("Processes", processes), random.Random(1), PLAN)


def figures(name: str, processes: FakeProcesses, size: int = 100_000) -> list[Figure]:
    row = next(row for row in ROWS if row.name == name)
    return row.figures(session_with(processes), size)


@pytest.mark.parametrize(("name", "limit"), [("first-load", 10), ("remembered", 3), ("new-process", 4)])
def test_a_ratio_of_pairs_is_held_against_its_limit(name: str, limit: float) -> None:
    (met,) = figures(name, FakeProcesses(factor=limit * 0.99))
    assert met.times_floor == pytest.approx(limit * 0.99)
    assert met.verdict is TargetState.MET
    (missed,) = figures(name, FakeProcesses(factor=limit * 1.01))
    assert missed.verdict is TargetState.MISSED


def test_only_a_new_process_finds_the_catalog_unprepared() -> None:
    for name, unprepared in (("remembered", []), ("new-process", ["candidate"])):
        processes = FakeProcesses()
        figures(name, processes)
        assert {tuple(job["unprepared"]) for job in processes.jobs if job["do"] == "alternate"} == {
            tuple(unprepared)
        }


def test_sizes_that_tell_the_growth_take_turns() -> None:
    processes = FakeProcesses()
    session = session_with(processes)
    for size in SIZES:
        assert len(session.first_loads(size)) == EFFORT[0].processes
    measured = [int(Path(job["outputs_dir"]).name) for job in processes.jobs]
    assert sorted(measured) == sorted([*SIZES, *SIZES])
    one_after_the_other = sum(size == following for size, following in itertools.pairwise(measured))
    assert one_after_the_other < len(SIZES)
    assert {job["warmup_dir"] for job in processes.jobs} == {f"/trees/{min(SIZES)}"}


def test_a_size_that_fails_takes_no_other_with_it() -> None:
    class Failing(FakeProcesses):
        def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
            reply = super().run(job)
            return reply | {"counts": {"candidate": [0]}} if job["outputs_dir"].endswith("/30000") else reply

    processes = Failing()
    session = session_with(processes)
    assert len(session.first_loads(1_000)) == EFFORT[0].processes
    for _ in range(2):
        with pytest.raises(OutputsDiffer, match="30000 checkpoints"):
            session.first_loads(30_000)
    assert len(processes.jobs) == (len(SIZES) - 1) * EFFORT[0].processes + 1


def test_the_exponent_is_that_of_all_sizes() -> None:
    (flat,) = figures("growth", FakeProcesses())
    assert flat.measured == "n^1.000"
    assert flat.verdict is TargetState.MET
    (steep,) = figures("growth", FakeProcesses(power=1.06))
    assert steep.measured == steep.floor == "n^1.060"
    assert steep.verdict is TargetState.MISSED


def test_an_opened_file_or_folder_misses() -> None:
    processes = FakeProcesses()
    assert [one.verdict for one in figures("opens", processes)] == [TargetState.MET] * 2
    processes.opened = Opens((), ("/trees/100000/exp",), ())
    assert [one.verdict for one in figures("opens", processes)] == [TargetState.MISSED] * 2


def test_a_command_is_held_to_its_time_and_to_its_imports() -> None:
    processes = FakeProcesses()
    assert [one.verdict for one in figures("command", processes, 10_000)] == [TargetState.MET] * 2
    processes.imported |= {"yaml"}
    _, imported = figures("command", processes, 10_000)
    assert (imported.measured, imported.verdict) == ("yaml", TargetState.MISSED)


def test_a_change_and_the_writing_of_the_index_are_told_apart() -> None:
    added, writing, *replaced = figures("change", FakeProcesses(), 10_000)
    assert [one.limit for one in replaced] == [5.0, None]
    assert "replaced by a rename" in replaced[0].title
    assert added.value is not None
    assert added.value.estimate == pytest.approx(3.0)
    assert added.verdict is TargetState.MET
    assert writing.value is not None
    assert writing.value.estimate == pytest.approx(6.0)
    assert writing.verdict is None


def test_the_header_reader_must_be_as_fast_as_wanted_and_read_little(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = ((18.0, 0.75),) * 9
    found = HeaderRow("48 MB", 300, "warm", 0.75, 0.5, 18.0, 20.0, 64_000, 110_000, pairs)
    for row, verdicts in (
        (found, [TargetState.MET, TargetState.MET]),
        (replace(found, target=23.0), [TargetState.MISSED, TargetState.MET]),
        (replace(found, bytes_read=110_001), [TargetState.MET, TargetState.MISSED]),
    ):
        monkeypatch.setattr(limits_header, "rows", lambda _, row=row: [row])
        assert [one.verdict for one in figures("header", FakeProcesses())] == verdicts


def test_what_the_guards_cost_is_told_apart_from_what_the_header_reader_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = HeaderRow("48 MB", 300, "warm", 0.75, 0.5, 18.0, 20.0, 64_000, 110_000, ((18.0, 0.75),) * 9)
    monkeypatch.setattr(limits_header, "rows", lambda _: [found])
    speedup, read = figures("header", FakeProcesses())
    assert (speedup.measured, speedup.guards_ms) == ("0.75 ms", 0.25)
    assert read.guards_ms is None


def test_a_row_that_cannot_be_measured_says_why() -> None:
    (one,) = figures("memory", FakeProcesses())
    assert one.verdict is TargetState.NOTHING_MEASURED
    assert "expected memory, found none" in one.remark


def test_the_time_of_a_wrong_answer_is_no_figure() -> None:
    short = FakeProcesses()
    short.missing = 1
    (one,) = figures("first-load", short)
    assert one.verdict is TargetState.OUTPUTS_DIFFER
    processes = FakeProcesses()
    session = session_with(processes)
    rows = {row.name: row for row in ROWS}
    rows["first-load"].figures(session, 1_000)
    processes.digest = "stale"
    (stale,) = rows["remembered"].figures(session, 1_000)
    assert stale.verdict is TargetState.OUTPUTS_DIFFER
