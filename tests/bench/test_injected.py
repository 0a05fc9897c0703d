"""Injected work is executed in the call, and injected faults change the answer."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest

from bench.arms import isolated
from bench.injected import (
    FAULTS,
    MODULE,
    Laden,
    Wrong,
    laden_name,
    metadata_files,
    take_apart,
    write_subjects,
    wrong_name,
)
from bench.subject import Subject
from bench.subject_host.answers import plain_answer, records_of
from bench.worker import Call, Worker
from tests.bench.selftest_catalog import RECORDS, tree_of

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = "tests.bench.selftest_catalog:build"
NAMES = ("config.yaml",)


def plain(answer: Any) -> dict[str, Any]:
    return plain_answer(answer, list(records_of(answer)))


@pytest.mark.parametrize("lines", [0, 1, 3, 4, 5, 11])
def test_as_many_lines_are_taken_apart_as_were_asked_for(
    tmp_path: Path, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = metadata_files(tree_of(tmp_path))
    taken = 0

    class Counted(str):
        def partition(self, separator: str, /) -> tuple[str, str, str]:
            nonlocal taken
            taken += 1
            return super().partition(separator)

    class Opened:
        def __init__(self, path: str, **_: str) -> None:
            with real_open(path, encoding="utf-8") as file:
                self._lines = [Counted(line) for line in file]

        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None: ...

        def readlines(self) -> list[Counted]:
            return self._lines

    real_open = open
    monkeypatch.setattr(builtins, "open", Opened)
    take_apart(paths, lines)
    assert taken == lines


def test_the_lines_are_read_as_names_and_values(tmp_path: Path) -> None:
    fields = take_apart(metadata_files(tree_of(tmp_path)), 4)
    assert fields == {"epoch": "2", "hmean": "0.5"}


def test_a_tree_without_metadata_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        metadata_files(tmp_path)


def test_a_laden_catalog_gives_its_own_answer_and_is_prepared(tmp_path: Path) -> None:
    root = tree_of(tmp_path)
    laden = Laden(CATALOG, 7)
    laden.prepare(root, NAMES)
    answer = laden(root, NAMES)
    assert plain(answer)["records"] == RECORDS
    assert (root / "prepared").exists()


def test_the_faultless_variant_answers_as_the_catalog_does(tmp_path: Path) -> None:
    assert plain(Wrong(CATALOG, "none")(tree_of(tmp_path), NAMES))["records"] == RECORDS


@pytest.mark.parametrize("fault", list(FAULTS)[1:])
def test_every_fault_changes_the_answer(tmp_path: Path, fault: str) -> None:
    assert plain(Wrong(CATALOG, fault)(tree_of(tmp_path), NAMES))["records"] != RECORDS


def test_a_fault_that_no_record_can_show_is_told() -> None:
    with pytest.raises(ValueError, match="hmean"):
        FAULTS["one metric off in its last digits"]([{"hmean": None}])


def test_names_are_of_one_length_so_that_no_environment_is_the_larger() -> None:
    names = [laden_name(change) for change in (0.0, 0.03, 0.05, 0.1)] + [wrong_name(fault) for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {7}


def test_a_worker_finds_every_variant_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "subjects"
    root = tree_of(tmp_path / "tree")
    write_subjects(folder, CATALOG, {0.05: 7})
    for name in (laden_name(0.0), laden_name(0.05), wrong_name("none")):
        subject = Subject(
            name, f"{MODULE}:{name}", search_path=(str(folder),), environment=isolated(tmp_path / "home")
        )
        with Worker.start(subject, hash_seed=0) as worker:
            call = Call(root, NAMES)
            worker.prepare(call)
            assert worker.call(call).count == len(RECORDS)
            assert worker.loaded.origin == str(folder / f"{MODULE}.py")
