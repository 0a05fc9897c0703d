"""The outline of a memory: what it stands or falls with, and the catalog that it tells while it stands.

All that a build needs where nothing has changed. What is needed to find out more is the memory itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from catalog.filesystem import Signature
from catalog.records import CheckpointCatalogEntry, Kind, Problem, SkippedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.index import Memory
    from catalog.records import Answer


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
    folders = memory.folders.values()
    signatures = [folder.signature for folder in folders]
    signatures += memory.dependencies.values()
    entries, skipped, problems = told_by(memory.answers)
    expiring = (one.expires_ns for one in memory.answers.values() if one.expires_ns is not None)
    return Outline(
        folders=list(memory.folders),
        dependencies=list(memory.dependencies),
        signatures=signatures,
        links={
            folder.below(name): kind
            for folder in folders
            if folder.links
            for name, kind in folder.links.items()
        },
        expires_ns=min(expiring, default=None),
        entries=entries,
        skipped=skipped,
        problems=problems,
    )


def told_by(
    answers: Mapping[str, Answer],
) -> tuple[list[CheckpointCatalogEntry], list[SkippedCheckpoint], list[Problem]]:
    """What answers in the catalog's order tell: entries, what is left out, and each problem once."""
    problems = [problem for one in answers.values() if one.problems for problem in one.problems]
    return (
        [one.entry for one in answers.values() if one.entry is not None],
        [one.skipped for one in answers.values() if one.skipped is not None],
        sorted_once(problems) if problems else problems,
    )


def sorted_once(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by paths and keys."""
    return sorted(dict.fromkeys(problems), key=lambda one: (str(one.path), one.key))
