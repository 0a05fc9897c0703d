"""A catalog that answers without looking is found out, and the tree is left as it was."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench.freshness import look_again
from bench.subject import Subject
from bench.trees import grow, standing_in
from bench.verdict_file import Cause
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

def reading(outputs_dir, config_filenames):
    return [one | {"hmean": Path(one["checkpoint_path"].replace(".ckpt", ".metadata.yaml")).read_text()}
            if Path(one["checkpoint_path"].replace(".ckpt", ".metadata.yaml")).exists() else one
            for one in looking(outputs_dir, config_filenames)]

def listing(outputs_dir, config_filenames):
    return [KEPT.setdefault(one["checkpoint_path"], one) for one in reading(outputs_dir, config_filenames)]

def gathering(outputs_dir, config_filenames):
    found = {one["checkpoint_path"]: one for one in looking(outputs_dir, config_filenames)}
    KEPT.update(found)
    return list(KEPT.values())

def raising(outputs_dir, config_filenames):
    raise RuntimeError("no such thing")

def crashing(outputs_dir, config_filenames):
    os._exit(7)
"""


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    with grow(TreeSpec(checkpoint_bytes=1), tmp_path_factory.mktemp("trees"), keep=False) as tree:
        yield Call(tree.root, ("config.yaml",))


def told(call: Call, tmp_path: Path, target: str) -> tuple[Cause, str] | None:
    (tmp_path / "catalogs.py").write_text(CATALOGS, encoding="utf-8")
    before = standing_in(call.outputs_dir)
    found = look_again(Subject("one", target, python=sys.executable, search_path=(str(tmp_path),)), call)
    assert standing_in(call.outputs_dir) == before
    return found


@pytest.mark.parametrize(
    "target",
    ["catalogs:reading", "catalog.subjects:v2", "catalog.subjects:v2_remembered", "catalog.subjects:v2_index"],
)
def test_a_catalog_that_looks_passes(call: Call, tmp_path: Path, target: str) -> None:
    assert told(call, tmp_path, target) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("keeping", "then 15 after one had come, then 14 again, found 14, 14 and 14"),
        ("gathering", "found 14, 15 and 15"),
        ("listing", "had changed, and then the first again, found the same answer"),
    ],
)
def test_a_catalog_that_keeps_what_it_answered_is_found_out(
    call: Call, tmp_path: Path, target: str, expected: str
) -> None:
    found = told(call, tmp_path, f"catalogs:{target}")
    assert found is not None
    assert found[0] is Cause.CHANGE_UNSEEN
    assert expected in found[1]


@pytest.mark.parametrize(
    ("target", "cause", "expected"),
    [
        ("crashing", Cause.CRASHED, "exit code 7"),
        ("raising", Cause.RAISED, "no such thing"),
        ("missing", Cause.NOT_FOUND, "missing"),
    ],
)
def test_a_catalog_that_fails_is_told_by_how(
    call: Call, tmp_path: Path, target: str, cause: Cause, expected: str
) -> None:
    found = told(call, tmp_path, f"catalogs:{target}")
    assert found is not None
    assert found[0] is cause
    assert expected in found[1]


def test_in_a_tree_without_checkpoints_nothing_can_be_added(tmp_path: Path) -> None:
    assert look_again(Subject("one", "catalogs:looking"), Call(tmp_path, ())) is None
