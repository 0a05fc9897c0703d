"""Asking W&B measured: small cells, with the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.arms import isolated
from bench.asking import BRIEF, NEW, SPECS, THOROUGH, Effort, Efforts, cells, placed
from catalog.legacy_wandb import ask_at_once, ask_for_each
from fixtures.spec import TreeSpec
from fixtures.wandb_server import WandbServer

if TYPE_CHECKING:
    from pathlib import Path

SPEC = TreeSpec(experiments=2, checkpoint_bytes=1, sidecar_share=0.0, metrics_share=0.0, wandb_share=1.0)


def test_the_trees_have_as_many_checkpoints_as_they_are_called_by() -> None:
    assert {checkpoints: spec.checkpoints for checkpoints, spec in SPECS.items()} == {14: 14, 50: 50}


def test_what_latency_makes_long_is_measured_less_often() -> None:
    for efforts in (THOROUGH, BRIEF):
        assert efforts.of(20, is_whole_process=False).old < efforts.of(0, is_whole_process=False).old


def test_small_cells_are_measured_by_real_processes(tmp_path: Path) -> None:
    efforts = Efforts(whole=Effort(1, 1), warm=Effort(2, 1), delayed=Effort(1, 1))
    whole, warm = cells(SPEC, tmp_path, latencies_ms=(0,), efforts=efforts)
    assert (whole.is_whole_process, warm.is_whole_process) == (True, False)
    assert (len(whole.least_ns), len(warm.new_ns), len(warm.old_ns)) == (1, 2, 1)
    assert whole.operations == {"Viewer": 1, "Runs": 1, "RunSampledHistory": 2}
    assert warm.operations == {"Runs": 1, "RunSampledHistory": 2}
    assert (whole.asked, whole.histories) == (2, 2)
    assert (len(whole.once_ns), len(warm.once_ns)) == (1, 2)
    assert whole.old_operations["Run"] == warm.old_operations["Run"] == 2 * whole.checkpoints
    assert whole.again == warm.again == 0
    assert list(tmp_path.iterdir()) == []


def test_asking_at_once_answers_what_asking_one_by_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with placed(SPEC, tmp_path) as place, WandbServer(place.runs) as server:
        for name, value in (isolated(tmp_path) | server.environment(tmp_path)).items():
            monkeypatch.setenv(name, value)
        one_by_one = ask_for_each(place.root, ())
        server.operations.clear()
        assert ask_at_once(place.root, ()) == one_by_one
        assert server.operations["Runs"] == 1
        assert server.operations["Run"] == 0
    assert len(one_by_one) == place.checkpoints
    assert all(one["architecture"] for one in one_by_one)


def test_a_call_that_does_not_list_everything_measures_nothing(tmp_path: Path) -> None:
    with placed(SPEC, tmp_path) as place:
        next(place.root.rglob("*.ckpt")).unlink()
        with (
            place.callers([NEW], 0, is_whole_process=True) as ask,
            pytest.raises(ValueError, match="expected 4 checkpoints, found 3"),
        ):
            ask(NEW)
