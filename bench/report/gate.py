"""A gate laid out as titled tables and lines, the same for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import NONE, printable
from bench.instructions import UNSEEN
from bench.report.sections import Section, flat, targets_section

if TYPE_CHECKING:
    from bench.instructions import InstructionChange
    from bench.report.sections import Cell
    from bench.result import Interval
    from bench.verdict_file import Benchmark, GateResult, Needs

UNTOLD = "not told here"


def gate_sections(result: GateResult) -> tuple[Section, ...]:
    """All that a gate's report shows, in its order, the verdict last; text is safe to print."""
    return (
        _compared(result),
        *_growth(result),
        *_needs(result),
        *_targets(result),
        *_instructions(result),
        _conditions(result),
        *_profiles(result),
        _verdict(result),
    )


def _compared(result: GateResult) -> Section:
    remarks = [printable(f"{one.name}: {remark}") for one in result.benchmarks for remark in one.remarks]
    return Section(
        "Candidate and reference",
        ("benchmark", "state", "x reference", "noise floor", "smallest seen", "verdict"),
        tuple(_row(one) for one in result.benchmarks),
        (
            f"Candidate: {printable(result.candidate) or NONE}. {_references(result)}",
            f"x reference: the candidate's time over the reference's, in pairs, and its 95 % interval. "
            f"Margin {result.margin:.2%}: slower is an interval above it, faster one below it, equivalent one "
            "within it, and all else is inconclusive.",
            "Noise floor: the change that the same code on both sides may have shown in this run. Smallest "
            "seen: the smallest change that this run would have told from none, in 80 of 100 runs like it.",
            *remarks,
        ),
        wordy=("verdict",),
    )


def _references(result: GateResult) -> str:
    names = [printable(one.name) for one in result.references]
    return f"Reference{'s' if len(names) > 1 else ''}: {'; '.join(names) or NONE}."


def _row(one: Benchmark) -> tuple[Cell, ...]:
    return (
        (printable(one.name),),
        (one.tree, one.cache_state),
        _ratio(one),
        (_percent(one.noise_floor),),
        (_percent(one.smallest_detectable),),
        (one.verdict,),
    )


def _ratio(one: Benchmark) -> Cell:
    if one.ratio is None or one.ratio.low is None or one.ratio.high is None:
        return (NONE,)
    return (f"{one.ratio.estimate:.4f}", f"{one.ratio.low:.4f}-{one.ratio.high:.4f}")


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.2f} %"


def _growth(result: GateResult) -> tuple[Section, ...]:
    found = [(one.name, one.growth) for one in result.benchmarks if one.growth is not None]
    if not found:
        return ()
    rows = tuple(
        (
            (printable(name),),
            (", ".join(map(str, growth.sizes)),),
            *(_exponent(one) for one in (growth.candidate, growth.reference, growth.difference)),
            (growth.verdict,),
        )
        for name, growth in found
    )
    told = (
        "Exponents of checkpoints in the time, with 99.9 % intervals: 1 is proportional to size. Steeper is a "
        "difference whose interval lies above 0.05. A fixed cost lowers both exponents."
    )
    columns = ("benchmark", "checkpoints", "candidate", "reference", "difference", "verdict")
    return (Section("Growth", columns, rows, (told,)),)


def _exponent(one: Interval) -> Cell:
    return (f"{one.estimate:.3f}", f"{one.low:.3f} to {one.high:.3f}")


def _needs(result: GateResult) -> tuple[Section, ...]:
    rows = tuple(_needed(one.name, needs) for one in result.benchmarks for needs in one.needs)
    if not rows:
        return ()
    columns = (
        "benchmark",
        "arm",
        "CPU time",
        "peak memory",
        "bytes read",
        "of a disk",
        "reads",
        "system calls",
    )
    told = (
        "For one call. CPU time is that of the calls that were timed; all else was looked at in processes of "
        "their own, apart from any timing, and decides nothing. Read: bytes. "
        f"{UNTOLD}: the system, or strace, does not tell."
    )
    return (Section("Beside the time", columns, rows, (told,)),)


def _needed(name: str, needs: Needs) -> tuple[Cell, ...]:
    counts = (needs.read_bytes, needs.disk_read_bytes, needs.read_calls, needs.system_calls)
    return (
        (printable(name),),
        (printable(needs.arm),),
        (UNTOLD if needs.cpu_ns is None else f"{needs.cpu_ns / 1e6:.3g} ms",),
        (UNTOLD if needs.peak_bytes is None else f"{needs.peak_bytes / 1e6:.3g} MB",),
        *((UNTOLD if count is None else f"{count:,}",) for count in counts),
    )


def _targets(result: GateResult) -> tuple[Section, ...]:
    return (targets_section(result.targets),) if result.targets else ()


def _instructions(result: GateResult) -> tuple[Section, ...]:
    counted = [(one.name, one.instructions) for one in result.benchmarks if one.instructions is not None]
    if not counted:
        return ()
    untold = dict.fromkeys(printable(change.told) for _, change in counted if change.told)
    return (
        Section(
            "Second witness: instructions of a call",
            ("benchmark", "candidate", "reference", "x reference", "verdict"),
            tuple(
                ((printable(name),), *instruction_cells(change), (change.verdict,)) for name, change in counted
            ),
            (*untold, UNSEEN),
            wordy=("verdict",),
        ),
    )


def instruction_cells(change: InstructionChange) -> tuple[Cell, Cell, Cell]:
    """Both counts and their ratio."""
    counts = (NONE if one is None else f"{one:,}" for one in (change.candidate, change.reference))
    first, second = counts
    return (first,), (second,), (NONE if change.ratio is None else f"{change.ratio:.4f}",)


def _conditions(result: GateResult) -> Section:
    comparisons = f"{len(result.equality)} comparisons of answers, {_unequal(result)} of them unequal"
    return Section(
        "Where and how",
        lines=(
            f"begun {result.started_at}, took {result.elapsed_s:.0f} s; budget {result.budget_s:g} s a "
            f"benchmark{', quick' if result.is_quick else ''}; seed {result.seed}",
            comparisons,
            *(printable(note) for note in result.notes),
            *(f"{name}: {value}" for name, value in flat(result.environment)),
        ),
    )


def _unequal(result: GateResult) -> int:
    return sum(one.verdict.value != "equal" for one in result.equality)


def _profiles(result: GateResult) -> tuple[Section, ...]:
    return tuple(
        Section(
            f"Where the time went: {printable(one.name)}", lines=tuple(map(printable, one.profile.splitlines()))
        )
        for one in result.benchmarks
        if one.profile
    )


def reason_lines(result: GateResult) -> tuple[str, ...]:
    """Every reason not to pass, in one line each; a report of any format shows them all."""
    return tuple(
        f"{one.cause}{f' ({printable(one.about)})' if one.about else ''}: {printable(one.told)}"
        for one in result.reasons
    )


def _verdict(result: GateResult) -> Section:
    return Section(
        "Verdict",
        lines=(*reason_lines(result), f"Exit code {result.exit_code}: {printable(result.verdict)}."),
    )
