"""One process that runs one subject on request and answers with samples: the harness's side of it.

The other side is `bench.subject_host`. A worker lives as long as its `with` block; whatever the subject
started goes with it. It runs in a session of its own, so that its whole process group can be ended.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from bench.exchange import (
    Answer,
    Call,
    InputOutput,
    Loaded,
    Memory,
    RunningWorker,
    Sample,
    StartWorker,
    SubjectRaised,
    UnusableAnswer,
    WorkerCrashed,
    WorkerError,
    WorkerHung,
)
from bench.subject_host import AnswerError, ClockError, SubjectError
from bench.system_calls import count_system_calls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from bench.subject import Subject

__all__ = [
    "Answer",
    "Call",
    "ClockError",
    "InputOutput",
    "Loaded",
    "Memory",
    "RunningWorker",
    "Sample",
    "StartWorker",
    "SubjectError",
    "SubjectRaised",
    "UnusableAnswer",
    "Worker",
    "WorkerCrashed",
    "WorkerError",
    "WorkerHung",
]

DEFAULT_TIMEOUT_S = 300.0
_HOST_FOLDER = str(Path(__file__).parent)
# Not run by its path, or this package's modules would hide the standard library's: found last, then no more.
_HOST = """
import sys
sys.path[:] = [*filter(None, sys.path), sys.argv.pop()]
import subject_host
sys.path.pop()
subject_host.main()
"""
_TOLD_BYTES = 4000
_PATIENCE_S = 5.0
_LOOK_S = 0.5


class Worker:
    """A process that holds one loaded subject. Made by `Worker.start`, ended by its `with` block.

    Each request raises WorkerCrashed, WorkerHung, SubjectRaised, UnusableAnswer or ClockError; after the
    first two the worker is of no more use.
    """

    def __init__(
        self, subject: Subject, process: subprocess.Popen[bytes], log: IO[bytes], timeout_s: float
    ) -> None:
        self.subject = subject
        self.loaded: Loaded
        self._process = process
        self._requests = cast("IO[bytes]", process.stdin)  # both are pipes: see _spawn
        self._replies = cast("IO[bytes]", process.stdout)
        self._log = log
        self._timeout_s = timeout_s
        self._received = bytearray()

    @classmethod
    def start(
        cls,
        subject: Subject,
        *,
        hash_seed: int,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        launcher: Sequence[str] = (),
        inherited: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a process under a fixed hash seed (0 to 2^32-1) and load the subject in it, timed.

        `launcher` is a command that runs the interpreter's. `inherited` stands for this process's own
        environment where it is given. Raises SubjectError where the subject cannot be resolved there,
        besides what every request raises.
        """
        log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
        try:
            process = _spawn(subject, hash_seed, log, launcher, os.environ if inherited is None else inherited)
        except OSError as error:
            log.close()
            raise WorkerCrashed(
                subject.name, f"cannot start {subject.python}: {error}; name an interpreter with --python"
            ) from error
        worker = cls(subject, process, log, timeout_s)
        try:
            worker.loaded = msgspec.convert(worker._load(), Loaded)
        except BaseException:
            worker._kill()
            worker.close()
            raise
        return worker

    def prepare(self, call: Call) -> None:
        """Run the subject's own preparation, if it has one."""
        self._ask("prepare", call)

    def call(self, call: Call) -> Sample:
        """Call the subject once, timed."""
        return msgspec.convert(self._ask("call", call), Sample)

    def answer(self) -> Answer:
        """What the last timed call answered."""
        return msgspec.convert(self._request({"do": "answer"}), Answer)

    def memory(self, call: Call) -> Memory:
        """Peak memory of one call, which is not timed."""
        return msgspec.convert(self._ask("memory", call), Memory)

    def input_output(self, call: Call) -> InputOutput | None:
        """What one call read, which is not timed; None where the system does not tell."""
        return msgspec.convert(self._ask("input_output", call), InputOutput | None)

    def apart(self, call: Call, *, is_called: bool) -> int:
        """Prepare, and call once if `is_called`, in a copy of the process that ends then: the copy's number."""
        return int(self._ask("apart", call, is_called=is_called)["process"])

    def system_calls(self, call: Call) -> int | None:
        """How many system calls one call makes, the request's own few included; None where nobody can count."""
        before = count_system_calls(self._process.pid, lambda: self.prepare(call))
        if before is None:
            return None

        def prepare_and_call() -> None:
            self.prepare(call)
            self._ask("call", call)

        both = count_system_calls(self._process.pid, prepare_and_call)
        return None if both is None else both - before

    def close(self) -> None:
        """End the process: kindly, and after five seconds by force. Ending twice is harmless."""
        if self._log.closed:
            return
        with suppress(OSError):
            self._requests.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        self._kill()
        self._replies.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kill()  # nobody waits for an answer any more
        self.close()

    def _load(self) -> Any:
        same_interpreter = self.subject.python == sys.executable
        return self._request(
            {
                "do": "load",
                "target": self.subject.target,
                "field_map": dict(self.subject.field_map),
                "search_path": [os.path.abspath(folder) for folder in self.subject.search_path],
                # What the harness can import, its own interpreter finds in the worker too, last of all.
                "last_path": [os.path.abspath(folder) for folder in sys.path] if same_interpreter else [],
            }
        )

    def _ask(self, request: str, call: Call, **more: bool) -> Any:
        names = list(call.config_filenames)
        asked = {"do": request, "outputs_dir": str(call.outputs_dir), "config_filenames": names}
        return self._request(asked | more)

    def _request(self, request: dict[str, Any]) -> Any:
        try:
            self._requests.write(json.dumps(request).encode("ascii") + b"\n")
            self._requests.flush()
        except OSError as error:
            raise self._crashed() from error
        reply = json.loads(self._read_line())
        match reply.get("error"):
            case None:
                return reply["ok"]
            case "subject":
                raise SubjectError(*reply["text"])
            case "answer":
                raise UnusableAnswer(self.subject.name, AnswerError(*reply["text"]))
            case "clock":
                raise ClockError(f"{self.subject.name}: {reply['text']}")
            case _:
                raise SubjectRaised(self.subject.name, reply["text"])

    def _read_line(self) -> bytes:
        deadline_s = time.monotonic() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            while (end := self._received.find(b"\n")) < 0:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    self._kill()
                    told = (
                        f"expected an answer within {self._timeout_s:g} s, found none; {self._last_words()}; "
                        "call it by hand on this directory, or give it more time"
                    )
                    raise WorkerHung(self.subject.name, told)
                # A child of a dead worker can hold the pipe open, so that silence is looked into.
                if not selector.select(min(left_s, _LOOK_S)):
                    if self._process.poll() is not None:
                        raise self._crashed()
                elif not self._take():
                    raise self._crashed()
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _take(self) -> bool:
        received = os.read(self._replies.fileno(), 1 << 16)
        self._received += received
        return bool(received)

    def _crashed(self) -> WorkerCrashed:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        self._kill()
        code = self._process.returncode
        how = f"signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"
        return WorkerCrashed(self.subject.name, f"the worker ended with {how}; {self._last_words()}")

    def _last_words(self) -> str:
        size_bytes = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size_bytes - _TOLD_BYTES))
        text = self._log.read().decode(errors="replace").strip()
        return f"it wrote: {text}" if text else "it wrote nothing"

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # those for real time have no names of their own
        return str(number)


def _spawn(
    subject: Subject, hash_seed: int, log: IO[bytes], launcher: Sequence[str], around: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    # The user's own W&B settings would decide what a subject is told, and might lead it to the real server.
    inherited = {name: value for name, value in around.items() if not name.startswith("WANDB_")}
    environment = {**inherited, **subject.environment, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.Popen(
        [*launcher, subject.python, "-c", _HOST, _HOST_FOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        start_new_session=True,
    )
