"""Workers: real processes around subjects that behave well, and that do not."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.subject import Subject, SubjectError
from bench.worker import Call, SubjectRaised, Worker, WorkerCrashed, WorkerHung

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBJECTS = textwrap.dedent(
    """
    import ctypes, os, subprocess, sys, time
    from pathlib import Path

    class Record:
        def __init__(self, path, epochs):
            self.checkpoint_path, self.epochs = path, epochs
        def to_display_option(self):
            return f"epoch {self.epochs}"

    class Catalog(list):
        skipped = [Path("left.ckpt")]
        problems = []

    def steady(folder, names):
        return Catalog([Record(folder / name, 7) for name in names])

    def lazy(folder, names):
        for name in names:
            yield {"checkpoint_path": name}

    def printing(folder, names):
        print("hello"); sys.stdout.flush()
        os.write(1, b"from below\\n")
        ctypes.CDLL(None).puts(b"from C"); ctypes.CDLL(None).fflush(None)
        return [sys.stdin.read()]

    def raising(folder, names):
        raise RuntimeError("the disk is on fire")

    def crashing(folder, names):
        print("last words", file=sys.stderr, flush=True)
        os._exit(41)

    def killed(folder, names):
        os.kill(os.getpid(), 9)

    def hanging(folder, names):
        time.sleep(600)

    def orphaning(folder, names):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(folder, "child").write_text(str(child.pid))
        os._exit(1)

    def remembering(folder, names):
        return remembered
    remembering.prepare = lambda folder, names: remembered.append(folder)
    remembered = []

    def seeds(folder, names):
        return [{"display_name": os.environ["PYTHONHASHSEED"], "exp_name": os.environ.get("SWITCH", "")}]

    def hungry(folder, names):
        block = bytearray(80_000_000)
        block[::4096] = b"x" * len(block[::4096])
        return []

    def reading(folder, names):
        for name in names:
            with open(folder / name, "rb", buffering=0) as file:
                file.read()
        return []

    def surrogates(folder, names):
        return [{"display_name": "\\udcff", "hmean": float("nan"), "epochs": 3.0, "has_metadata": True}]
    """
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "subjects_on_trial.py").write_text(SUBJECTS)
    return tmp_path


def started(folder: Path, name: str, *, timeout_s: float = 60.0, **environment: str) -> Worker:
    """A worker that holds the subject of this name."""
    search_path = (str(folder),)
    subject = Subject(name, f"subjects_on_trial:{name}", search_path, environment=environment)
    return Worker.start(subject, hash_seed=5, timeout_s=timeout_s)


@pytest.fixture
def steady(folder: Path) -> Iterator[Worker]:
    with started(folder, "steady") as worker:
        yield worker


def await_end(pid: int) -> None:
    """Return when a process has ended; the test's own time limit is the patience."""
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_a_call_is_sampled_and_its_answer_can_be_had(steady: Worker, tmp_path: Path) -> None:
    sample = steady.call(Call(tmp_path, ("a.ckpt", "b.ckpt")))
    answer = steady.answer()
    assert sample.count == 2
    assert sample.elapsed_ns > 0
    assert answer.records[1] == {"checkpoint_path": str(tmp_path / "b.ckpt"), "epochs": 7}
    assert answer.display_options == ["epoch 7", "epoch 7"]
    assert (answer.skipped, answer.problems) == (["left.ckpt"], [])


def test_the_answer_is_that_of_the_last_call(steady: Worker, tmp_path: Path) -> None:
    steady.call(Call(tmp_path, ("a.ckpt", "b.ckpt")))
    steady.call(Call(tmp_path, ()))
    assert steady.answer().records == []


def test_loading_tells_whose_code_runs_and_under_what(steady: Worker, folder: Path) -> None:
    loaded = steady.loaded
    assert loaded.origin == str(folder / "subjects_on_trial.py")
    assert loaded.import_ns > 0
    assert loaded.hash_seed == "5"
    assert loaded.affinity == tuple(sorted(os.sched_getaffinity(0)))


def test_the_harness_does_not_stand_in_the_way_of_the_subjects_imports(folder: Path) -> None:
    (folder / "statistics_user.py").write_text(
        "import statistics, sys\n"
        "found = [{'display_name': statistics.__file__, 'exp_name': str('bench' in sys.modules)}]\n"
        "def listed(folder, names): return found\n"
    )
    subject = Subject("user", "statistics_user:listed", (str(folder),))
    with Worker.start(subject, hash_seed=0) as worker:
        worker.call(Call(folder))
        (record,) = worker.answer().records
    assert "bench" not in str(record["display_name"])
    assert record["exp_name"] == "False"


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of a virtual environment in which nothing is installed."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False)
    return str(place / "bin" / "python")


def test_another_environment_needs_nothing_of_ours(folder: Path, bare_python: str) -> None:
    (folder / "loaded_there.py").write_text(
        "import sys\n"
        "def listed(folder):\n"
        "    ours = {'bench', 'msgspec', 'catalog'} & set(sys.modules)\n"
        "    return [{'display_name': sys.prefix, 'exp_name': repr(sorted(ours))}]\n"
    )
    subject = Subject("there", "loaded_there:listed", (str(folder),), bare_python)
    with Worker.start(subject, hash_seed=0) as worker:
        worker.call(Call(folder))
        (record,) = worker.answer().records
    assert record == {"display_name": str(Path(bare_python).parents[1]), "exp_name": "[]"}


def test_what_is_missing_in_another_environment_is_told(folder: Path, bare_python: str) -> None:
    (folder / "needs_msgspec.py").write_text("import msgspec\n")
    with pytest.raises(SubjectError, match=r"No module named 'msgspec'.*for the interpreter that runs it"):
        Worker.start(Subject("there", "needs_msgspec:a", (str(folder),), bare_python), hash_seed=0)


def test_a_search_path_goes_before_what_is_installed(folder: Path) -> None:
    (folder / "catalog").mkdir()
    (folder / "catalog" / "__init__.py").write_text("def listed(folder, names): return []\n")
    with Worker.start(Subject("theirs", "catalog:listed", (str(folder),)), hash_seed=0) as worker:
        assert worker.loaded.origin == str(folder / "catalog" / "__init__.py")


def test_hash_seed_and_environment_reach_the_subject(folder: Path) -> None:
    with started(folder, "seeds", SWITCH="off") as worker:
        worker.call(Call(folder))
        assert worker.answer().records == [{"display_name": "5", "exp_name": "off"}]


def test_a_lazy_answer_is_counted_and_kept(folder: Path) -> None:
    with started(folder, "lazy") as worker:
        sample = worker.call(Call(folder, ("a", "b", "c")))
        assert sample.count == len(worker.answer().records) == 3


def test_what_a_subject_prints_or_reads_does_not_touch_the_conversation(folder: Path) -> None:
    with started(folder, "printing") as worker:
        assert worker.call(Call(folder)).count == 1
        assert worker.call(Call(folder)).count == 1


def test_a_subject_that_raises_is_told_with_its_traceback_and_can_be_asked_again(folder: Path) -> None:
    with started(folder, "raising") as worker:
        for _ in range(2):
            with pytest.raises(SubjectRaised, match="the disk is on fire") as caught:
                worker.call(Call(folder))
    assert caught.value.subject == "raising"
    assert "subjects_on_trial.py" in caught.value.told


def test_a_crash_tells_exit_code_and_last_words(folder: Path) -> None:
    with (
        started(folder, "crashing") as worker,
        pytest.raises(WorkerCrashed, match=r"(?s)exit code 41.*last words"),
    ):
        worker.call(Call(folder))


def test_a_killed_worker_tells_the_signal(folder: Path) -> None:
    with started(folder, "killed") as worker, pytest.raises(WorkerCrashed, match="SIGKILL"):
        worker.call(Call(folder))


def test_a_dead_worker_stays_an_error(folder: Path) -> None:
    with started(folder, "crashing") as worker:
        for _ in range(2):
            with pytest.raises(WorkerCrashed):
                worker.call(Call(folder))


def test_a_subject_that_hangs_is_ended(folder: Path) -> None:
    with started(folder, "hanging") as worker:
        worker._timeout_s = 0.2  # loading had to have its own time
        with pytest.raises(WorkerHung, match=r"within 0\.2 s"):
            worker.call(Call(folder))
        assert worker._process.returncode == -signal.SIGKILL


def test_a_crash_is_seen_although_a_child_holds_the_pipe_and_the_child_is_ended(folder: Path) -> None:
    with started(folder, "orphaning") as worker, pytest.raises(WorkerCrashed, match="exit code 1"):
        worker.call(Call(folder))
    await_end(int((folder / "child").read_text()))


def test_a_worker_ends_with_its_block(folder: Path) -> None:
    with started(folder, "steady") as worker:
        assert worker._process.poll() is None
    assert worker._process.returncode == 0


def test_a_missing_subject_is_told_as_such(folder: Path) -> None:
    with pytest.raises(SubjectError, match="did you mean steady"):
        started(folder, "steadi")


def test_a_missing_interpreter_is_told_with_its_name(folder: Path) -> None:
    subject = Subject("any", "a:b", python=str(folder / "no-python"))
    with pytest.raises(WorkerCrashed, match="no-python"):
        Worker.start(subject, hash_seed=0)


def test_the_preparation_is_run_before_and_apart(folder: Path) -> None:
    with started(folder, "remembering") as worker:
        worker.prepare(Call(folder))
        assert worker.call(Call(folder)).count == 1


def test_a_subject_without_preparation_needs_none(steady: Worker, tmp_path: Path) -> None:
    steady.prepare(Call(tmp_path))
    assert steady.call(Call(tmp_path, ("a",))).count == 1


def test_peak_memory_is_that_of_the_call(folder: Path) -> None:
    with started(folder, "hungry") as worker:
        memory = worker.memory(Call(folder))
    assert memory.peak_bytes > 80_000_000
    if memory.method == "VmHWM":
        assert memory.before_bytes is not None
        assert memory.peak_bytes - memory.before_bytes > 75_000_000


def test_peak_memory_of_an_earlier_call_is_not_that_of_the_next(folder: Path) -> None:
    with started(folder, "hungry") as worker:
        first = worker.memory(Call(folder))
        if first.method != "VmHWM":
            pytest.skip("this system does not let the peak be reset")
        second = worker.memory(Call(folder))
    assert abs(second.peak_bytes - first.peak_bytes) < 10_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a process's reads")
def test_reads_are_counted_to_the_byte(folder: Path) -> None:
    (folder / "some.yaml").write_bytes(b"x" * 12345)
    with started(folder, "reading") as worker:
        worker.call(Call(folder, ("some.yaml",)))
        once = worker.input_output(Call(folder, ("some.yaml",)))
        nothing = worker.input_output(Call(folder, ()))
    assert once is not None
    assert nothing is not None
    assert (once.read_bytes, once.read_calls) == (12345, 2)
    assert (nothing.read_bytes, nothing.read_calls) == (0, 0)


def test_values_keep_their_types_on_the_way(folder: Path) -> None:
    with started(folder, "surrogates") as worker:
        worker.call(Call(folder))
        (record,) = worker.answer().records
    assert record["display_name"] == "\udcff"
    assert repr(record["hmean"]) == "nan"
    assert repr(record["epochs"]) == "3.0"
    assert record["has_metadata"] is True
