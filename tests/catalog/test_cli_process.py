"""`ckpt-catalog` as a process: its streams, what they can hold, and how it ends."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from catalog.cli import FOUND_FAULTS, PASSED, USAGE
from catalog.store import INDEX_DIR_VARIABLE
from tests.catalog.trees import SIDECAR, changed, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

INTERRUPTED = -signal.SIGINT  # 130 to a shell, whose loop ends with it
CHECKPOINT = "one/epoch=1.ckpt"
COMMAND = (sys.executable, "-m", "catalog")
LIST, LIST_JSON = ["list", "--no-cache"], ["list", "--no-cache", "--json"]
SHOW = ["show", "--no-cache", CHECKPOINT]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """As from a shell: what is printed is held back until there is much of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHONUNBUFFERED")}
    return {**kept, "PYTHONIOENCODING": "utf-8", INDEX_DIR_VARIABLE: str(tmp_path / "index")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose `outputs` hold one checkpoint, told in full."""
    write(tmp_path / "outputs" / CHECKPOINT, b"x")
    write(tmp_path / "outputs" / "one" / "epoch=1.metadata.yaml", SIDECAR)
    return tmp_path


@pytest.fixture
def pipe_without_reader() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def run(
    folder: Path, environment: Mapping[str, str], *command: str, **streams: Any
) -> subprocess.CompletedProcess[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, encoding="utf-8", timeout=60, **streams
    )


def run_closing(
    folder: Path, environment: Mapping[str, str], closed: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run it with a stream closed, as in `>&-`."""
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
    return run(folder, environment, *shell, *COMMAND, *arguments)


def answer_of(done: subprocess.CompletedProcess[str]) -> str:
    """What was printed, but for the time that it took."""
    return re.sub(r'"catalog_build_time_seconds":[^,]+,', "", done.stdout)


@pytest.mark.parametrize("arguments", [LIST, LIST_JSON, SHOW], ids=" ".join)
def test_the_answer_is_the_same_where_standard_error_is_closed(
    folder: Path, environment: Mapping[str, str], arguments: list[str]
) -> None:
    closed = run_closing(folder, environment, "2>&-", *arguments)
    assert closed.returncode == PASSED
    assert closed.stdout.count("epoch=1.ckpt") > 0
    assert answer_of(closed) == answer_of(run(folder, environment, *COMMAND, *arguments))


@pytest.mark.parametrize("arguments", [LIST, LIST_JSON, SHOW, ["index", "show"]], ids=" ".join)
def test_a_closed_standard_output_is_told_in_one_line(
    folder: Path, environment: Mapping[str, str], arguments: list[str]
) -> None:
    done = run_closing(folder, environment, ">&-", *arguments)
    assert done.returncode == USAGE
    assert done.stderr.splitlines()[-1] == f"ckpt-catalog: standard output: {os.strerror(errno.EBADF)}"
    assert "Traceback" not in done.stderr


def test_nothing_is_said_where_both_streams_are_closed(folder: Path, environment: Mapping[str, str]) -> None:
    done = run_closing(folder, environment, ">&- 2>&-", *LIST)
    assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", "")


def test_the_answer_is_the_same_where_nobody_reads_standard_error(
    folder: Path, environment: Mapping[str, str], pipe_without_reader: int
) -> None:
    done = run(folder, environment, *COMMAND, *LIST, stderr=pipe_without_reader)
    assert (done.returncode, len(done.stdout.splitlines())) == (PASSED, 2)


@pytest.mark.parametrize("module", ["catalog.store", "catalog.wandb_process"])
def test_a_reader_that_is_gone_ends_it_quietly(
    folder: Path, environment: Mapping[str, str], pipe_without_reader: int, module: str
) -> None:
    script = f"import {module}\nfrom catalog.__main__ import run\nrun()"
    done = run(folder, environment, sys.executable, "-c", script, *SHOW, stdout=pipe_without_reader)
    assert (done.returncode, done.stderr) == (PASSED, "")


def test_a_reader_that_has_seen_enough_ends_it_quietly(folder: Path, environment: Mapping[str, str]) -> None:
    long = changed(SIDECAR, model__architecture="x" * 200_000)  # a pipe holds 64 KiB
    write(folder / "outputs" / "one" / "epoch=1.metadata.yaml", long)
    with subprocess.Popen(
        [*COMMAND, *LIST], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(6) == b"epochs"
        process.stdout.close()
        assert b"ckpt-catalog: " not in process.stderr.read()
    assert process.returncode == PASSED


NAMES = "\u00e9 \u017c \U0001f600 \u00a5"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "UTF8", "utf-16", "ascii:replace"])
def test_json_is_the_same_in_every_encoding(
    folder: Path, environment: Mapping[str, str], encoding: str
) -> None:
    write(folder / "outputs" / NAMES / "epoch=1.ckpt", b"x")
    write(folder / "outputs" / NAMES / "epoch=1.metadata.yaml", SIDECAR)
    command = [*COMMAND, *LIST_JSON, "outputs"]
    encoded = {**environment, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, env=encoded, timeout=60)
    text = done.stdout.decode(encoding.partition(":")[0])
    paths = [one["checkpoint_path"] for one in json.loads(text)["entries"]]
    assert sorted(paths) == [f"outputs/{CHECKPOINT}", f"outputs/{NAMES}/epoch=1.ckpt"]
    assert (NAMES in text) == (encoding in {"utf-8", "UTF8", "utf-16"})


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "\\u00e9 \\u017c \\ud83d\\ude00 \\u00a5"),
        ("latin-1", "\u00e9 \\u017c \\ud83d\\ude00 \u00a5"),
        ("utf-8", NAMES),
    ],
)
def test_what_an_encoding_cannot_hold_is_shown_escaped(
    folder: Path, environment: Mapping[str, str], encoding: str, shown: str
) -> None:
    path = f"outputs/{NAMES}/epoch=1.ckpt"
    write(folder / path, b"x")
    write(folder / "outputs" / NAMES / "epoch=1.metadata.yaml", changed(SIDECAR, training__epoch=-1))
    encoded = {**environment, "PYTHONIOENCODING": encoding}
    for arguments, code in (
        (["list"], PASSED),
        (["show", path], PASSED),
        (["problems"], FOUND_FAULTS),
        (["validate", "outputs"], FOUND_FAULTS),
    ):
        command = [*COMMAND, *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=encoded, timeout=60)
        assert done.returncode == code
        assert shown in done.stdout.decode(encoding)


def test_what_is_told_by_the_way_steers_no_terminal(folder: Path, environment: Mapping[str, str]) -> None:
    (folder / "outputs").rename(folder / "steering\x1b[31m")
    done = run(folder, environment, *COMMAND, "-v", *LIST, "steering\x1b[31m")
    assert "steering\\u001b[31m: 1 checkpoints listed" in done.stderr
    assert "\x1b" not in done.stderr


_INTERRUPTED_WHILE_BUILDING = """
import os, signal, sys, time
import catalog.cli, {module}
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupted(builder):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
catalog.cli.CheckpointCatalogBuilder.build_catalog = interrupted
from catalog.__main__ import run
run()
"""
_INTERRUPTED_WHILE_LOADING = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "catalog.selection":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from catalog.__main__ import run
run()
"""


@pytest.mark.parametrize(
    "script",
    [
        _INTERRUPTED_WHILE_LOADING,
        _INTERRUPTED_WHILE_BUILDING.format(module="catalog.store"),
        _INTERRUPTED_WHILE_BUILDING.format(module="catalog.wandb_process"),
    ],
    ids=["loading", "building", "asking"],
)
def test_an_interrupt_is_told_in_one_line(folder: Path, environment: Mapping[str, str], script: str) -> None:
    done = run(folder, environment, sys.executable, "-c", script, *LIST)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "ckpt-catalog: interrupted\n")


def test_an_interrupt_begins_a_line_of_its_own_on_a_terminal(
    folder: Path, environment: Mapping[str, str]
) -> None:
    script = _INTERRUPTED_WHILE_BUILDING.format(module="catalog.store")
    shown, terminal = os.openpty()
    try:
        done = run(folder, environment, sys.executable, "-c", script, *LIST, stderr=terminal)
        told = os.read(shown, 1000)
    finally:
        os.close(shown)
        os.close(terminal)
    assert (done.returncode, told.split()) == (INTERRUPTED, [b"ckpt-catalog:", b"interrupted"])
    assert told.startswith((b"\n", b"\r\n"))


_TELLING_WHAT_WAS_LOADED = """
import os, sys, time
now_ns = time.time_ns
time.time_ns = lambda: now_ns() + 60 * 10**9  # so that what was just written has settled
def tell(code):
    print(*sorted(name for name, found in sys.modules.items() if found), file=sys.stderr)
os._exit = tell
from catalog.__main__ import run
run()
"""


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=repr)
def test_a_remembered_checkpoint_is_listed_without_what_reads_one(
    folder: Path, environment: Mapping[str, str], flags: list[str]
) -> None:
    command = (sys.executable, "-c", _TELLING_WHAT_WAS_LOADED, "list", *flags)
    first, second = (run(folder, environment, *command) for _ in range(2))
    loaded = [set(done.stderr.splitlines()[-1].split()) for done in (first, second)]
    assert CHECKPOINT in second.stdout
    assert answer_of(first) == answer_of(second)
    assert "catalog.reading" in loaded[0]
    assert "catalog.cli" in loaded[1]
    assert loaded[1].isdisjoint({"torch", "wandb", "yaml", "catalog.reading", "catalog.wandb_process"})


@pytest.mark.parametrize("into", ["/dev/full", "a closed pipe"])
def test_help_that_nobody_can_read_ends_without_a_word_from_the_interpreter(into: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "catalog", "--help"],
            stdout=full if into == "/dev/full" else writing,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    os.close(writing)
    told = b"ckpt-catalog: standard output: No space left on device\n" if into == "/dev/full" else b""
    assert (done.returncode, done.stderr) == (2 if told else 0, told)
