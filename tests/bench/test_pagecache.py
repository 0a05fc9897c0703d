"""Cold trees: files leave the page cache, and a tree that stays cached is told as such."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import pagecache
from bench.pagecache import cold_supported, drop

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE_BYTES = 3 * os.sysconf("SC_PAGE_SIZE") + 17


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two folders, some files freshly written, so that they are in the cache and not yet on the disk."""
    (tmp_path / "deep").mkdir()
    for name in ("a.ckpt", "deep/b.ckpt"):
        (tmp_path / name).write_bytes(os.urandom(SIZE_BYTES))
    return tmp_path


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder whose files live in memory alone."""
    if not Path("/dev/shm").is_dir():  # noqa: S108 - looked at, not written to
        pytest.skip("this system has no file system in memory")
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def resident_bytes(path: Path) -> int:
    """What the module itself counts of one file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return pagecache._resident_bytes(descriptor, path.stat().st_size)
    finally:
        os.close(descriptor)


def require_cold(tree: Path) -> None:
    if not cold_supported(tree):
        pytest.skip("the file system of the temporary folder does not let its files be made cold")


def test_files_leave_the_cache_at_any_depth_and_come_back_when_read(tree: Path) -> None:
    require_cold(tree)
    for name in ("a.ckpt", "deep/b.ckpt"):
        (tree / name).read_bytes()
        assert resident_bytes(tree / name) >= SIZE_BYTES
    dropped = drop(tree)
    assert dropped.cold
    assert dropped.total_bytes == 2 * SIZE_BYTES
    assert resident_bytes(tree / "deep" / "b.ckpt") == 0


def test_dropping_keeps_what_was_just_written(tree: Path) -> None:
    written = os.urandom(SIZE_BYTES)
    (tree / "a.ckpt").write_bytes(written)
    drop(tree)
    assert (tree / "a.ckpt").read_bytes() == written


def test_a_file_in_memory_cannot_be_made_cold_and_is_told_as_such(in_memory: Path) -> None:
    (in_memory / "a.ckpt").write_bytes(b"x" * SIZE_BYTES)
    assert not drop(in_memory).cold
    assert not cold_supported(in_memory)


def test_what_a_symlink_points_to_outside_the_tree_is_made_cold_too(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    require_cold(tree)
    outside = tmp_path_factory.mktemp("outside") / "far.ckpt"
    outside.write_bytes(os.urandom(SIZE_BYTES))
    (tree / "last.ckpt").symlink_to(outside)
    drop(tree)
    assert resident_bytes(outside) == 0


def test_pipes_dangling_links_and_empty_files_do_not_stop_it(tree: Path) -> None:
    os.mkfifo(tree / "pipe.ckpt")
    (tree / "loop.ckpt").symlink_to("loop.ckpt")
    (tree / "empty.ckpt").touch()
    assert drop(tree).total_bytes == 2 * SIZE_BYTES


def test_an_empty_tree_proves_nothing(tmp_path: Path) -> None:
    assert not cold_supported(tmp_path)


def test_without_mincore_nothing_counts_as_cold(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecache, "_mincore", lambda: None)
    assert drop(tree).resident_bytes == 2 * SIZE_BYTES
