"""The process that asks W&B: started when first needed, kept for the next question, ended at a deadline."""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORKER: Final = Path(__file__).with_name("wandb_worker.py")
_EMPTYING_S: Final = 0.1
"""How long after a deadline what has come before it may still be taken."""

# What JSON costs at its worst, which is lists of lists, on cores that the server shares: to parse the text in
# the text of a line; then to look through what it told, and to free it.
_PARSING_S_A_BYTE: Final = 0.12 / 2**20
_KEEPING_S_A_BYTE: Final = 0.03 / 2**20

_PIECE_BYTES: Final = 1 << 16
_LONGEST_WAIT_MS: Final = 1e9

# Of the asking process's own session with W&B, and what would make the client talkative.
_DROPPED: Final = ("WANDB_SERVICE", "WANDB_DEBUG", "WANDB_CORE_DEBUG")
_QUIET: Final = {
    "WANDB_SILENT": "true",
    # One more try: the helper waits 2 s before it, and doubles that before each further one.
    "WANDB__GRAPHQL_RETRY_MAX": "1",
    # The helper only passes on what others compute: on further cores it would look for work in vain.
    "GOMAXPROCS": "1",
    "PYTHONWARNINGS": "ignore",
}


class WorkerEndedError(RuntimeError):
    """The process ended in the middle of its answer."""


class WorkerProcess:
    """One process that asks W&B on behalf of this one, in the environment `environ`.

    `key` is the one that the client finds there, and uses as long as it lives. `folder` is the process's own,
    for what the client writes while it reads; it goes with the process.
    """

    def __init__(self, environ: Mapping[str, str], key: str = "") -> None:
        """Raises `OSError` where no process can be started."""
        self.environ = dict(environ)
        self._key = key
        self._owner = os.getpid()
        # The client makes a folder for every run that it hears of.
        self.folder = tempfile.mkdtemp(prefix="catalog-wandb-")
        try:
            self._process = subprocess.Popen(
                # -P: a folder of runs must not pass for the package
                [sys.executable, "-P", str(_WORKER), self.folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(environ, self.folder),
            )
        except OSError:
            os.rmdir(self.folder)
            raise
        self._lines: deque[bytes] = deque()
        self._begun: list[bytes] = []

    @property
    def process_id(self) -> int:
        """Its number in the system."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs, and belongs to this very process."""
        return self._owner == os.getpid() and self._process.poll() is None

    def is_usable(self, environ: Mapping[str, str], key: str = "") -> bool:
        """Whether it lives, belongs to this very process, and speaks for the same environment and key."""
        return self.is_alive and self._key == key and self.environ == dict(environ)

    def send(self, question: Mapping[str, Any]) -> None:
        """Put a question, and do not wait. Raises `WorkerEndedError`."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerEndedError from error

    def answers(self, until_s: float) -> Iterator[dict[str, Any]]:
        """What is answered to the question that was sent, as it arrives.

        Raises `TimeoutError` at the time `until_s` of `time.monotonic()`, after what has come by then, and
        `WorkerEndedError`. An answer so long that the time would be over before it was taken is left out, and
        of the time is kept what looking through those that were taken may need.
        """
        is_whole = True
        while True:
            left_s = until_s - time.monotonic()
            if left_s < -_EMPTYING_S:  # more keeps coming than can be taken
                raise TimeoutError
            if not self._lines:
                self._receive(max(0.0, left_s))
                continue
            line = self._lines.popleft()
            if len(line) * _PARSING_S_A_BYTE > left_s + _EMPTYING_S:
                is_whole = False
                continue
            until_s -= len(line) * _KEEPING_S_A_BYTE
            answer = json.loads(line)
            if "done" not in answer:
                yield answer
            elif is_whole:
                return
            else:
                raise TimeoutError

    def _receive(self, timeout_s: float) -> None:
        """Wait for a piece of what is said. Raises `TimeoutError` and `WorkerEndedError`."""
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        if not poll.poll(min(timeout_s * 1000, _LONGEST_WAIT_MS)):
            raise TimeoutError
        piece = os.read(pipe, _PIECE_BYTES)
        if not piece:  # what was begun was never ended
            raise WorkerEndedError
        *ended, rest = piece.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._begun, ended[0]))
            self._lines += ended
            self._begun.clear()
        self._begun.append(rest)

    def close(self, *, in_a_hurry: bool = False) -> None:
        """End the process at once; the client's helper, which watches it, ends by itself.

        The client leaves a folder for each run, which take long to remove where they are thousands; who is
        `in_a_hurry` does not wait for that, but the end of this interpreter does.
        """
        if self._owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                _close_quietly(stream)
        if in_a_hurry:
            threading.Thread(target=shutil.rmtree, args=(self.folder, True)).start()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class WorkerShelf:
    """Keeps one idle worker: starting one costs about a second, asking it again milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: WorkerProcess | None = None

    def take(self, environ: Mapping[str, str], key: str = "") -> WorkerProcess:
        """The idle worker if it may be used, else a new one. Raises `OSError`."""
        worker = self._exchange(None)
        if worker is not None:
            if worker.is_usable(environ, key):
                return worker
            worker.close(in_a_hurry=True)
        return WorkerProcess(environ, key)

    def put(self, worker: WorkerProcess) -> None:
        """Keep a worker that has nothing left to answer."""
        previous = self._exchange(worker)
        if previous is not None:
            previous.close()

    def clear(self) -> None:
        """End the idle worker, if there is one."""
        worker = self._exchange(None)
        if worker is not None:
            worker.close()

    def _exchange(self, worker: WorkerProcess | None) -> WorkerProcess | None:
        with self._lock:
            previous, self._idle = self._idle, worker
        return previous


shelf: Final = WorkerShelf()
atexit.register(shelf.clear)


def _environment(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _DROPPED}
    # Reading runs needs no crash reports to W&B; who wants them says so.
    return {"WANDB_ERROR_REPORTING": "false", **kept, **_QUIET, "WANDB_DIR": folder}


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except OSError:  # what was still to be written to a process that has ended
        return
