from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from catalog import wandb_process
from catalog.wandb_process import WorkerEndedError, WorkerProcess, WorkerShelf
from tests.wandb_clients import without_wandb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Nobody listens there, and nothing here waits for an answer.
ENVIRON = without_wandb() | {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "k" * 40}
QUESTION = {"runs": [["team", "ocr", "abc123"]], "history": [], "metrics": []}


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    worker = WorkerProcess(ENVIRON)
    yield worker
    worker.close()


@pytest.fixture
def saying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], WorkerProcess]]:
    """Makes workers that say what a script writes to `out`, whatever they are asked."""
    workers: list[WorkerProcess] = []

    def make(script: str) -> WorkerProcess:
        path = tmp_path / "worker.py"
        path.write_text(f"import sys, time\nout = sys.stdout\n{script}\n")
        monkeypatch.setattr(wandb_process, "_WORKER", path)
        workers.append(WorkerProcess(ENVIRON))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def test_a_question_is_given_up_at_its_deadline(worker: WorkerProcess) -> None:
    worker.send(QUESTION)
    with pytest.raises(TimeoutError):
        list(worker.answers(time.monotonic()))


def test_what_keeps_coming_is_given_up_soon_after_the_deadline(saying: Callable[[str], WorkerProcess]) -> None:
    worker = saying("while True: out.write('{}\\n' * 1000)")
    with pytest.raises(TimeoutError):
        deque(worker.answers(time.monotonic() + 0.1), maxlen=0)


def test_an_answer_that_takes_longer_than_is_left_is_left_out_and_those_behind_it_taken(
    saying: Callable[[str], WorkerProcess],
) -> None:
    long = "'{\"a\": \"' + 'x' * 50_000_000 + '\"}\\n'"
    worker = saying(f'out.write({long} + \'{{"b": 2}}\\n{{"done": true}}\\n\'); out.flush(); sys.stdin.read()')
    taken: list[dict[str, object]] = []
    with pytest.raises(TimeoutError):
        taken.extend(worker.answers(time.monotonic() + 5))
    assert taken == [{"b": 2}]


def test_time_is_left_to_look_through_what_was_taken(saying: Callable[[str], WorkerProcess]) -> None:
    lines = "('{\"a\": \"' + 'x' * 2**20 + '\"}\\n') * 60"
    worker = saying(f"out.write('{{}}\\n' + {lines} + '{{\"done\": true}}\\n'); out.flush(); sys.stdin.read()")
    assert next(worker.answers(time.monotonic() + 60)) == {}
    taken: list[dict[str, object]] = []
    with pytest.raises(TimeoutError):
        taken.extend(worker.answers(time.monotonic() + 1.7))
    assert 0 < len(taken) < 60


def test_answers_come_whole_however_they_are_cut(saying: Callable[[str], WorkerProcess]) -> None:
    parts = ('{"a":', ' 1}\n{"b"', ": 2}\n", '{"c": "' + "x" * 300_000, '"}\n{"done": true}\n')
    worker = saying(f"for part in {parts}: out.write(part); out.flush(); time.sleep(0.05)\nsys.stdin.read()")
    assert list(worker.answers(time.monotonic() + 60)) == [{"a": 1}, {"b": 2}, {"c": "x" * 300_000}]


def test_what_has_come_before_the_deadline_is_handed_out_behind_it(
    saying: Callable[[str], WorkerProcess],
) -> None:
    worker = saying('out.write(\'{"a": 1}\\n{"b"\'); out.flush(); sys.stdin.read()')
    assert next(worker.answers(time.monotonic() + 60)) == {"a": 1}
    with pytest.raises(TimeoutError):
        next(worker.answers(time.monotonic()))


def test_an_answer_that_is_not_ended_is_the_end_of_the_worker(saying: Callable[[str], WorkerProcess]) -> None:
    with pytest.raises(WorkerEndedError):
        list(saying("out.write('{\"a\"')").answers(time.monotonic() + 60))


def test_a_worker_that_ends_while_it_is_asked_is_noticed(worker: WorkerProcess) -> None:
    os.kill(worker.process_id, signal.SIGKILL)
    with pytest.raises(WorkerEndedError):
        ask(worker)


def ask(worker: WorkerProcess) -> list[dict[str, object]]:
    worker.send(QUESTION)
    return list(worker.answers(time.monotonic() + 60))


def test_a_process_that_cannot_be_started_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        WorkerProcess(ENVIRON)
    assert not any(tmp_path.iterdir())


def test_a_worker_speaks_for_one_environment_alone(worker: WorkerProcess) -> None:
    assert worker.is_usable(dict(ENVIRON))
    assert not worker.is_usable(ENVIRON | {"WANDB_API_KEY": "x" * 40})
    assert not worker.is_usable(ENVIRON, "x" * 40)


def test_closing_ends_the_process_and_removes_its_folder(worker: WorkerProcess) -> None:
    assert Path(worker.folder).is_dir()
    worker.close()
    assert not Path(worker.folder).exists()
    assert not psutil.pid_exists(worker.process_id)


def test_who_is_in_a_hurry_does_not_wait_for_thousands_of_folders(
    worker: WorkerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def remove_slowly(folder: str, ignore_errors: bool) -> None:
        begun.set()
        assert may_end.wait(30)
        remove(folder, ignore_errors=ignore_errors)

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", remove_slowly)
    worker.close(in_a_hurry=True)
    assert not psutil.pid_exists(worker.process_id)
    assert begun.wait(30)
    assert Path(worker.folder).is_dir()
    may_end.set()
    given_up_s = time.monotonic() + 30
    while Path(worker.folder).exists():
        assert time.monotonic() < given_up_s
        time.sleep(0.01)


def test_the_shelf_hands_out_the_worker_that_was_put_back(worker: WorkerProcess) -> None:
    shelf = WorkerShelf()
    shelf.put(worker)
    assert shelf.take(ENVIRON) is worker


def test_the_shelf_replaces_a_worker_that_has_ended(worker: WorkerProcess) -> None:
    shelf = WorkerShelf()
    worker.close()
    shelf.put(worker)
    other = shelf.take(ENVIRON)
    assert other is not worker
    assert other.is_usable(ENVIRON)
    other.close()


def test_the_shelf_keeps_one_worker_and_ends_the_others(worker: WorkerProcess) -> None:
    shelf = WorkerShelf()
    other = WorkerProcess(ENVIRON)
    shelf.put(other)
    shelf.put(worker)
    assert not psutil.pid_exists(other.process_id)
    shelf.clear()
    assert not psutil.pid_exists(worker.process_id)


def test_the_death_of_who_asks_is_the_end_of_the_worker() -> None:
    script = (
        "import os, signal\n"
        "from catalog.wandb_process import WorkerProcess\n"
        "worker = WorkerProcess(os.environ)\n"
        "print(worker.process_id, worker.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRON, capture_output=True, text=True, check=False
    )
    process_id, folder = asked.stdout.split()
    given_up_s = time.monotonic() + 30
    while is_running(int(process_id)):
        assert time.monotonic() < given_up_s
        time.sleep(0.02)
    assert not Path(folder).exists()


def is_running(process_id: int) -> bool:
    """Whether a process does anything; where nobody reaps orphans, the dead keep their number."""
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
