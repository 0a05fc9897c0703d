"""What of a memory still holds, rule by rule; the random edits are in `tests/property/test_remembered.py`."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from catalog.changes import LONGEST_BELIEF_NS, changes
from catalog.dependents import Dependents
from catalog.filesystem import SETTLING_NS, FileSystem, Signature
from catalog.index import Memory, Recall, recall, remember
from catalog.outline import outline_of
from catalog.records import Answer
from catalog.scan import Folder, Tree
from tests.catalog.memories import answer, memory_of

OLD: Signature = (1, 2, 3, 4, 5)
NOW_NS = 100 * SETTLING_NS


class Status(NamedTuple):
    """What a stat tells."""

    st_mode: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int


def files_of(standing: dict[str, Signature]) -> FileSystem:
    """A file system of a dictionary."""

    def stat(path: str) -> Status:
        if path not in standing:
            raise FileNotFoundError(path)
        return Status(*standing[path])

    return FileSystem(stat=stat, now_ns=lambda: NOW_NS)


def folder(path: str, *files: str, checkpoints: tuple[str, ...] = ()) -> Folder:
    return Folder(path, OLD, (), dict.fromkeys(checkpoints, "file"), frozenset(files), {})


def tree_of(*folders: Folder, listed: tuple[str, ...] = ()) -> Tree:
    return Tree("root", {one.path: one for one in folders}, set(listed))


OWN = folder("exp/checkpoints", "a.metadata.yaml", checkpoints=("a.ckpt",))
ABOVE = folder("exp", "config.yaml")
HYDRA = folder("exp/.hydra", "config.yaml")
FOLDERS = (folder(""), ABOVE, HYDRA, OWN)
SIDECAR = "exp/checkpoints/a.metadata.yaml"
ANSWERED = Answer("exp/checkpoints/a.ckpt", None, None, (), "file", (SIDECAR,))
MEMORY = Memory(
    folders={one.path: one for one in FOLDERS},
    dependencies={SIDECAR: OLD},
    answers={"exp/checkpoints/a.ckpt": ANSWERED},
)
STANDING = {f"root/{SIDECAR}": OLD, **{f"root/{one.path}".rstrip("/"): OLD for one in FOLDERS}}
FILES = files_of(STANDING)


def recalled(*, memory: Memory = MEMORY, tree: Tree | None = None, files: FileSystem = FILES) -> Recall:
    changed = changes(outline_of(memory), "root", files)
    return recall(memory, Dependents(memory.answers), tree or tree_of(*FOLDERS), changed)


def is_believed(found: Recall) -> bool:
    return "exp/checkpoints/a.ckpt" in found.believed() and not found.unknown


def test_what_is_unchanged_is_believed() -> None:
    assert is_believed(recalled())


@pytest.mark.parametrize("position", range(5))
def test_each_part_of_a_signature_counts(position: int) -> None:
    other = list(OLD)
    other[position] += 1
    changed = (other[0], other[1], other[2], other[3], other[4])
    assert not is_believed(recalled(files=files_of({f"root/{SIDECAR}": changed})))


def test_a_file_that_vanished_is_a_change() -> None:
    assert not is_believed(recalled(files=files_of({})))


def test_a_dependency_that_had_not_settled_vouches_for_nothing() -> None:
    assert not is_believed(recalled(memory=msgspec.structs.replace(MEMORY, dependencies={SIDECAR: None})))


@pytest.mark.parametrize("path", ["exp/checkpoints", "exp", "exp/.hydra", ""])
def test_a_name_that_came_or_went_around_a_checkpoint_is_a_change(path: str) -> None:
    folders = [
        msgspec.structs.replace(one, files=one.files | {"new.yaml"}) if one.path == path else one
        for one in FOLDERS
    ]
    assert not is_believed(recalled(tree=tree_of(*folders, listed=(path,))))


def test_a_folder_that_vanished_around_a_checkpoint_is_a_change() -> None:
    assert not is_believed(recalled(tree=tree_of(folder(""), ABOVE, OWN)))


def test_a_new_folder_elsewhere_is_read_and_leaves_the_answer_believed() -> None:
    found = recalled(tree=tree_of(*FOLDERS, folder("other", checkpoints=("b.ckpt",)), listed=("other",)))
    assert "exp/checkpoints/a.ckpt" in found.believed()
    assert [name for _, name, _ in found.unknown] == ["b.ckpt"]


def test_a_checkpoint_that_became_a_folder_is_read_anew() -> None:
    own = msgspec.structs.replace(OWN, checkpoints={"a.ckpt": "folder"})
    found = recalled(tree=tree_of(folder(""), ABOVE, HYDRA, own, listed=("exp/checkpoints",)))
    assert not found.believed()


def test_a_folder_that_was_listed_again_and_holds_the_same_names_leaves_its_answers_believed() -> None:
    assert is_believed(recalled(tree=tree_of(*FOLDERS, listed=("", "exp", "exp/checkpoints"))))


def test_a_checkpoint_that_came_or_went_alone_is_noticed() -> None:
    both = msgspec.structs.replace(OWN, checkpoints={"a.ckpt": "file", "b.ckpt": "file"})
    came = recalled(tree=tree_of(folder(""), ABOVE, HYDRA, both, listed=("exp/checkpoints",)))
    assert list(came.believed()) == ["exp/checkpoints/a.ckpt"]
    assert came.unknown == [(both, "b.ckpt", "file")]
    none = msgspec.structs.replace(OWN, checkpoints={})
    went = recalled(tree=tree_of(folder(""), ABOVE, HYDRA, none, listed=("exp/checkpoints",)))
    assert (went.believed(), went.unknown, went.doubted) == ({}, [], {"exp/checkpoints/a.ckpt"})


@pytest.mark.parametrize(
    ("expires_ns", "believed"),
    [
        (NOW_NS - 1, False),
        (NOW_NS, False),
        (NOW_NS + 1, True),
        (NOW_NS + LONGEST_BELIEF_NS, True),
        (NOW_NS + LONGEST_BELIEF_NS + 1, False),  # by a clock that ran ahead
    ],
)
def test_an_answer_is_believed_until_it_expires(expires_ns: int, believed: bool) -> None:
    answer = msgspec.structs.replace(ANSWERED, expires_ns=expires_ns)
    memory = msgspec.structs.replace(MEMORY, answers={"exp/checkpoints/a.ckpt": answer})
    assert is_believed(recalled(memory=memory)) == believed


def remembered(
    fresh: dict[str, Answer], signatures: dict[str, Signature], *believed: str, earlier: Memory = MEMORY
) -> Memory:
    """The memory after a build that believed some answers and read others."""
    found = Recall(earlier.answers, doubted=earlier.answers.keys() - set(believed))
    return remember(
        tree_of(*FOLDERS), found, fresh, found.believed() | fresh, signatures, earlier, taken_ns=NOW_NS
    )


A = "exp/checkpoints/a.ckpt"


def test_what_is_read_gets_its_new_signature_and_what_is_believed_keeps_its_own() -> None:
    fresh = msgspec.structs.replace(ANSWERED, dependencies=("new", "racy"))
    memory = remembered({"b.ckpt": fresh}, {"new": OLD, "racy": (1, 2, 3, NOW_NS, 5)}, A)
    assert memory.dependencies == {SIDECAR: OLD, "new": OLD, "racy": None}
    assert list(memory.answers) == [A, "b.ckpt"]


def test_what_no_answer_depends_on_any_more_is_forgotten() -> None:
    fresh = msgspec.structs.replace(ANSWERED, dependencies=("new",))
    assert remembered({A: fresh}, {"new": OLD}).dependencies == {"new": OLD}
    assert remembered({"b.ckpt": fresh}, {"new": OLD}).dependencies == {"new": OLD}, "a.ckpt is gone"


def test_what_is_shared_stays_while_one_answer_depends_on_it() -> None:
    both = msgspec.structs.replace(MEMORY, answers={A: ANSWERED, "b.ckpt": ANSWERED})
    assert remembered({}, {}, "b.ckpt", earlier=both).dependencies == {SIDECAR: OLD}


def test_a_shared_file_that_changed_during_the_build_vouches_for_nobody() -> None:
    fresh = msgspec.structs.replace(ANSWERED, dependencies=(SIDECAR,))
    memory = remembered({"b.ckpt": fresh}, {SIDECAR: (1, 9, 3, 4, 5)}, A)
    assert memory.dependencies == {SIDECAR: None}, "a.ckpt was answered from what stood there before"


def test_a_build_that_learnt_nothing_new_leaves_the_memory_as_it_is() -> None:
    racy = msgspec.structs.replace(MEMORY, dependencies={SIDECAR: None})
    assert remembered({A: ANSWERED}, {SIDECAR: (1, 2, 3, NOW_NS, 5)}, earlier=racy) is racy


def test_a_0_that_gets_a_sign_is_something_new() -> None:
    before, after = (answer("a", score=zero) for zero in (0.0, -0.0))
    memory = memory_of(before)
    earlier = msgspec.structs.replace(memory, dependencies=dict.fromkeys(memory.dependencies))
    found = Recall(earlier.answers, doubted={before.path})
    fresh = {after.path: after}
    learnt = remember(Tree("root", earlier.folders), found, fresh, fresh, {}, earlier, taken_ns=NOW_NS)
    assert repr(learnt.answers[before.path]) == repr(after)
