"""`ckpt-bench run`: any subjects on any tree, in alternation, their answers compared, their times as ratios."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec.structs import replace as with_changes

from bench.arms import isolated
from bench.conformity import find, judge_of, written_between
from bench.equality import ENTRY_FIELDS
from bench.figures import NONE, bounds, duration, printable, times
from bench.measurement import Arm, Plan
from bench.report.sections import Section, flat
from bench.result import EqualityVerdict, Interval
from bench.scenario import CONFIG_FILENAMES
from bench.statistics import InsufficientData, ratio
from bench.trees import standing_in
from bench.verdict import ExitCode, worst
from bench.worker import Call

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.conformity import Finding
    from bench.environment import Environment
    from bench.measurement import Measurement
    from bench.subject import Subject
    from bench.trees import GrownTree
    from fixtures.expected import Expected
    from fixtures.spec import TreeSpec

PROCESSES = 3
ROUNDS = 10


class Measure(Protocol):
    """Takes times."""

    def __call__(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        """Measure arms in alternation."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A tree to run on: its name and place, and what a catalog must answer for it, where that is known."""

    name: str
    root: Path
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run may take: seconds of measuring a tree, and of one call; and what draws the orders."""

    budget_s: float
    timeout_s: float
    seed: int = 0


class SubjectRow(msgspec.Struct, frozen=True, kw_only=True):
    """One subject on one tree; `ratio` is the reference's time over its own. A fault has no time beside it."""

    subject: str
    target: str
    ran: str
    is_command: bool
    listed: int | None
    calls: int
    total_ns: float | None
    ratio: Interval | None
    verdict: EqualityVerdict
    reason: str = ""
    untold: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All subjects on one tree, the first being the reference; `written`: what changed in it meanwhile."""

    tree: str
    reference: str
    judge: str
    processes: int
    is_complete: bool
    rows: tuple[SubjectRow, ...]
    written: tuple[str, ...] = ()
    environment: dict[str, object] = {}

    @property
    def exit_code(self) -> ExitCode:
        """The worst of its rows, and of what was done to the tree."""
        codes = [_CODES[row.verdict] for row in self.rows]
        return worst([*codes, ExitCode.OUTPUTS_DIFFER] if self.written else codes)


_CODES = {
    EqualityVerdict.EQUAL: ExitCode.PASS,
    EqualityVerdict.DIFFER: ExitCode.OUTPUTS_DIFFER,
    EqualityVerdict.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
}


def run(
    subjects: Sequence[Subject],
    ground: Ground,
    limits: Limits,
    *,
    measure: Measure,
    environment: Callable[[Path], Environment],
    home: Path,
) -> RunResult:
    """Measure subjects on a tree and judge their answers; the subjects' own files go below `home`."""
    reference = subjects[0]
    plan = Plan(processes=PROCESSES, rounds=ROUNDS, budget_s=limits.budget_s, timeout_s=limits.timeout_s)
    before = standing_in(ground.root)
    measurement = measure(
        [_arm(number, one, home) for number, one in enumerate(subjects)],
        Call(ground.root, CONFIG_FILENAMES),
        plan,
        rng=random.Random(limits.seed),
    )
    written = written_between(before, standing_in(ground.root), ground.root)
    findings = {
        one.name: find(
            one, judge_of(one, reference, measurement, ground.root, ground.expected), measurement, ground.root
        )
        for one in subjects
    }
    return RunResult(
        tree=ground.name,
        reference=reference.name,
        judge="the generated tree's own answer" if ground.expected is not None else reference.name,
        processes=len(measurement.groups),
        is_complete=measurement.complete,
        rows=tuple(_row(one, reference, measurement, findings) for one in subjects),
        written=written,
        environment=msgspec.to_builtins(environment(ground.root)),
    )


def grounds(
    specs: Sequence[TreeSpec],
    parent: Path,
    grow: Callable[..., contextlib.AbstractContextManager[GrownTree]],
) -> Iterator[Ground]:
    """Generated trees, one at a time on the disk, and what each must answer."""
    for spec in specs:
        with grow(replace(spec, wandb_share=0.0), parent, keep=False) as tree:
            variant = tree.with_sidecars(spec.sidecar_share)
            yield Ground(variant.name, variant.root, variant.expected)


def _arm(number: int, subject: Subject, home: Path) -> Arm:
    own = home / str(number)
    own.mkdir(parents=True, exist_ok=True)
    return Arm(subject.name, with_changes(subject, environment={**isolated(own), **subject.environment}))


def _row(
    subject: Subject, reference: Subject, measurement: Measurement, findings: dict[str, Finding]
) -> SubjectRow:
    finding = findings[subject.name]
    answers = measurement.answers.get(subject.name, ())
    is_compared = finding.is_sound and findings[reference.name].is_sound and subject is not reference
    return SubjectRow(
        subject=subject.name,
        target=subject.target,
        ran=_ran(subject, measurement),
        is_command=subject.is_command,
        listed=len(answers[0].records) if answers else None,
        calls=sum(
            len(one.samples.get(subject.name, ())) for group in measurement.groups for one in group.rounds
        ),
        total_ns=_time_ns(subject, measurement) if finding.is_sound else None,
        ratio=_ratio(subject, reference, measurement) if is_compared else None,
        verdict=_verdict(finding),
        reason=finding.failed or finding.differs,
        untold=finding.untold,
        fields=subject.fields,
    )


def _verdict(finding: Finding) -> EqualityVerdict:
    if finding.failed:
        return EqualityVerdict.NOTHING_MEASURED
    return EqualityVerdict.DIFFER if finding.differs else EqualityVerdict.EQUAL


def _ran(subject: Subject, measurement: Measurement) -> str:
    for group in measurement.groups:
        if subject.name in group.loaded:
            loaded = group.loaded[subject.name]
            return f"{loaded.origin}" if subject.is_command else f"Python {loaded.python}, {loaded.origin}"
    return ""


def _time_ns(subject: Subject, measurement: Measurement) -> float | None:
    times_ns = measurement.process_times_ns(subject.name)
    return median(times_ns) if times_ns else None


def _ratio(subject: Subject, reference: Subject, measurement: Measurement) -> Interval | None:
    """The reference's time over the subject's; of a single pair without bounds."""
    pairs_ns = measurement.pairs_ns(reference.name, subject.name)
    try:
        told = ratio(pairs_ns)
    except InsufficientData:
        return next((Interval(estimate=first / second) for group in pairs_ns for first, second in group), None)
    return Interval(estimate=told.estimate, low=told.low, high=told.high)


def run_sections(results: Sequence[RunResult]) -> tuple[Section, ...]:
    """A table for each tree, then under which conditions all was measured."""
    return (*(_table(one) for one in results), *(_conditions(one) for one in results[:1]))


def _table(result: RunResult) -> Section:
    return Section(
        f"{printable(result.tree)}: times of {printable(result.reference)}",
        ("subject", "listed", "time", "calls", "x as fast", "95 % interval", "verdict"),
        tuple(_cells(row, result) for row in result.rows),
        (
            *(line for row in result.rows for line in _remarks(row)),
            f"Held to: {printable(result.judge)}. A wrong answer has no time.",
            f"Time: the median of the processes' medians ({result.processes}), files cached, imports not "
            f"counted. x as fast: the time of {printable(result.reference)} over the subject's, in pairs.",
            *([] if result.is_complete else ["Fewer rounds than planned, for want of time or by failure."]),
            *_written(result),
        ),
        wordy=("subject", "verdict"),
    )


def _remarks(row: SubjectRow) -> Iterator[str]:
    """What stands beside the figures of a subject: its fault, and what they hold besides, or leave out."""
    name = printable(row.subject)
    if row.reason:
        first, *rest = row.reason.splitlines()
        yield f"{name}: {row.verdict}: {printable(first)}"
        yield from (printable(line) for line in rest)
    if row.is_command:
        yield f"* {name} is a command: the start of its process is part of every call."
    if row.untold:
        yield f"{name} does not tell {', '.join(row.untold)}, so that these are not compared."
    if row.fields != ENTRY_FIELDS:
        yield f"{name} is held to these fields alone: {', '.join(row.fields)}."


def _written(result: RunResult) -> list[str]:
    if not result.written:
        return []
    more = f" (and {len(result.written) - 1} more)" if len(result.written) > 1 else ""
    where = printable(result.written[0])
    return [f"{where}{more}: written, or removed, while subjects ran; a catalog leaves its tree as it is."]


def _cells(row: SubjectRow, result: RunResult) -> tuple[tuple[str, ...], ...]:
    is_reference = row.subject == result.reference
    mark = " *" if row.is_command else ""
    return (
        (printable(row.subject),),
        (NONE if row.listed is None else str(row.listed),),
        (NONE if row.total_ns is None else duration(row.total_ns) + mark,),
        (str(row.calls),),
        ("reference" if is_reference else times(None if row.ratio is None else row.ratio.estimate),),
        (NONE if is_reference else bounds(row.ratio),),
        (row.verdict,),
    )


def _conditions(result: RunResult) -> Section:
    ran = [
        f"{printable(row.subject)}: {printable(row.target)} ({printable(row.ran) or 'never ran'})"
        for row in result.rows
    ]
    measured = [f"{name}: {value}" for name, value in flat(result.environment)]
    return Section("Measured", lines=(*ran, *measured))
