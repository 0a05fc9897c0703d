"""The implementations as a harness calls them: what each remembers, and what comes before a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from catalog import subjects
from catalog.store import INDEX_DIR_VARIABLE, clear_global_cache
from tests.catalog.trees import SIDECAR, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("config.yaml",)
ALL = (
    subjects.v2,
    subjects.v2_wandb,
    subjects.v2_remembered,
    subjects.v2_index,
    subjects.adapter,
    subjects.legacy,
)


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    write(tmp_path / "outputs" / "exp" / "a.ckpt", b"x")
    write(tmp_path / "outputs" / "exp" / "a.metadata.yaml", SIDECAR)
    yield tmp_path / "outputs"
    clear_global_cache()


@pytest.mark.parametrize("subject", ALL, ids=lambda one: one.__name__)
def test_every_subject_lists_the_tree_after_its_preparation(subject: Any, outputs: Path) -> None:
    getattr(subject, "prepare", lambda *_: None)(outputs, NAMES)
    assert [record.epochs for record in subject(outputs, NAMES)] == [7]


def test_a_first_load_leaves_nothing_behind_and_a_remembered_one_does(outputs: Path, tmp_path: Path) -> None:
    subjects.v2(outputs, NAMES)
    assert not (tmp_path / "index").exists()
    subjects.v2_index.prepare(outputs, NAMES)  # type: ignore[attr-defined]  # a function's own attribute
    assert len(list((tmp_path / "index").rglob("*.index"))) == 1
