"""A self-test's report shows what its result holds, and computes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.report import markdown, terminal
from bench.report.selftest import selftest_sections
from bench.selftest_result import Coverage, Mutants, Rate, State
from tests.bench.selftests import HEADER, QUICK, World

if TYPE_CHECKING:
    from pathlib import Path

    from bench.selftest_result import SelfTestResult


@pytest.fixture
def quick(tmp_path: Path) -> SelfTestResult:
    return World(tmp_path).run(QUICK)


def shown(result: SelfTestResult) -> str:
    return terminal.render_sections(selftest_sections(result), width=160, is_colored=False)


def test_every_row_of_gates_is_shown_with_counts_interval_and_state(quick: SelfTestResult) -> None:
    text = shown(quick)
    for row in quick.gates:
        assert f"{100 * row.rate.low:.3g}-{100 * row.rate.high:.3g} %" in text
        assert row.promise in text
    assert text.count(State.HOLDS.value) >= len(quick.gates)
    assert "wrong answers" in text
    assert "none (A/A)" in text
    assert "+10%" in text


def test_conditions_have_tables_of_their_own(tmp_path: Path) -> None:
    world = World(tmp_path, header=msgspec.structs.replace(HEADER, is_quick=False))
    result = world.run(replace(QUICK, is_quick=False, has_neighbour=True, budget_s=1300.0))
    titles = [section.title for section in selftest_sections(result)]
    assert titles[:2] == ["Gates, quiet", "Gates, neighbour"]
    assert "Noise of identical code" in titles
    assert titles[-1] == "Verdict"


def test_a_quick_report_says_that_it_tells_no_rates(quick: SelfTestResult) -> None:
    assert "not its rates" in shown(quick)


def test_survivors_alarms_and_unfinished_runs_cannot_be_overlooked(quick: SelfTestResult) -> None:
    bad = msgspec.structs.replace(
        quick,
        is_complete=False,
        mutants=Mutants(caught=Rate(1, 2, 0.01, 0.99), survivors=("an \x1b[31mepoch",), state=State.FAILED),
        gates=(msgspec.structs.replace(quick.gates[0], called={"crashed": 3}, state=State.BROKEN),),
    )
    text = shown(bad)
    assert "Survived: an \\u001b[31mepoch" in text
    assert "3 crashed" in text
    assert "was not finished" in text


def test_coverage_and_resampled_gates_are_told_as_such(quick: SelfTestResult) -> None:
    drawn = msgspec.structs.replace(quick.gates[0], real=False, covered=Rate(97, 100, 0.91, 0.99))
    held = Coverage(
        condition="quiet",
        scenario="14 checkpoints",
        groups=16,
        rate=Rate(95, 100, 0.89, 0.98),
        state=State.HOLDS,
    )
    text = shown(msgspec.structs.replace(quick, gates=(drawn,), coverage=(held,)))
    assert "resampled, " in text
    assert "covers 97 of 100 (91-99 %)" in text
    assert "95 of 100 (89-98 %)" in text


def test_markdown_holds_the_same_cells(quick: SelfTestResult) -> None:
    sections = selftest_sections(quick)
    text = markdown.render_sections(sections)
    for section in sections:
        assert f"## {section.title}" in text
        for row in section.rows:
            assert any(row[1][0] in line and line.startswith("|") for line in text.splitlines())
