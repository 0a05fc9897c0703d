"""Edits change what must be answered, are undone again, and tell nobody by a time of modification."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.differences import KnownDifferences
from bench.edits import edited_cases, make_like
from bench.subject import Subject
from bench.trial import Trial, Witness, standing
from fixtures.generate import write_plan

if TYPE_CHECKING:
    from bench.case import Case

CASES = list(edited_cases())
CATALOGS = str(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_edit_changes_the_answer_and_is_undone(case: Case) -> None:
    before, after, again = case.expected
    assert before == again != after
    assert case.checkpoints <= 5


def test_a_tree_is_made_like_another_in_place(tmp_path: Path) -> None:
    case = next(one for one in CASES if "same size" in one.name)
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


def test_a_catalog_that_remembers_for_good_is_caught_and_v2_that_remembers_is_not(tmp_path: Path) -> None:
    stale = Subject("stale", "catalogs:stale", search_path=(CATALOGS,), fields=("checkpoint_path",))
    sound = Subject(
        "v2", "catalog.subjects:v2_remembered", environment={"CKPT_CATALOG_INDEX_DIR": str(tmp_path)}
    )
    chosen = [one for one in CASES if one.name in {"edit/checkpoint removed", "edit/checkpoint renamed"}]
    with Trial([Witness(stale, fields=stale.fields), Witness(sound)], KnownDifferences(()), tmp_path) as trial:
        found = list(trial.examine_edited(chosen, lambda _: None))
    assert {(one.state, *one.signature) for one in found} == {(1, ("stale", "listed"))}
    assert len(found) == len(chosen)
