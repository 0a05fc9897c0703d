"""The limits of asking W&B: each can be missed, and a small cell is measured with the real client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench.limits_wandb import WandbRow, rows, section
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from pathlib import Path

GOOD = WandbRow(
    checkpoints=50,
    runs=10,
    latency_ms=100,
    is_whole_process=True,
    new_ns=2.2e9,
    old_ns=30e9,
    start_ns=1e9,
    operations={"Viewer": 1, "GetDefaultEntity": 1, "Runs": 1, "RunSampledHistory": 10},
    old_operations={"Viewer": 100, "Run": 100},
    again=0,
)


def test_what_keeps_every_limit_has_missed_none() -> None:
    assert GOOD.missed == ()
    assert GOOD.limit_ns == 2.3e9


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"operations": {"Viewer": 1, "Runs": 3}}, "operations"),
        ({"operations": {"Runs": 1, "RunSampledHistory": 11}}, "operations"),
        ({"operations": {"Runs": 1, "Run": 10}}, "operations"),
        ({"new_ns": 2.4e9}, "time"),
        ({"old_ns": 21e9}, "speed-up"),
        ({"again": 1}, "second build"),
    ],
)
def test_each_limit_can_be_missed(change: dict[str, Any], missed: str) -> None:
    assert replace(GOOD, **change).missed == (missed,)


def test_a_speed_up_that_starting_the_client_forbids_is_out_of_reach_and_says_so() -> None:
    forbidden = replace(GOOD, old_ns=9e9)
    assert not forbidden.is_speedup_possible
    assert forbidden.missed == ()
    assert "out of reach" in str(section([forbidden]).rows)


def test_in_process_nothing_excuses_the_speed_up_and_no_time_is_limited() -> None:
    slow = replace(GOOD, is_whole_process=False, start_ns=None, old_ns=9e9, new_ns=3e9)
    assert slow.limit_ns is None
    assert slow.missed == ("speed-up",)


def test_a_small_cell_is_measured_by_real_processes(tmp_path: Path) -> None:
    spec = TreeSpec(experiments=2, checkpoint_bytes=1, sidecar_share=0.0, metrics_share=0.0, wandb_share=1.0)
    whole, warm = rows((spec,), (0,), calls=1, parent=tmp_path)
    assert (whole.is_whole_process, warm.is_whole_process) == (True, False)
    assert whole.operations == {"Viewer": 1, "Runs": 1, "RunSampledHistory": 2}
    assert warm.operations == {"Runs": 1, "RunSampledHistory": 2}
    assert whole.old_operations["Run"] == warm.old_operations["Run"] == 2 * whole.checkpoints
    assert whole.again == warm.again == 0
