"""Counting: start-up is subtracted, the median of five is told, and every failure is a reason."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from bench import instructions
from bench.instructions import CALLS, Counted, compared, count_instructions, wait_until_settled
from bench.subject import Subject
from bench.valgrind import PROGRAM, Cachegrind, NotCounted, find_cachegrind
from bench.worker import Call, Sample, WorkerCrashed

SUBJECT = Subject("mine", "mine:build")
CACHEGRIND = Cachegrind("valgrind", "3.19.0")


@dataclass
class StandInWorkers:
    """Starts workers that write files of counts as cachegrind would."""

    calls: list[int]
    startup: int = 1000
    error: Exception | None = None
    child: int = 0
    started: list[tuple[tuple[str, ...], dict[str, str]]] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    folder: Path = Path()
    process: int = 100

    def __call__(self, subject: Subject, **options: Any) -> Self:
        assert subject is SUBJECT
        assert options["hash_seed"] == 0
        self.started.append((tuple(options["launcher"]), dict(options["inherited"])))
        if options["launcher"]:
            self.folder = Path(options["launcher"][-1].partition("=")[2]).parent
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def prepare(self, _call: Call) -> None:
        self.did.append("prepare")

    def call(self, _call: Call) -> Sample:
        self.did.append("call")
        return Sample(1, 1, 50)

    def apart(self, _call: Call, *, is_called: bool) -> int:
        self.process += 1
        if is_called and self.error is not None:
            raise self.error
        self._write(str(self.process), self.startup + (self.calls.pop(0) if is_called else 0))
        if is_called and self.child:
            self._write(f"{self.process}0", self.child)
        return self.process

    def _write(self, name: str, count: int) -> None:
        (self.folder / name).write_text(f"events: Ir\nsummary: {count}\n", encoding="utf-8")


def count(workers: StandInWorkers, tmp_path: Path) -> Counted:
    return count_instructions(SUBJECT, Call(tmp_path), CACHEGRIND, start=workers)


def test_start_up_is_subtracted_and_the_median_call_told(tmp_path: Path) -> None:
    workers = StandInWorkers([70, 71, 900, 70, 71])
    assert count(workers, tmp_path) == Counted(subject="mine", instructions=71, listed=50)
    assert len(workers.calls) == 5 - CALLS


def test_children_of_a_call_are_counted(tmp_path: Path) -> None:
    assert count(StandInWorkers([70] * CALLS, child=30), tmp_path).instructions == 100


def test_bytecode_is_cached_first_and_then_never_written(tmp_path: Path) -> None:
    workers = StandInWorkers([70] * CALLS)
    count(workers, tmp_path)
    (plain, first), (launcher, second) = workers.started
    assert (plain, launcher[0]) == ((), "valgrind")
    assert second.pop("PYTHONDONTWRITEBYTECODE") == "1"
    assert first == second
    assert Path(first["PYTHONPYCACHEPREFIX"]).name == "bytecode"
    assert workers.did[:4] == ["prepare", "call"] * 2


def test_of_the_environment_only_what_finds_programs_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CKPT_SOMETHING", "else")
    workers = StandInWorkers([70] * CALLS)
    count(workers, tmp_path)
    assert "CKPT_SOMETHING" not in workers.started[0][1]
    assert workers.started[0][1]["PATH"] == os.environ["PATH"]


def test_a_call_that_crashes_is_a_reason(tmp_path: Path) -> None:
    workers = StandInWorkers([], error=WorkerCrashed("mine", "signal SIGSEGV"))
    with pytest.raises(
        NotCounted, match="expected a call that ends under valgrind, found mine: signal SIGSEGV"
    ):
        count(workers, tmp_path)


def test_a_call_without_instructions_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotCounted, match="expected a call to take instructions, found 0"):
        count(StandInWorkers([0] * CALLS), tmp_path)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [(10_100, "more"), (10_051, "more"), (10_049, "same"), (9_951, "same"), (9_900, "fewer")],
)
def test_a_change_counts_from_half_a_percent_on(candidate: int, verdict: str) -> None:
    one, other = (Counted(subject="x", instructions=number, listed=1) for number in (candidate, 10_000))
    assert compared(one, other).verdict == verdict


def test_a_tree_that_changed_just_now_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    slept: list[float] = []
    changed_s = (tmp_path / "new").stat().st_ctime
    wait_until_settled(tmp_path, now_s=lambda: changed_s + 1, sleep=slept.append)
    wait_until_settled(tmp_path, now_s=lambda: changed_s + 60, sleep=slept.append)
    assert slept == [pytest.approx(instructions.SETTLED_AFTER_S - 1, abs=0.1)]


WORK = """
def build(outputs_dir, names):
    total = 0
    for number in range({rounds}):
        total += number % 7
    return ["one"]
"""


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"no {PROGRAM} on the search path")
def test_in_earnest_one_percent_more_work_is_more_by_as_much(tmp_path: Path) -> None:
    counts = {}
    for name, rounds in (("first", 20_000), ("heavy", 20_200)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mine.py").write_text(WORK.format(rounds=rounds), encoding="utf-8")
        subject = Subject(name, "mine:build", search_path=(str(folder),))
        counts[name] = count_instructions(subject, Call(tmp_path), find_cachegrind())
    assert counts["first"].instructions > 20_000 * 10
    change = compared(counts["heavy"], counts["first"])
    assert change.ratio == pytest.approx(1.01, abs=0.002)
    assert change.verdict == "more"
