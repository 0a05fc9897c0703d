"""Code set aside in environments of its own, from a real repository."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.revision import (
    commit_of,
    default_revision,
    differences,
    implementation,
    revision,
    working_tree,
)
from bench.subject import Subject
from bench.verdict_file import Cause, Refusal
from tests.bench.gates import RUNTIME, SIDE
from tests.bench.repositories import git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two commits of one module on main."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in (1, 2):
        (folder / "mine.py").write_text(f"VERSION = {number}\n", encoding="utf-8")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", str(number))
    return folder


def version_in(python: str) -> str:
    program = "import mine, msgspec; print(mine.VERSION, mine.__file__)"
    return subprocess.run([python, "-P", "-c", program], check=True, capture_output=True, text=True).stdout


def test_each_side_runs_its_own_code_with_the_same_dependencies(project: Path, tmp_path: Path) -> None:
    (project / "mine.py").write_text("VERSION = 3\n", encoding="utf-8")
    (project / ".gitignore").write_text("ignored.py\n", encoding="utf-8")
    (project / "ignored.py").write_text("", encoding="utf-8")
    status = git(project, "status", "--porcelain")
    candidate = working_tree(project, tmp_path / "candidate")
    reference = revision(project, "HEAD~1", tmp_path / "reference")
    assert version_in(candidate.python).startswith(f"3 {candidate.home}")
    assert version_in(reference.python).startswith(f"1 {reference.home}")
    assert differences(candidate.runtime, reference.runtime) == ()
    assert candidate.runtime.libraries["msgspec"] == msgspec.__version__
    assert candidate.name.endswith(", changed")
    assert reference.name.startswith("HEAD~1 at ")
    assert candidate.home is not None
    assert not (candidate.home / "ignored.py").exists()
    assert git(project, "status", "--porcelain") == status


def test_what_is_measured_is_compiled_before(project: Path, tmp_path: Path) -> None:
    for side in (working_tree(project, tmp_path / "candidate"), revision(project, "HEAD", tmp_path / "other")):
        assert side.home is not None
        (compiled,) = (side.home / "__pycache__").glob("mine.*.pyc")
        assert compiled.stat().st_size > 0


def test_the_working_tree_is_measured_as_it_was_when_the_gate_began(project: Path, tmp_path: Path) -> None:
    candidate = working_tree(project, tmp_path / "candidate")
    (project / "mine.py").write_text("VERSION = 4\n", encoding="utf-8")
    assert version_in(candidate.python).startswith("2 ")


def test_code_that_a_revision_lacks_is_not_lent_by_the_working_tree(project: Path, tmp_path: Path) -> None:
    (project / "README").write_text("nothing else", encoding="utf-8")
    git(project, "add", ".")
    git(project, "rm", "-q", "mine.py")
    git(project, "commit", "-qm", "without")
    reference = revision(project, "HEAD", tmp_path / "reference")
    with pytest.raises(subprocess.CalledProcessError):
        version_in(reference.python)


def test_the_default_is_where_the_working_tree_left_main(project: Path) -> None:
    first, second = commit_of(project, "HEAD~1"), commit_of(project, "HEAD")
    assert default_revision(project) == first  # nothing was done since: the commit before
    (project / "baseline.json").write_text("{}", encoding="utf-8")
    assert default_revision(project) == first  # what came is no code
    (project / "new.py").write_text("", encoding="utf-8")
    assert default_revision(project) == second
    (project / "new.py").unlink()
    (project / "mine.py").write_text("VERSION = 3\n", encoding="utf-8")
    assert default_revision(project) == second
    git(project, "switch", "-qc", "topic")
    git(project, "commit", "-qam", "3")
    assert default_revision(project) == second
    git(project, "update-ref", "refs/remotes/origin/main", first)
    assert default_revision(project) == first


def test_without_a_branch_to_compare_with_there_is_no_reference(project: Path) -> None:
    git(project, "branch", "-qm", "main", "trunk")
    with pytest.raises(Refusal, match="origin/main or main") as refused:
        default_revision(project)
    assert refused.value.cause is Cause.NO_REFERENCE


@pytest.mark.parametrize("name", ["no-such-branch", "--all", "0" * 40])
def test_a_revision_that_nobody_knows_is_refused(project: Path, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        commit_of(project, name)
    assert refused.value.cause is Cause.NO_REFERENCE


def test_a_revision_without_files_is_refused(project: Path, tmp_path: Path) -> None:
    git(project, "rm", "-q", "mine.py")
    git(project, "commit", "-qm", "empty")
    with pytest.raises(Refusal, match="expected files in HEAD"):
        revision(project, "HEAD", tmp_path / "reference")


def test_another_version_of_a_dependency_before_the_others_is_seen(project: Path, tmp_path: Path) -> None:
    candidate = working_tree(project, tmp_path / "candidate")
    folder = tmp_path / "elsewhere" / "msgspec-0.1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 0.1\n", encoding="utf-8")
    other = implementation(
        Subject("theirs", "theirs:listing", search_path=(str(tmp_path / "elsewhere"),)), candidate
    )
    ((cause, told),) = differences(candidate.runtime, other.runtime)
    assert cause is Cause.DEPENDENCIES
    assert f"msgspec 0.1 (here {msgspec.__version__})" in told


def test_another_build_of_the_same_interpreter_is_another() -> None:
    other = msgspec.structs.replace(RUNTIME, build="3.11.7 (debug)")
    assert [cause for cause, _ in differences(RUNTIME, other)] == [Cause.INTERPRETER]


def test_an_interpreter_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        implementation(Subject("a:b", "a:b"), replace(SIDE, python=str(tmp_path / "python")))
    assert refused.value.cause is Cause.INTERPRETER
