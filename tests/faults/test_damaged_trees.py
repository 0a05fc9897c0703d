"""One damaged file of each kind in a tree: what it still tells is told, and the rest is listed as before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from catalog import subjects
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from fixtures import hostile
from fixtures.damage import DEFECTS, Defect
from fixtures.generate import generate
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.records import CheckpointCatalog, CheckpointCatalogEntry

SPEC = TreeSpec(experiments=2, checkpoints_per_experiment=2, checkpoint_bytes=1, sidecar_share=0.5, seed=5)
HOSTILE = {apply.__name__ for apply in hostile.ALL}
CASES = [(defect, kind) for defect in DEFECTS.values() for kind in defect.kinds]
SILENT = {
    "named_pipe",
    "unix_socket",
    "dangling_symlink",
    "circular_symlink",
    "control_characters",
    "unreadable",
}
"""Defects after which a metadata file is absent, or is sound, or can be read by the superuser after all."""


@dataclass(frozen=True)
class Sound:
    """A sound tree, and what stands in it by kind: of one checkpoint without a sidecar, and of one with."""

    root: Path
    catalog: CheckpointCatalog
    targets: dict[str, str]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    root = tmp_path_factory.mktemp("sound") / "outputs"
    generate(SPEC, root)
    catalog = subjects.v2(root, DEFAULT_CONFIG_FILENAMES)
    sidecar = next(path for path in root.rglob("*.metadata.yaml"))
    lone = next(
        entry.checkpoint_path
        for entry in catalog
        if "sidecar" not in entry.provenance.values() and entry.config_path
    )
    config = next(entry.config_path for entry in catalog if entry.checkpoint_path == lone and entry.config_path)
    targets = {"sidecar": sidecar, "checkpoint": lone, "config": config}
    return Sound(root, catalog, {kind: str(path.relative_to(root)) for kind, path in targets.items()})


def told(entry: CheckpointCatalogEntry, root: Path) -> tuple[object, ...]:
    """All of an entry that the place of the tree does not change."""
    names = [name for name in entry.__struct_fields__ if not name.endswith("_path") and name != "provenance"]
    return (entry.checkpoint_path.relative_to(root), *(getattr(entry, name) for name in names))


def touched(sound: Sound, kind: str) -> set[str]:
    """The checkpoints whose answer may change: the damaged one, or those that share the damaged config."""
    target = sound.root / sound.targets[kind]
    if kind == "checkpoint":
        return {sound.targets[kind]}
    entries = [
        entry
        for entry in sound.catalog
        if target == entry.config_path or target.name.startswith(entry.checkpoint_path.stem)
    ]
    return {str(entry.checkpoint_path.relative_to(sound.root)) for entry in entries}


@pytest.mark.parametrize(("defect", "kind"), CASES, ids=[f"{defect.name}-{kind}" for defect, kind in CASES])
def test_the_rest_of_the_tree_is_listed_and_the_damage_is_told(
    defect: Defect, kind: str, sound: Sound, tmp_path: Path
) -> None:
    root = tmp_path / "outputs"
    shutil.copytree(sound.root, root, symlinks=True)
    defect.apply(root / sound.targets[kind])
    catalog = subjects.v2(root, DEFAULT_CONFIG_FILENAMES)
    changed = touched(sound, kind)
    before = {
        told(entry, sound.root) for entry in sound.catalog if str(told(entry, sound.root)[0]) not in changed
    }
    assert before <= {told(entry, root) for entry in catalog}
    damaged = {str(problem.path.relative_to(root)) for problem in catalog.problems}
    assert damaged <= {sound.targets[kind]}
    if kind == "checkpoint" and defect.name not in HOSTILE | {"unreadable", "flip", "named_pipe"}:
        assert damaged
    if kind != "checkpoint" and defect.name not in SILENT | {"truncate", "truncate_tail", "empty"}:
        assert damaged
    assert "\x1b" not in "".join(map(str, catalog.problems))


PLAIN = [(defect, kind) for defect, kind in CASES if kind != "checkpoint" or defect.name not in HOSTILE]


@pytest.mark.parametrize(("defect", "kind"), PLAIN, ids=[f"{defect.name}-{kind}" for defect, kind in PLAIN])
def test_legacy_answers_a_damaged_tree_as_v2_does(
    defect: Defect, kind: str, sound: Sound, tmp_path: Path
) -> None:
    """Hostile pickles are left out: legacy would run them, which is one of the reasons for V2."""
    root = tmp_path / "outputs"
    shutil.copytree(sound.root, root, symlinks=True)
    defect.apply(root / sound.targets[kind])
    new, old = (one(root, DEFAULT_CONFIG_FILENAMES) for one in (subjects.v2, subjects.legacy))
    assert [told(entry, root) for entry in new] == [told(entry, root) for entry in old]
    assert {one.checkpoint_path for one in new.skipped} == {one.checkpoint_path for one in old.skipped}
    assert {one.path for one in new.problems} == {one.path for one in old.problems}
