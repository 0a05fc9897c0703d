"""What the limits session found: figures beside their floors, what was left out, and the verdict. Pure data."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from bench.result import Interval, TargetState
from bench.verdict import ExitCode, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA_VERSION = 1

_CODES = {
    TargetState.MISSED: ExitCode.MISSED,
    TargetState.OUTPUTS_DIFFER: ExitCode.OUTPUTS_DIFFER,
    TargetState.NOTHING_MEASURED: ExitCode.NOTHING_MEASURED,
}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure: in words what it took and what its floor took, and the value that is judged.

    `value` and `limit` are in `unit` (`x`: times the floor; empty: a bare number). The value must not exceed
    the limit; where `is_least`, not fall below it. A figure without a limit is shown and judges nothing.
    `guards_ms` is how much of what was measured the guards take: the header reader's alone are told apart.
    `calls` says how many of what were measured, `samples` holds them all.
    """

    name: str
    title: str
    checkpoints: int | None
    measured: str = ""
    guards_ms: float | None = None
    floor: str = ""
    times_floor: float | None = None
    value: Interval | None = None
    unit: str = "x"
    limit: float | None = None
    is_least: bool = False
    calls: str = ""
    remark: str = ""
    samples: Any = None
    verdict: TargetState | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A whole session; `left_out` names every figure that was not asked for."""

    schema_version: int = SCHEMA_VERSION
    kind: str = "limits"
    started_at: str
    elapsed_s: float
    seed: int
    environment: dict[str, Any]
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]
    exit_code: int
    verdict: str


def judged(figure: Figure) -> Figure:
    """The figure with its verdict: *met* only where the whole interval lies within the limit.

    The rule is that of `bench.verdict.judge_target`, for values that may be 0 or below besides: a count, a
    difference.
    """
    value = figure.value
    if value is None or value.low is None or value.high is None or not isfinite(value.high):
        verdict = TargetState.NOTHING_MEASURED
    elif figure.limit is None:
        return figure
    else:
        is_met = value.low >= figure.limit if figure.is_least else value.high <= figure.limit
        verdict = TargetState.MET if is_met else TargetState.MISSED
    return msgspec.structs.replace(figure, verdict=verdict)


def exit_code(figures: Iterable[Figure]) -> ExitCode:
    """The worst that any figure says; no figure with a limit at all is nothing measured."""
    return worst(_CODES.get(one.verdict, ExitCode.PASS) for one in figures if one.verdict is not None)


def in_words(figures: Iterable[Figure], left_out: Iterable[str]) -> str:
    """The verdict as a sentence; only a whole session says that everything is met."""
    judging = [one for one in figures if one.verdict is not None]
    not_met = [one for one in judging if one.verdict is not TargetState.MET]
    told = f"{len(judging) - len(not_met)} of {len(judging)} measured limits are met"
    if list(left_out):
        return f"{told}; this run left figures out, and says nothing about those"
    return f"{told}: everything is met" if judging and not not_met else told
