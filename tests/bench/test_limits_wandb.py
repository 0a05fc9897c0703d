"""The limits of asking W&B: each can be missed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from bench.asking_cell import AskingCell
from bench.limits_result import judged
from bench.limits_wandb import operations_of, times_of
from bench.result import TargetState

GOOD = AskingCell(
    checkpoints=50,
    runs=10,
    latency_ms=100,
    is_whole_process=True,
    new_ns=(2.2e9, 2.1e9, 2.2e9),
    once_ns=(2.0e9, 1.9e9, 2.0e9),
    old_ns=(30e9,),
    least_ns=(1.1e9, 1e9),
    operations={"Viewer": 1, "GetDefaultEntity": 1, "Runs": 1, "RunSampledHistory": 10},
    old_operations={"Viewer": 100, "Run": 100},
    again=0,
)


def missed(cell: AskingCell) -> list[str]:
    """What the figures of a cell that miss their limit are called."""
    found = [judged(one) for one in (*times_of(cell), *operations_of([cell]))]
    return [one.title.partition(", ")[2] for one in found if one.verdict is TargetState.MISSED]


def test_what_keeps_every_limit_has_missed_none() -> None:
    found = [judged(one) for one in (*times_of(GOOD), *operations_of([GOOD]))]
    assert [one.verdict for one in found] == [TargetState.MET] * 6
    assert found[0].limit == 2_300.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"operations": {"Viewer": 1, "Runs": 3}}, "operations beside histories"),
        ({"operations": {"Runs": 1, "RunSampledHistory": 11}}, "histories"),
        ({"operations": {"Runs": 1, "Run": 10}}, "operations beside histories"),
        ({"new_ns": (2.4e9, 2.5e9)}, "whole process, 100 ms of latency: time"),
        ({"once_ns": (3.1e9,)}, "whole process, 100 ms of latency: times as fast as one by one"),
        ({"again": 1}, "operations of a second build"),
    ],
)
def test_each_limit_can_be_missed(change: dict[str, Any], expected: str) -> None:
    assert missed(replace(GOOD, **change)) == [expected]


def test_a_speed_up_that_starting_the_client_forbids_is_out_of_reach_and_says_so() -> None:
    _, speedup, _ = times_of(replace(GOOD, old_ns=(9e9,)))
    assert judged(speedup).verdict is None
    assert "starting the client takes 1.00 s, and an answer 100 ms" in speedup.remark
    assert "8.18x as fast" in speedup.remark


def test_in_process_nothing_excuses_the_speed_up_and_no_time_is_limited() -> None:
    slow = replace(GOOD, is_whole_process=False, least_ns=(1e9,), old_ns=(9e9,), new_ns=(3e9,))
    speedup, build = times_of(slow)
    assert judged(speedup).verdict is TargetState.MISSED
    assert (build.measured, judged(build).verdict) == ("3.00x (3.00 s)", TargetState.MISSED)
    assert "a build that does not ask takes 1.00 s" in build.remark
