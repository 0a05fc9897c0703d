"""Subjects that take turns in one process: order, preparation, comparison, changes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench import limits_host

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS: list[str] = []
SEEN: list[Path] = []


def first(outputs_dir: Path, _: object) -> list[Any]:
    CALLS.append("first")
    return [path.read_text() for path in sorted(outputs_dir.iterdir())]


def second(outputs_dir: Path, _: object) -> list[Any]:
    CALLS.append("second")
    SEEN.append(outputs_dir)
    return []


def _prepare(*_: object) -> None:
    CALLS.append("prepare")


class Told:
    """An answer whose digest follows the file."""

    def __init__(self, text: str) -> None:
        self.skipped = [text]

    def __iter__(self) -> Iterator[object]:
        return iter(())


@dataclass
class Record:
    """One of an answer's records."""

    checkpoint_path: Path
    epochs: int = 0


COUNT = itertools.count()


def telling(outputs_dir: Path, _: object) -> Told:
    return Told((outputs_dir / "a.metadata.yaml").read_text())


def deaf(*_: object) -> Told:
    return Told("always the same")


first.prepare = _prepare  # type: ignore[attr-defined]  # a function's own attribute


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "a.metadata.yaml").write_text("metrics:\n  hmean: 0.5\n")
    CALLS.clear()
    SEEN.clear()
    return {
        "outputs_dir": str(tmp_path),
        "config_filenames": ["config.yaml"],
        "targets": {"candidate": f"{__name__}:first", "floor": f"{__name__}:second"},
        "seed": 3,
        "rounds": 20,
        "warmups": 1,
        "warmup_dir": str(tmp_path),
    }


def test_all_take_turns_in_changing_order_each_prepared_before_its_call(job: dict[str, Any]) -> None:
    reply = limits_host.alternate(job)
    assert len(reply["rounds"]) == 20
    assert reply["counts"] == {"candidate": [1], "floor": [0]}
    assert len(reply["digests"]["candidate"]) == 1
    text = " ".join(CALLS)
    assert text.count("prepare first") == text.count("first") == text.count("second") == 21
    turns = text.replace("prepare first", "f").replace("second", "s").split()
    rounds = {"".join(turns[at : at + 2]) for at in range(0, len(turns), 2)}
    assert rounds == {"fs", "sf"}


def test_warming_up_is_done_on_the_tree_that_is_named_for_it(
    job: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    reply = limits_host.alternate({**job, "rounds": 2, "warmups": 3, "warmup_dir": str(other)})
    warm_ups, timed = SEEN[:3], SEEN[3:]
    assert warm_ups == [other] * 3
    assert timed == [Path(job["outputs_dir"])] * 2
    assert len(reply["rounds"]) == 2
    assert reply["counts"]["candidate"] == [1]


def test_the_unprepared_run_as_the_process_finds_them(job: dict[str, Any]) -> None:
    limits_host.alternate({**job, "unprepared": ["candidate"]})
    assert "prepare" not in CALLS


@pytest.mark.parametrize("replacing", [False, True])
def test_a_subject_that_does_not_see_a_change_is_told_apart(job: dict[str, Any], replacing: bool) -> None:
    sidecar = next(Path(job["outputs_dir"]).rglob("*.metadata.yaml"))
    inode = sidecar.stat().st_ino
    targets = {"telling": f"{__name__}:telling", "deaf": f"{__name__}:deaf"}
    reply = limits_host.change({**job, "targets": targets, "rounds": 3, "replacing": replacing})
    assert reply["seen"] == {"telling": 3, "deaf": 0}
    assert len(reply["changed"]) == len(reply["unchanged"]) == 3
    assert (sidecar.stat().st_ino != inode) is replacing
    assert [one.name for one in sidecar.parent.iterdir() if one.suffix == ".part"] == []


def test_each_change_is_timed_and_then_the_same_subjects_with_nothing_changed(job: dict[str, Any]) -> None:
    sidecar = next(Path(job["outputs_dir"]).rglob("*.metadata.yaml"))

    targets = {"telling": f"{__name__}:telling", "other": f"{__name__}:second"}
    reply = limits_host.change({**job, "targets": targets, "rounds": 2, "replacing": False})
    assert b"hmean: 0.5002" in sidecar.read_bytes()
    assert CALLS.count("second") == 1 + 2 * 2
    assert [list(one) for one in reply["changed"]] == [list(one) for one in reply["unchanged"]]


def records(outputs_dir: Path, _: object) -> list[Any]:
    return [Record(outputs_dir / "a.ckpt"), Record(outputs_dir.parent / "b.ckpt", next(COUNT))]


def test_only_what_is_said_of_the_changed_folder_counts_as_seen(job: dict[str, Any]) -> None:
    reply = limits_host.change(
        {**job, "targets": {"it": f"{__name__}:records"}, "rounds": 2, "replacing": False}
    )
    assert reply["seen"] == {"it": 0}


def test_a_sidecar_without_the_metric_cannot_be_changed(job: dict[str, Any]) -> None:
    sidecar = Path(job["outputs_dir"]) / "a.metadata.yaml"
    sidecar.write_text("metrics: {}\n")
    with pytest.raises(ValueError, match="expected one hmean, found 0"):
        limits_host.change({**job, "targets": {"it": f"{__name__}:second"}, "replacing": False})
