"""V2, the adapter, legacy and the tree's own answer: four witnesses of one contract.

Not compared: provenance, which V2 alone has; the wording of reasons; the build time. W&B is switched off,
because legacy never asks it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from catalog import subjects
from catalog.adapter import SWITCH
from catalog.info import CheckpointInfo
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from catalog.store import INDEX_DIR_VARIABLE, clear_global_cache
from fixtures.generate import generate
from fixtures.spec import TreeSpec
from tests.property.strategies import tree_specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog.records import CheckpointCatalog, CheckpointCatalogEntry
    from fixtures.expected import Expected, ExpectedEntry

ENTRY_FIELDS = (
    "display_name",
    "architecture",
    "backbone",
    "exp_name",
    "epochs",
    "hmean",
    "precision",
    "recall",
    "created_timestamp",
    "monitor",
    "monitor_mode",
    "score",
    "has_metadata",
)
INFO_FIELDS = tuple(name for name in CheckpointInfo.__struct_fields__ if not name.endswith("_path"))


@pytest.fixture(autouse=True)
def _own_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    monkeypatch.delenv(SWITCH, raising=False)
    yield
    clear_global_cache()


def below(path: Path | None, root: Path) -> str | None:
    return None if path is None else path.relative_to(root).as_posix()


def entry_rows(entries: Iterable[CheckpointCatalogEntry], root: Path) -> list[dict[str, Any]]:
    return [
        {
            "checkpoint_path": below(entry.checkpoint_path, root),
            "config_path": below(entry.config_path, root),
            "display_option": entry.to_display_option(),
            **{name: getattr(entry, name) for name in ENTRY_FIELDS},
        }
        for entry in entries
    ]


def info_rows(entries: Iterable[CheckpointInfo], root: Path) -> list[dict[str, Any]]:
    return [
        {
            "checkpoint_path": below(info.checkpoint_path, root),
            "config_path": below(info.config_path, root),
            "display_option": info.to_display_option(),
            **{name: getattr(info, name) for name in INFO_FIELDS},
        }
        for info in entries
    ]


def expected_rows(entries: Iterable[ExpectedEntry], fields: tuple[str, ...], text: str) -> list[dict[str, Any]]:
    return [
        {
            "checkpoint_path": entry.checkpoint_path,
            "config_path": entry.config_path,
            "display_option": getattr(entry, text),
            **{name: getattr(entry, name) for name in fields},
        }
        for entry in entries
    ]


def paths(records: Iterable[Any], name: str, root: Path) -> set[str | None]:
    return {below(getattr(record, name), root) for record in records}


def check_catalog(catalog: CheckpointCatalog, root: Path, expected: Expected) -> None:
    assert entry_rows(catalog, root) == expected_rows(expected.entries, ENTRY_FIELDS, "display_option")
    assert paths(catalog.skipped, "checkpoint_path", root) == expected.skipped
    assert paths(catalog.problems, "path", root) == expected.problems


def check_all(root: Path, expected: Expected) -> None:
    """Hold every implementation to what the tree was drawn to answer, fresh and remembered."""
    for subject in (
        subjects.legacy,
        subjects.v2,
        subjects.v2_remembered,
        subjects.v2_remembered,
        subjects.v2_index,
    ):
        check_catalog(subject(root, DEFAULT_CONFIG_FILENAMES), root, expected)
    infos = expected_rows(expected.entries, INFO_FIELDS, "legacy_display_option")
    assert info_rows(subjects.adapter(root, DEFAULT_CONFIG_FILENAMES), root) == infos
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, "0")
        assert info_rows(subjects.adapter(root, DEFAULT_CONFIG_FILENAMES), root) == infos


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree_specs())
def test_every_implementation_answers_what_a_drawn_tree_was_made_to_answer(spec: TreeSpec) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "outputs"
        check_all(root, generate(spec, root))


@pytest.mark.parametrize("seed", range(12))
def test_the_untidiest_trees_are_answered_alike(tmp_path: Path, seed: int) -> None:
    spec = TreeSpec(experiments=10, checkpoints_per_experiment=3, sidecar_share=0.6, untidiness=1.0, seed=seed)
    check_all(tmp_path / "outputs", generate(spec, tmp_path / "outputs"))
