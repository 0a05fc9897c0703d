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

from catalog.config import folders_above, hydra_folders
from catalog.filesystem import FileSystem, Signature, is_settled
from catalog.merge import Answer
from catalog.scan import Folder, Kind, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One checkpoint's answer, what the checkpoint was, and the files that the answer depends on.

    `expires_ns` is the time (ns since 1970) after which a run that had not finished is asked again.
    """

    answer: Answer
    kind: Kind
    dependencies: tuple[str, ...]
    expires_ns: int | None = None


class Memory(msgspec.Struct, frozen=True):
    """A tree as it was: folders and answers by path below it, and the signatures that vouch for them.

    A dependency without a signature had not settled, and vouches for nothing. `answers` stand in the
    order of the catalog.
    """

    folders: dict[str, Folder] = {}
    dependencies: dict[str, Signature | None] = {}
    answers: dict[str, Remembered] = {}


@dataclass(slots=True)
class Recall:
    """What of a memory still holds: the believed answers, and the checkpoints that must be read."""

    believed: dict[str, Remembered] = field(default_factory=dict)
    unknown: list[tuple[Folder, str, Kind]] = field(default_factory=list)
    is_whole: bool = False
    """Whether the memory answers the tree as it stands, with nothing to add and nothing to forget."""


def recall(memory: Memory, tree: Tree, files: FileSystem) -> Recall:
    """Compare a memory with a fresh walk, and with a fresh stat of every file that an answer depends on."""
    changed_files = {
        path
        for path, signature in memory.dependencies.items()
        if signature is None or files.signature(tree.absolute(path)) != signature
    }
    now_ns = files.now_ns()
    if not changed_files and _is_same_tree(memory, tree) and not _has_expired(memory, now_ns):
        return Recall(believed=memory.answers, is_whole=True)
    changed_folders = _changed_folders(memory, tree)
    found = Recall()
    for folder in tree.folders.values():
        if not folder.checkpoints:
            continue
        is_moved = bool(changed_folders) and not changed_folders.isdisjoint(_surroundings(folder.path))
        for name, kind in folder.checkpoints.items():
            path = folder.below(name)
            known = memory.answers.get(path)
            if (
                known is None
                or is_moved
                or known.kind != kind
                or (changed_files and not changed_files.isdisjoint(known.dependencies))
                or (known.expires_ns is not None and known.expires_ns <= now_ns)
            ):
                found.unknown.append((folder, name, kind))
            else:
                found.believed[path] = known
    return found


def _is_same_tree(memory: Memory, tree: Tree) -> bool:
    return not tree.listed and not tree.unreadable and len(tree.folders) == len(memory.folders)


def _has_expired(memory: Memory, now_ns: int) -> bool:
    return any(one.expires_ns is not None and one.expires_ns <= now_ns for one in memory.answers.values())


def _changed_folders(memory: Memory, tree: Tree) -> set[str]:
    """The folders in which the names of readable files are not what they were."""
    changed = {path for path in memory.folders if path not in tree.folders}
    for path in tree.listed:
        known = memory.folders.get(path)
        if known is None or known.files != tree.folders[path].files:
            changed.add(path)
    return changed


def _surroundings(folder: str) -> Iterable[str]:
    """The folders whose names decide which files a checkpoint in `folder` is answered from."""
    return (folder, *folders_above(folder), *hydra_folders(folder))


def remember(
    tree: Tree,
    answers: dict[str, Remembered],
    signatures: dict[str, Signature],
    earlier: Memory,
    taken_ns: int,
) -> Memory:
    """The memory of a build: what was read now with its signatures, what was believed with its earlier ones.

    `answers` stand in the order of the catalog; `taken_ns` is the time before the first of `signatures`
    was taken.
    """
    dependencies: dict[str, Signature | None] = {}
    for remembered in answers.values():
        for path in remembered.dependencies:
            signature = signatures.get(path)
            if signature is None:
                dependencies[path] = earlier.dependencies[path]
            else:
                dependencies[path] = signature if is_settled(signature, taken_ns) else None
    return Memory(folders=tree.folders, dependencies=dependencies, answers=answers)
