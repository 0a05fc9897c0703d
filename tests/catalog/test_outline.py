"""Outlines: what they keep of a memory, and in which order."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from catalog.index import Memory
from catalog.outline import Outline, outline_of, sorted_once
from catalog.records import Answer, Kind, Problem, SkippedCheckpoint
from catalog.scan import Folder
from tests.catalog.memories import SIGNATURE, answer, memory_of


def problem(path: str, key: str = "", found: str = "f") -> Problem:
    return Problem(path=Path(path), source="sidecar", key=key, expected="e", found=found, remedy="r")


def test_nothing_has_an_empty_outline() -> None:
    assert outline_of(Memory()) == Outline()


def test_entries_and_what_is_left_out_keep_the_catalogs_order() -> None:
    left_out = [SkippedCheckpoint(Path(name), "why") for name in "zy"]
    answers = [
        answer("b"),
        answer("a"),
        answer("z", entry=None, skipped=left_out[0]),
        answer("y", entry=None, skipped=left_out[1]),
        answer("dangling", entry=None),
    ]
    outline = outline_of(memory_of(*answers))
    assert [one.display_name for one in outline.entries] == ["b", "a"]
    assert outline.skipped == left_out


def test_a_problem_of_several_answers_is_told_once_in_the_order_of_paths() -> None:
    shared, own, other_key = problem("/b"), problem("/a"), problem("/b", "k")
    outline = outline_of(
        memory_of(answer("x", problems=(other_key, shared)), answer("y", problems=(own, shared)))
    )
    assert outline.problems == [own, shared, other_key]


def test_problems_of_one_place_stay_in_the_order_in_which_they_were_met() -> None:
    met = [problem("/a", found=found) for found in "zay"]
    assert sorted_once([*met, met[0]]) == met


@pytest.mark.parametrize(("times_ns", "expected"), [((None, None), None), ((None, 7), 7), ((9, 7), 7)])
def test_the_first_answer_to_expire_counts(times_ns: tuple[int | None, ...], expected: int | None) -> None:
    answers = [answer(f"{number}", expires_ns=time_ns) for number, time_ns in enumerate(times_ns)]
    assert outline_of(memory_of(*answers)).expires_ns == expected


def test_signatures_are_those_of_folders_and_then_of_dependencies() -> None:
    other = (*SIGNATURE[:4], 9)
    memory = msgspec.structs.replace(
        memory_of(Answer("exp/a.ckpt", None, None, (), "file", ("c",))), dependencies={"c": None, "d": other}
    )
    outline = outline_of(memory)
    assert (outline.folders, outline.dependencies) == (["", "exp"], ["c", "d"])
    assert outline.signatures == [SIGNATURE, SIGNATURE, None, other]


def test_links_are_kept_by_their_paths() -> None:
    kinds: dict[str, Kind] = {"": "file", "exp": "nothing"}
    folders = {path: Folder(path, SIGNATURE, (), {}, frozenset(), {"l": kind}) for path, kind in kinds.items()}
    assert outline_of(Memory(folders=folders)).links == {"l": "file", "exp/l": "nothing"}
