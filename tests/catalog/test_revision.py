"""Revisions: what a build put in order, and what it changed, held against looking at everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from catalog.changes import Changes
from catalog.index import Memory, Recall
from catalog.outline import outline_of
from catalog.revision import Revision, in_order, revision_of
from tests.catalog.memories import SIGNATURE, answer, memory_of, revised

if TYPE_CHECKING:
    from catalog.records import Answer

OTHER = (*SIGNATURE[:4], 9)
NAMES = tuple("abcdefgh")

answers = st.builds(
    lambda name, has_entry, **told: answer(name, **(told if has_entry else {"entry": None})),
    st.sampled_from(NAMES),
    st.booleans(),
    architecture=st.sampled_from(["craft", "dbnet"]),
    epochs=st.integers(1, 3),
)
several = st.lists(answers, unique_by=lambda one: one.path)


def ordered(some: list[Answer]) -> list[Answer]:
    """The contract's total order, written out."""

    def key(one: Answer) -> tuple[Any, ...]:
        entry = one.entry
        if entry is None:
            return (1, one.path)
        return (0, entry.architecture, entry.backbone, entry.epochs, one.path.rpartition("/")[2], one.path)

    return sorted(some, key=key)


@given(before=several, read=several, gone=st.sets(st.sampled_from(NAMES)))
def test_fresh_answers_find_their_places_among_the_believed_ones(
    before: list[Answer], read: list[Answer], gone: set[str]
) -> None:
    earlier = {one.path: one for one in ordered(before)}
    fresh = {one.path: one for one in read}
    doubted = {path for path in earlier if path in fresh or path[4:5] in gone}
    expected = {path: one for path, one in earlier.items() if path not in doubted} | fresh
    found = in_order(Recall(earlier, doubted), fresh)
    assert list(found.values()) == ordered(list(expected.values()))


def build(
    before: Memory, fresh: dict[str, Answer], signatures: dict[str, Any] | None = None, *, is_seen: bool = True
) -> tuple[Memory, Revision | None]:
    """The memory after a build that read some answers anew, and its revision; `is_seen`: by its changes."""
    signatures = signatures or {}
    recalled = Recall(before.answers, set(fresh) & set(before.answers))
    after = Memory(before.folders, before.dependencies | signatures, in_order(recalled, fresh))
    outline = outline_of(before)
    places = {
        path: len(outline.folders) + place
        for place, path in enumerate(outline.dependencies)
        if is_seen and path in signatures
    }
    changes = Changes(0, files=places)
    return after, revision_of(before, after, recalled, fresh, signatures.keys(), set(), changes)


BEFORE = memory_of(*(answer(name) for name in NAMES))
SCORED = {"exp/c.ckpt": answer("c", score=0.5)}


def test_a_sidecar_that_changed_is_a_revision_of_one_answer_and_one_signature() -> None:
    after, revision = build(BEFORE, SCORED, {"exp/c.yaml": OTHER, "exp/d.yaml": SIGNATURE})
    assert revision == revised(BEFORE, after)
    assert revision is not None
    assert (len(revision.answers), list(revision.signatures.values())) == (1, [OTHER])


def test_a_folder_that_was_listed_anew_is_revised_at_its_place() -> None:
    listed = msgspec.structs.replace(BEFORE.folders["exp"], signature=OTHER)
    after = msgspec.structs.replace(BEFORE, folders={**BEFORE.folders, "exp": listed})
    revision = revision_of(BEFORE, after, Recall(BEFORE.answers), {}, set(), {"exp"}, Changes(0))
    assert revision == revised(BEFORE, after)
    assert revision is not None
    assert revision.signatures == {1: OTHER}


def test_other_paths_and_other_places_are_no_revision() -> None:
    moved = {"exp/c.ckpt": answer("c", architecture="craft")}
    assert build(BEFORE, moved)[1] is None, "it stands elsewhere now"
    assert build(BEFORE, {"exp/x.ckpt": answer("x")})[1] is None, "a new answer"
    assert build(BEFORE, SCORED, {"exp/new.yaml": SIGNATURE})[1] is None, "a new dependency"
    assert build(BEFORE, SCORED, {"exp/c.yaml": OTHER}, is_seen=False)[1] is None, "it changed meanwhile"
    fewer = Recall(BEFORE.answers, {"exp/a.ckpt", "exp/c.ckpt"})
    after = Memory(BEFORE.folders, BEFORE.dependencies, in_order(fewer, SCORED))
    assert revision_of(BEFORE, after, fewer, SCORED, set(), set(), Changes(0)) is None, "an answer less"
    came = {**BEFORE.folders, "new": BEFORE.folders["exp"]}
    after = msgspec.structs.replace(BEFORE, folders=came)
    recalled = Recall(BEFORE.answers)
    assert revision_of(BEFORE, after, recalled, {}, set(), {"new"}, Changes(0)) is None, "a new folder"
