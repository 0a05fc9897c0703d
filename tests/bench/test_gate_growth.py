"""How times grow with the tree: what is measured in which order, and what is a reason not to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.gate_case import CANDIDATE, REFERENCE
from bench.report import markdown
from bench.report.gate import gate_sections
from bench.verdict_file import Cause
from tests.bench.gates import World
from tests.bench.stored_baselines import baseline, benchmark

if TYPE_CHECKING:
    from pathlib import Path


def test_a_candidate_that_grows_faster_is_a_reason_not_to_pass(tmp_path: Path) -> None:
    world = World(tmp_path, exponents={CANDIDATE: 1.2, REFERENCE: 1.0})
    result = world.run(is_growing=True)
    growth = result.benchmarks[0].growth
    assert growth is not None
    assert growth.sizes == (25, 50, 100, 200)
    assert growth.candidate.estimate == pytest.approx(1.2, abs=0.01)
    assert growth.difference.estimate == pytest.approx(0.2, abs=0.01)
    assert [reason.cause for reason in result.reasons] == [Cause.STEEPER]
    assert result.exit_code == 1
    assert "steeper" in markdown.render_sections(gate_sections(result))


def test_the_same_growth_passes_however_steep(tmp_path: Path) -> None:
    world = World(tmp_path, exponents={CANDIDATE: 2.0, REFERENCE: 2.0})
    result = world.run(is_growing=True)
    assert result.benchmarks[0].growth is not None
    assert (result.benchmarks[0].growth.verdict, result.exit_code) == ("alike", 0)


def test_growth_that_cannot_be_told_is_no_pass(tmp_path: Path) -> None:
    world = World(tmp_path, exponents={CANDIDATE: 1.05, REFERENCE: 1.0})
    result = world.run(is_growing=True)
    assert [reason.cause for reason in result.reasons] == [Cause.GROWTH_UNCLEAR]
    assert result.exit_code == 4


def test_too_few_groups_at_a_size_are_no_pass(tmp_path: Path) -> None:
    result = World(tmp_path, groups=2).run(is_growing=True)
    assert Cause.TOO_FEW_SAMPLES in {reason.cause for reason in result.reasons}
    assert result.exit_code == 4


def test_growth_beside_a_baseline_is_refused(tmp_path: Path) -> None:
    result = World(tmp_path, references=(baseline(benchmark("sidecars-warm")),)).run(is_growing=True)
    assert [(reason.cause, reason.about) for reason in result.reasons] == [(Cause.NO_REFERENCE, "growth")]
    assert result.exit_code == 5


def test_without_being_asked_for_nothing_grows(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.run().benchmarks[0].growth is None
    assert len(world.grown) == 1
