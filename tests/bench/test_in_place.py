"""A tree becomes another in place: inodes stay, times are taken over, and what is gone is removed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.edits import edited_cases
from bench.in_place import make_like
from bench.trial import standing
from fixtures.generate import write_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tree_is_made_like_another_in_place(tmp_path: Path) -> None:
    case = next(one for one in edited_cases() if "same size" in one.name)
    root, wanted = tmp_path / "root", tmp_path / "wanted"
    for plan, folder in zip(case.plans, (root, wanted), strict=False):
        write_plan(plan, folder)
    before = {path: status for path, status in standing(root).items() if path.endswith(".yaml")}
    make_like(root, wanted)
    after = standing(root)
    changed = [path for path, status in before.items() if after[path] != status]
    assert [before[path][:4] for path in changed] == [after[path][:4] for path in changed]  # but for the ctime
    assert len(changed) == 1
    for path in wanted.rglob("*"):
        twin = root / path.relative_to(wanted)
        assert twin.lstat().st_mtime_ns == path.lstat().st_mtime_ns
        assert path.is_dir() or twin.read_bytes() == path.read_bytes()


def test_links_pipes_and_sockets_are_copied_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    root, wanted = tmp_path / "root", tmp_path / "wanted"
    (wanted / "folder").mkdir(parents=True)
    (wanted / "link").symlink_to("gone")
    os.mkfifo(wanted / "pipe")
    (root / "link").mkdir(parents=True)
    (root / "old" / "deep").mkdir(parents=True)
    make_like(root, wanted)
    assert sorted(one.name for one in root.iterdir()) == ["folder", "link", "pipe"]
    assert os.readlink(root / "link") == "gone"
    assert (root / "pipe").is_fifo()
