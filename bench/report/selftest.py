"""A self-test laid out as titled tables and lines, the same for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import NONE, duration, printable
from bench.report.sections import Section, flat
from bench.selftest_result import CAUGHT

if TYPE_CHECKING:
    from bench.report.sections import Cell
    from bench.selftest_result import Coverage, Gates, Injected, Mutants, Noise, Rate, SelfTestResult


def selftest_sections(result: SelfTestResult) -> tuple[Section, ...]:
    """All that a self-test's report shows, a table of its own for each condition, the verdict last."""
    conditions = dict.fromkeys(one.condition for one in result.gates)
    return (
        *(_gates(result, condition) for condition in conditions),
        *((_coverage(result.coverage),) if result.coverage else ()),
        *((_mutants(result.mutants), _mutant_list(result.mutants)) if result.mutants is not None else ()),
        *((_noise(result.noise),) if result.noise else ()),
        *((_injected(result.injected),) if result.injected else ()),
        _conditions(result),
        _verdict(result),
    )


def _gates(result: SelfTestResult, condition: str) -> Section:
    rows = [one for one in result.gates if one.condition == condition]
    return Section(
        f"Gates, {condition}",
        ("injected", "gates", "caught", "no change", "open", "a gate took", "promised", "state"),
        tuple(_gates_row(one) for one in rows),
        (
            "Caught: called slower (wrong answers: refused as such), with the exact 95 % interval. No change: "
            "equivalent, faster. Open: inconclusive, or no verdict. A gate took: the median, and the longest.",
            "Real: whole gates, run here. Resampled: from the groups recorded here, whole groups drawn with "
            "their arms' labels exchanged, at the time that a group took; below it how often the 95 % interval "
            "covers where the gate stopped.",
        ),
        wordy=("injected", "promised", "state"),
    )


def _gates_row(one: Gates) -> tuple[Cell, ...]:
    injected = "wrong answers" if one.fault else f"+{one.change:.0%}" if one.change else "none (A/A)"
    counts = dict(one.called)
    for name in CAUGHT if one.fault else ("slower",):
        counts.pop(name, None)
    same = [f"{counts.pop(name, 0)} {name}" for name in ("equivalent", "faster")]
    opened = [f"{count} {printable(name)}" for name, count in counts.items()]
    took = NONE if one.median_s is None else f"{one.median_s:.0f} s"
    longest = () if one.longest_s is None else (f"{one.longest_s:.0f} s",)
    covers = () if one.covered is None else (f"covers {_rate(one.covered)}",)
    how = "real" if one.real else "resampled"
    return (
        (injected, one.scenario, f"{how}, {one.budget_s:g} s"),
        (str(one.gates),),
        (str(one.rate.happened), _bounds(one.rate), *covers),
        tuple(same),
        tuple(opened) or ("0",),
        (took, *longest),
        (one.promise,),
        (one.state.value,),
    )


def _rate(rate: Rate) -> str:
    return f"{rate.happened} of {rate.of} ({_bounds(rate)})"


def _bounds(rate: Rate) -> str:
    return f"{100 * rate.low:.3g}-{100 * rate.high:.3g} %"


def _coverage(rows: tuple[Coverage, ...]) -> Section:
    return Section(
        "Coverage of the 95 % interval at a fixed number of groups, resampled",
        ("condition", "scenario", "groups", "covers", "state"),
        tuple(
            ((one.condition,), (one.scenario,), (str(one.groups),), (_rate(one.rate),), (one.state.value,))
            for one in rows
        ),
    )


def _mutants(mutants: Mutants) -> Section:
    survivors = tuple(f"Survived: {printable(name)}." for name in mutants.survivors)
    made = (("by hand", mutants.by_hand), ("by the tool", mutants.by_tool), ("all", mutants.caught))
    return Section(
        "Mutants of the catalog",
        ("made", "caught", "state"),
        tuple(
            ((name,), (_rate(rate),), (mutants.state.value if name == "all" else "",))
            for name, rate in made
            if rate is not None
        ),
        (
            *survivors,
            "Looked for by named cases and drawn trees, as `ckpt-bench compat` looks for differences.",
        ),
    )


def _mutant_list(mutants: Mutants) -> Section:
    return Section(
        "Each mutant and the case that caught it",
        ("mutant", "made", "caught by"),
        tuple(((printable(one.name),), (one.maker,), (printable(one.caught_by),)) for one in mutants.fates),
        wordy=("mutant", "caught by"),
    )


def _noise(rows: tuple[Noise, ...]) -> Section:
    return Section(
        "Noise of identical code",
        ("condition", "scenario", "groups", "between processes", "between pairs", "a call", "a group"),
        tuple(
            (
                (one.condition,),
                (one.scenario,),
                (str(one.groups), f"{one.pairs:.3g} pairs each"),
                (_percent(one.between_sd), f"{_percent(one.between_mad_sd)} by MAD"),
                (_percent(one.pair_sd),),
                (duration(one.call_ns),),
                (f"{one.group_s:.2f} s",),
            )
            for one in rows
        ),
        (
            *(f"{one.condition}, {one.scenario}: recorded {one.first_at} to {one.last_at}" for one in rows),
            "Standard deviations of log-ratios of two arms of the same code: of the values of groups, and of "
            "the pairs in a group. A group: with the start of its processes.",
        ),
    )


def _injected(rows: tuple[Injected, ...]) -> Section:
    return Section(
        "Injected work",
        ("condition", "scenario", "asked", "achieved", "processes"),
        tuple(
            (
                (one.condition,),
                (one.scenario,),
                (_percent(one.change),),
                (_percent(one.mean), f"{_percent(one.low)} to {_percent(one.high)}"),
                (str(one.processes),),
            )
            for one in rows
        ),
        ("Executed in every call: metadata files opened, read and taken apart again. Timed in this run.",),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _conditions(result: SelfTestResult) -> Section:
    return Section(
        "Where and how",
        lines=(
            f"begun {result.started_at}, measured for {result.elapsed_s:.0f} s of {result.budget_s:g} s"
            f"{', quick' if result.is_quick else ''}; seed {result.seed}; subject {printable(result.target)}, "
            "margin 1 %",
            *(f"{name}: {value}" for name, value in flat(result.environment)),
        ),
    )


def _verdict(result: SelfTestResult) -> Section:
    ending = "" if result.is_complete else " The self-test was not finished."
    notes = tuple(f"{printable(note)}." for note in result.notes)
    return Section(
        "Verdict", lines=(*notes, f"Exit code {result.exit_code}: {printable(result.verdict)}.{ending}")
    )
