"""The session as a whole: what is chosen, one real small run, and what the report says."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.limits import Request, add_arguments, measure, request_of
from bench.limits_report import render, sections
from bench.limits_result import Figure, Limits
from bench.limits_rows import ROWS, SIZES
from bench.limits_session import Effort, Plan
from bench.result import Interval, TargetState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.limits_report import Form
    from bench.limits_session import Session

FIGURE = Figure(
    name="first-load",
    title="first load",
    checkpoints=14,
    measured="1 ms",
    floor="0.2 ms",
    times_floor=5.0,
    value=Interval(estimate=5.0, low=4.9, high=5.1),
    limit=10.0,
    calls="6 processes x 40 pairs",
    verdict=TargetState.MET,
)
HEADER_FIGURE = Figure(
    name="header",
    title="header reader, warm: times as fast as torch.load",
    checkpoints=None,
    measured="0.75 ms",
    guards_ms=0.25,
    floor="torch.load 18.0 ms",
    value=Interval(estimate=24.0, low=23.0, high=25.0),
    limit=20.0,
    is_least=True,
    calls="1 process x 25 pairs",
    verdict=TargetState.MET,
)
RESULT = Limits(
    started_at="2026-01-01T00:00:00+00:00",
    elapsed_s=1.0,
    seed=0,
    environment={"python": "3.11"},
    figures=(FIGURE,),
    left_out=("memory at 10,000",),
    exit_code=0,
    verdict="1 of 1 measured limits are met; this run left figures out",
)


def chosen(*arguments: str) -> Request:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return request_of(parser.parse_args(arguments))


def test_all_rows_and_sizes_are_measured_unless_some_are_chosen() -> None:
    everything = chosen()
    assert everything.sizes == SIZES
    assert everything.names == tuple(row.name for row in ROWS)
    some = chosen("--sizes", "50,14", "--only", "first-load,opens")
    assert (some.sizes, some.names) == ((14, 50), ("first-load", "opens"))
    more = chosen("--only", "first-load", "--sizes", "50", "--only", "opens", "--sizes", "14")
    assert more == some


@pytest.mark.parametrize("arguments", [["--sizes", "15"], ["--sizes", ""], ["--only", "last-load"]])
def test_what_no_row_has_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        chosen(*arguments)
    assert "expected some of" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["terminal", "markdown", "json"])
def test_each_form_shows_figures_and_what_was_left_out(form: Form) -> None:
    text = render(RESULT, form)
    for told in ("first load", "4.9", "memory at 10,000"):
        assert told in text


def test_a_result_is_read_as_it_was_written() -> None:
    both = msgspec.structs.replace(RESULT, figures=(FIGURE, HEADER_FIGURE))
    assert msgspec.json.decode(render(both, "json"), type=Limits) == both


def test_what_the_guards_cost_stands_in_a_column_of_the_header_readers_table() -> None:
    both = msgspec.structs.replace(RESULT, figures=(FIGURE, HEADER_FIGURE))
    floors, headers, *_ = sections(both)
    assert "guards" not in floors.columns
    (told,) = headers.rows
    cells = dict(zip(headers.columns, told, strict=True))
    assert (cells["measured"], cells["guards"]) == (("0.75 ms",), ("0.25 ms",))
    assert "| 0.75 ms | 0.25 ms |" in render(both, "markdown")
    assert msgspec.json.decode(render(both, "json"))["figures"][1]["guards_ms"] == 0.25


def test_a_table_without_figures_is_left_out() -> None:
    only = msgspec.structs.replace(RESULT, figures=(HEADER_FIGURE,))
    for result, shown in ((RESULT, "floor"), (only, "beside")):
        assert [{"floor", "beside"} & {*one.columns} for one in sections(result)[:-2]] == [{shown}]


@pytest.mark.parametrize("columns", [80, 120, 160])
def test_no_column_of_a_terminal_is_squeezed_away(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    both = msgspec.structs.replace(RESULT, figures=(FIGURE, HEADER_FIGURE))
    lines = render(both, "terminal").splitlines()
    assert max(map(len, lines)) <= columns
    heads = [line.split() for line in lines if line.split()[:1] == ["figure"]]
    assert [head[-1] for head in heads] == ["calls", "calls"]
    assert any("0.25 ms" in line for line in lines)


def test_a_small_session_measures_real_processes(tmp_path: Path) -> None:
    few = {0: Effort(2, 2)}
    plan = Plan(few, few, {0: Effort(3)}, {0: Effort(2)}, commands=Effort(2))
    apart = {"growth", "change", "header", "wandb"}
    rows = [replace(row, sizes=(14,), needs=()) for row in ROWS if row.name not in apart]
    names = tuple(row.name for row in rows if row.name != "memory")
    kept: list[Limits] = []
    result = measure(Request(names, (14,), 0, tmp_path), kept.append, plan, rows)
    assert kept == [result]
    assert result.left_out == ("memory at 14",)
    assert "this run left figures out" in result.verdict
    unmeasured = {one.name for one in result.figures if one.verdict is TargetState.NOTHING_MEASURED}
    assert unmeasured == (set() if shutil.which("strace") else {"opens"})
    assert {one.name for one in result.figures} == set(names)
    assert not any(one.verdict is TargetState.OUTPUTS_DIFFER for one in result.figures)
    assert list(tmp_path.iterdir()) == []
    opened = [one.measured for one in result.figures if one.name == "opens"]
    assert opened == (["0", "0"] if shutil.which("strace") else [""])


def test_the_smallest_tree_is_there_to_warm_up_on_whatever_is_measured(tmp_path: Path) -> None:
    def trees(session: Session, _: int) -> Iterator[Figure]:
        yield Figure(name="trees", title="trees", checkpoints=50, measured=str(sorted(session.trees)))

    row = replace(ROWS[0], name="trees", sizes=(50,), needs=(), measure=trees)
    result = measure(Request(("trees",), (50,), 0, tmp_path), lambda _: None, Plan(settle_s=0.0), [row])
    assert [one.measured for one in result.figures] == ["[14, 50]"]
