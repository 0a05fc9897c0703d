"""This catalog's implementations as a harness calls them: `subject(outputs_dir, config_filenames)`.

A subject's attribute `prepare`, where it has one, is called before and apart from the call that counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from catalog import archive, canonical, excerpt
from catalog.adapter import build_lightweight_catalog
from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.filesystem import FileSystem
from catalog.index import Memory
from catalog.info import CatalogOptions
from catalog.store import CatalogCache, Remembered, remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.info import CheckpointInfo
    from catalog.keys import Key
    from catalog.records import CheckpointCatalog
    from catalog.revision import Revision

Names = tuple[str, ...]


class _InProcess(CatalogCache):
    """Remembers in this process alone: neither reads nor writes an index."""

    def load(self, key: Key) -> Remembered:
        return self._memories.get(key) or remembered(Memory())

    def save(self, key: Key, memory: Memory, revision: Revision | None = None) -> Remembered:
        return self._keep(key, memory, revision)


_IN_PROCESS = _InProcess()


def v2(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 from nothing remembered, W&B not asked."""
    return CheckpointCatalogBuilder(outputs_dir, False, False, config_filenames).build_catalog()


def v2_wandb(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 from nothing remembered, W&B asked for what nothing else told."""
    return CheckpointCatalogBuilder(outputs_dir, False, True, config_filenames).build_catalog()


def v2_wandb_index(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 as a new process finds it, remembered by the index file if at all, W&B asked for the rest."""
    collaborators = Collaborators(cache=CatalogCache())
    builder = CheckpointCatalogBuilder(outputs_dir, True, True, config_filenames, collaborators=collaborators)
    return builder.build_catalog()


def v2_remembered(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 in a process that built the same catalog before."""
    return CheckpointCatalogBuilder(outputs_dir, True, False, config_filenames).build_catalog()


def v2_index(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 as a new process finds it: remembered by the index file alone."""
    collaborators = Collaborators(cache=CatalogCache())
    builder = CheckpointCatalogBuilder(outputs_dir, True, False, config_filenames, collaborators=collaborators)
    return builder.build_catalog()


def _a_day_ahead() -> int:
    return time.time_ns() + 86_400 * 10**9


_NEXT_DAY = FileSystem(now_ns=_a_day_ahead)
"""What has just been written has settled: it can be remembered by whoever reads it next."""


def v2_next_day(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 in a process that built the same catalog before, by a clock that is a day ahead."""
    collaborators = Collaborators(files=_NEXT_DAY)
    builder = CheckpointCatalogBuilder(outputs_dir, True, False, config_filenames, collaborators=collaborators)
    return builder.build_catalog()


def v2_next_day_unwritten(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """The same, but that it writes no index."""
    collaborators = Collaborators(files=_NEXT_DAY, cache=_IN_PROCESS)
    builder = CheckpointCatalogBuilder(outputs_dir, True, False, config_filenames, collaborators=collaborators)
    return builder.build_catalog()


def v2_first(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """V2 from nothing remembered, with all that remembering takes but the writing of the index."""
    collaborators = Collaborators(cache=_InProcess())
    builder = CheckpointCatalogBuilder(outputs_dir, True, False, config_filenames, collaborators=collaborators)
    return builder.build_catalog()


def fast_sidecars(outputs_dir: Path, config_filenames: Names) -> list[Path]:  # noqa: ARG001 - a subject's own
    """The sidecars that are proven to be canonical, and read without a YAML parser."""
    sidecars = outputs_dir.rglob("*.metadata.yaml")
    return [path for path in sidecars if _is_taken(path.read_bytes())]


def _is_taken(data: bytes) -> bool:
    return excerpt.read(data) is not None or canonical.parse(data) is not None


def adapter(outputs_dir: Path, config_filenames: Names) -> list[CheckpointInfo]:
    """The old API, with whichever implementation its switch selects, and what that one remembers."""
    return build_lightweight_catalog(CatalogOptions(outputs_dir, config_filenames))


def legacy(outputs_dir: Path, config_filenames: Names) -> CheckpointCatalog:
    """The old way: every checkpoint loaded, nothing remembered."""
    from catalog.legacy import build_legacy_catalog

    return build_legacy_catalog(outputs_dir, config_filenames)


def _forget(outputs_dir: Path, config_filenames: Names) -> None:  # noqa: ARG001 - what a preparation is given
    """Make this process as new: what documents and directories have in common is remembered between builds."""
    archive.forget()
    canonical.forget()
    excerpt.forget()


def _remember(subject: Callable[[Path, Names], object]) -> Callable[[Path, Names], None]:
    def prepare(outputs_dir: Path, config_filenames: Names) -> None:
        subject(outputs_dir, config_filenames)

    return prepare


v2.prepare = _forget  # type: ignore[attr-defined]  # a function's own attribute
v2_first.prepare = _forget  # type: ignore[attr-defined]
v2_wandb.prepare = _forget  # type: ignore[attr-defined]
v2_remembered.prepare = _remember(v2_remembered)  # type: ignore[attr-defined]
v2_index.prepare = _remember(v2_index)  # type: ignore[attr-defined]
