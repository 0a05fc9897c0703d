"""Results as entries: ratios to a named reference, of the code that was measured."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from bench.history_entries import ancestors_of_head, commit_at, gate_entry, reproduce_entry
from tests.bench.gates import SIDE, World
from tests.bench.results import RESULT

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S607 - a test
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(3):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
    return folder


def test_a_gates_ratio_is_kept_with_its_tree_and_the_reference_commit(tmp_path: Path) -> None:
    entry = gate_entry(World(tmp_path).run(), tmp_path)
    (ratio,) = entry.ratios
    assert (entry.command, ratio.scenario, ratio.reference) == ("gate", "sidecars-warm", "commit bbb")
    tree = json.loads(ratio.tree)
    assert (tree["experiments"], tree["seed"], tree["cache"]) == (10, 0, "warm")


def test_what_a_baseline_was_made_of_and_wrong_answers_have_no_ratio(tmp_path: Path) -> None:
    assert gate_entry(World(tmp_path, references=()).run(), tmp_path).ratios == ()
    wrong = World(tmp_path)
    right = wrong.right_answer()
    wrong.answers = {"candidate": replace(right, records=right.records[1:])}
    assert gate_entry(wrong.run(), tmp_path).ratios == ()


def test_another_implementation_is_named_by_its_target(tmp_path: Path) -> None:
    from dataclasses import replace as changed

    theirs = changed(SIDE, name="their:catalog", commit=None, home=None, target="their:catalog")
    (ratio,) = gate_entry(World(tmp_path, references=(theirs,)).run(), tmp_path).ratios
    assert ratio.reference == "their:catalog"


def test_a_reproductions_speed_up_becomes_a_ratio_to_legacy_and_one_to_the_floor(tmp_path: Path) -> None:
    floor = replace(RESULT.rows[0].candidate, contestant="floor-read")  # type: ignore[type-var]  # it has one
    entry = reproduce_entry(
        replace(RESULT, rows=(replace(RESULT.rows[0], floor=floor), *RESULT.rows[1:])), tmp_path
    )
    legacy, read = entry.ratios
    assert legacy.reference.startswith("legacy ")
    assert legacy.value.estimate == pytest.approx(1 / 277.8)
    assert legacy.value.low == pytest.approx(1 / 295.0)
    assert read.reference.startswith("floor-read ")
    assert (read.value.estimate, read.value.low) == (3.2, None)


def test_a_commits_ancestors_are_counted(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    found = commit_at(repository, head, is_dirty=False)
    assert (found.name, found.ancestors, found.is_dirty) == (head, 3, False)
    assert found.time_s is not None
    on_branch = ancestors_of_head(repository)
    assert on_branch is not None
    assert head in on_branch


def test_a_shallow_clone_and_no_repository_know_no_ancestry(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), str(shallow))
    head = git(shallow, "rev-parse", "HEAD")
    assert commit_at(shallow, head, is_dirty=False).ancestors is None
    assert ancestors_of_head(shallow) is None
    assert commit_at(tmp_path, "abc", is_dirty=None).time_s is None
    assert commit_at(tmp_path, None, is_dirty=None).name is None
    assert ancestors_of_head(tmp_path) is None
