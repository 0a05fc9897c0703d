"""What one walk sees, and when a known folder is not listed again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.changes import changes
from catalog.filesystem import SETTLING_NS, FileSystem
from catalog.index import Memory
from catalog.outline import outline_of
from catalog.scan import Scanner
from tests.ticks import tick

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.filesystem import Stat
    from catalog.scan import Tree


def scan(root: Path, **options: object) -> Tree:
    return Scanner(**options).scan(str(root))  # type: ignore[arg-type]  # each test names its own options


def scan_again(scanner: Scanner, root: Path, first: Tree) -> Tree:
    """Walk once more, with what the first walk knew."""
    known = Memory(first.folders)
    return scanner.scan(str(root), known.folders, changes(outline_of(known), str(root), scanner.files).folders)


def checkpoints(tree: Tree) -> dict[str, str]:
    return {
        folder.below(name): kind
        for folder in tree.folders.values()
        for name, kind in folder.checkpoints.items()
    }


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_checkpoints_are_found_at_any_depth_and_in_hidden_folders(tmp_path: Path) -> None:
    for name in ("a.ckpt", "x/y/z/b.ckpt", ".hidden/c.ckpt", ".ckpt"):
        touch(tmp_path / name)
    assert checkpoints(scan(tmp_path)) == dict.fromkeys(
        ("a.ckpt", "x/y/z/b.ckpt", ".hidden/c.ckpt", ".ckpt"), "file"
    )


def test_other_endings_are_no_checkpoints(tmp_path: Path) -> None:
    for name in ("a.CKPT", "a.ckpt.txt", "a.ckpt~", "ckpt"):
        touch(tmp_path / name)
    assert checkpoints(scan(tmp_path)) == {}


def test_a_folder_with_the_ending_is_one_checkpoint_and_stays_closed(tmp_path: Path) -> None:
    touch(tmp_path / "sharded.ckpt" / "inner.ckpt")
    assert checkpoints(scan(tmp_path)) == {"sharded.ckpt": "folder"}


def test_links_are_what_they_lead_to_and_folder_links_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "exp" / "best.ckpt")
    (tmp_path / "last.ckpt").symlink_to(tmp_path / "exp" / "best.ckpt")
    (tmp_path / "sharded.ckpt").symlink_to(tmp_path / "exp", target_is_directory=True)
    (tmp_path / "again").symlink_to(tmp_path / "exp", target_is_directory=True)
    (tmp_path / "gone.ckpt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.ckpt").symlink_to(tmp_path / "self.ckpt")
    os.mkfifo(tmp_path / "pipe.ckpt")
    assert checkpoints(scan(tmp_path)) == {
        "exp/best.ckpt": "file",
        "last.ckpt": "file",
        "sharded.ckpt": "folder",
        "gone.ckpt": "nothing",
        "self.ckpt": "nothing",
        "pipe.ckpt": "nothing",
    }


def test_only_files_count_as_metadata(tmp_path: Path) -> None:
    touch(tmp_path / "a.metadata.yaml")
    (tmp_path / "b.metadata.yaml").mkdir()
    (tmp_path / "c.metadata.yaml").symlink_to(tmp_path / "a.metadata.yaml")
    (tmp_path / "d.metadata.yaml").symlink_to(tmp_path / "nowhere")
    touch(tmp_path / "train.cfg")
    tree = scan(tmp_path, config_filenames=frozenset({"train.cfg"}))
    assert tree.folders[""].files == {"a.metadata.yaml", "c.metadata.yaml", "train.cfg"}
    assert tree.has_file("", "a.metadata.yaml")
    assert not tree.has_file("", "b.metadata.yaml")
    assert not tree.has_file("elsewhere", "a.metadata.yaml")


def test_a_folder_named_like_metadata_is_walked(tmp_path: Path) -> None:
    touch(tmp_path / "runs.yaml" / "a.ckpt")
    assert checkpoints(scan(tmp_path)) == {"runs.yaml/a.ckpt": "file"}


def test_the_ignored_folder_is_not_walked(tmp_path: Path) -> None:
    touch(tmp_path / "sub" / "index" / "a.ckpt")
    touch(tmp_path / "index" / "b.ckpt")
    found = (tmp_path / "sub" / "index").stat()
    ignored, elsewhere = (found.st_dev, found.st_ino), (found.st_dev + 1, found.st_ino)
    assert checkpoints(scan(tmp_path, ignored=lambda: ignored)) == {"index/b.ckpt": "file"}
    assert len(checkpoints(scan(tmp_path, ignored=lambda: elsewhere))) == 2, "an equal inode, another device"


def test_a_missing_root_is_kept_as_unreadable(tmp_path: Path) -> None:
    tree = scan(tmp_path / "nowhere")
    assert list(tree.unreadable) == [""]
    assert isinstance(tree.unreadable[""], FileNotFoundError)


@dataclass
class Clock:
    """A clock that runs ahead of the file system's by a settable time, and counts nothing else."""

    ahead_ns: int = 10 * SETTLING_NS
    stats: list[str] = field(default_factory=list)

    def files(self) -> FileSystem:
        import time

        return FileSystem(stat=self._stat, now_ns=lambda: time.time_ns() + self.ahead_ns)

    def _stat(self, path: str) -> Stat:
        self.stats.append(path)
        return os.stat(path)


def test_a_settled_folder_is_recalled_and_an_unsettled_one_listed_again(tmp_path: Path) -> None:
    touch(tmp_path / "exp" / "a.ckpt")
    for ahead_ns, listed in ((0, {"", "exp"}), (10 * SETTLING_NS, set())):
        scanner = Scanner(Clock(ahead_ns).files())
        first = scanner.scan(str(tmp_path))
        assert scan_again(scanner, tmp_path, first).listed == listed


def test_added_removed_and_renamed_names_list_their_folder_again(tmp_path: Path) -> None:
    touch(tmp_path / "exp" / "a.ckpt")
    scanner = Scanner(Clock().files())
    for change in (
        lambda: touch(tmp_path / "exp" / "b.ckpt"),
        (tmp_path / "exp" / "a.ckpt").unlink,
        lambda: (tmp_path / "exp" / "b.ckpt").rename(tmp_path / "exp" / "c.ckpt"),
    ):
        first = scanner.scan(str(tmp_path))
        tick(tmp_path)
        change()
        again = scan_again(scanner, tmp_path, first)
        assert again.listed == {"exp"}
        assert checkpoints(again) == checkpoints(scan(tmp_path))


def test_a_link_whose_target_vanished_lists_its_folder_again(tmp_path: Path) -> None:
    target = touch(tmp_path / "elsewhere" / "a.bin")
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "last.ckpt").symlink_to(target)
    scanner = Scanner(Clock().files())
    first = scanner.scan(str(outputs))
    target.unlink()
    assert checkpoints(scan_again(scanner, outputs, first)) == {"last.ckpt": "nothing"}


def test_two_folders_that_changed_places_are_listed_again(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "one.ckpt")
    touch(tmp_path / "b" / "two.ckpt")
    scanner = Scanner(Clock().files())
    first = scanner.scan(str(tmp_path))
    tick(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").rename(tmp_path / "a")
    (tmp_path / "c").rename(tmp_path / "b")
    assert checkpoints(scan_again(scanner, tmp_path, first)) == {
        "a/two.ckpt": "file",
        "b/one.ckpt": "file",
    }
