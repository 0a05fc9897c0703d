"""A result laid out as titled tables and lines, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.claims import HISTORY
from bench.figures import NONE, bounds, duration, printable, share, significant, size, times
from bench.result import EqualityVerdict, RowVerdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.asking_cell import AskingCell
    from bench.result import EqualityOutcome, Interval, Result, Row, TargetOutcome, Timing

Cell = tuple[str, ...]
"""The lines of one cell."""


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a table (perhaps without rows), and lines below it; only `wordy` columns should be wrapped."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    lines: tuple[str, ...] = ()
    wordy: tuple[str, ...] = ()


def sections(result: Result) -> tuple[Section, ...]:
    """All that a report shows, in its order; text is safe to print."""
    return (
        _claims(result),
        targets_section(result.targets),
        *_asking(result),
        _equality(result),
        _noise(result),
        _provenance(result),
        _verdict(result),
    )


def _claims(result: Result) -> Section:
    remarks = [f"{row.tree}, {row.scenario}: {printable(one)}" for row in result.rows for one in row.remarks]
    return Section(
        "Claimed and measured",
        ("scenario", "claimed", "legacy", "V2", "speed-up", "x floor", "verdict"),
        tuple(_claims_row(row) for row in result.rows),
        (
            "Each time: for one checkpoint, and below it for the whole catalog. Speed-up: legacy's time over "
            "V2's in pairs, with its 95 % interval; a single pair has none. x floor: V2's time over that of "
            "the same files only read (first loads) or only stat-ed (remembered). Imports, and starting the "
            "W&B client, came before and are in no time, except where a row says first call.",
            *remarks,
            *(printable(note) for note in result.notes),
            HISTORY,
        ),
        wordy=("scenario", "verdict"),
    )


def _claims_row(row: Row) -> tuple[Cell, ...]:
    conditions = f"{row.checkpoints} of {size(row.checkpoint_bytes)}, {row.cache_state}"
    is_void = row.verdict in {RowVerdict.OUTPUTS_DIFFER, RowVerdict.NOTHING_MEASURED}
    speedup = (NONE,) if is_void or row.ratio is None else (times(row.ratio.estimate), bounds(row.ratio))
    return (
        (printable(row.title), conditions, f"{share(row.sidecar_share)} sidecars"),
        (row.claimed_legacy, row.claimed_v2, row.claimed_ratio),
        _timing(row.reference),
        _timing(row.candidate),
        speedup,
        (times(row.times_floor),),
        (row.verdict.value,),
    )


def _timing(timing: Timing | None) -> Cell:
    if timing is None:
        return (NONE,)
    return (duration(timing.per_checkpoint_ns), duration(timing.total_ns.estimate), f"({timing.calls} calls)")


def targets_section(targets: tuple[TargetOutcome, ...]) -> Section:
    """Every target with what was measured for it."""
    return Section(
        "Targets",
        ("target", "limit", "tree", "measured", "interval", "verdict"),
        tuple(_target_row(target) for target in targets),
        wordy=("limit", "verdict"),
    )


def _target_row(target: TargetOutcome) -> tuple[Cell, ...]:
    measured = target.measured
    return (
        (printable(target.name),),
        (printable(target.limit),),
        (target.tree or NONE,),
        (NONE if measured is None else _in_unit(measured.estimate, target.unit),),
        (NONE if measured is None else _span(measured, target.unit),),
        (target.verdict.value,),
    )


def _in_unit(value: float, unit: str) -> str:
    """A value of a target; a time in the unit that suits it, which need not be the limit's."""
    factor = {"s": 1e9, "ms": 1e6}.get(unit)
    return f"{significant(value)} {unit}" if factor is None else duration(value * factor)


def _span(measured: Interval, unit: str) -> str:
    if measured.low is None or measured.high is None:
        return NONE
    return " - ".join(dict.fromkeys(_in_unit(value, unit) for value in (measured.low, measured.high)))


def _asking(result: Result) -> tuple[Section, ...]:
    if not result.asking:
        return ()
    told = (
        "Small checkpoints without sidecars or metrics, whose runs stand in one project of a local server. One "
        "by one: `Api().run()` for each checkpoint, once for the config and once for the summary. At once: the "
        "same answers in one question, and how much faster that is. Build: a whole catalog, which reads the "
        "checkpoints and asks for histories besides. Without asking: of a whole process, starting the client; "
        "of a call in a process that has called before, a build that does not ask. Times are the best of so "
        "many calls; whole processes find their modules compiled. Nothing here is "
        "judged: `ckpt-bench limits --only wandb` does that."
    )
    columns = (
        "asking W&B",
        "one by one",
        "at once",
        "speed-up",
        "build",
        "without asking",
        "operations of a build",
    )
    rows = tuple(map(_asking_row, result.asking))
    return (Section("Asking W&B", columns, rows, (told,), wordy=("operations of a build",)),)


def _asking_row(cell: AskingCell) -> tuple[Cell, ...]:
    sent = ", ".join(f"{name} {count}" for name, count in sorted(cell.operations.items()))
    return (
        (
            f"{cell.checkpoints} checkpoints, {cell.runs} runs",
            "whole process" if cell.is_whole_process else "in process",
            f"{cell.latency_ms} ms of latency",
        ),
        *(_best(times_ns) for times_ns in (cell.old_ns, cell.once_ns)),
        (times(cell.speedup),),
        *(_best(times_ns) for times_ns in (cell.new_ns, cell.least_ns)),
        (
            printable(sent) or "none",
            f"one by one {sum(cell.old_operations.values())}",
            f"a later build {cell.again}",
        ),
    )


def _best(times_ns: Sequence[float]) -> Cell:
    count = len(times_ns)
    return (duration(min(times_ns)), f"({count} call{'s' if count > 1 else ''})")


def _equality(result: Result) -> Section:
    groups: dict[tuple[str, str], list[EqualityOutcome]] = {}
    for one in result.equality:
        groups.setdefault((one.tree, one.setting), []).append(one)
    unequal = tuple(
        f"{one.tree}, {one.setting}: {printable(one.reason)}"
        for one in result.equality
        if one.verdict is not EqualityVerdict.EQUAL
    )
    declared = tuple(f"Declared: {one.what}: {one.checkpoints} checkpoints." for one in result.declared)
    return Section(
        "Do the answers agree?",
        ("tree", "setting", "compared", "entries", "verdict"),
        tuple(row for group in groups.values() for row in _equality_rows(group)),
        (
            *unequal,
            "Compared: the answers of the processes that were timed: each field but provenance, the order, the "
            "display text, and the paths in skipped and problems where both tell them. Not compared: the "
            "wording of reasons, and the build time.",
            *declared,
        ),
        wordy=("compared",),
    )


def _equality_rows(group: list[EqualityOutcome]) -> Iterator[tuple[Cell, ...]]:
    """One row for all of a setting that are equal, and one for each comparison that is not."""
    equal = [one for one in group if one.verdict is EqualityVerdict.EQUAL]
    if equal:
        names = dict.fromkeys(name for one in equal for name in (one.right, one.left))
        yield _equality_row(equal[0], " = ".join(names))
    for one in group:
        if one.verdict is not EqualityVerdict.EQUAL:
            yield _equality_row(one, f"{one.left}, {one.right}")


def _equality_row(one: EqualityOutcome, compared: str) -> tuple[Cell, ...]:
    return ((one.tree,), (one.setting,), (compared,), (str(one.entries),), (one.verdict.value,))


def _noise(result: Result) -> Section:
    return Section(
        "Noise of this run",
        ("tree", "setting", "V2 against itself", "interval"),
        tuple(
            ((one.tree,), (one.setting,), (times(one.ratio.estimate),), (bounds(one.ratio),))
            for one in result.noise
        ),
        ("The same code on both sides: what this is off from 1 is noise, and no smaller change can be told.",),
    )


def _provenance(result: Result) -> Section:
    trees = tuple(
        f"{tree.name}: {tree.checkpoints} checkpoints ({tree.listed} listed), {size(tree.size_bytes)}"
        for tree in result.trees
    )
    return Section(
        "Where and how",
        lines=(
            f"profile {result.profile}{' (quick)' if result.is_quick else ''}, seed {result.seed}, "
            f"begun {result.started_at}, budget {result.budget_s:g} s",
            *trees,
            *(f"{name}: {value}" for name, value in flat(result.environment)),
        ),
    )


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested mappings under dotted names, those that tell nothing left out."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif value not in (None, "", [], ()):
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield printable(prefix + name), printable(text)


def _verdict(result: Result) -> Section:
    code = NONE if result.exit_code is None else str(result.exit_code)
    ending = "" if result.is_complete else " The run was not finished."
    return Section("Verdict", lines=(f"Exit code {code}: {printable(result.verdict)}.{ending}",))
