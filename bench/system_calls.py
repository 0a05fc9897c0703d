"""How many system calls a process makes while it is asked something, counted by strace where there is one.

Being traced makes every system call dearer by a factor, so that nothing is timed meanwhile.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 5.0
_LOOK_S = 0.005


def count_system_calls(pid: int, ask: Callable[[], None], *, program: str = "strace") -> int | None:
    """Count the system calls of a process and of those that it starts, while `ask` runs.

    None where there is no such program, or the system lets nobody look: a count is never guessed. `ask` is
    run all the same only where somebody counts. What it raises is raised.
    """
    found = shutil.which(program)
    if found is None:
        return None
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-calls-") as folder:
        told = Path(folder) / "counts"
        command = [found, "-c", "-f", "-qq", "-o", str(told), "-p", str(pid)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
            try:
                if not _is_traced(pid, tracer):
                    return None
                ask()
            finally:
                tracer.send_signal(signal.SIGINT)
                try:
                    tracer.wait(_PATIENCE_S)
                except subprocess.TimeoutExpired:
                    tracer.kill()
        return _total(told)


def _is_traced(pid: int, tracer: subprocess.Popen[bytes]) -> bool:
    end_s = time.monotonic() + _PATIENCE_S
    while tracer.poll() is None and time.monotonic() < end_s:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except OSError:
            return False
        if f"\nTracerPid:\t{tracer.pid}\n" in status:
            return True
        time.sleep(_LOOK_S)
    return False


def _total(told: Path) -> int | None:
    """The calls in the last line of strace's table: % time, seconds, usecs/call, calls, errors, `total`."""
    try:
        lines = told.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        words = line.split()
        if words and words[-1] == "total":
            return int(words[3])
    return None
