"""Implementations asked about a case: each answer beside what the contract says, and who wrote to the tree."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from bench.edits import SETTLING_S
from bench.equality import (
    DISPLAY,
    ENTRY_FIELDS,
    INFO_FIELDS,
    Difference,
    compare,
    listing_of,
    listing_of_expected,
)
from bench.in_place import make_like
from bench.worker import (
    Call,
    ClockError,
    SubjectRaised,
    UnusableAnswer,
    Worker,
    WorkerError,
    WorkerHung,
)
from fixtures.generate import write_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from bench.case import Case
    from bench.differences import KnownDifferences
    from bench.equality import Listing
    from bench.subject import Subject
    from bench.worker import RunningWorker, StartWorker

EXPECTED: Final = "the contract"
"""What the tree's own answer is called beside the others."""

TIMEOUT_S: Final = 30.0
MOST_HANGS: Final = 3
"""After so many calls without an answer a witness is asked no more: each takes all of the time limit."""

_MOST_INDEXED: Final = 500
_ONLY_NEW: Final = frozenset({"precision", "recall", "score", "has_metadata"})


@dataclass(frozen=True, slots=True)
class Raised:
    """A call that ended without an answer; `text` is the last line that the subject told."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """What one witness said of one state of a tree, and where that strays from the contract."""

    answer: Listing | Raised
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A case on which somebody strays from the contract: at which state, and what everybody said there."""

    case: Case
    state: int
    told: dict[str, Told]

    @property
    def signature(self) -> frozenset[tuple[str, str]]:
        """Who strays in which fields: what stays the same while a tree is shrunk."""
        return frozenset((name, one.field) for name, told in self.told.items() for one in told.differences)


@dataclass(slots=True)
class Witness:
    """A subject in a process of its own, started again where it ended; and what its answers can be held to.

    `untold` names what it does not tell in any answer, and is therefore not compared. `index` is a folder of
    its own in which it may remember; `hangs` counts the calls that gave no answer in time.
    """

    subject: Subject
    start_worker: StartWorker = field(default=Worker.start)
    fields: tuple[str, ...] = ENTRY_FIELDS
    has_old_records: bool = False
    untold: tuple[str, ...] = ()
    index: Path | None = None
    hangs: int = 0
    _worker: RunningWorker | None = None

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.subject.name

    @property
    def names(self) -> tuple[str, str]:
        """Everything that a declaration may call it."""
        return self.subject.name, self.subject.target

    def ask(self, root: Path) -> Listing | Raised:
        """Its answer about the tree at `root`. Raises SubjectError where it cannot be had at all."""
        try:
            if self._worker is None:
                self._worker = self.start_worker(self.subject, hash_seed=0, timeout_s=TIMEOUT_S)
            self._worker.call(Call(root))
            return listing_of(self._worker.answer(), root)
        except SubjectRaised as error:
            return _raised(error.told)
        except (WorkerError, ClockError) as error:
            self.hangs += isinstance(error, WorkerHung)
            self.close()
            return Raised(type(error).__name__, str(error))

    def introduce(self, root: Path) -> None:
        """Learn from its answer about a tidy tree in which form it answers, and what it leaves untold."""
        answer = self.ask(root)
        if isinstance(answer, Raised) or not answer.entries:
            return
        told = set().union(*answer.entries)
        self.has_old_records = told.isdisjoint(_ONLY_NEW)
        self.fields = INFO_FIELDS if self.has_old_records else self.subject.fields
        untold = [name for name in ("skipped", "problems") if getattr(answer, name) is None]
        if DISPLAY not in told:
            self.fields = tuple(name for name in self.fields if name != DISPLAY)
            untold.append("the display text")
        self.untold = tuple(untold)

    def differences(self, answer: Listing | Raised, case: Case, state: int) -> tuple[Difference, ...]:
        """Where an answer strays from what the case expects of that state."""
        if isinstance(answer, Raised):
            # A command has an exit code and a message in place of an exception of this name.
            is_refusal = self.subject.is_command and answer.kind == UnusableAnswer.__name__
            if case.raises == answer.kind or (case.raises is not None and is_refusal):
                return ()
            return (Difference(".", "raises", f"{answer.kind}: {answer.text}", case.raises or "no error"),)
        if case.raises is not None:
            return (Difference(".", "raises", f"no error, {len(answer)} entries", case.raises),)
        expected = listing_of_expected(case.expected[state], as_old_records=self.has_old_records)
        return (*compare(answer, expected, fields=self.fields), *_order_of_common(answer, expected))

    def forget(self) -> None:
        """Empty its index: files about trees that are gone only make it slower."""
        if self.index is not None:
            shutil.rmtree(self.index, ignore_errors=True)

    def close(self) -> None:
        """End its process."""
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            self._worker = None


class Trial:
    """Everybody's workers for a series of cases, and a folder in which the trees stand one at a time.

    Every case has a folder of its own, so that what is found can be found again by the case alone.
    """

    def __init__(self, witnesses: Sequence[Witness], known: KnownDifferences, folder: Path) -> None:
        self.witnesses = tuple(witnesses)
        self.known = known
        self.trees = 0
        self.checkpoints = 0
        self._indexed = 0
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for one in self.witnesses:
            self._stack.callback(one.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def hung(self) -> tuple[Witness, ...]:
        """Those that hung too often. While there is one, no case is examined any more."""
        return tuple(one for one in self.witnesses if one.hangs >= MOST_HANGS)

    def introduce(self, case: Case) -> None:
        """Let every witness show its form on a tidy tree."""
        with self._standing(case) as root:
            for one in self.witnesses:
                one.introduce(root)

    def examine(self, case: Case) -> Finding | None:
        """The first state of a case on which somebody strays, `None` where nobody does."""
        if self.hung:
            return None
        if self.trees - self._indexed >= _MOST_INDEXED:
            self._indexed = self.trees
            for one in self.witnesses:
                one.forget()
        with self._standing(case) as root:
            return _if_any(self.examine_at(case, root, 0))

    def answers(self, case: Case) -> dict[str, Listing | Raised]:
        """What everybody says of a case, right or wrong."""
        with self._standing(case) as root:
            return {name: told.answer for name, told in self.examine_at(case, root, 0).told.items()}

    def examine_edited(self, cases: Sequence[Case], rest: Callable[[float], None]) -> Iterator[Finding]:
        """Examine cases of several states, written together so that they share one rest before the first call.

        After it whoever remembers may believe what it saw; each edit then comes between two calls.
        """
        with ExitStack() as stack:
            roots = [stack.enter_context(self._standing(case)) for case in cases]
            rest(SETTLING_S)
            strayed: set[str] = set()
            for state in range(max((len(case.plans) for case in cases), default=0)):
                for case, root in zip(cases, roots, strict=True):
                    if self.hung or case.name in strayed or state >= len(case.plans):
                        continue
                    if state:
                        self._edit(case, state, root)
                    finding = _if_any(self.examine_at(case, root, state))
                    if finding is not None:
                        strayed.add(case.name)
                        yield finding

    def _standing(self, case: Case) -> _Standing:
        self.trees += 1
        self.checkpoints += case.checkpoints
        return _Standing(case, self._folder / f"tree-{self.trees}")

    def _edit(self, case: Case, state: int, root: Path) -> None:
        wanted = root.with_name("wanted") / "outputs"
        write_plan(case.plans[state], wanted)
        make_like(root, wanted)
        shutil.rmtree(wanted.parent)

    def examine_at(self, case: Case, root: Path, state: int) -> Finding:
        """What everybody says of a state that stands at `root`; there may be no difference in it."""
        told: dict[str, Told] = {}
        for one in self.witnesses:
            before = standing(root)
            answer = one.ask(root)
            differences = (*one.differences(answer, case, state), *_written(before, standing(root)))
            told[one.name] = Told(answer, self.known.undeclared(one.names, case.name, differences))
        return Finding(case, state, told)


def _if_any(finding: Finding) -> Finding | None:
    return finding if any(one.differences for one in finding.told.values()) else None


class _Standing:
    """A case's tree while it stands on the disk."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case = case
        self._folder = folder

    def __enter__(self) -> Path:
        root = self._folder / "outputs"
        write_plan(self._case.plans[0], root)
        if self._case.damage is not None:
            self._case.damage(root)
        return root

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder)


def standing(root: Path) -> dict[str, tuple[int, ...]]:
    """What stands at and below `root`: type, size, inode and times of everything but those of reading."""
    found: dict[str, tuple[int, ...]] = {}
    paths = [str(root)] if os.path.lexists(root) else []
    for folder, folders, names in os.walk(root):
        paths += [os.path.join(folder, name) for name in (*folders, *names)]
    for path in paths:
        now = os.lstat(path)
        found[path] = (now.st_mode, now.st_size, now.st_ino, now.st_mtime_ns, now.st_ctime_ns)
    return found


def _written(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> Iterable[Difference]:
    """What was made, changed or removed; folders that show it are told only where no file does."""
    root = min(before | after, default="")
    changed = [path for path in sorted(before | after) if before.get(path) != after.get(path)]
    for path in [one for one in changed if not any(other.startswith(f"{one}/") for other in changed)]:
        did = "made" if path not in before else "removed" if path not in after else "changed"
        yield Difference(path.removeprefix(root).lstrip("/") or ".", "written", did, "left as it was")


def _order_of_common(left: Listing, right: Listing) -> Iterator[Difference]:
    """The order of what both list, where they do not list the same: a missing entry hides no wrong order."""
    ours, theirs = ([str(one.get("checkpoint_path")) for one in two.entries] for two in (left, right))
    if sorted(ours) == sorted(theirs):
        return
    common = set(ours) & set(theirs)
    for mine, yours in zip(
        (one for one in ours if one in common), (one for one in theirs if one in common), strict=False
    ):
        if mine != yours:
            yield Difference(mine, "order", f"{mine} before {yours}", f"{yours} before {mine}")
            return


def _raised(trace: str) -> Raised:
    """The exception's class and its last line, of a traceback."""
    lines = [line for line in trace.strip().splitlines() if line and not line.startswith(" ")]
    last = lines[-1] if lines else "nothing told"
    return Raised(last.partition(":")[0].rpartition(".")[2].strip(), last[:300])
