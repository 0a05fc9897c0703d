"""The report shows what the result holds, in every format and width, and never more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.report import markdown, terminal
from bench.report.sections import Section, sections
from tests.bench.results import MISSED, RESULT, TREE


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = terminal.render(RESULT, width=width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", range(24, 120, 8))
def test_a_column_is_folded_before_it_is_squeezed_away(width: int) -> None:
    columns = ("figure", "measured", "verdict")
    row = (("a first load of everything",), ("12.5 ms (11.1-13.4)",), ("not measured at all",))
    section = Section("Title", columns, (row,), wordy=("figure",))
    text = terminal.render_sections([section], width=width, is_colored=False)
    assert max(map(len, text.splitlines())) <= width
    letters = "".join(sorted("".join((*columns, *(line for cell in row for line in cell))).replace(" ", "")))
    shown = text.replace("Title", "").replace("─", "")
    assert "".join(sorted("".join(shown.split()))) == letters


@pytest.mark.parametrize("width", [100, 120])
def test_figures_stay_whole_at_usual_widths(width: int) -> None:
    text = terminal.render(RESULT, width=width)
    for figure in (
        "25.0 ms",
        "1.25 s",
        "90.0 µs",
        "4.50 ms",
        "4.20 s",
        "3.00x",
        "278x",
        "260-295",
        "3.20x",
        "200-500x",
        "< 10 ms",
    ):
        assert figure in text
    assert "sidecars, first load" in text


def test_a_void_row_shows_no_ratio() -> None:
    row = sections(RESULT)[0].rows[1]
    assert row[2:] == (("-",), ("-",), ("-",), ("-",), ("outputs differ",))


@pytest.mark.parametrize("render", [terminal.render, markdown.render], ids=["terminal", "markdown"])
def test_every_part_of_the_result_is_shown(render) -> None:  # type: ignore[no-untyped-def]  # two signatures
    text = flat(render(RESULT))
    for part in (
        "first-load-small",
        "missed",
        "123 MB",
        "v2 says 3, expected says 4",
        "9 checkpoints",
        "1.00x",
        "2.4 GB",
        "2.13.0",
        "seed 7",
        "900,000x",
        "and not the 2-5 s that was claimed",
        "50 checkpoints, 10 runs",
        "4.20 s",
        "RunSampledHistory 10,",
        "a later build 0",
        "Exit code 3: outputs differ, so that no ratio of theirs counts",
    ):
        assert part in text.replace("\\", "")


def test_color_is_given_only_where_it_is_wished_for() -> None:
    assert "\x1b[" not in terminal.render(RESULT)
    assert "\x1b[" in terminal.render(RESULT, is_colored=True)


def test_foreign_text_steers_neither_terminal_nor_markdown() -> None:
    assert "\x1b" not in terminal.render(RESULT)
    text = markdown.render(RESULT)
    assert "\x1b" not in text
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "evil\\\\u001b\\[31m\\|name\\`\\<b\\>" in text


def test_rich_markup_in_names_is_shown_and_not_obeyed() -> None:
    result = replace(RESULT, targets=(replace(MISSED, name="[bold]x[/bold]"),))
    assert "[bold]x[/bold]" in terminal.render(result, width=200)


def test_markdown_tables_have_as_many_cells_in_every_row() -> None:
    blocks = markdown.render(RESULT).split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 5
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_equal_answers_share_a_row_and_unequal_ones_have_their_own() -> None:
    (rows,) = (one.rows for one in sections(RESULT) if one.title == "Do the answers agree?")
    assert rows == (
        ((TREE,), ("sidecars-warm",), ("expected = v2",), ("50",), ("equal",)),
        ((TREE,), ("header-warm",), ("v2, expected",), ("50",), ("outputs differ",)),
    )


def test_an_unfinished_run_says_so() -> None:
    unfinished = replace(RESULT, is_complete=False, exit_code=None, verdict="not finished")
    assert "Exit code -: not finished. The run was not finished." in terminal.render(unfinished)


def test_an_empty_result_can_be_shown() -> None:
    empty = replace(RESULT, rows=(), targets=(), equality=(), noise=(), declared=(), trees=())
    assert "Verdict" in terminal.render(empty)
    assert "## Verdict" in markdown.render(empty)
