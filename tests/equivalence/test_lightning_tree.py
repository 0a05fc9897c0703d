"""A tree that the generator did not make: trained by a real `Trainer`, listed by both implementations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from catalog import subjects
from catalog.layout import DEFAULT_CONFIG_FILENAMES

ROOT = Path(__file__).parents[2]


def test_a_tree_that_lightning_wrote_is_answered_alike_and_in_full(tmp_path: Path) -> None:
    trained = subprocess.run(
        [sys.executable, "-m", "tests.equivalence.train_with_lightning", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    new, old = (one(tmp_path, DEFAULT_CONFIG_FILENAMES) for one in (subjects.v2, subjects.legacy))
    assert [msgspec.structs.replace(entry, provenance={}) for entry in new] == old.entries
    assert {one.checkpoint_path for one in new.skipped} == {one.checkpoint_path for one in old.skipped}
    assert new.problems == old.problems == []
    assert {entry.epochs for entry in new} >= {1, 2, 3}
    for entry in new:
        assert (entry.architecture, entry.backbone) == ("dbnet", "resnet18")
        assert (entry.monitor, entry.monitor_mode) == ("val/hmean", "max")
        assert entry.score is not None
        assert 0 < entry.score < 1
        assert entry.provenance["epochs"] == entry.provenance["score"] == "checkpoint"
