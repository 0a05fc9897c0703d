"""What a build changed of a memory, where that still speaks of the same paths in the same order.

Mostly one sidecar in ten thousand is new: then all that was made of the memory is revised at a few places,
and nobody looks through the rest to find out that it is as it was.
"""

from __future__ import annotations

from bisect import insort
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from catalog.changes import Changes
    from catalog.filesystem import Signature
    from catalog.index import Memory, Recall
    from catalog.records import Answer


_Item = tuple[str, "Answer"]


class Revision(NamedTuple):
    """What differs between two memories of the same paths: answers as they were and as they are.

    `before` is the first of the two, `signatures` are those that differ, by their places in its outline.
    `is_relinked`: so do links.
    """

    before: Memory
    answers: tuple[tuple[Answer, Answer], ...] = ()
    signatures: Mapping[int, Signature | None] = {}
    is_relinked: bool = False


def in_order(recalled: Recall, fresh: Mapping[str, Answer]) -> dict[str, Answer]:
    """All answers by path in the contract's total order; those without an entry come last, by path.

    The believed ones stand in that order already: a few fresh ones find their places among them.
    """
    if keeps_places(recalled, fresh):
        return {**recalled.answers, **fresh}
    items = list(recalled.believed().items())
    if len(fresh) * 16 > len(items):
        return _sorted(chain(items, fresh.items()))
    for item in fresh.items():
        insort(items, item, key=_position)
    return dict(items)


def keeps_places(recalled: Recall, fresh: Mapping[str, Answer]) -> bool:
    """Whether the fresh answers stand where those stood that were doubted, each where it stood before."""
    earlier = recalled.answers
    return len(fresh) == len(recalled.doubted) and all(
        path in earlier and _position((path, earlier[path])) == _position((path, answer))
        for path, answer in fresh.items()
    )


def _sorted(items: Iterable[_Item]) -> dict[str, Answer]:
    """All of them in order: by what many have in common first, so that only those few are compared by name."""
    groups: dict[tuple[str, str, int], list[_Item]] = {}
    without_entry: list[_Item] = []
    for item in items:
        entry = item[1].entry
        if entry is None:
            without_entry.append(item)
            continue
        common = (entry.architecture, entry.backbone, entry.epochs)
        known = groups.get(common)
        if known is None:
            groups[common] = [item]
        else:
            known.append(item)
    found: dict[str, Answer] = {}
    for common in sorted(groups):
        found.update(sorted(groups[common], key=_name_and_path))
    found.update(sorted(without_entry, key=itemgetter(0)))
    return found


def _name_and_path(item: _Item) -> tuple[str, str]:
    path = item[0]
    return path.rpartition("/")[2], path


def _position(item: _Item) -> tuple[bool, str, str, int, str, str]:
    path, answer = item
    entry = answer.entry
    if entry is None:
        return (True, "", "", 0, "", path)
    return (False, entry.architecture, entry.backbone, entry.epochs, *_name_and_path(item))


def revision_of(
    before: Memory,
    after: Memory,
    recalled: Recall,
    fresh: Mapping[str, Answer],
    looked_at: AbstractSet[str],
    listed: AbstractSet[str],
    changes: Changes,
) -> Revision | None:
    """What a build changed that read `fresh`, looked at some files, and listed some folders anew.

    `None` where it speaks of other paths, or in another order.
    """
    is_alike = (
        keeps_places(recalled, fresh)
        and len(after.dependencies) == len(before.dependencies)
        and looked_at <= before.dependencies.keys()
        and (after.folders is before.folders or list(after.folders) == list(before.folders))
    )
    if not is_alike:
        return None
    signatures: dict[int, Signature | None] = {}
    for path in looked_at:
        if before.dependencies[path] != after.dependencies[path]:
            place = changes.files.get(path)
            if place is None:  # it changed after it had been looked at for the changes
                return None
            signatures[place] = after.dependencies[path]
    places = {path: place for place, path in enumerate(before.folders)} if listed else {}
    signatures.update((places[path], after.folders[path].signature) for path in listed)
    is_relinked = any(before.folders[path].links != after.folders[path].links for path in listed)
    answers = tuple((before.answers[path], answer) for path, answer in fresh.items())
    return Revision(before, answers, signatures, is_relinked)
