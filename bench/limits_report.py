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
    from collections.abc import Iterator, Sequence

    from bench.limits_result import Figure, Limits

Form = Literal["terminal", "markdown", "json"]

_HEADER = "header"
_COLUMNS = (
    *("figure", "checkpoints", "measured", "floor", "x floor"),
    *("95 % interval", "limit", "verdict", "calls"),
)
_HEADER_COLUMNS = ("figure", "measured", "guards", "beside", "95 % interval", "limit", "verdict", "calls")
_WORDY = ("figure", "floor", "beside", "calls")
_FLOORS = (
    "Floors: of a first load, the same sidecars listed, opened and read, nothing parsed; of a remembered "
    "build, the same sidecars and folders stat-ed in the same process. Both take turns in random order; "
    "times are medians, ratios those of pairs. Page cache warm, imports apart; whole processes find their "
    "modules compiled. A limit is met where the whole interval lies within it."
)
_GUARDS = (
    "Guards: how much of what was measured the reader takes beyond a stand-in that believes every byte. All "
    "take turns in random order; times are medians, ratios those of pairs; page cache warm or cold, as the "
    "figure says. A limit is met where the whole interval lies within it."
)


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
    of_header = [one for one in result.figures if one.name == _HEADER]
    others = [one for one in result.figures if one.name != _HEADER]
    return (
        *_figures("The catalog beside its floor", _COLUMNS, _FLOORS, others),
        *_figures("The header reader beside torch.load", _HEADER_COLUMNS, _GUARDS, of_header),
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


def _figures(title: str, columns: tuple[str, ...], told: str, figures: Sequence[Figure]) -> Iterator[Section]:
    """The table of some figures with their remarks, if there are any."""
    if figures:
        rows = [_cells(one) for one in figures]
        remarks = (f"{one.title}{_at(one)}: {printable(one.remark)}" for one in figures if one.remark)
        yield Section(
            title,
            columns,
            tuple(tuple(row[column] for column in columns) for row in rows),
            (told, *remarks),
            wordy=_WORDY,
        )


def _cells(figure: Figure) -> dict[str, Cell]:
    """What may be told of a figure, by column."""
    unit = f" {figure.unit}" if figure.unit not in {"", "x"} else figure.unit
    limit = (
        "shown only"
        if figure.limit is None
        else f"{'>=' if figure.is_least else '<='} {figure.limit:,.10g}{unit}"
    )
    is_exact = figure.value is None or figure.value.low == figure.value.high
    return {
        "figure": (printable(figure.title),),
        "checkpoints": (NONE if figure.checkpoints is None else f"{figure.checkpoints:,}",),
        "measured": (figure.measured or NONE,),
        "guards": (NONE if figure.guards_ms is None else f"{figure.guards_ms:.2g} ms",),
        "floor": (figure.floor or NONE,),
        "beside": (figure.floor or NONE,),
        "x floor": (times(figure.times_floor),),
        "95 % interval": (NONE if is_exact else f"{bounds(figure.value)}{unit}",),
        "limit": (limit,),
        "verdict": (NONE if figure.verdict is None else figure.verdict.value,),
        "calls": (figure.calls or NONE,),
    }


def _at(figure: Figure) -> str:
    return "" if figure.checkpoints is None else f" at {figure.checkpoints:,}"
