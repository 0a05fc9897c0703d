"""What has changed since a memory was taken: one stat of every folder and file that it depends on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import compress
from operator import ne
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.filesystem import FileSystem, Signature
    from catalog.outline import Outline


_PIECE = 512
LONGEST_BELIEF_NS = 3_600_000_000_000
"""No answer that expires is believed for longer."""


class Changes(msgspec.Struct, frozen=True):
    """The folders that must be listed again, and the files whose answers do not hold; paths as in the memory.

    The files come with the places of their signatures in the outline. What nothing vouches for counts as
    changed. `is_expired`: some answer's time was over at `now_ns`.
    """

    now_ns: int
    folders: AbstractSet[str] = frozenset()
    files: Mapping[str, int] = {}
    is_expired: bool = False

    def __bool__(self) -> bool:
        return bool(self.folders or self.files or self.is_expired)


def changes(outline: Outline, root: str, files: FileSystem) -> Changes:
    """Hold the outline of a memory of the tree at `root` against what stands there now."""
    prefix = root if root.endswith("/") else f"{root}/"
    folders, dependencies, known = outline.folders, outline.dependencies, outline.signatures
    paths = [prefix + path if path else root for path in folders]
    paths += [path if path[:1] == os.sep else prefix + path for path in dependencies]
    found = files.signatures(paths)
    now_ns = files.now_ns()
    is_expired = outline.expires_ns is not None and is_over(outline.expires_ns, now_ns)
    relinked = {
        path.rpartition("/")[0] for path, kind in outline.links.items() if files.kind(prefix + path) != kind
    }
    places = _differing(known, found)
    if not places and not relinked:
        return Changes(now_ns, is_expired=is_expired)
    count = len(folders)
    return Changes(
        now_ns,
        relinked.union(folders[place] for place in places if place < count),
        {dependencies[place - count]: place for place in places if place >= count},
        is_expired,
    )


def is_over(expires_ns: int, now_ns: int) -> bool:
    """Whether an answer's time is over, or was told by a clock that ran ahead."""
    return not now_ns < expires_ns <= now_ns + LONGEST_BELIEF_NS


def _differing(known: Sequence[Signature | None], found: Sequence[Signature]) -> list[int]:
    """The places where two lists of one length differ."""
    places: list[int] = []
    for begin in range(0, len(known), _PIECE):
        # Whole pieces are compared faster than their signatures, and hardly any differs.
        ours, theirs = known[begin : begin + _PIECE], found[begin : begin + _PIECE]
        if ours != theirs:
            places += compress(range(begin, begin + len(ours)), map(ne, ours, theirs))
    return places
