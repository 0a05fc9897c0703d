"""The outline of a memory: what it stands or falls with, and the catalog that it tells while it stands.

All that a build needs where nothing has changed. What is needed to find out more is the memory itself.
"""

from __future__ import annotations

from itertools import chain, compress
from operator import attrgetter, is_not
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.filesystem import Signature
from catalog.records import CheckpointCatalogEntry, Kind, Problem, SkippedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from catalog.index import Memory
    from catalog.records import Answer


_signature_of = attrgetter("signature")
_entry_of, _skipped_of = attrgetter("entry"), attrgetter("skipped")
_problems_of, _expires_ns_of = attrgetter("problems"), attrgetter("expires_ns")

Changed = tuple[int, "Answer", "Answer"]
"""The place of an answer among all, what it was and what it is."""

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


def outline_after(outline: Outline, after: Memory, changed: Sequence[Changed]) -> Outline:
    """`outline_of(after)`, made from the outline of the memory before it where that is faster.

    `changed` are the answers in which both differ. Where these are few, and no path came or went, only
    signatures, links and these entries are new.
    """
    is_alike = list(after.folders) == outline.folders and list(after.dependencies) == outline.dependencies
    if not is_alike or len(changed) > _FEW:
        return outline_of(after)
    entries = outline.entries.copy()
    for place, old, new in changed:
        was, entry = _only_entry(old), _only_entry(new)
        # Answers without an entry stand last, so that mostly an entry's place is that of its answer.
        if was is None or entry is None or not place < len(entries) or entries[place] is not was:
            return outline_of(after)
        entries[place] = entry
    return msgspec.structs.replace(outline, signatures=_signatures(after), links=_links(after), entries=entries)


def changed_answers(before: Memory, after: Memory) -> list[Changed] | None:
    """The answers that differ; `None` where the memories are about other checkpoints, or in another order."""
    if list(before.answers) != list(after.answers):
        return None
    old, new = before.answers.values(), after.answers.values()
    return list(compress(zip(range(len(new)), old, new, strict=True), map(is_not, old, new)))


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
