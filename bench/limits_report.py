"""A session's figures as text; computes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Literal

import msgspec

from bench.figures import NONE, bounds, printable, times
from bench.report import markdown, terminal
from bench.report.sections import Cell, Section, flat

if TYPE_CHECKING:
    from bench.limits_result import Figure, Limits

Form = Literal["terminal", "markdown", "json"]


def render(result: Limits, form: Form) -> str:
    """The whole result in one of its forms, with a line feed at its end."""
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(result), indent=1).decode() + "\n"
    if form == "markdown":
        return markdown.render_sections(sections(result)) + "\n"
    width = shutil.get_terminal_size((160, 24)).columns
    is_colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return terminal.render_sections(sections(result), width=width, is_colored=is_colored)


def sections(result: Limits) -> tuple[Section, ...]:
    """All that a report shows, in its order; text is safe to print."""
    remarks = (f"{one.title}{_at(one)}: {printable(one.remark)}" for one in result.figures if one.remark)
    return (
        Section(
            "The catalog beside its floor",
            (
                "figure",
                "checkpoints",
                "measured",
                "floor",
                "x floor",
                "95 % interval",
                "limit",
                "verdict",
                "calls",
            ),
            tuple(_row(one) for one in result.figures),
            (
                "Floors: of a first load, the same sidecars listed, opened and read, nothing parsed; of a "
                "remembered build, the same sidecars and folders stat-ed in the same process. Both take turns "
                "in random order; times are medians, ratios those of pairs. Page cache warm, imports apart; "
                "whole processes find their modules compiled. A limit is met where the whole "
                "interval lies within it.",
                *remarks,
            ),
            wordy=("figure", "floor", "verdict", "calls"),
        ),
        Section(
            "Where and how",
            lines=(
                f"begun {result.started_at}, {result.elapsed_s:.0f} s, seed {result.seed}",
                *(f"{name}: {value}" for name, value in flat(result.environment)),
            ),
        ),
        Section(
            "Verdict",
            lines=(
                *((f"Left out: {', '.join(result.left_out)}.",) if result.left_out else ()),
                f"Exit code {result.exit_code}: {result.verdict}.",
            ),
        ),
    )


def _row(figure: Figure) -> tuple[Cell, ...]:
    unit = f" {figure.unit}" if figure.unit not in {"", "x"} else figure.unit
    limit = (
        "shown only"
        if figure.limit is None
        else f"{'>=' if figure.is_least else '<='} {figure.limit:,.10g}{unit}"
    )
    is_exact = figure.value is None or figure.value.low == figure.value.high
    return (
        (printable(figure.title),),
        (NONE if figure.checkpoints is None else f"{figure.checkpoints:,}",),
        (figure.measured or NONE,),
        (figure.floor or NONE,),
        (times(figure.times_floor),),
        (NONE if is_exact else f"{bounds(figure.value)}{unit}",),
        (limit,),
        (NONE if figure.verdict is None else figure.verdict.value,),
        (figure.calls or NONE,),
    )


def _at(figure: Figure) -> str:
    return "" if figure.checkpoints is None else f" at {figure.checkpoints:,}"
