"""The floors touch each sidecar, and each folder, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench import limits_floor

if TYPE_CHECKING:
    from pathlib import Path

SIDECARS = ["exp/checkpoints/a.metadata.yaml", "exp/checkpoints/b.ckpt.metadata.yaml", "other/c.metadata.yaml"]
FOLDERS = ["", "exp", "exp/.hydra", "exp/checkpoints", "other"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(exist_ok=True)
    for name in (*SIDECARS, "exp/checkpoints/a.ckpt", "exp/.hydra/config.yaml"):
        (tmp_path / name).write_text(name)
    (tmp_path / "other" / "linked").symlink_to(tmp_path / "exp")
    return tmp_path


def test_each_sidecar_is_read_once_and_nothing_else(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    plain_read = os.read

    def note(descriptor: int, length: int) -> bytes:
        read.append(plain_read(descriptor, length))
        return read[-1]

    monkeypatch.setattr(os, "read", note)
    listed = limits_floor.read_sidecars(tree, ())
    assert sorted(os.path.relpath(path, tree) for path in listed) == SIDECARS
    assert sorted(content.decode() for content in read) == SIDECARS


def test_each_sidecar_and_folder_is_stat_ed_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits_floor.stat_again.prepare(tree, ())  # type: ignore[attr-defined]  # a function's own attribute
    seen: list[str] = []
    monkeypatch.setattr(os, "stat", lambda path: seen.append(os.path.relpath(path, tree)))
    limits_floor.stat_again(tree, ())
    assert sorted(seen) == sorted([*SIDECARS, ".", *FOLDERS[1:]])
