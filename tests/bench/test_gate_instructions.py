"""The second witness in a gate: it explains beside the verdict, and decides only if it was asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.instructions import UNSEEN, InstructionChange, uncounted
from bench.report.gate import gate_sections
from bench.report.terminal import render_sections
from bench.verdict_file import Cause
from tests.bench.gates import World

if TYPE_CHECKING:
    from pathlib import Path

MORE = InstructionChange(candidate=1_020, reference=1_000, ratio=1.02, verdict="more")
SAME = InstructionChange(candidate=1_000, reference=1_000, ratio=1.0, verdict="same")
MISSING = uncounted("expected valgrind on the search path, found none; install it")


def test_nothing_is_counted_unless_asked(tmp_path: Path) -> None:
    world = World(tmp_path, instructions=MORE)
    result = world.run()
    assert world.counted == []
    assert result.benchmarks[0].instructions is None


@pytest.mark.parametrize("change", [MORE, MISSING])
def test_explaining_changes_no_verdict_and_says_what_is_not_seen(
    change: InstructionChange, tmp_path: Path
) -> None:
    result = World(tmp_path, instructions=change).run(instructions="explain")
    assert (result.exit_code, result.benchmarks[0].instructions) == (0, change)
    shown = " ".join(render_sections(gate_sections(result), width=200, is_colored=False).split())
    assert UNSEEN in shown
    assert change.verdict in shown
    assert change.told in shown


def test_more_instructions_fail_a_gate_that_goes_by_them(tmp_path: Path) -> None:
    result = World(tmp_path, instructions=MORE).run(instructions="gate")
    assert [one.cause for one in result.reasons] == [Cause.MORE_INSTRUCTIONS]
    assert result.exit_code == 1


def test_as_many_instructions_pass(tmp_path: Path) -> None:
    assert World(tmp_path, instructions=SAME).run(instructions="gate").exit_code == 0


@pytest.mark.parametrize("change", [MISSING, None])
def test_a_gate_that_goes_by_counts_does_not_pass_without_them(
    change: InstructionChange | None, tmp_path: Path
) -> None:
    result = World(tmp_path, instructions=change).run(instructions="gate")
    assert [one.cause for one in result.reasons] == [Cause.NOT_COUNTED]
    assert result.exit_code == 5
