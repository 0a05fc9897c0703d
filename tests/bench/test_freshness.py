"""A catalog that answers without looking is found out, and the tree is left as it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench.freshness import look_again
from bench.subject import Subject
from bench.trees import grow, standing_in
from bench.worker import Call
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CATALOGS = """
import os
from pathlib import Path

KEPT = {}

def looking(outputs_dir, config_filenames):
    return [{"checkpoint_path": str(path)} for path in sorted(Path(outputs_dir).rglob("*.ckpt"))]

def keeping(outputs_dir, config_filenames):
    if outputs_dir not in KEPT:
        KEPT[outputs_dir] = looking(outputs_dir, config_filenames)
    return KEPT[outputs_dir]

def gathering(outputs_dir, config_filenames):
    found = {one["checkpoint_path"]: one for one in looking(outputs_dir, config_filenames)}
    KEPT.update(found)
    return list(KEPT.values())

def crashing(outputs_dir, config_filenames):
    os._exit(7)
"""


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    with grow(TreeSpec(checkpoint_bytes=1), tmp_path_factory.mktemp("trees"), keep=False) as tree:
        yield Call(tree.root, ("config.yaml",))


def told(call: Call, tmp_path: Path, target: str) -> str:
    (tmp_path / "catalogs.py").write_text(CATALOGS, encoding="utf-8")
    before = standing_in(call.outputs_dir)
    found = look_again(Subject("one", target, python=sys.executable, search_path=(str(tmp_path),)), call)
    assert standing_in(call.outputs_dir) == before
    return found


@pytest.mark.parametrize(
    "target",
    ["catalogs:looking", "catalog.subjects:v2", "catalog.subjects:v2_remembered", "catalog.subjects:v2_index"],
)
def test_a_catalog_that_looks_passes(call: Call, tmp_path: Path, target: str) -> None:
    assert told(call, tmp_path, target) == ""


def test_a_catalog_that_keeps_its_first_answer_is_found_out(call: Call, tmp_path: Path) -> None:
    assert "then 15 after one had come, then 14 again, found 14, 14 and 14" in told(
        call, tmp_path, "catalogs:keeping"
    )


def test_a_catalog_that_forgets_nothing_is_found_out(call: Call, tmp_path: Path) -> None:
    assert "found 14, 15 and 15" in told(call, tmp_path, "catalogs:gathering")


def test_a_catalog_that_crashes_is_told(call: Call, tmp_path: Path) -> None:
    assert "exit code 7" in told(call, tmp_path, "catalogs:crashing")


def test_in_a_tree_without_checkpoints_nothing_can_be_added(tmp_path: Path) -> None:
    assert look_again(Subject("one", "catalogs:looking"), Call(tmp_path, ())) == ""
