"""What is remembered of a tree, and when it may be believed.

An answer depends on the files that were looked at for it, and on the names that stood, or did not
stand, in the folders around it. It is believed again only while the signatures of all these files are
the same, the names in those folders are the same, and each signature had *settled* when it was taken:
the last change lay so far back that any later one must show (`filesystem.SETTLING_NS`). Sources of the
rules: git's index (racy entries), Borg's files cache, ccache issue 1215.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

import msgspec

from catalog.changes import is_over
from catalog.filesystem import Signature, is_settled
from catalog.layout import folders_above, hydra_folders
from catalog.records import Answer, Kind
from catalog.scan import Folder, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.changes import Changes
    from catalog.dependents import Dependents


class Memory(msgspec.Struct, frozen=True):
    """A tree as it was: folders and answers by path below it, and the signatures that vouch for them.

    A dependency without a signature had not settled, and vouches for nothing. `answers` stand in the
    order of the catalog.
    """

    folders: Mapping[str, Folder] = {}
    dependencies: dict[str, Signature | None] = {}
    answers: dict[str, Answer] = {}


_Value = TypeVar("_Value")
_numbers_of = attrgetter("hmean", "precision", "recall", "score")

Unknown = tuple[Folder, str, Kind]
"""A checkpoint that must be read: its folder, its file name, and what it is."""


class Recall(msgspec.Struct):
    """What of a memory's answers still holds: all but the `doubted`; and the checkpoints to be read.

    `changed_files` are those that did not hold.
    """

    answers: Mapping[str, Answer] = {}
    doubted: AbstractSet[str] = frozenset()
    unknown: list[Unknown] = []
    changed_files: Collection[str] = frozenset()

    def believed(self) -> dict[str, Answer]:
        """The answers that hold, in the memory's order."""
        believed = dict(self.answers)
        for path in self.doubted:
            del believed[path]
        return believed


def recall(memory: Memory, dependents: Dependents, tree: Tree, changes: Changes) -> Recall:
    """What of a memory holds in a tree as it was walked just now, after `changes`.

    `dependents` are those of the memory's answers.
    """
    answers, changed, now_ns = memory.answers, changes.files, changes.now_ns
    doubted = dependents.on(changed) if changed else set()
    if changes.is_expired:
        expiring = ((path, known.expires_ns) for path, known in answers.items())
        doubted |= {path for path, time_ns in expiring if time_ns is not None and is_over(time_ns, now_ns)}
    renamed = _renamed(memory, tree)
    doubted |= _moved_among(memory, tree, renamed) if renamed else _moved_where_listed(memory, tree)
    # Where no folder came or went, only what was listed anew can hold a checkpoint that nobody knows.
    looked_into = tree.folders if renamed else sorted({*tree.listed, *map(_folder_of, doubted)})
    unknown = [
        (folder, name, kind)
        for folder in map(tree.folders.__getitem__, looked_into)
        for name, kind in folder.checkpoints.items()
        if (path := folder.below(name)) in doubted or path not in answers
    ]
    return Recall(answers, doubted, unknown, changed)


def _renamed(memory: Memory, tree: Tree) -> set[str]:
    """The folders that came or went, and those with other names of files."""
    if not tree.listed and len(tree.folders) == len(memory.folders):
        return set()
    renamed = {path for path in memory.folders if path not in tree.folders}
    for path in tree.listed:
        before = memory.folders.get(path)
        if before is None or before.files != tree.folders[path].files:
            renamed.add(path)
    return renamed


def _moved_where_listed(memory: Memory, tree: Tree) -> AbstractSet[str]:
    """The answers whose checkpoint is gone or of another kind, where folders and files kept their names."""
    return memory.answers.keys() & {
        memory.folders[path].below(name)
        for path in tree.listed
        for name, kind in memory.folders[path].checkpoints.items()
        if tree.folders[path].checkpoints.get(name) != kind
    }


def _moved_among(memory: Memory, tree: Tree, renamed: AbstractSet[str]) -> AbstractSet[str]:
    """The answers whose checkpoint is gone, is of another kind, or has other names around it."""
    moved = set()
    for path, known in memory.answers.items():
        above, _, name = path.rpartition("/")
        folder = tree.folders.get(above)
        if (
            folder is None
            or folder.checkpoints.get(name) != known.kind
            or not renamed.isdisjoint(_surroundings(above))
        ):
            moved.add(path)
    return moved


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _surroundings(folder: str) -> Iterable[str]:
    """The folders whose names decide which files a checkpoint in `folder` is answered from."""
    return (folder, *folders_above(folder), *hydra_folders(folder))


def remember(
    tree: Tree,
    recalled: Recall,
    fresh: Mapping[str, Answer],
    answers: dict[str, Answer],
    signatures: Mapping[str, Signature | None],
    earlier: Memory,
    taken_ns: int,
) -> Memory:
    """The memory of a build: what was read now with its signatures, what was believed with its earlier ones.

    `answers` are the believed and the fresh ones in the order of the catalog; `taken_ns` is the time before
    the first of `signatures` was taken. It is `earlier` itself where nothing is new.
    """
    unwanted = _no_longer_wanted(recalled, fresh, signatures, earlier)
    overtaken = _overtaken(recalled, signatures, earlier)
    vouched = {
        path: signature if signature and is_settled(signature, taken_ns) and path not in overtaken else None
        for path, signature in signatures.items()
    }
    is_nothing_new = (
        not unwanted
        and len(answers) == len(earlier.answers)
        and all(path in earlier.answers and _is_same(earlier.answers[path], one) for path, one in fresh.items())
        and _stands_in(earlier.dependencies, vouched)
        and (tree.folders is earlier.folders or tree.folders == earlier.folders)
    )
    if is_nothing_new:
        return earlier
    dependencies = earlier.dependencies | vouched
    for path in unwanted:
        dependencies.pop(path, None)
    return Memory(tree.folders, dependencies, answers)


def _is_same(one: Answer, other: Answer) -> bool:
    """Whether two answers are equal to the sign of 0, which `==` does not tell."""
    return one == other and (
        one.entry is None or repr(_numbers_of(one.entry)) == repr(_numbers_of(other.entry))
    )


def _stands_in(earlier: Mapping[str, _Value], some: Mapping[str, _Value]) -> bool:
    """Whether an earlier mapping has all that `some` has, and the same."""
    return all(path in earlier and earlier[path] == value for path, value in some.items())


def _no_longer_wanted(
    recalled: Recall, fresh: Mapping[str, Answer], signatures: Mapping[str, Signature | None], earlier: Memory
) -> set[str]:
    """The dependencies of answers that were doubted, and of no answer that is given now."""
    paths: set[str] = set()
    for path in recalled.doubted:
        paths.update(earlier.answers[path].dependencies)
    paths.difference_update(signatures)
    for one in fresh.values():
        paths.difference_update(one.dependencies)
    if paths:
        for one in recalled.believed().values():
            paths.difference_update(one.dependencies)
    return paths


def _overtaken(recalled: Recall, signatures: Mapping[str, Signature | None], earlier: Memory) -> set[str]:
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
    return {path for one in recalled.believed().values() for path in changed.intersection(one.dependencies)}
