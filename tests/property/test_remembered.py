"""Nothing remembered is ever stale: random edits, coarse clocks, and mutants that must be caught.

Every round makes a few edits and compares the remembered answer with a build from nothing, field by
field. `python -m tests.property.test_remembered 100000` runs as many edits as it is told.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from catalog import builder as builder_module
from catalog import filesystem, index, scan
from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.store import CatalogCache
from tests.property.edits import Edits, write_checkpoint, write_sidecar
from tests.property.simulated_clock import SimulatedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from catalog.records import CheckpointCatalog

GRANULARITIES_NS = {"4 ms": 4_000_000, "1 s": 1_000_000_000, "2 s": 2_000_000_000}
SETTLED_SIMULATED_S = 8.0
"""Simulated seconds after which everything has settled, with room for a slow machine."""


@dataclass
class Tally:
    """What a run compared: entries, those of them that were believed from memory, and the differences."""

    edits: int = 0
    compared: int = 0
    believed: int = 0
    stale: int = 0


class Comparison:
    """A tree under edits, with a catalog that remembers and one that never does."""

    def __init__(self, root: Path, seed: int, clock: SimulatedClock, checkpoints: Sequence[bytes]) -> None:
        self.rng = random.Random(seed)
        self.settled_s = SETTLED_SIMULATED_S / clock.scale
        self.outputs = root / "outputs"
        self.outputs.mkdir(parents=True)
        self.edits = Edits(self.outputs, self.rng, checkpoints)
        self.files = clock.files()
        self.cache = CatalogCache(root / "index")
        self.tally = Tally()
        for _ in range(6):
            write_checkpoint(self.edits)
            write_sidecar(self.edits)

    def build(self, *, use_cache: bool) -> CheckpointCatalog:
        collaborators = Collaborators(files=self.files, cache=self.cache)
        builder = CheckpointCatalogBuilder(self.outputs, use_cache, False, collaborators=collaborators)
        return builder.build_catalog()

    def round(self) -> None:
        """Some edits, at times in quick succession around a build, then a comparison."""
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            self.edits.any()
            self.tally.edits += 1
        if self.rng.random() < 0.3:
            self.build(use_cache=True)  # a build right after an edit, so that the next edit can be racy
            self.edits.any()
            self.tally.edits += 1
        elif self.rng.random() < 0.8:
            time.sleep(self.settled_s)
            self.build(use_cache=True)  # everything has settled: what follows may believe it
        if self.rng.random() < 0.2:
            self.cache = CatalogCache(self.cache.index_dir)  # as a new process would
        self.compare()

    def compare(self) -> None:
        counted = 0

        def counting(memory: index.Memory, tree: scan.Tree, files: filesystem.FileSystem) -> index.Recall:
            nonlocal counted
            found = index.recall(memory, tree, files)
            counted = len(found.believed)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(builder_module, "recall", counting)
            remembered = self.build(use_cache=True)
        fresh = self.build(use_cache=False)
        self.tally.compared += len(fresh.entries) + len(fresh.skipped)
        self.tally.believed += counted
        self.tally.stale += plain(remembered) != plain(fresh)


def plain(catalog: CheckpointCatalog) -> object:
    """All that a catalog says, but for the time that it took."""
    told = msgspec.to_builtins(catalog, enc_hook=str)
    del told["catalog_build_time_seconds"]
    return told


def run(seed: int, clock: SimulatedClock, checkpoints: Sequence[bytes], rounds: int) -> Tally:
    with tempfile.TemporaryDirectory() as root:
        comparison = Comparison(Path(root), seed, clock, checkpoints)
        for _ in range(rounds):
            comparison.round()
    return comparison.tally


@pytest.fixture(scope="module")
def checkpoints() -> list[bytes]:
    return real_checkpoints()


def real_checkpoints() -> list[bytes]:
    """The bytes of three small checkpoints that differ in what they tell."""
    import io

    import torch

    made = []
    for epoch in (3, 4, 0):
        file = io.BytesIO()
        torch.save({"epoch": epoch, "global_step": 10 * epoch, "cleval_metrics": {"hmean": epoch / 10}}, file)
        made.append(file.getvalue())
    return made


@pytest.mark.parametrize("granularity_ns", GRANULARITIES_NS.values(), ids=GRANULARITIES_NS.keys())
def test_a_remembered_answer_is_never_stale(granularity_ns: int, checkpoints: list[bytes]) -> None:
    tally = run(1, SimulatedClock(granularity_ns), checkpoints, rounds=150)
    assert tally.stale == 0
    assert tally.believed >= tally.compared / 2


def no_racy_rule(patch: pytest.MonkeyPatch) -> None:
    for module in (index, scan):
        patch.setattr(module, "is_settled", lambda _signature, _taken_ns: True)


def no_ctime(patch: pytest.MonkeyPatch) -> None:
    signature = filesystem.FileSystem.signature
    patch.setattr(filesystem.FileSystem, "signature", lambda self, path: (*signature(self, path)[:4], 0))


def no_absence_rule(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(index, "_changed_folders", lambda _memory, _tree: set())


# The racy rule is tried with a slower clock, so that an edit meets the tick of the build before it even on
# a busy machine; the others with a fast one, so that everything settles soon.
MUTANTS = [(no_racy_rule, 50, 10), (no_ctime, 1_000, 40), (no_absence_rule, 1_000, 40)]


@pytest.mark.parametrize(("mutate", "scale", "rounds"), MUTANTS, ids=[one[0].__name__ for one in MUTANTS])
def test_the_edits_catch_an_index_without_one_of_its_rules(
    mutate: Callable[[pytest.MonkeyPatch], None],
    scale: int,
    rounds: int,
    checkpoints: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutate(monkeypatch)
    clock = SimulatedClock(GRANULARITIES_NS["2 s"], scale)
    assert any(run(seed, clock, checkpoints, rounds).stale for seed in range(40))


def main(edits: int) -> int:
    """Run until so many edits were made at each granularity; the exit code is 1 where anything was stale."""
    is_stale = False
    checkpoints = real_checkpoints()
    for name, granularity_ns in GRANULARITIES_NS.items():
        total = Tally()
        seed = 0
        while total.edits < edits / len(GRANULARITIES_NS):
            tally = run(seed, SimulatedClock(granularity_ns), checkpoints, rounds=500)
            total = Tally(*(getattr(total, one) + getattr(tally, one) for one in Tally.__dataclass_fields__))
            seed += 1
        print(f"{name}: {total}")  # noqa: T201 - a program of its own, by `python -m`
        is_stale = is_stale or total.stale > 0
    return int(is_stale)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
