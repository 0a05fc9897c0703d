"""Many builders at once, and builders that are killed: right answers, no errors, nothing left over.

`python -m tests.faults.test_index_concurrency 1000` kills as many builds as it is told.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from catalog.filesystem import FileSystem
from tests.catalog.trees import SIDECAR, changed, write
from tests.faults.test_index_file import SETTLED, Build, build, own_folder
from tests.ticks import tick

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSES = 16
CHECKPOINTS = 40


def make_tree(root: Path) -> Path:
    for number in range(CHECKPOINTS):
        folder = root / f"exp-{number // 4}" / "checkpoints"
        write(folder / f"{number}.ckpt", b"x")
        write(folder / f"{number}.metadata.yaml", changed(SIDECAR, exp_name=f"exp-{number}"))
    return root


def edit(outputs: Path, rng: random.Random) -> None:
    """Rewrite a sidecar, and take away or add another checkpoint."""
    tick(outputs)
    sidecar = rng.choice(sorted(outputs.rglob("*.metadata.yaml")))
    write(sidecar, changed(SIDECAR, training__epoch=rng.randrange(10, 99)))
    other = outputs / "exp-0" / "checkpoints" / "more.ckpt"
    if other.exists():
        other.unlink()
    else:
        write(other, b"no checkpoint")


def right(outputs: Path, index: Path) -> object:
    return build(outputs, index, use_cache=False).told


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "outputs")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


def child(run: Callable[[], object]) -> int:
    """A forked process that runs this and nothing else; its status tells whether it ended well."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            run()
            status = 0
        except BaseException:  # noqa: BLE001 - the parent sees the status, and the reader the trace
            traceback.print_exc()
        finally:
            os._exit(status)
    return process


def assert_builds(
    outputs: Path, index: Path, expected: object, times: int, files: FileSystem = SETTLED
) -> None:
    for _ in range(times):
        found = build(outputs, index, files=files)
        assert found.told == expected
        assert found.warnings == []


def test_sixteen_processes_at_once_all_answer_rightly(outputs: Path, index: Path) -> None:
    rng = random.Random(1)
    for _ in range(5):
        expected = right(outputs, index)
        processes = [child(lambda: assert_builds(outputs, index, expected, 5)) for _ in range(PROCESSES)]  # noqa: B023 - run before the next round
        assert [os.waitpid(process, 0)[1] for process in processes] == [0] * PROCESSES
        assert build(outputs, index).read == 0  # the last writer's index is whole
        assert len(names(index)) == 1
        edit(outputs, rng)
    found = build(outputs, index)
    assert found.told == right(outputs, index)
    assert 0 < found.read < CHECKPOINTS / 2


def test_builds_during_edits_neither_fail_nor_mislead_the_next(outputs: Path, index: Path) -> None:
    rng = random.Random(2)

    def build_often() -> None:
        for _ in range(10):
            assert build(outputs, index, files=FileSystem()).warnings == []

    for _ in range(3):
        processes = [child(build_often) for _ in range(PROCESSES)]
        for _ in range(20):
            edit(outputs, rng)
        assert [os.waitpid(process, 0)[1] for process in processes] == [0] * PROCESSES
        assert_builds(outputs, index, right(outputs, index), 2, FileSystem())
        assert len(names(index)) == 1


@dataclass
class Kills:
    """What became of builds that were killed."""

    killed: int = 0
    ended: int = 0
    left: int = 0
    """Builds that left a temporary file behind."""


def kill_builds(outputs: Path, index: Path, count: int, rng: random.Random) -> Kills:
    """Kill builds, every third before its rename; after each, the next must answer rightly and tidy up."""
    kills = Kills()
    usual_s = 0.01
    for number in range(count):
        if number % 3 == 0:
            process = child(lambda: build_up_to_the_rename(outputs, index))
        else:
            process = child(lambda: build(outputs, index))
            time.sleep(rng.uniform(0, usual_s))
            os.kill(process, signal.SIGKILL)
        was_killed = os.WIFSIGNALED(os.waitpid(process, 0)[1])
        kills.killed += was_killed
        kills.ended += not was_killed
        kills.left += len(names(index)) > (number > 0)
        begun_s = time.perf_counter()
        assert_tidied(build(outputs, index), outputs, index)
        usual_s = 0.9 * usual_s + 0.1 * (time.perf_counter() - begun_s)
        edit(outputs, rng)
    return kills


def build_up_to_the_rename(outputs: Path, index: Path) -> None:
    """A build that is killed when its index is written and not yet in its place."""
    with patch("os.replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
        build(outputs, index)


def names(index: Path) -> list[str]:
    own = own_folder(index)
    return sorted(os.listdir(own)) if own.is_dir() else []


def assert_tidied(found: Build, outputs: Path, index: Path) -> None:
    assert found.told == right(outputs, index)
    assert found.warnings == []
    assert len(names(index)) == 1, names(index)


def test_a_killed_build_harms_nobody(outputs: Path, index: Path) -> None:
    kills = kill_builds(outputs, index, 20, random.Random(3))
    assert kills.left >= 20 / 3


def main(count: int) -> int:
    """Kill so many builds, and tell what became of them; any wrong answer raises."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = make_tree(Path(folder) / "outputs")
        kills = kill_builds(outputs, Path(folder) / "index", count, random.Random(4))
    print(kills)  # noqa: T201 - a program of its own, by `python -m`
    return int(kills.killed < count / 2)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
