"""Commands as subjects, run for real: what they print, how they fail, what is counted of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench.subject import Subject, SubjectError
from bench.worker import Answer, Call, UnusableAnswer, Worker, WorkerHung

if TYPE_CHECKING:
    from pathlib import Path


def started(tmp_path: Path, program: str, *, timeout_s: float = 60.0) -> Worker:
    """A worker around a command that runs this text."""
    (tmp_path / "program.py").write_text(program)
    target = f"cmd:{sys.executable} '{tmp_path}/program.py' {{dir}}"
    return Worker.start(Subject("theirs", target), hash_seed=0, timeout_s=timeout_s)


def answered(tmp_path: Path, program: str) -> Answer:
    with started(tmp_path, program) as worker:
        worker.call(Call(tmp_path))
        return worker.answer()


def test_lines_are_records_blank_ones_none_and_paths_left_out_are_told(tmp_path: Path) -> None:
    answer = answered(
        tmp_path,
        "import json, sys\n"
        "print(json.dumps({'checkpoint_path': sys.argv[1] + '/a.ckpt', 'epochs': 3, 'f1': 0.5}))\n"
        "print()\n"
        "print(json.dumps({'skipped': ['b.ckpt'], 'problems': []}))\n"
        "print('all is well', file=sys.stderr)\n",
    )
    assert answer.records == [{"checkpoint_path": f"{tmp_path}/a.ckpt", "epochs": 3}]
    assert (answer.skipped, answer.problems, answer.other_names) == (["b.ckpt"], [], ["f1"])


def test_no_line_is_an_empty_catalog(tmp_path: Path) -> None:
    assert answered(tmp_path, "").records == []


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise SystemExit('no config')", "expected exit code 0, found 1 and on standard error 'no config'"),
        ("import os; os.kill(os.getpid(), 9)", "found -9"),
        ("print('{}'); print('hello')", "line 2 of its output: expected a JSON object, found 'hello'"),
        ("print('[1]')", "expected a JSON object, found '[1]'"),
        ('import os; os.write(1, b\'{"epochs": "\\xff"}\')', "in UTF-8"),
    ],
)
def test_what_is_no_answer_is_told_with_its_remedy(program: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        answered(tmp_path, program)
    assert told in str(caught.value)
    assert caught.value.reason.remedy


def test_one_failure_does_not_end_the_worker(tmp_path: Path) -> None:
    with started(tmp_path, "import sys; print('{}' if sys.argv[1] == '/' else 'x')") as worker:
        with pytest.raises(UnusableAnswer):
            worker.call(Call(tmp_path))
        assert worker.call(Call(tmp_path.__class__("/"))).count == 1


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    with started(tmp_path, "import time; time.sleep(600)") as worker:
        worker._timeout_s = 0.5  # loading had to have its own time
        with pytest.raises(WorkerHung, match="give it more time"):
            worker.call(Call(tmp_path))


def test_the_commands_own_cpu_time_memory_and_reads_count(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    program = "import sys; open(sys.argv[1] + '/big', 'rb').read(); x = b'x' * 90_000_000; print('{}')"
    with started(tmp_path, program) as worker:
        sample = worker.call(Call(tmp_path))
        memory = worker.memory(Call(tmp_path))
        read = worker.input_output(Call(tmp_path))
    assert sample.cpu_ns > 1_000_000  # a Python process cannot start in a millisecond of CPU time
    assert memory.peak_bytes > 90_000_000
    if read is not None:
        assert read.read_bytes > 3_000_000


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("cmd:no-such-program {dir}", "a program no-such-program"),
        ("cmd:ls", "expected {dir} in the command"),
        ("cmd:ls 'x {dir}", "close its quotes"),
    ],
)
def test_a_command_that_cannot_be_run_is_told_before_it_is_called(target: str, told: str) -> None:
    with pytest.raises(SubjectError) as caught:
        Worker.start(Subject("theirs", target), hash_seed=0)
    assert told in str(caught.value)
