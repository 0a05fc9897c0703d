"""What a self-test measured survives it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench import simulation
from bench.selftest_log import LOG, GroupsRecord, Log, SelfTestError, groups_file, read
from tests.bench.selftests import BEGUN, HEADER, gate_of, groups_of

if TYPE_CHECKING:
    from pathlib import Path

RECORD = GroupsRecord(
    lane="quiet, 14 checkpoints: record",
    condition="quiet",
    scenario="14 checkpoints",
    at=BEGUN,
    elapsed_s=9.0,
    groups=16,
)
GROUPS = groups_file("quiet", "14 checkpoints")


def written(folder: Path) -> Log:
    """A self-test of a gate and sixteen groups."""
    log = Log.begun(folder, HEADER)
    log.append(gate_of("slower", change=0.05))
    log.append(RECORD, groups_of(16))
    return log


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    log = written(tmp_path)
    found = read(tmp_path)
    assert found.header == HEADER
    assert found.records == log.recorded.records == [gate_of("slower", change=0.05), RECORD]
    assert found.groups == log.recorded.groups == {("quiet", "14 checkpoints"): groups_of(16)}
    assert found.spent_s == 20.0


@pytest.mark.parametrize("name", [LOG, GROUPS])
def test_a_line_that_was_cut_short_is_taken_away_and_the_rest_is_kept(tmp_path: Path, name: str) -> None:
    written(tmp_path)
    before = read(tmp_path)
    with open(tmp_path / name, "ab") as file:
        file.write(b'{"type": "gate", "lane"')
    log = Log.resumed(tmp_path, HEADER)
    log.append(RECORD, groups_of(16, seed=1))
    after = read(tmp_path)
    assert after.records == [*before.records, RECORD]
    assert len(after.groups["quiet", "14 checkpoints"]) == 32


def test_a_line_that_is_none_is_told_with_its_file(tmp_path: Path) -> None:
    written(tmp_path)
    with open(tmp_path / LOG, "ab") as file:
        file.write(b'{"type": "unheard of"}\n')
    with pytest.raises(SelfTestError, match=r"selftest\.jsonl.*--resume"):
        read(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        {"code": "bbb"},
        {"machine": {"cpu_model": "another"}},
        {"seed": 1},
        {"is_quick": False},
        {"schema_version": 2},
    ],
)
def test_a_self_test_of_anything_else_is_not_gone_on_with(tmp_path: Path, other: dict[str, object]) -> None:
    written(tmp_path)
    (name,) = other
    with pytest.raises(SelfTestError, match=name):
        Log.resumed(tmp_path, msgspec.structs.replace(HEADER, **other))


def test_nothing_to_resume_is_told(tmp_path: Path) -> None:
    with pytest.raises(SelfTestError, match="found none"):
        Log.resumed(tmp_path, HEADER)


def test_a_new_self_test_moves_the_old_one_aside_whole(tmp_path: Path) -> None:
    for _ in range(3):
        written(tmp_path)
    old = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(old) == 2
    for folder in old:
        assert len(read(folder).records) == 2
        assert (folder / GROUPS).exists()
    assert len(read(tmp_path).groups["quiet", "14 checkpoints"]) == 16


def test_recorded_groups_are_what_the_simulation_reads(tmp_path: Path) -> None:
    written(tmp_path)
    out = io.StringIO()
    simulation.main(["--gates", "2", "--recorded", str(tmp_path / GROUPS)], out)
    assert "16 groups to draw from" in out.getvalue()
