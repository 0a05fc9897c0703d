"""Outlines: what they keep of a memory, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.index import Memory
from catalog.outline import Outline, outline_after, outline_of, sorted_once
from catalog.records import Answer, Kind, Problem, SkippedCheckpoint
from catalog.scan import Folder
from tests.catalog.memories import SIGNATURE, answer, memory_of, revised

if TYPE_CHECKING:
    from collections.abc import Callable


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


OTHER = (*SIGNATURE[:4], 9)


def new_score(one: Answer) -> Answer:
    assert one.entry is not None
    return msgspec.structs.replace(one, entry=msgspec.structs.replace(one.entry, score=0.5))


EDITS: dict[str, Callable[[Answer], Answer]] = {
    "nothing": lambda one: one,
    "another score": lambda one: new_score(one) if one.entry else one,
    "an equal answer": msgspec.structs.replace,
    "no entry any more": lambda one: msgspec.structs.replace(one, entry=None),
    "an entry at last": lambda one: answer(one.path.rpartition("/")[2].removesuffix(".ckpt")),
    "left out": lambda one: msgspec.structs.replace(
        one, entry=None, skipped=SkippedCheckpoint(Path(one.path), "why")
    ),
    "a problem": lambda one: msgspec.structs.replace(one, problems=(problem("/a"),)),
    "no problem": lambda one: msgspec.structs.replace(one, problems=()),
    "expires": lambda one: msgspec.structs.replace(one, expires_ns=7),
    "expires never": lambda one: msgspec.structs.replace(one, expires_ns=None),
    "other dependencies": lambda one: msgspec.structs.replace(one, dependencies=("exp/new.yaml",)),
}


def edited(memory: Memory, edits: list[str], whole: str) -> Memory:
    """The memory after an edit of each answer, and one of the whole."""
    answers = [EDITS[name](one) for one, name in zip(memory.answers.values(), edits, strict=True)]
    after = memory_of(
        *(answers[::-1] if whole == "other order" else answers[1:] if whole == "gone" else answers)
    )
    if whole == "another signature":
        after = msgspec.structs.replace(after, dependencies=dict.fromkeys(after.dependencies, OTHER))
    if whole == "a link":
        folders = {
            path: msgspec.structs.replace(one, links={"l": "file"}) for path, one in after.folders.items()
        }
        after = msgspec.structs.replace(after, folders=folders)
    return after


@settings(deadline=None)
@given(st.data())
def test_an_outline_made_from_the_one_before_is_the_outline_of_the_memory(data: st.DataObject) -> None:
    kinds = st.sampled_from(list(EDITS))
    count = data.draw(st.integers(0, 20))
    first = [EDITS[data.draw(kinds)](answer(f"{number}")) for number in range(count)]
    before = memory_of(*first)
    edits = [data.draw(kinds) for _ in range(count)]
    whole = data.draw(st.sampled_from(["no", "other order", "gone", "another signature", "a link"]))
    after = edited(before, edits, whole)
    if list(before.answers) == list(after.answers) and list(before.dependencies) == list(after.dependencies):
        assert outline_after(outline_of(before), after, revised(before, after)) == outline_of(after)


def test_one_changed_entry_among_many_takes_its_place() -> None:
    before = memory_of(*(answer(f"{number}") for number in range(50)), answer("last", entry=None))
    answers = before.answers | {"exp/7.ckpt": new_score(before.answers["exp/7.ckpt"])}
    after = msgspec.structs.replace(before, answers=answers)
    outline = outline_of(before)
    found = outline_after(outline, after, revised(before, after))
    assert found == outline_of(after) != outline
    assert found.folders is outline.folders, "and not found out again"
    assert outline == outline_of(before), "what was handed out before stays as it was"
