"""The outcome of a run: each target's verdict, the exit code, and both in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.result import EqualityVerdict, Interval, RowVerdict, TargetOutcome, TargetState
from bench.verdict import ExitCode, judge_target, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.result import EqualityOutcome, Row
    from bench.targets import Measure, Target

_UNITS: dict[Measure, tuple[str, float]] = {
    "seconds": ("s", 1e-9),
    "milliseconds_per_checkpoint": ("ms", 1e-6),
    "megabytes": ("MB", 1e-6),
    "times_floor": ("x", 1.0),
    "times_legacy": ("x", 1.0),
}

WORDS = {
    ExitCode.PASS: "outputs agree, and every target that this run measured is met",
    ExitCode.MISSED: "a time target is missed",
    ExitCode.USAGE: "the request makes no sense as it stands; nothing was run",
    ExitCode.OUTPUTS_DIFFER: "outputs differ, so that no ratio of theirs counts",
    ExitCode.INCONCLUSIVE: "a target was measured by one call alone, which cannot tell: raise --budget",
    ExitCode.NOTHING_MEASURED: "nothing, or not everything that was asked for, was measured",
}
"""What each exit code says."""

_ROW_CODES = {
    RowVerdict.OUTPUTS_DIFFER: ExitCode.OUTPUTS_DIFFER,
    RowVerdict.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
}
_TARGET_CODES = {
    TargetState.MISSED: ExitCode.MISSED,
    TargetState.UNCLEAR: ExitCode.INCONCLUSIVE,
    TargetState.OUTPUTS_DIFFER: ExitCode.OUTPUTS_DIFFER,
    TargetState.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
}
_EQUALITY_CODES = {
    EqualityVerdict.DIFFER: ExitCode.OUTPUTS_DIFFER,
    EqualityVerdict.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
}


def judge(target: Target, row: Row, measured: Interval | None) -> TargetOutcome:
    """Hold what was measured for a row against one target.

    `measured` is in nanoseconds for the whole catalog, in bytes where the target limits memory, or a ratio
    where it limits one. The whole interval has to lie within the limit; a single call has none and leaves it
    open. A void row keeps none.
    """
    unit, factor = _UNITS[target.measure]
    if target.measure == "milliseconds_per_checkpoint" and row.checkpoints:
        factor /= row.checkpoints
    value = _scaled(measured, factor)
    if row.verdict is RowVerdict.OUTPUTS_DIFFER:
        state = TargetState.OUTPUTS_DIFFER
    elif row.verdict is RowVerdict.NOTHING_MEASURED or value is None:
        state = TargetState.NOTHING_MEASURED
    elif value.low is None or value.high is None:
        state = TargetState.UNCLEAR
    elif target.measure == "times_legacy":
        # At least, where all others are at most.
        state = TargetState(judge_target(1 / value.high, 1 / value.low, 1 / target.limit).value)
    else:
        state = TargetState(judge_target(value.low, value.high, target.limit).value)
    return TargetOutcome(
        name=target.name,
        limit=target.text,
        scenario=target.scenario,
        tree=row.tree,
        measured=value if state in {TargetState.MET, TargetState.MISSED, TargetState.UNCLEAR} else None,
        unit=unit,
        verdict=state,
    )


def left_out(targets: Iterable[Target], judged: Iterable[TargetOutcome]) -> tuple[TargetOutcome, ...]:
    """The targets of which this run measured no scenario or no tree that they speak of."""
    names = {one.name for one in judged}
    return tuple(
        TargetOutcome(
            name=target.name,
            limit=target.text,
            scenario=target.scenario,
            tree="",
            measured=None,
            unit=_UNITS[target.measure][0],
            verdict=TargetState.NOT_IN_THIS_RUN,
        )
        for target in targets
        if target.name not in names
    )


def exit_code(
    rows: Sequence[Row], targets: Sequence[TargetOutcome], equality: Sequence[EqualityOutcome]
) -> ExitCode:
    """The worst that any row, target or comparison says; no row, or no target judged, is nothing measured."""
    codes = [_ROW_CODES.get(row.verdict, ExitCode.PASS) for row in rows]
    judged = [one for one in targets if one.verdict is not TargetState.NOT_IN_THIS_RUN]
    codes += [_TARGET_CODES.get(one.verdict, ExitCode.PASS) for one in judged]
    codes += [_EQUALITY_CODES.get(one.verdict, ExitCode.PASS) for one in equality]
    return worst(codes) if rows and judged else worst([*codes, ExitCode.NOTHING_MEASURED])


def _scaled(measured: Interval | None, factor: float) -> Interval | None:
    if measured is None:
        return None
    low, high = (None if bound is None else bound * factor for bound in (measured.low, measured.high))
    return Interval(estimate=measured.estimate * factor, low=low, high=high)
