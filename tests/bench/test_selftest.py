"""The course of a self-test, without gates: what is done, kept, resumed and judged."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.selftest_log import GateRecord, GroupsRecord, MutantRecord, read
from bench.selftest_plan import Kind, SelfTestRequest
from tests.bench.selftests import BEGUN, HEADER, QUICK, World

if TYPE_CHECKING:
    from pathlib import Path

FULL = SelfTestRequest(started_at=BEGUN, budget_s=1200.0)
FULL_HEADER = msgspec.structs.replace(HEADER, is_quick=False)


def test_a_quick_self_test_runs_ten_gates_and_passes_where_all_is_as_it_should_be(tmp_path: Path) -> None:
    world = World(tmp_path)
    result = world.run()
    gates = [step for step in world.steps if step.kind in {Kind.SAME, Kind.CHANGED, Kind.WRONG}]
    assert len(gates) == 10
    assert result.exit_code == 0
    assert result.is_complete
    assert world.published == [result]


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"same": "slower"}, 1),
        ({"same": "faster"}, 1),
        ({"changed": "equivalent"}, 1),
        ({"wrong": "equivalent"}, 1),
        ({"wrong": "inconclusive"}, 1),
        ({"survivor": "an epoch"}, 1),
        ({"changed": "inconclusive"}, 1),  # these gates say that they would have seen 2 %
        ({"same": "too few samples"}, 4),
        ({"same": "crashed"}, 5),
        ({"wrong": "hung"}, 5),
        ({"wrong": "no answer"}, 0),
        ({"same": "crashed", "survivor": "a metric"}, 1),
    ],
)
def test_the_exit_code_is_a_verdict(tmp_path: Path, faults: dict[str, str], code: int) -> None:
    assert World(tmp_path, **faults).run().exit_code == code  # type: ignore[arg-type]  # fields by name


def test_a_budget_too_short_for_any_gate_is_no_pass(tmp_path: Path) -> None:
    world = World(tmp_path)
    result = world.run(replace(QUICK, budget_s=1.0))
    assert world.steps == []
    assert result.exit_code == 4


def test_everything_is_on_the_disk_before_the_next_step(tmp_path: Path) -> None:
    world = World(tmp_path, interrupted_at=4)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    recorded = read(tmp_path)
    assert [type(one) for one in recorded.records].count(MutantRecord) == 2
    assert sum(not isinstance(one, MutantRecord) for one in recorded.records) == 4
    (published,) = world.published
    assert not published.is_complete
    assert sum(one.gates for one in published.gates) == 3


def test_a_resumed_self_test_does_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    whole = World(tmp_path / "whole")
    whole.folder.mkdir()
    expected = whole.run()
    first = World(tmp_path, interrupted_at=5)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = World(tmp_path)
    result = second.run(is_resumed=True)
    assert [*first.steps, *second.steps] == whole.steps
    assert second.mutants_known == [frozenset({"an epoch", "a metric"})]
    assert result == expected


def test_a_full_self_test_records_and_gates_under_every_condition(tmp_path: Path) -> None:
    world = World(tmp_path, header=FULL_HEADER)
    result = world.run(replace(FULL, has_neighbour=True, budget_s=2400.0))
    done = {(step.kind, step.condition, step.scenario) for step in world.steps}
    assert len(done) == len(Kind) * 2 * 2
    assert len(world.beside) == sum(step.condition == "neighbour" for step in world.steps) > 0
    assert {one.condition for one in result.gates} == {"quiet", "neighbour"}
    recorded = read(tmp_path)
    counted = sum(one.groups for one in recorded.records if isinstance(one, GroupsRecord))
    assert counted == sum(map(len, recorded.groups.values())) > 0


def test_recording_is_spread_over_the_whole_time(tmp_path: Path) -> None:
    world = World(tmp_path, header=FULL_HEADER)
    world.run(FULL)
    places = [number for number, step in enumerate(world.steps) if step.kind is Kind.RECORD]
    assert places[0] < len(world.steps) / 5
    assert places[-1] > len(world.steps) * 4 / 5
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert max(gaps) < len(world.steps) / 5


def test_a_full_self_test_says_what_it_measured_too_seldom(tmp_path: Path) -> None:
    notes = World(tmp_path, header=FULL_HEADER).run(FULL).notes
    assert any("wanted 300 or more" in note and "--resume" in note for note in notes)
    assert any("real A/A gates, wanted 100 or more" in note for note in notes)


def test_a_gates_own_time_is_kept_apart_from_what_its_step_took(tmp_path: Path) -> None:
    World(tmp_path, step_s=7.0).run()
    gates = [one for one in read(tmp_path).records if isinstance(one, GateRecord)]
    assert {(one.elapsed_s, one.gate_s) for one in gates} == {(7.0, 6.0)}
    assert all(one.groups == 16 and one.ratio is not None for one in gates)
