"""What the harness and a worker tell each other: calls, samples, answers, needs, what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bench.subject import Subject
    from bench.subject_host import AnswerError

Scalar = str | int | float | bool | None


class Call(msgspec.Struct, frozen=True):
    """What a subject is called with."""

    outputs_dir: Path
    config_filenames: tuple[str, ...] = ("config.yaml", "hparams.yaml")


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One timed call: wall time, CPU time of the worker's process, number of records taken.

    `digest` tells the call's whole answer from any other.
    """

    elapsed_ns: int
    cpu_ns: int
    count: int
    digest: str = ""


class Loaded(msgspec.Struct, frozen=True):
    """What importing the subject took, where its module stands, and the process that it runs in.

    `affinity` lists the processors that the process may run on, None where the system does not tell.
    """

    import_ns: int
    origin: str | None
    python: str
    hash_seed: str | None
    affinity: tuple[int, ...] | None


class Answer(msgspec.Struct, frozen=True):
    """An answer as plain values.

    Each record maps the contract's field names that it has to scalars, a path to its text, a value of any
    other type to a text that names the type. `display_options` are the records' display texts, None where
    they have none. `skipped` and `problems` are paths, None where the answer does not tell them.
    `other_names` are what the first record has besides.
    """

    records: list[dict[str, Scalar]]
    display_options: list[str | None]
    skipped: list[str] | None
    problems: list[str] | None
    other_names: list[str] = []


class Memory(msgspec.Struct, frozen=True):
    """Peak resident memory of a worker during one call, and how it was had.

    `VmHWM` is the peak of that call alone, `before_bytes` what was resident before it. `ru_maxrss` is the
    peak of the process's whole life.
    """

    peak_bytes: int
    before_bytes: int | None
    method: Literal["VmHWM", "ru_maxrss"]


class InputOutput(msgspec.Struct, frozen=True):
    """What one call read: bytes asked of the system, bytes that came from a disk, read calls."""

    read_bytes: int
    disk_read_bytes: int
    read_calls: int


class WorkerError(Exception):
    """A worker that gave no answer; `subject` is the name of what it ran."""

    def __init__(self, subject: str, told: str) -> None:
        super().__init__(f"{subject}: {told}")
        self.subject = subject
        self.told = told


class WorkerCrashed(WorkerError):  # noqa: N818 - the name says what happened
    """The worker's process ended; what it wrote to standard error last is told."""


class WorkerHung(WorkerError):  # noqa: N818 - the name says what happened
    """The worker did not answer in time and was ended."""


class SubjectRaised(WorkerError):  # noqa: N818 - the name says what happened
    """The subject raised; the traceback is told."""


class UnusableAnswer(WorkerError):  # noqa: N818 - the name says what happened
    """The subject answered with what cannot be taken as records; `reason` has expected, found and remedy."""

    def __init__(self, subject: str, reason: AnswerError) -> None:
        super().__init__(subject, str(reason))
        self.reason = reason


class RunningWorker(Protocol):
    """What can be asked of a worker; each request may raise WorkerError or ClockError."""

    loaded: Loaded

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def prepare(self, call: Call) -> None:
        """Run the subject's own preparation, if it has one."""

    def call(self, call: Call) -> Sample:
        """Call the subject once, timed."""

    def answer(self) -> Answer:
        """What the last timed call answered."""

    def memory(self, call: Call) -> Memory:
        """Peak memory of one call."""

    def input_output(self, call: Call) -> InputOutput | None:
        """What one call read, None where the system does not tell."""

    def system_calls(self, call: Call) -> int | None:
        """How many system calls one call makes, None where nobody can count them."""


class StartWorker(Protocol):
    """Starts a worker with its subject loaded; may raise SubjectError besides."""

    def __call__(self, subject: Subject, *, hash_seed: int, timeout_s: float) -> RunningWorker:
        """Start it."""
