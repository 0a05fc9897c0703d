"""A tree under edits, with a catalog that remembers beside one that never does."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING
from unittest.mock import patch

import msgspec

from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from catalog.store import CatalogCache
from tests.property.edits import Edits, write_checkpoint, write_sidecar
from tests.property.simulated_clock import Interruption, SimulatedClock

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from catalog.filesystem import FileSystem
    from catalog.records import CheckpointCatalog

CONFIG_FILENAMES = (DEFAULT_CONFIG_FILENAMES, ("hparams.yaml",))
PAUSES_S = (0.0, 0.0005, 0.3, 1.0, 2.9, 3.1, 8.0)
"""Seconds between edits and builds: within one tick of every clock, about the time of settling, beyond it."""


@dataclass
class Tally:
    """Edits, answers compared, those of them that were served from memory, catalogs that differed."""

    edits: int = 0
    compared: int = 0
    remembered: int = 0
    differences: int = 0

    def add(self, other: Tally) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass
class Comparison:
    """A tree below the clock's root; every answer is compared with a build from nothing.

    `blind` puts a file system that hides something in place of the one that a remembering build sees.
    """

    clock: SimulatedClock
    rng: random.Random
    checkpoints: Sequence[bytes]
    blind: Callable[[FileSystem], FileSystem] = lambda files: files
    config_filenames: Sequence[str] = DEFAULT_CONFIG_FILENAMES
    use_wandb_fallback: bool = True
    tally: Tally = field(default_factory=Tally)
    looks: int = 0
    """How often the last remembering build looked at the tree."""

    def __post_init__(self) -> None:
        self.outputs = self.clock.root / "outputs"
        self.outputs.mkdir()
        self.edits = Edits(self.outputs, self.rng, self.checkpoints)
        self.files = self.clock.files()
        self.blind_files = self.blind(self.files)
        self.cache = CatalogCache(self.clock.root / "index")
        for _ in range(6):
            self.edit(write_checkpoint)
            self.edit(write_sidecar)

    def edit(self, make: Callable[[Edits], object]) -> None:
        self.clock.change(lambda: make(self.edits))
        self.tally.edits += 1

    def start_process(self, config_filenames: Sequence[str]) -> None:
        """Remember only what the index file keeps, and go on with these options."""
        self.cache = CatalogCache(self.clock.root / "index")
        self.config_filenames = config_filenames

    def build_interrupted(
        self, make: Callable[[Edits], object], share: float, *, is_before: bool, pause_s: float
    ) -> None:
        """A build in whose middle the tree changes; what it answers is not judged, what follows is.

        The change comes after a `share` of the looks that the build before took, and then some time passes.
        """

        def change() -> None:
            make(self.edits)
            self.tally.edits += 1
            self.clock.advance(pause_s)

        self.clock.interruption = Interruption(round(share * self.looks), is_before, change)
        self.build()
        self.clock.interruption = None

    def build(self) -> tuple[CheckpointCatalog, int]:
        """The answer of a catalog that remembers, and how many checkpoints were read for it."""
        read = 0

        def progress(_done: int, total: int) -> None:
            nonlocal read
            read = total

        collaborators = Collaborators(files=self.blind_files, cache=self.cache, progress=progress)
        begun = self.clock.looks
        catalog = self._builder(collaborators, use_cache=True).build_catalog()
        self.looks = self.clock.looks - begun
        return catalog, read

    def compare(self) -> bool:
        """Whether the remembered answer is the one that a build from nothing gives."""
        remembered, read = self.build()
        collaborators = Collaborators(files=self.files, cache=self.cache)
        fresh = self._builder(collaborators, use_cache=False).build_catalog()
        count = _checkpoints(fresh)
        is_same = told(remembered) == told(fresh)
        self.tally.compared += count
        self.tally.remembered += max(count - read, 0)
        self.tally.differences += not is_same
        return is_same

    @staticmethod
    def offline() -> AbstractContextManager[object]:
        """An environment in which W&B runs tell what they keep here, and no server is asked."""
        return patch.dict(os.environ, {"WANDB_MODE": "offline", "WANDB_DIR": ""})

    def _builder(self, collaborators: Collaborators, *, use_cache: bool) -> CheckpointCatalogBuilder:
        return CheckpointCatalogBuilder(
            self.outputs,
            use_cache,
            self.use_wandb_fallback,
            self.config_filenames,
            collaborators=collaborators,
        )


def told(catalog: CheckpointCatalog) -> object:
    """All that a catalog says, but for the time that it took."""
    content = msgspec.to_builtins(catalog, enc_hook=str)
    del content["catalog_build_time_seconds"]
    return content


def _checkpoints(catalog: CheckpointCatalog) -> int:
    """How many checkpoints a catalog answers for: listed, left out, or leading nowhere."""
    dangling = [one for one in catalog.problems if one.source == "scan" and one.path.suffix == ".ckpt"]
    return len(catalog.entries) + len(catalog.skipped) + len(dangling)


def real_checkpoints() -> list[bytes]:
    """The bytes of three small checkpoints that differ in what they tell."""
    import torch

    made = []
    for epoch in (3, 4, 0):
        file = io.BytesIO()
        torch.save({"epoch": epoch, "global_step": 10 * epoch, "cleval_metrics": {"hmean": epoch / 10}}, file)
        made.append(file.getvalue())
    return made
