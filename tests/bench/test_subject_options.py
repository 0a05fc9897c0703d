"""The options about subjects: for all that are not ours, or for one by name."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import pytest

from bench.equality import INFO_FIELDS
from bench.subject import Subject, SubjectError
from bench.subject_options import add_subject_options, subjects_of

if TYPE_CHECKING:
    from pathlib import Path


def subjects(*arguments: str) -> tuple[Subject, ...]:
    parser = argparse.ArgumentParser()
    add_subject_options(parser)
    return subjects_of(parser.parse_args(arguments))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_subject_is_none() -> None:
    assert subjects() == ()


def test_an_option_without_a_name_is_for_all_that_are_not_ours() -> None:
    ours, mine = subjects("--subject", "v2", "--subject", "mine=a:b", "--path", "src", "--map", "f1=hmean")
    assert (ours.target, ours.search_path, dict(ours.field_map)) == ("catalog.subjects:v2", (), {})
    assert (mine.search_path, dict(mine.field_map)) == ((os.path.abspath("src"),), {"f1": "hmean"})


def test_an_option_with_a_name_is_for_that_one() -> None:
    one, other = subjects(
        "--subject", "one=a:b", "--subject", "c:d",
        "--path", "one=src", "--python", "c:d=env", "--map", "c:d:x.y=score", "--fields", "one=epochs,hmean",
    )  # fmt: skip
    assert (one.search_path, one.python, one.fields) == (
        (os.path.abspath("src"),), sys.executable, ("epochs", "hmean"),
    )  # fmt: skip
    assert (other.search_path, dict(other.field_map)) == ((), {"x.y": "score"})


def test_the_folder_of_an_environment_stands_for_its_interpreter_and_no_link_is_followed(folder: Path) -> None:
    (mine,) = subjects("--subject", "a:b", "--python", "env")
    assert mine.python == str(folder / "env" / "bin" / "python")


def test_the_fields_of_the_old_api_have_a_name() -> None:
    (mine, adapter) = subjects("--subject", "a:b", "--fields", "old", "--subject", "adapter")
    assert mine.fields == adapter.fields == INFO_FIELDS
    assert mine.has_old_records


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["legasy"], "did you mean legacy"),
        (["v2", "--subject", "v2"], "expected subjects of different names"),
        (["a:b", "--path", "scr"], "--path scr: expected a folder, found no scr"),
        (["a:b", "--python", "src"], "--python src: expected an interpreter, found no src/bin/python"),
        (["a:b", "--map", "hmean"], "--map hmean: expected THEIRS=OURS"),
        (["a:b", "--map", "f1=hmeen"], "found 'hmeen'; did you mean hmean"),
        (["a:b", "--fields", "epoch"], "found 'epoch'; did you mean epochs"),
        (["v2", "--path", "src"], "expected a subject that takes it, found none"),
        (["c=cmd:ls {dir}", "--path", "c=src"], "expected a subject that takes it, found none"),
        (["c=cmd:ls {dir}", "--python", "env"], "expected a subject that takes it, found none"),
    ],
)
def test_what_cannot_be_is_refused_with_its_remedy(arguments: list[str], told: str) -> None:
    with pytest.raises(SubjectError) as caught:
        subjects("--subject", *arguments)
    assert told in str(caught.value)
