"""The processes of the limits session: jobs in a new interpreter, command lines, traces, memory.

Each runs in an environment of its own, one after the other, and is ended where it takes too long.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.limits_host import BEGIN, END
from bench.subject import Subject
from bench.whole_process import time_process
from bench.worker import Call, Memory, Worker

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

_HOST: Final = ("-P", "-m", "bench.limits_host")
_TOLD_CHARS: Final = 500
_OPEN: Final = re.compile(
    r'open(?:at2?)?\((?:[^,"]*, )?"(?P<path>[^"]*)", (?P<flags>[^)]*)\) += (?P<result>-?\d+)'
)
_IMPORT: Final = re.compile(r"import time: +\d+ \| +\d+ \| +(\S+)")


class ProcessError(Exception):
    """A process that did not do what it was started for; says which, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Opens:
    """What one call opened: files below the tree, folders below it, and files elsewhere."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    elsewhere: tuple[str, ...]


class Processes:
    """Starts them. `home` is their home folder; `environment` is added to what they inherit."""

    def __init__(self, home: Path, environment: Mapping[str, str], *, timeout_s: float = 300.0) -> None:
        self.home = home
        self._added = dict(environment)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        self._environment = {**inherited, **environment}
        self._timeout_s = timeout_s

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Do a job of `bench.limits_host` in a new interpreter. Raises `ProcessError`.

        `wrote` in its reply is the last line that the process wrote to standard error.
        """
        done = self._done([sys.executable, *_HOST], job)
        reply: dict[str, Any] = json.loads(done.stdout)
        return {**reply, "wrote": _last_words(done)}

    def opens(self, job: Mapping[str, Any], root: Path) -> Opens:
        """What a `trace` job opened between its marks. Raises `ProcessError`, without strace too."""
        strace = shutil.which("strace")
        if strace is None:
            raise ProcessError("expected strace on the path, found none; install it")
        log = self.home / "strace.log"
        traced = "trace=open,openat,openat2,creat"
        command = [strace, "-f", "--seccomp-bpf", "-e", traced, "-o", str(log), sys.executable, *_HOST]
        self._done(command, job)
        return opened(log.read_text(encoding="utf-8", errors="replace"), root)

    def time_ns(self, command: Sequence[str]) -> int:
        """How long a command takes as a whole process, what it prints thrown away. Raises `ProcessError`."""
        ended = time_process(
            command, environment=self._environment, folder=self.home, timeout_s=self._timeout_s
        )
        if ended.code:
            raise ProcessError(f"{' '.join(command)}: expected exit code 0, found {ended.code}")
        return ended.elapsed_ns

    def imported_by(self, arguments: Sequence[str]) -> frozenset[str]:
        """The top-level packages that the interpreter imports for a script or module."""
        done = self._done([sys.executable, "-X", "importtime", *arguments], None)
        return frozenset(name.partition(".")[0] for name in _IMPORT.findall(done.stderr))

    def memory(self, target: str, call: Call, rng: random.Random) -> Memory:
        """Peak memory of the first call of a process, nothing prepared. Raises `bench.worker.WorkerError`."""
        subject = Subject("limits", target, environment=self._added)
        with Worker.start(subject, hash_seed=rng.randrange(1 << 32), timeout_s=self._timeout_s) as worker:
            return worker.memory(call)

    def _done(self, command: Sequence[str], job: Mapping[str, Any] | None) -> subprocess.CompletedProcess[str]:
        search_path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        try:
            done = subprocess.run(
                command,
                check=False,
                env={**self._environment, "PYTHONPATH": search_path},
                cwd=self.home,
                input="" if job is None else json.dumps(job),
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise ProcessError(
                f"{command[0]}: expected an end within {self._timeout_s:g} s, found none"
            ) from error
        if done.returncode:
            told = _last_words(done)
            raise ProcessError(f"{command[0]}: expected exit code 0, found {done.returncode}; it wrote: {told}")
        return done


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last line on standard error: of a traceback the error itself."""
    return done.stderr.strip().rpartition("\n")[2][:_TOLD_CHARS]


def opened(log: str, root: Path) -> Opens:
    """What strace saw being opened between the two marks. Raises `ProcessError` where a mark is missing."""
    _, begin, rest = log.partition(BEGIN)
    between, end, _ = rest.partition(END)
    if not (begin and end):
        raise ProcessError(f"strace: expected two marks in its log, found {bool(begin) + bool(end)}")
    files, folders, elsewhere = [], [], []
    for found in _OPEN.finditer(between):
        if int(found["result"]) < 0:
            continue
        if not Path(found["path"]).is_relative_to(root):
            elsewhere.append(found["path"])
        elif "O_DIRECTORY" in found["flags"]:
            folders.append(found["path"])
        else:
            files.append(found["path"])
    return Opens(tuple(files), tuple(folders), tuple(elsewhere))
