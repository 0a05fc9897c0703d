"""What of a memory still holds, rule by rule; the random edits are in `tests/property/test_remembered.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from catalog.filesystem import ABSENT, SETTLING_NS, FileSystem, Signature
from catalog.index import Memory, Recall, Remembered, recall, remember
from catalog.merge import Answer
from catalog.scan import Folder, Tree

OLD: Signature = (1, 2, 3, 4, 5)
NOW_NS = 100 * SETTLING_NS


@dataclass(frozen=True)
class Files(FileSystem):
    """A file system of a dictionary."""

    standing: dict[str, Signature] = field(default_factory=dict)

    def signature(self, path: str) -> Signature:
        return self.standing.get(path, ABSENT)


def folder(path: str, *files: str, checkpoints: tuple[str, ...] = ()) -> Folder:
    return Folder(path, OLD, (), dict.fromkeys(checkpoints, "file"), frozenset(files), {})


def tree_of(*folders: Folder, listed: tuple[str, ...] = ()) -> Tree:
    return Tree("root", {one.path: one for one in folders}, set(listed))


OWN = folder("exp/checkpoints", "a.metadata.yaml", checkpoints=("a.ckpt",))
ABOVE = folder("exp", "config.yaml")
HYDRA = folder("exp/.hydra", "config.yaml")
FOLDERS = (folder(""), ABOVE, HYDRA, OWN)
SIDECAR = "exp/checkpoints/a.metadata.yaml"
ANSWERED = Remembered(Answer("exp/checkpoints/a.ckpt", None, None, []), "file", (SIDECAR,))
MEMORY = Memory(
    folders={one.path: one for one in FOLDERS},
    dependencies={SIDECAR: OLD},
    answers={"exp/checkpoints/a.ckpt": ANSWERED},
)
FILES = Files(now_ns=lambda: NOW_NS, standing={f"root/{SIDECAR}": OLD})


def recalled(*, memory: Memory = MEMORY, tree: Tree | None = None, files: FileSystem = FILES) -> Recall:
    return recall(memory, tree or tree_of(*FOLDERS), files)


def is_believed(found: Recall) -> bool:
    return "exp/checkpoints/a.ckpt" in found.believed and not found.unknown


def test_an_unchanged_tree_is_answered_whole() -> None:
    found = recalled()
    assert found.is_whole
    assert is_believed(found)


@pytest.mark.parametrize("position", range(5))
def test_each_part_of_a_signature_counts(position: int) -> None:
    other = list(OLD)
    other[position] += 1
    changed = (other[0], other[1], other[2], other[3], other[4])
    assert not is_believed(recalled(files=Files(standing={f"root/{SIDECAR}": changed})))


def test_a_file_that_vanished_is_a_change() -> None:
    assert not is_believed(recalled(files=Files()))


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


def test_a_new_folder_elsewhere_leaves_the_answer_believed_but_not_the_tree_whole() -> None:
    found = recalled(tree=tree_of(*FOLDERS, folder("other", checkpoints=("b.ckpt",)), listed=("other",)))
    assert "exp/checkpoints/a.ckpt" in found.believed
    assert [name for _, name, _ in found.unknown] == ["b.ckpt"]
    assert not found.is_whole


def test_a_checkpoint_that_became_a_folder_is_read_anew() -> None:
    own = msgspec.structs.replace(OWN, checkpoints={"a.ckpt": "folder"})
    found = recalled(tree=tree_of(folder(""), ABOVE, HYDRA, own, listed=("exp/checkpoints",)))
    assert not found.believed


@pytest.mark.parametrize(("expires_ns", "believed"), [(NOW_NS - 1, False), (NOW_NS, False), (NOW_NS + 1, True)])
def test_an_answer_is_believed_until_it_expires(expires_ns: int, believed: bool) -> None:
    answer = msgspec.structs.replace(ANSWERED, expires_ns=expires_ns)
    memory = msgspec.structs.replace(MEMORY, answers={"exp/checkpoints/a.ckpt": answer})
    assert is_believed(recalled(memory=memory)) == believed


def test_what_is_read_gets_its_new_signature_and_what_is_believed_keeps_its_own() -> None:
    fresh = msgspec.structs.replace(ANSWERED, dependencies=("new", "racy"))
    answers = {"exp/checkpoints/a.ckpt": ANSWERED, "b.ckpt": fresh}
    racy = (1, 2, 3, NOW_NS, 5)
    memory = remember(tree_of(*FOLDERS), answers, {"new": OLD, "racy": racy}, MEMORY, NOW_NS)
    assert memory.dependencies == {SIDECAR: OLD, "new": OLD, "racy": None}
    assert list(memory.answers) == ["exp/checkpoints/a.ckpt", "b.ckpt"]
