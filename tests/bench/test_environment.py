"""Provenance: what is told of code and machine, and why something is not."""

from __future__ import annotations

import getpass
import platform
import subprocess
from pathlib import Path

import msgspec
import pytest

from bench.environment import Environment, collect


def git(folder: Path, *arguments: str) -> str:
    settings = [
        "-c",
        "user.name=somebody",
        "-c",
        "user.email=somebody@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("limit = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return tmp_path


def test_a_clean_project_is_told_by_its_commit(project: Path) -> None:
    found = collect(None, project=project)
    assert found.commit == git(project, "rev-parse", "HEAD")
    assert found.dirty is False


@pytest.mark.parametrize("name", ["code.py", "new.py"], ids=["tracked", "untracked"])
def test_a_project_that_differs_from_its_commit_is_dirty(project: Path, name: str) -> None:
    (project / name).write_text("limit = 2\n")
    assert collect(None, project=project).dirty is True


def test_a_folder_without_a_repository_says_why_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = collect(None, project=tmp_path)
    assert (found.commit, found.dirty) == (None, None)
    assert "no git repository" in found.missing["commit"]


def test_a_machine_without_git_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    assert "no git here" in collect(None, project=project).missing["commit"]


def test_whatever_is_none_has_its_reason_and_nothing_else_has(tmp_path: Path) -> None:
    found = collect(tmp_path, project=tmp_path)
    assert {name for name in Environment.__struct_fields__ if getattr(found, name) is None} == set(
        found.missing
    )


def test_interpreter_and_libraries_are_told(project: Path) -> None:
    found = collect(None, project=project)
    assert found.python == platform.python_version()
    assert found.libraries["msgspec"] == msgspec.__version__
    assert found.clock_resolution_ns > 0


def test_the_file_system_is_that_of_the_tree(tmp_path: Path) -> None:
    assert collect(tmp_path, project=tmp_path).file_system
    if not Path("/proc/self").is_dir():
        pytest.skip("this system has no /proc to look at")
    assert collect(Path("/proc/self"), project=tmp_path).file_system == "proc"


def test_neither_host_nor_user_nor_folders_are_told(project: Path) -> None:
    told = msgspec.json.encode(collect(project, project=project)).decode()
    for private in (platform.node(), getpass.getuser(), str(project), str(Path.home())):
        assert f'"{private}"' not in told
    assert str(project) not in told


def test_the_provenance_survives_a_round_trip_through_json(project: Path) -> None:
    found = collect(project, project=project)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Environment) == found
