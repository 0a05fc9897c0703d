"""Asking W&B measured: small cells, with the real client."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.arms import isolated
from bench.asking import BRIEF, NEW, SPECS, THOROUGH, Effort, Efforts, cells, placed
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


BOTH = """
import pathlib, sys
from catalog.legacy_wandb import ask_at_once, ask_for_each
root = pathlib.Path(sys.argv[1])
for ask in (ask_for_each, ask_at_once):
    print([sorted((key, str(value)) for key, value in one.items()) for one in ask(root, ())])
"""


def test_asking_at_once_answers_what_asking_one_by_one_does(tmp_path: Path) -> None:
    """In a process of its own, which may import the client."""
    with placed(SPEC, tmp_path) as place, WandbServer(place.runs) as server:
        done = subprocess.run(
            [sys.executable, "-P", "-c", BOTH, str(place.root)],
            env={**os.environ, **isolated(tmp_path), **server.environment(tmp_path), "WANDB_SILENT": "true"},
            cwd=tmp_path,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        one_by_one, at_once = done.stdout.splitlines()
        assert server.operations["Runs"] == 1
        assert server.operations["Run"] == 2 * place.checkpoints
    assert at_once == one_by_one
    assert at_once.count("checkpoint_path") == place.checkpoints
    assert "None" not in at_once


def test_a_call_that_does_not_list_everything_measures_nothing(tmp_path: Path) -> None:
    with placed(SPEC, tmp_path) as place:
        next(place.root.rglob("*.ckpt")).unlink()
        with (
            place.callers([NEW], 0, is_whole_process=True) as ask,
            pytest.raises(ValueError, match="expected 4 checkpoints, found 3"),
        ):
            ask(NEW)
