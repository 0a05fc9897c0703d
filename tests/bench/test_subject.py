"""Targets: how they are written, and what is said of one that cannot be had."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.subject import Subject, SubjectError, parse_subject, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that can be imported by the name that is handed out."""
    (tmp_path / "some_catalog.py").write_text(
        "class Catalog:\n"
        "    made = 0\n"
        "    def __init__(self): Catalog.made += 1\n"
        "    @staticmethod\n"
        "    def listed(folder, names): return []\n"
        "    def __call__(self, folder): return [folder]\n"
        "    def also(self, folder, names=()): return [folder, names]\n"
        "def alone(folder): return [folder]\n"
        "alone.prepare = lambda folder: prepared.append(folder)\n"
        "prepared = []\n"
        "def needy(path): return Catalog()\n"
        "limit = 3\n"
    )
    (tmp_path / "broken_catalog.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "some_catalog"
    sys.modules.pop("some_catalog", None)


def test_a_name_may_stand_before_the_target() -> None:
    assert parse_subject("v2=catalog.subjects:v2") == Subject("v2", "catalog.subjects:v2")


def test_a_target_alone_is_its_own_name() -> None:
    assert parse_subject("catalog.subjects:v2").name == "catalog.subjects:v2"


def test_a_subject_runs_under_this_interpreter_unless_told_otherwise() -> None:
    assert parse_subject("a:b").python == sys.executable


@pytest.mark.parametrize(
    "text", ["", "catalog", "catalog:", ":v2", "a b:c", "a:b:c", "v2=", "a..b:c", "v2=a.b"]
)
def test_what_is_no_target_is_refused_with_the_form_expected(text: str) -> None:
    with pytest.raises(SubjectError, match="module:callable"):
        parse_subject(text)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(SubjectError, match="a name before ="):
        parse_subject("=a:b")


@pytest.mark.parametrize(
    ("text", "name", "target"),
    [
        ("cmd:./cat --form=json {dir}", "cmd:./cat --form=json {dir}", "cmd:./cat --form=json {dir}"),
        ("mine=cmd:./cat --form=json {dir}", "mine", "cmd:./cat --form=json {dir}"),
        ("mine=a.b:make().listed", "mine", "a.b:make().listed"),
    ],
)
def test_commands_and_what_keeps_state_are_named_alike(text: str, name: str, target: str) -> None:
    subject = parse_subject(text)
    assert (subject.name, subject.target) == (name, target)
    assert subject.is_command is ("cmd:" in text)


def test_what_keeps_state_is_made_once_and_called_each_time(module: str) -> None:
    subject = resolve(f"{module}:Catalog()")
    assert [subject(1, ()), subject(2, ())] == [[1], [2]]
    assert sys.modules[module].Catalog.made == 1
    assert resolve(f"{module}:Catalog().also")(3, ("c",)) == [3, ("c",)]


def test_a_callable_of_the_directory_alone_is_given_it_alone_and_so_is_its_preparation(module: str) -> None:
    subject = resolve(f"{module}:alone")
    subject.prepare("outputs", ("config.yaml",))  # type: ignore[attr-defined]  # a function's own attribute
    assert subject("outputs", ("config.yaml",)) == sys.modules[module].prepared == ["outputs"]


def test_what_cannot_be_made_without_arguments_tells_why(module: str) -> None:
    with pytest.raises(SubjectError, match=r"needy\(\) missing 1 required.*let it take no argument"):
        resolve(f"{module}:needy()")


def test_a_dotted_callable_resolves(module: str) -> None:
    assert resolve(f"{module}:Catalog.listed")(None, ()) == []


def test_a_missing_module_is_named(module: str) -> None:
    with pytest.raises(SubjectError, match="a module no_such_catalog") as caught:
        resolve("no_such_catalog:listed")
    assert "ModuleNotFoundError" in caught.value.found
    assert module == "some_catalog"


def test_a_module_that_raises_when_imported_tells_what(module: str) -> None:
    with pytest.raises(SubjectError) as caught:
        resolve("broken_catalog:listed")
    assert caught.value.found == "RuntimeError: no licence"
    assert module not in caught.value.found


def test_a_misspelt_callable_gets_a_suggestion(module: str) -> None:
    with pytest.raises(SubjectError) as caught:
        resolve(f"{module}:Catalog.lister")
    assert caught.value.remedy == "did you mean listed?"


def test_what_cannot_be_called_is_refused(module: str) -> None:
    with pytest.raises(SubjectError, match="expected a callable, found int"):
        resolve(f"{module}:limit")


def test_a_subject_survives_a_round_trip_through_json() -> None:
    subject = Subject("a", "b:c", ("src",), "python3.12", {"SWITCH": "0"}, {"f1": "hmean"}, ("epochs",))
    assert msgspec.json.decode(msgspec.json.encode(subject), type=Subject) == subject
