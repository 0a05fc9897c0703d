"""Whole processes timed from their start to their end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


_NO_BYTECODE: Final = "PYTHONDONTWRITEBYTECODE"


class Ended(NamedTuple):
    """How long a process ran, and its exit code; that of a signal is negative."""

    elapsed_ns: int
    code: int


def time_process(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    timeout_s: float,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Ended:
    """Run a command in `folder` with this environment; after `timeout_s` it and what it started are killed.

    Of the environment it lacks what keeps Python from keeping bytecode: a program that is installed has it,
    and each process would else be timed as it compiles its modules anew. Its output goes nowhere or to files:
    a pipe ends only with the last process that holds it. Raises `OSError` where it cannot be started.
    """
    begun_ns = time.perf_counter_ns()
    process = subprocess.Popen(
        command,
        env={name: value for name, value in environment.items() if name != _NO_BYTECODE},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    # A wait with a time limit polls, up to 50 ms apart: this one is woken when the process ends.
    watchdog = threading.Timer(timeout_s, _kill, [process])
    watchdog.start()
    try:
        code = process.wait()
        return Ended(time.perf_counter_ns() - begun_ns, code)
    except BaseException:
        _kill(process)
        process.wait()
        raise
    finally:
        watchdog.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
