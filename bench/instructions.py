"""The second witness: how many instructions one call takes, which hardly depends on the machine's load.

A worker runs under cachegrind, is warmed up, and makes pairs of copies of itself: both prepare, one of them
calls. The difference of their counts is the call's, whatever went before it; the median of five is told. All
that moves a count is held still: the hash seed, the environment, the bytecode, which is cached beforehand, and
the tree, which has to have settled.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol

import msgspec

from bench.valgrind import NotCounted, instructions_in
from bench.worker import ClockError, SubjectError, Worker, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from bench.subject import Subject
    from bench.valgrind import Cachegrind
    from bench.worker import Call, Sample

UNSEEN = (
    "Instructions are those that the process and its children run themselves. What the kernel does for them "
    "(system calls: reading, listing, waiting) is not seen, and neither are caches and the disk: a change "
    "there shows in times alone."
)
"""What every report of counts says."""

LEAST_CHANGE = 0.005
"""A smaller share is no change: the layout of memory moves the count of other code by some 0.1 %."""

WARM_UPS = 2
CALLS = 5
"""Of which the median counts: now and then one meets what others left, such as a table that grows."""

HASH_SEED = 0
TIMEOUT_S = 600.0
"""For one request: valgrind makes a program some thirty times as slow."""

SETTLED_AFTER_S = 5.0
"""What changed a shorter while ago may be read again rather than remembered, depending on the hour."""

_ALIKE = (
    # To valgrind `rep movsb` is an instruction a byte; whether it copies, or vectors, depends on addresses.
    "glibc.cpu.hwcaps=-ERMS,-FSRM",
    # What is large is mapped, and never copied to grow: whether the heap has room depends on all before it.
    "glibc.malloc.mmap_threshold=1024",
    "glibc.malloc.mmap_max=1000000",
    "glibc.malloc.tcache_count=0",
)
"""Settings of glibc (others pass over them); without them the same work differs by up to 3 %."""

_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Instructions of one call of a subject, and how many records it had."""

    subject: str
    instructions: int
    listed: int


class CountingWorker(Protocol):
    """What is asked of a worker whose instructions are counted; see `bench.worker.Worker`."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def prepare(self, call: Call) -> None:
        """Run the subject's own preparation."""

    def call(self, call: Call) -> Sample:
        """Call the subject once."""

    def apart(self, call: Call, *, is_called: bool) -> int:
        """Prepare, and call once if asked, in a copy of the process: the copy's number."""


class StartCounting(Protocol):
    """Starts a worker under a launcher."""

    def __call__(
        self,
        subject: Subject,
        *,
        hash_seed: int,
        timeout_s: float,
        launcher: Sequence[str],
        inherited: Mapping[str, str],
    ) -> CountingWorker:
        """Start it."""


def _start(
    subject: Subject, *, hash_seed: int, timeout_s: float, launcher: Sequence[str], inherited: Mapping[str, str]
) -> CountingWorker:
    return Worker.start(
        subject, hash_seed=hash_seed, timeout_s=timeout_s, launcher=launcher, inherited=inherited
    )


def count_instructions(
    subject: Subject,
    call: Call,
    cachegrind: Cachegrind,
    *,
    start: StartCounting = _start,
    timeout_s: float = TIMEOUT_S,
) -> Counted:
    """Count one call of a subject, in processes of its own.

    Raises NotCounted where the subject cannot be loaded, raises, crashes or hangs, and where no counts are
    left.
    """
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-counts-") as name:
        counts, bytecode = Path(name, "counts"), Path(name, "bytecode")
        counts.mkdir()
        inherited = fixed_environment(bytecode)
        try:
            # Once without valgrind: it leaves the bytecode, and whatever the subject keeps on the disk.
            with start(
                subject, hash_seed=HASH_SEED, timeout_s=timeout_s, launcher=(), inherited=inherited
            ) as worker:
                _warm_up(worker, call)
            with start(
                subject,
                hash_seed=HASH_SEED,
                timeout_s=timeout_s,
                launcher=cachegrind.launcher(counts),
                inherited={**inherited, "PYTHONDONTWRITEBYTECODE": "1"},
            ) as worker:
                listed = _warm_up(worker, call)
                taken = median(_one_call(worker, call, counts) for _ in range(CALLS))
        except (WorkerError, SubjectError, ClockError) as error:
            raise NotCounted(f"expected a call that ends under {cachegrind.program}, found {error}") from error
    if taken <= 0:
        raise NotCounted(
            f"{subject.name}: expected a call to take instructions, found {taken} beside a process without "
            "one; let its preparation do the same each time"
        )
    return Counted(subject=subject.name, instructions=round(taken), listed=listed)


def fixed_environment(bytecode: Path) -> dict[str, str]:
    """An environment that is the same for everybody on this machine, its bytecode kept below `bytecode`."""
    found = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        **found,
        "LANG": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": str(bytecode),
        "GLIBC_TUNABLES": ":".join(_ALIKE),
    }


def wait_until_settled(
    root: Path,
    *,
    now_s: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the last change below `root` lies far enough back for a catalog to be sure of it."""
    latest_s = max(_changes_s(root), default=0.0)
    left_s = latest_s + SETTLED_AFTER_S - now_s()
    if 0 < left_s <= SETTLED_AFTER_S:
        sleep(left_s)


def _changes_s(root: Path) -> Iterator[float]:
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            status = os.lstat(path)
            yield max(status.st_mtime, status.st_ctime)


def _warm_up(worker: CountingWorker, call: Call) -> int:
    listed = 0
    for _ in range(WARM_UPS):
        worker.prepare(call)
        listed = worker.call(call).count
    return listed


def _one_call(worker: CountingWorker, call: Call, counts: Path) -> int:
    without = _count(worker, call, counts, is_called=False)
    taken = _count(worker, call, counts, is_called=True) - without
    worker.prepare(call)
    worker.call(call)
    return taken


def _count(worker: CountingWorker, call: Call, counts: Path, *, is_called: bool) -> int:
    """The instructions of a copy of the worker, and of all that was started and ended meanwhile."""
    before = set(counts.iterdir())
    process = worker.apart(call, is_called=is_called)
    fresh = set(counts.iterdir()) - before
    return instructions_in({*fresh, counts / str(process)})


class InstructionChange(msgspec.Struct, frozen=True, kw_only=True):
    """Two counts compared: `ratio` above 1 is more. Without counts `told` says why there are none."""

    candidate: int | None = None
    reference: int | None = None
    ratio: float | None = None
    verdict: str
    told: str = ""


MORE, FEWER, SAME, NOT_COUNTED = "more", "fewer", "same", "not counted"


def compared(
    candidate: Counted, reference: Counted, *, least_change: float = LEAST_CHANGE
) -> InstructionChange:
    """What two counts of the same call say of each other."""
    ratio = candidate.instructions / reference.instructions
    verdict = SAME
    if ratio > 1.0 + least_change:
        verdict = MORE
    elif ratio < 1.0 / (1.0 + least_change):
        verdict = FEWER
    return InstructionChange(
        candidate=candidate.instructions, reference=reference.instructions, ratio=ratio, verdict=verdict
    )


def uncounted(told: object) -> InstructionChange:
    """Why there are no counts."""
    return InstructionChange(verdict=NOT_COUNTED, told=str(told))
