"""A result for a terminal, as wide as that is, with color only where it is wished for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bench.report.sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.report.sections import Cell, Section
    from bench.result import Result

_ANY_WIDTH = 1 << 16

_STYLES = {
    "holds": "green",
    "above the claim": "green",
    "met": "green",
    "equal": "green",
    "equivalent": "green",
    "faster": "green",
    "below the claim": "yellow",
    "inconclusive": "yellow",
    "missed": "red",
    "slower": "red",
    "outputs differ": "bold red",
    "nothing measured": "bold red",
}


def render(result: Result, *, width: int = 120, is_colored: bool = False) -> str:
    """The whole report as text of at most `width` columns."""
    return render_sections(sections(result), width=width, is_colored=is_colored)


def render_sections(chosen: Iterable[Section], *, width: int, is_colored: bool) -> str:
    """Sections as text of at most `width` columns."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=is_colored,
        no_color=not is_colored,
        color_system="standard" if is_colored else None,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        for section in chosen:
            _print(console, section)
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


def _print(console: Console, section: Section) -> None:
    console.print(Text(section.title, style="bold"))
    if section.rows:
        table = _table(section, is_folded=False)
        # Figures are cut at the column's end only where there is no other way.
        unbounded = console.options.update(max_width=_ANY_WIDTH)  # a measurement never exceeds its options
        is_fitting = Measurement.get(console, unbounded, table).minimum <= console.width
        console.print(table if is_fitting else _table(section, is_folded=True))
    for line in section.lines:
        console.print(Text(line))
    console.print()


def _table(section: Section, *, is_folded: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_lines=False)
    for position, column in enumerate(section.columns):
        is_whole = not is_folded and column not in section.wordy
        # A column that is not to wrap would else be measured by its longest word, and squeezed away.
        least = _width(column, section, position) if is_whole else None
        table.add_column(column, overflow="fold", no_wrap=is_whole, min_width=least)
    is_tall = any(len(cell) > 1 for row in section.rows for cell in row)
    for row in section.rows:
        table.add_row(*(_text(cell) for cell in row), end_section=is_tall)
    return table


def _width(column: str, section: Section, position: int) -> int:
    """How wide a column's longest line is, its heading's included."""
    return max(map(cell_len, (column, *(line for row in section.rows for line in row[position]))))


def _text(cell: Cell) -> Text:
    return Text("\n".join(cell), style=_STYLES.get(cell[0], ""))
