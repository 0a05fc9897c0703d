"""The old API over V2, and the switch that rolls back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog.adapter import SWITCH, build_lightweight_catalog, is_v2_on
from catalog.info import CatalogOptions
from catalog.store import INDEX_DIR_VARIABLE
from tests.catalog.trees import SIDECAR, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogOptions:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    write(tmp_path / "outputs" / "exp" / "checkpoints" / "best.ckpt", b"x")
    write(tmp_path / "outputs" / "exp" / "checkpoints" / "best.metadata.yaml", SIDECAR)
    return CatalogOptions(tmp_path / "outputs", ("config.yaml",))


@pytest.mark.parametrize("value", ["0", "false", "NO", " False "])
def test_the_switch_turns_v2_off(value: str) -> None:
    assert not is_v2_on({SWITCH: value})


@pytest.mark.parametrize("value", ["1", "true", "yes", "", "on"])
def test_anything_else_leaves_it_on(value: str) -> None:
    assert is_v2_on({SWITCH: value})
    assert is_v2_on({})


def test_both_sides_of_the_switch_give_the_same_records(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_v2 = build_lightweight_catalog(options)
    monkeypatch.setenv(SWITCH, "0")
    assert build_lightweight_catalog(options) == from_v2
    assert [info.to_display_option() for info in from_v2] == [
        "dbnet · resnet18 · told-experiment "
        "(best • epoch 7 • hmean 0.850 • 20251019_0807 • monitor val/hmean (max))"
    ]


def test_the_switch_is_read_at_each_call(options: CatalogOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("legacy was called")

    monkeypatch.setattr("catalog.legacy.build_legacy_catalog", refuse)
    assert len(build_lightweight_catalog(options)) == 1
    monkeypatch.setenv(SWITCH, "no")
    with pytest.raises(RuntimeError, match="legacy"):
        build_lightweight_catalog(options)
