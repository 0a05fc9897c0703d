"""What one walk sees, and when a known folder is not listed again."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.changes import changes
from catalog.filesystem import SETTLING_NS, FileSystem
from catalog.index import Memory
from catalog.outline import outline_of
from catalog.scan import Scanner
from tests.ticks import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.filesystem import Stat
    from catalog.scan import Folder, Tree


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


def replaced(path: Path) -> None:
    """As writers do that never leave half a file."""
    touch(path.with_suffix(".part")).replace(path)


def in_the_place_of_a_folder(path: Path, file_name: str | None) -> None:
    shutil.rmtree(path)
    touch(path / file_name if file_name else path)


EDITS: dict[str, Callable[[Path], object]] = {
    "replace a sidecar": lambda root: replaced(root / "a" / "one.metadata.yaml"),
    "add a checkpoint": lambda root: touch(root / "a" / "new.ckpt"),
    "remove a checkpoint": lambda root: (root / "b" / "two.ckpt").unlink(),
    "a checkpoint becomes a folder": lambda root: touch(root / "c.ckpt" / "shard"),
    "add a folder": lambda root: touch(root / "b" / "deep" / "er" / "three.ckpt"),
    "remove a folder": lambda root: shutil.rmtree(root / "a"),
    "a folder in another's place": lambda root: in_the_place_of_a_folder(root / "b", "four.ckpt"),
    "a file in a folder's place": lambda root: in_the_place_of_a_folder(root / "b", None),
    "a link": lambda root: (root / "link.ckpt").symlink_to(root / "a"),
    "nothing": lambda root: root.stat(),
}


def told(tree: Tree) -> dict[str, Folder]:
    """The folders of a tree, their subfolders in the order of names."""
    return {
        path: msgspec.structs.replace(folder, folders=tuple(sorted(folder.folders)))
        for path, folder in tree.folders.items()
    }


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(list(EDITS)), max_size=4))
def test_what_is_walked_again_is_what_a_first_walk_sees(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("a/one.ckpt", "a/one.metadata.yaml", "b/two.ckpt", "b/config.yaml", "top.ckpt"):
            touch(root / name)
        scanner = Scanner(Clock().files())
        first = scanner.scan(str(root))
        tick(root)
        for name in names:
            with contextlib.suppress(OSError):  # an earlier edit left nothing to this one
                EDITS[name](root)
        again = scan_again(scanner, root, first)
        assert told(again) == told(scanner.scan(str(root)))
        assert not again.unreadable


def test_a_folder_whose_file_was_replaced_is_the_only_one_that_is_walked(tmp_path: Path) -> None:
    for name in ("a/one.ckpt", "a/one.metadata.yaml", "b/two.ckpt"):
        touch(tmp_path / name)
    scanner = Scanner(Clock().files())
    first = scanner.scan(str(tmp_path))
    tick(tmp_path)
    replaced(tmp_path / "a" / "one.metadata.yaml")
    again = scan_again(scanner, tmp_path, first)
    assert again.listed == {"a"}
    assert again.folders["b"] is first.folders["b"]
    assert list(again.folders) == list(first.folders)


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
