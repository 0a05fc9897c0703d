"""What is remembered of a tree, and when it may be believed.

An answer depends on the files that were looked at for it, and on the names that stood, or did not
stand, in the folders around it. It is believed again only while the signatures of all these files are
the same, the names in those folders are the same, and each signature had *settled* when it was taken:
the last change lay so far back that any later one must show (`filesystem.SETTLING_NS`). Sources of the
rules: git's index (racy entries), Borg's files cache, ccache issue 1215.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from catalog.filesystem import Signature, is_settled
from catalog.layout import folders_above, hydra_folders
from catalog.records import Answer, Kind
from catalog.scan import Folder, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from catalog.changes import Changes


class Memory(msgspec.Struct, frozen=True):
    """A tree as it was: folders and answers by path below it, and the signatures that vouch for them.

    A dependency without a signature had not settled, and vouches for nothing. `answers` stand in the
    order of the catalog.
    """

    folders: dict[str, Folder] = {}
    dependencies: dict[str, Signature | None] = {}
    answers: dict[str, Answer] = {}


Unknown = tuple[Folder, str, Kind]
"""A checkpoint that must be read: its folder, its file name, and what it is."""


@dataclass(slots=True)
class Recall:
    """What of a memory still holds: the believed answers, in its order, and the checkpoints to be read."""

    believed: dict[str, Answer] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)
    changed_files: AbstractSet[str] = frozenset()


def recall(memory: Memory, tree: Tree, changes: Changes) -> Recall:
    """What of a memory holds in a tree as it was walked just now, after `changes`."""
    doubted = {
        path
        for path, known in memory.answers.items()
        if (changes.is_expired and known.expires_ns is not None and known.expires_ns <= changes.now_ns)
        or (changes.files and not changes.files.isdisjoint(known.dependencies))
    }
    is_same_tree = not tree.listed and len(tree.folders) == len(memory.folders)
    if not is_same_tree:
        doubted |= _moved(memory, tree)
    believed = memory.answers.copy()
    for path in doubted:
        del believed[path]
    if is_same_tree:
        return Recall(believed, [_found(tree, path) for path in sorted(doubted)], changes.files)
    unknown = [
        (folder, name, kind)
        for folder in tree.folders.values()
        for name, kind in folder.checkpoints.items()
        if folder.below(name) not in believed
    ]
    return Recall(believed, unknown, changes.files)


def _moved(memory: Memory, tree: Tree) -> set[str]:
    """The answers whose checkpoint is gone, is of another kind, or has other names around it."""
    changed = {path for path in memory.folders if path not in tree.folders}
    for path in tree.listed:
        before = memory.folders.get(path)
        if before is None or before.files != tree.folders[path].files:
            changed.add(path)
    moved = set()
    for path, known in memory.answers.items():
        above, _, name = path.rpartition("/")
        folder = tree.folders.get(above)
        if (
            folder is None
            or folder.checkpoints.get(name) != known.kind
            or (changed and not changed.isdisjoint(_surroundings(above)))
        ):
            moved.add(path)
    return moved


def _found(tree: Tree, path: str) -> Unknown:
    above, _, name = path.rpartition("/")
    folder = tree.folders[above]
    return folder, name, folder.checkpoints[name]


def _surroundings(folder: str) -> Iterable[str]:
    """The folders whose names decide which files a checkpoint in `folder` is answered from."""
    return (folder, *folders_above(folder), *hydra_folders(folder))


def remember(
    tree: Tree,
    recalled: Recall,
    fresh: Mapping[str, Answer],
    answers: dict[str, Answer],
    signatures: Mapping[str, Signature],
    earlier: Memory,
    taken_ns: int,
) -> Memory:
    """The memory of a build: what was read now with its signatures, what was believed with its earlier ones.

    `answers` are the believed and the fresh ones in the order of the catalog; `taken_ns` is the time before
    the first of `signatures` was taken. It is `earlier` itself where nothing is new.
    """
    dependencies = earlier.dependencies.copy()
    for path in _no_longer_wanted(recalled, fresh, signatures, earlier):
        dependencies.pop(path, None)
    overtaken = _overtaken(recalled, signatures, earlier)
    for path, signature in signatures.items():
        is_sure = is_settled(signature, taken_ns) and path not in overtaken
        dependencies[path] = signature if is_sure else None
    memory = Memory(tree.folders, dependencies, answers)
    return earlier if memory == earlier else memory


def _no_longer_wanted(
    recalled: Recall, fresh: Mapping[str, Answer], signatures: Mapping[str, Signature], earlier: Memory
) -> set[str]:
    """The dependencies of answers that were doubted, and of no answer that is given now."""
    paths: set[str] = set()
    for path in earlier.answers.keys() - recalled.believed.keys():
        paths.update(earlier.answers[path].dependencies)
    paths.difference_update(signatures)
    for remembered in (fresh, recalled.believed):
        if paths:
            for one in remembered.values():
                paths.difference_update(one.dependencies)
    return paths


def _overtaken(recalled: Recall, signatures: Mapping[str, Signature], earlier: Memory) -> set[str]:
    """The files that changed after their believed answers were held against them, and were then read anew.

    Nothing vouches for both the old answers and the new ones, so that all of them are read again.
    """
    changed = {
        path
        for path, signature in signatures.items()
        if path not in recalled.changed_files and earlier.dependencies.get(path, signature) != signature
    }
    if not changed:
        return changed
    return {
        path
        for one in recalled.believed.values()
        if not changed.isdisjoint(one.dependencies)
        for path in changed.intersection(one.dependencies)
    }
