"""Memories of answers that a sidecar alone told, for tests of what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.index import Memory
from catalog.keys import key_of
from catalog.outline import outline_of
from catalog.records import Answer, CheckpointCatalogEntry, Kind, Provenance
from catalog.revision import Revision
from catalog.scan import Folder

if TYPE_CHECKING:
    from catalog.filesystem import Signature

ROOT = Path("/data/outputs")
KEY = key_of(str(ROOT), ("config.yaml",), use_wandb_fallback=False, environment={})
SIGNATURE = (33188, 7, 100, 10**18, 10**18 + 1)
TOLD = Provenance({"epochs": "sidecar"})


def entry_at(checkpoint_path: Path, root: Path = ROOT) -> CheckpointCatalogEntry:
    """An entry with a value of every kind that is stored."""
    return CheckpointCatalogEntry(
        checkpoint_path=checkpoint_path,
        config_path=root / "config.yaml",
        display_name=checkpoint_path.name.removesuffix(".ckpt"),
        architecture="dbnet",
        backbone="unknown",
        exp_name="größe",
        epochs=2**63 - 1,
        created_timestamp="20250101_0000",
        hmean=0.1 + 0.2,
        monitor_mode="max",
        has_metadata=True,
        provenance=TOLD,
    )


def answer(name: str, folder: str = "exp", **changes: Any) -> Answer:
    """An answer by a sidecar alone, with changes of its entry or of itself."""
    entry = entry_at(ROOT / folder / f"{name}.ckpt")
    path = f"{folder}/{name}.ckpt" if folder else f"{name}.ckpt"
    own = {key: changes.pop(key) for key in tuple(changes) if key in Answer.__struct_fields__}
    plain = Answer(
        path, msgspec.structs.replace(entry, **changes), None, (), "file", (f"{folder}/{name}.yaml",)
    )
    return msgspec.structs.replace(plain, **own)


def memory_of(*answers: Answer) -> Memory:
    checkpoints: dict[str, dict[str, Kind]] = {"": {}, "exp": {}}
    for one in answers:
        above, _, name = one.path.rpartition("/")
        checkpoints[above][name] = one.kind
    folders = {path: Folder(path, SIGNATURE, (), names, frozenset(), {}) for path, names in checkpoints.items()}
    dependencies: dict[str, Signature | None] = {}
    dependencies.update((path, SIGNATURE) for one in answers for path in one.dependencies)
    return Memory(folders, dependencies, {one.path: one for one in answers})


def revised(before: Memory, after: Memory) -> Revision:
    """What differs between two memories of the same paths, found by looking at everything."""
    pairs = zip(before.answers.values(), after.answers.values(), strict=True)
    folders = zip(before.folders.values(), after.folders.values(), strict=True)
    signatures = zip(outline_of(before).signatures, outline_of(after).signatures, strict=True)
    return Revision(
        before,
        tuple((old, new) for old, new in pairs if old is not new),
        {place: new for place, (old, new) in enumerate(signatures) if old != new},
        any(old.links != new.links for old, new in folders),
    )
