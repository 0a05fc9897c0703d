"""Documents are read when they are asked for, once, and known by the files that they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog.contract import Source
from catalog.evidence import Document, Evidence, Reader
from catalog.records import Problem
from catalog.scan import Scanner
from tests.catalog.trees import HYDRA, SIDECAR, write
from tests.checkpoint_files import saved

if TYPE_CHECKING:
    from pathlib import Path

OWN = "exp/checkpoints"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / OWN / "a.ckpt", b"x")
    write(tmp_path / OWN / "b.ckpt", b"x")
    write(tmp_path / OWN / "a.metadata.yaml", SIDECAR)
    write(tmp_path / "exp/.hydra/config.yaml", HYDRA)
    return tmp_path


def reader_of(root: Path, *, is_remembering: bool = True) -> Reader:
    return Reader(Scanner().scan(str(root)), ("config.yaml",), is_remembering=is_remembering)


def test_nothing_is_read_before_it_is_asked_for(root: Path) -> None:
    evidence = Evidence(reader_of(root), OWN, "a.ckpt")
    assert evidence.dependencies == []
    evidence.documents(Source.SIDECAR)
    assert evidence.dependencies == [f"{OWN}/a.metadata.yaml"]


def test_a_document_is_read_once_and_a_config_once_for_all(root: Path) -> None:
    reader = reader_of(root)
    one, two = (Evidence(reader, OWN, name) for name in ("a.ckpt", "b.ckpt"))
    assert one.documents(Source.SIDECAR) is one.documents(Source.SIDECAR)
    one.documents(Source.CONFIG)
    (root / "exp/.hydra/config.yaml").unlink()
    assert [type(document) for document in two.documents(Source.CONFIG)] == [Document]
    assert two.dependencies == ["exp/.hydra/config.yaml"]


def test_an_answer_depends_on_what_could_not_be_believed_too(root: Path) -> None:
    write(root / OWN / "a.metadata.yaml", "a: [")
    write(root / OWN / "a.ckpt.metadata.yaml", SIDECAR)
    evidence = Evidence(reader_of(root), OWN, "a.ckpt")
    assert [type(document) for document in evidence.documents(Source.SIDECAR)] == [Problem, Document]
    assert evidence.dependencies == [f"{OWN}/a.metadata.yaml", f"{OWN}/a.ckpt.metadata.yaml"]


def test_signatures_are_taken_only_where_something_is_remembered(root: Path) -> None:
    for is_remembering in (True, False):
        reader = reader_of(root, is_remembering=is_remembering)
        Evidence(reader, OWN, "a.ckpt").documents(Source.SIDECAR)
        assert bool(reader.signatures) == is_remembering


def test_a_folder_checkpoint_tells_nothing_and_is_no_problem(root: Path) -> None:
    evidence = Evidence(reader_of(root), OWN, "a.ckpt", "folder")
    assert evidence.documents(Source.CHECKPOINT) == ()


@pytest.mark.parametrize(
    ("training", "content", "moment"),
    [
        ({"epoch": 1, "global_step": 10}, {"epoch": 3, "global_step": 30}, (1, 10)),
        ({"epoch": 1}, {"epoch": 3, "global_step": 30}, (1, 30)),
        ({"global_step": 0}, {"epoch": 3, "global_step": 30}, (3, 0)),
        ({}, {"global_step": 30}, (7, 30)),
        ({}, {"epoch": 3}, (3, 70)),
        ({"epoch": 1}, {}, (1, 70)),
        ({}, None, (7, 70)),
    ],
)
def test_a_moment_is_told_part_by_part_by_sidecar_then_checkpoint_then_name(
    root: Path, training: dict[str, int], content: dict[str, int] | None, moment: tuple[int, int]
) -> None:
    write(root / OWN / "epoch=7-step=70.ckpt", b"damaged" if content is None else saved(content))
    write(root / OWN / "epoch=7-step=70.metadata.yaml", SIDECAR | {"training": training})
    assert Evidence(reader_of(root), OWN, "epoch=7-step=70.ckpt").moment() == moment


@pytest.mark.parametrize(
    ("name", "moment"),
    [("epoch=0-step=9.ckpt", (0, 9)), ("step=9.ckpt", (None, 9)), ("best.ckpt", (None, None))],
)
def test_a_folder_checkpoint_has_the_moment_that_its_name_tells(
    root: Path, name: str, moment: tuple[int | None, int | None]
) -> None:
    assert Evidence(reader_of(root), OWN, name, "folder").moment() == moment
