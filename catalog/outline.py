"""The outline of a memory: what it stands or falls with, and the catalog that it tells while it stands.

All that a build needs where nothing has changed. What is needed to find out more is the memory itself.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.filesystem import Signature
from catalog.records import CheckpointCatalogEntry, Kind, Problem, SkippedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from catalog.index import Memory
    from catalog.records import Answer
    from catalog.revision import Revision


_signature_of = attrgetter("signature")
_entry_of, _skipped_of = attrgetter("entry"), attrgetter("skipped")
_problems_of, _expires_ns_of = attrgetter("problems"), attrgetter("expires_ns")

_FEW = 16
"""Up to so many changed entries are put in their places; what tells more is outlined anew."""


class Outline(msgspec.Struct, frozen=True, gc=False):
    """The paths that a memory depends on with their signatures, and its catalog.

    `folders` and `dependencies` are below the outputs directory, or absolute; `signatures` are those of both,
    one after the other, `None` for what vouches for nothing. `links` are paths below the outputs directory and
    what they led to. `expires_ns` is the time (ns since 1970) after which an answer no longer holds.
    Entries stand in the catalog's order, problems in that of their paths.
    """

    folders: list[str] = []
    dependencies: list[str] = []
    signatures: list[Signature | None] = []
    links: dict[str, Kind] = {}
    expires_ns: int | None = None
    entries: list[CheckpointCatalogEntry] = []
    skipped: list[SkippedCheckpoint] = []
    problems: list[Problem] = []


def outline_of(memory: Memory) -> Outline:
    """The outline of a memory."""
    entries, skipped, problems = told_by(memory.answers)
    return Outline(
        folders=list(memory.folders),
        dependencies=list(memory.dependencies),
        signatures=_signatures(memory),
        links=_links(memory),
        expires_ns=min(_there(_expires_ns_of, memory.answers), default=None),
        entries=entries,
        skipped=skipped,
        problems=problems,
    )


def outline_after(outline: Outline, after: Memory, revision: Revision) -> Outline:
    """`outline_of(after)`, made from the outline of the memory that was revised where that is faster."""
    if len(revision.answers) > _FEW:
        return outline_of(after)
    entries = outline.entries.copy()
    for old, new in revision.answers:
        was, entry = _only_entry(old), _only_entry(new)
        place = None if was is None or entry is None else _place(entries, was)
        if place is None or entry is None:
            return outline_of(after)
        entries[place] = entry
    signatures = outline.signatures.copy()
    for at, signature in revision.signatures.items():
        signatures[at] = signature
    links = _links(after) if revision.is_relinked else outline.links
    return msgspec.structs.replace(outline, signatures=signatures, links=links, entries=entries)


def _place(entries: Sequence[CheckpointCatalogEntry], entry: CheckpointCatalogEntry) -> int | None:
    """Where this very entry stands in the catalog's order."""
    first = bisect_left(entries, _order(entry), key=_order)
    return next((place for place in range(first, len(entries)) if entries[place] is entry), None)


def _order(entry: CheckpointCatalogEntry) -> tuple[str, str, int]:
    """What comes first in the order of the catalog; names and paths decide among equals."""
    return (entry.architecture, entry.backbone, entry.epochs)


def _only_entry(answer: Answer) -> CheckpointCatalogEntry | None:
    """The entry of an answer that tells nothing else; `None` for any other answer."""
    is_more = answer.skipped is not None or answer.problems or answer.expires_ns is not None
    return None if is_more else answer.entry


def _signatures(memory: Memory) -> list[Signature | None]:
    signatures = list(map(_signature_of, memory.folders.values()))
    signatures += memory.dependencies.values()
    return signatures


def _links(memory: Memory) -> dict[str, Kind]:
    return {
        folder.below(name): kind
        for folder in memory.folders.values()
        if folder.links
        for name, kind in folder.links.items()
    }


def told_by(
    answers: Mapping[str, Answer],
) -> tuple[list[CheckpointCatalogEntry], list[SkippedCheckpoint], list[Problem]]:
    """What answers in the catalog's order tell: entries, what is left out, and each problem once."""
    problems = list(chain.from_iterable(_there(_problems_of, answers)))
    return (
        list(_there(_entry_of, answers)),
        list(_there(_skipped_of, answers)),
        sorted_once(problems) if problems else problems,
    )


def sorted_once(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by paths and keys."""
    return sorted(dict.fromkeys(problems), key=lambda one: (str(one.path), one.key))


def _there(part: Callable[[Answer], Any], answers: Mapping[str, Answer]) -> Iterator[Any]:
    """A part of each answer that has it, without a line of Python for each: one changed file asks for all."""
    return filter(None, map(part, answers.values()))
