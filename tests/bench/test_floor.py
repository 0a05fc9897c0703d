"""The floors touch what a catalog would, and return one item for each checkpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench import floor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "exp" / "checkpoints"
    folder.mkdir(parents=True)
    for name in ("a.ckpt", "b.ckpt", "c.ckpt", "plain.ckpt", "a.metadata.yaml", "b.ckpt.metadata.yaml"):
        (folder / name).write_bytes(name.encode() * 50_000)
    (folder / "c.metadata.json").write_text("{}")
    (folder / "orphan.metadata.yaml").write_text("x: 1")
    (folder / "sharded.ckpt").mkdir()
    (folder / "sharded.ckpt" / "inner.ckpt").write_text("not a checkpoint of its own")
    (folder / "dangling.ckpt").symlink_to("nowhere")
    return tmp_path


NAMES = ["a.ckpt", "b.ckpt", "c.ckpt", "dangling.ckpt", "plain.ckpt", "sharded.ckpt"]


def test_reading_lists_every_checkpoint_once(tree: Path) -> None:
    assert sorted(os.path.basename(path) for path in floor.read_files(tree, ())) == NAMES


def test_sidecars_are_read_instead_of_checkpoints(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    plain_open = os.open

    def note(path: str, flags: int) -> int:
        opened.append(os.path.basename(path))
        return plain_open(path, flags)

    monkeypatch.setattr(os, "open", note)
    floor.read_files(tree, ())
    assert sorted(opened) == ["a.metadata.yaml", "b.ckpt.metadata.yaml", "c.metadata.json", "plain.ckpt"]


def test_a_checkpoint_without_sidecar_is_read_at_its_ends_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    plain_pread = os.pread

    def note(descriptor: int, length: int, offset: int) -> bytes:
        asked.append((length, offset))
        return plain_pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", note)
    floor.read_files(tree, ())
    size_bytes = (tree / "exp" / "checkpoints" / "plain.ckpt").stat().st_size
    assert asked == [(floor.HEAD_BYTES, size_bytes - floor.HEAD_BYTES), (floor.HEAD_BYTES, 0)]


def test_stat_files_repeats_what_was_prepared(tree: Path) -> None:
    (tree / "exp" / "checkpoints" / "dangling.ckpt").unlink()
    floor.stat_files.prepare(tree, ())  # type: ignore[attr-defined]  # a function's own attribute
    found = floor.stat_files(tree, ())
    assert sorted(os.path.basename(path) for path in found) == [
        name for name in NAMES if name != "dangling.ckpt"
    ]


def test_stat_files_notices_that_a_file_is_gone(tree: Path) -> None:
    (tree / "exp" / "checkpoints" / "dangling.ckpt").unlink()
    floor.stat_files.prepare(tree, ())  # type: ignore[attr-defined]  # a function's own attribute
    (tree / "exp" / "checkpoints" / "a.ckpt").unlink()
    with pytest.raises(FileNotFoundError):
        floor.stat_files(tree, ())
