"""Trees of sidecars: how many, what stands in them, and that they are gone at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import limits_trees
from bench.limits_trees import grow, spec_of
from fixtures.documents import document_bytes
from fixtures.draw import draw
from fixtures.plan import Document
from fixtures.space import DiskSpaceError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [14, 50, 1_000, 3_000, 100_000])
def test_a_tree_has_the_size_that_was_asked_for(size: int) -> None:
    assert spec_of(size).checkpoints == size
    assert spec_of(size).sidecar_share == 1.0


def test_each_checkpoint_has_its_sidecar_and_nothing_is_left(tmp_path: Path) -> None:
    with grow([14, 20], tmp_path) as trees:
        assert list(trees) == [14, 20]
        for size, root in trees.items():
            checkpoints = {path.with_suffix("") for path in root.rglob("*.ckpt")}
            sidecars = {path.with_suffix("").with_suffix("") for path in root.rglob("*.metadata.yaml")}
            assert len(checkpoints) == size
            assert checkpoints == sidecars
    assert list(tmp_path.iterdir()) == []


def test_sidecars_are_what_the_fixtures_write(tmp_path: Path) -> None:
    plan = draw(spec_of(50))
    sidecars = [one for one in plan.nodes.values() if isinstance(one, Document) and one.role == "sidecar"]
    assert {one.form for one in sidecars} == {"yaml", "sorted yaml"}
    with grow([50], tmp_path) as trees:
        for one in sidecars:
            assert (trees[50] / one.path).read_bytes() == document_bytes(one)


def test_too_little_space_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_trees, "free_bytes", lambda _: 1_000)
    with pytest.raises(DiskSpaceError), grow([14], tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
