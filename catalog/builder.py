"""The catalog: scan, recall, read, ask, merge, remember, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from catalog import collector
from catalog.changes import Changes, changes
from catalog.dependents import Dependents
from catalog.filesystem import FileSystem
from catalog.index import Memory, recall, remember
from catalog.keys import key_of
from catalog.layout import DEFAULT_CONFIG_FILENAMES, check_config_filenames
from catalog.outline import Outline, sorted_once, told_by
from catalog.records import CheckpointCatalog, Problem
from catalog.revision import in_order, revision_of
from catalog.scan import Scanner, Tree
from catalog.store import CatalogCache, global_cache

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping, Sequence

    from catalog.filesystem import Signature
    from catalog.index import Unknown
    from catalog.records import Answer
    from catalog.scan import Identity


class Collaborators(msgspec.Struct, frozen=True):
    """What a builder works with, for those who put something else in its place.

    `files` stats and tells the time; `cache` remembers (`None`: the one that this process shares);
    `progress` is told how many checkpoints of how many have been read. `wandb_deadline_s` bounds what
    asking W&B may take in all.
    """

    files: FileSystem = FileSystem()
    cache: CatalogCache | None = None
    progress: Callable[[int, int], None] | None = None
    wandb_deadline_s: float = 10.0


_USUAL = Collaborators()


class CheckpointCatalogBuilder:
    """Builds the catalog of one outputs directory.

    `use_cache` remembers between builds, and believes what it remembers only while the files that an
    answer came from are unchanged. `use_wandb_fallback` lets W&B runs tell what nothing before them told.
    """

    def __init__(
        self,
        outputs_dir: Path | str,
        use_cache: bool = True,
        use_wandb_fallback: bool = True,
        config_filenames: Iterable[str] = DEFAULT_CONFIG_FILENAMES,
        *,
        collaborators: Collaborators | None = None,
    ) -> None:
        """Raises `ValueError` where a configured name is a path."""
        self.outputs_dir = outputs_dir if isinstance(outputs_dir, Path) else Path(outputs_dir)
        self.use_cache = use_cache
        self.use_wandb_fallback = use_wandb_fallback
        self.config_filenames = check_config_filenames(config_filenames)
        self._with = collaborators or _USUAL

    def build_catalog(self) -> CheckpointCatalog:
        """The catalog of the tree as it stands now.

        Raises `NotADirectoryError` or `PermissionError` where the outputs directory itself is a file or
        may not be read. A missing one is an empty catalog.
        """
        begun_ns = time.perf_counter_ns()
        with collector.Paused():
            catalog = self._remembered(begun_ns) if self.use_cache else self._anew(begun_ns)
        if catalog is None:
            if logger := _listener():
                logger.info("%s: no such directory, so the catalog is empty", self.outputs_dir)
            return CheckpointCatalog(outputs_dir=self.outputs_dir, entries=[])
        _log(catalog)
        return catalog

    def _anew(self, begun_ns: int) -> CheckpointCatalog | None:
        if not _is_there(self.outputs_dir):
            return None
        nothing = Memory()
        tree = self._scan(nothing, Changes(0))
        recalled = recall(nothing, Dependents({}), tree, Changes(0))
        fresh, _ = self._read(tree, recalled.unknown, is_remembering=False)
        entries, skipped, problems = told_by(in_order(recalled, fresh))
        outline = Outline(entries=entries, skipped=skipped, problems=problems)
        return _assemble(self.outputs_dir, outline, tree.unreadable, begun_ns)

    def _remembered(self, begun_ns: int) -> CheckpointCatalog | None:
        files = self._with.files
        cache = self._with.cache or global_cache()
        root = str(self.outputs_dir)
        key = key_of(root, self.config_filenames, self.use_wandb_fallback)
        known = cache.load(key)
        outline = known.outline
        taken_ns = files.now_ns()
        changed = changes(outline, root, files)
        if outline.folders and not changed:
            return _assemble(self.outputs_dir, outline, {}, begun_ns)
        if not _is_there(self.outputs_dir):
            return None
        memory = known.memory
        tree = self._scan(memory, changed, cache.identity)
        recalled = recall(memory, known.dependents, tree, changed)
        fresh, signatures = self._read(tree, recalled.unknown, is_remembering=True)
        answers = in_order(recalled, fresh)
        learnt = remember(tree, recalled, fresh, answers, signatures, memory, taken_ns)
        if learnt is not memory:
            looked_at = signatures.keys()
            revision = revision_of(memory, learnt, recalled, fresh, looked_at, tree.listed, changed)
            outline = cache.save(key, learnt, revision).outline
        return _assemble(self.outputs_dir, outline, tree.unreadable, begun_ns)

    def _scan(
        self, memory: Memory, changed: Changes, ignored: Callable[[], Identity | None] = lambda: None
    ) -> Tree:
        """Walk the tree. Raises `PermissionError` where not even the outputs directory can be listed."""
        scanner = Scanner(self._with.files, frozenset(self.config_filenames), ignored)
        tree = scanner.scan(str(self.outputs_dir), memory.folders, changed.folders)
        if "" in tree.unreadable:
            raise tree.unreadable[""]
        return tree

    def _read(
        self, tree: Tree, unknown: Sequence[Unknown], *, is_remembering: bool
    ) -> tuple[dict[str, Answer], Mapping[str, Signature | None]]:
        if not unknown:
            return {}, {}
        # Whoever reads nothing needs none of this: it takes longer to import than to answer from memory.
        from catalog.reading import Reading

        reading = Reading(
            tree,
            self.config_filenames,
            self._with.files,
            is_remembering=is_remembering,
            progress=self._with.progress,
            wandb_deadline_s=self._with.wandb_deadline_s if self.use_wandb_fallback else None,
        )
        return reading.answers(unknown), reading.signatures


def build_catalog(
    outputs_dir: Path | str,
    use_cache: bool = True,
    use_wandb_fallback: bool = True,
    config_filenames: Iterable[str] = DEFAULT_CONFIG_FILENAMES,
) -> CheckpointCatalog:
    """The catalog of `outputs_dir`; see `CheckpointCatalogBuilder` for the options and what is raised."""
    return CheckpointCatalogBuilder(
        outputs_dir, use_cache, use_wandb_fallback, config_filenames
    ).build_catalog()


def _is_there(outputs_dir: Path) -> bool:
    """Whether there is a directory to list. Raises `NotADirectoryError` or `PermissionError`."""
    try:
        mode = os.stat(outputs_dir).st_mode
    except (FileNotFoundError, NotADirectoryError):  # or a file stands where a folder above it should
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, "expected a directory, found a file", str(outputs_dir))
    return True


def _refused(path: Path, error: OSError) -> Problem:
    from catalog.documents import unreadable

    refusal = unreadable(error)
    return Problem(
        path=path,
        source="scan",
        expected="a readable folder",
        found=refusal.found,
        remedy=refusal.remedy,
    )


def _assemble(
    outputs_dir: Path, outline: Outline, unreadable: Mapping[str, OSError], begun_ns: int
) -> CheckpointCatalog:
    """The catalog that an outline tells, and the folders that refused."""
    refused = [_refused(outputs_dir / path, error) for path, error in unreadable.items()]
    return CheckpointCatalog(
        outputs_dir=outputs_dir,
        entries=outline.entries.copy(),
        skipped=outline.skipped.copy(),
        problems=sorted_once([*refused, *outline.problems]) if refused else outline.problems.copy(),
        catalog_build_time_seconds=(time.perf_counter_ns() - begun_ns) / 1e9,
    )


def _listener() -> logging.Logger | None:
    """The logger, if anybody may hear information from it."""
    # Whoever wants to has imported it, which takes longer than to answer from memory.
    if "logging" not in sys.modules:
        return None
    import logging

    logger = logging.getLogger(__name__)
    # found faster, for the first time, than by `isEnabledFor`
    return logger if logger.getEffectiveLevel() <= logging.INFO else None


def _log(catalog: CheckpointCatalog) -> None:
    """One line: time, counts, and how many entries each source told something about."""
    logger = _listener()
    if logger is None:
        return
    told = Counter(source for entry in catalog.entries for source in set(entry.provenance.values()))
    logger.info(
        "%s: %d checkpoints listed, %d left out, %d problems in %.3f s; told by %s; metadata coverage %.1f %%",
        catalog.outputs_dir,
        catalog.total_count,
        len(catalog.skipped),
        len(catalog.problems),
        catalog.catalog_build_time_seconds,
        ", ".join(f"{source} {count}" for source, count in sorted(told.items())) or "nothing",
        catalog.metadata_coverage_percent,
    )
