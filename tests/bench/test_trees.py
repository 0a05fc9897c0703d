"""One tree on the disk, its variants made of it, gone at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench.trees import grow, standing_in
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = TreeSpec(experiments=2, checkpoints_per_experiment=2, checkpoint_bytes=1, wandb_share=1.0)


def names_below(root: Path, suffix: str) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob(f"*{suffix}"))


def test_variants_exchange_sidecars_and_nothing_else(tmp_path: Path) -> None:
    with grow(SPEC, tmp_path, keep=False) as tree:
        inodes = {path: os.stat(tree.root / path).st_ino for path in names_below(tree.root, ".ckpt")}
        whole = tree.with_sidecars(1.0)
        assert len(names_below(tree.root, ".metadata.yaml")) == whole.listed == 4
        bare = tree.with_sidecars(0.0)
        assert names_below(tree.root, ".metadata.yaml") == []
        assert {path: os.stat(tree.root / path).st_ino for path in inodes} == inodes
    assert (whole.name, whole.root, whole.spec.sidecar_share) == ("4 x 1e-06 MB", tree.root, 1.0)
    assert whole.expected != bare.expected
    assert len(bare.runs) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_tree_that_shall_stay_stays(tmp_path: Path) -> None:
    with grow(SPEC, tmp_path, keep=True) as tree:
        root = tree.root
    assert len(names_below(root, ".ckpt")) == 4


def test_an_interruption_removes_the_tree(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), grow(SPEC, tmp_path, keep=False):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_a_tree_changes_with_every_name_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    before = standing_in(tmp_path)
    assert standing_in(tmp_path) == before
    os.utime(tmp_path / "a", ns=(0, 7))
    assert standing_in(tmp_path) != before
    (tmp_path / "b").symlink_to(tmp_path / "nowhere")
    assert str(tmp_path / "b") in standing_in(tmp_path)
