"""The store: what was added stands there, once, whoever else writes; what is no history is refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.history import SCHEMA_VERSION, Commit, HistoryError, add, read
from bench.result import Interval
from tests.bench.histories import entry


def test_what_was_added_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    entries = (entry(2), entry(1, 1.5))
    assert add(path, entries[:1]) == 1
    assert add(path, entries[1:]) == 1
    assert read(path) == entries


def test_what_nobody_knows_is_kept_as_unknown(tmp_path: Path) -> None:
    bare = entry(1, commit=Commit(), exit_code=None)
    bare = replace(bare, ratios=(replace(bare.ratios[0], value=Interval(estimate=2.0)),))
    add(tmp_path / "h", [bare])
    assert read(tmp_path / "h") == (bare,)


def test_a_scenario_can_be_asked_for_alone(tmp_path: Path) -> None:
    add(tmp_path / "h", [entry(1)])
    assert read(tmp_path / "h", "remembered")[0].ratios == ()
    assert read(tmp_path / "h", "sidecars-warm") == (entry(1),)


def test_the_same_result_counts_once(tmp_path: Path) -> None:
    add(tmp_path / "h", [entry(1)])
    assert add(tmp_path / "h", [entry(1), entry(2)]) == 1
    assert len(read(tmp_path / "h")) == 2


def test_two_writers_lose_no_row(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom bench.history import add\n"
        "from tests.bench.histories import entry\n"
        "for number in range(20): add(Path(sys.argv[1]), [entry(int(sys.argv[2]) + number)])"
    )
    path = tmp_path / "h"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), first], cwd=Path(__file__).parents[2])
        for first in ("0", "100", "200")
    ]
    assert [one.wait() for one in writers] == [0, 0, 0]
    assert {one.commit.ancestors for one in read(path)} == {*range(20), *range(100, 120), *range(200, 220)}


def test_a_history_that_is_not_there_is_empty_and_not_made(tmp_path: Path) -> None:
    assert read(tmp_path / "h") == ()
    assert not (tmp_path / "h").exists()


def test_another_version_is_refused_with_the_remedy_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h"
    add(path, [entry(1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    for use in (lambda: read(path), lambda: add(path, [entry(2)])):
        with pytest.raises(HistoryError, match=r"expected schema version 1, found 2; .*move it aside"):
            use()
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table cookies (name text)")
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="another program's database; name another file"):
        add(path, [entry(1)])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough" * 30, b"SQLite format 3\0" + b"\1" * 999]
)
def test_a_damaged_file_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(content)
    for use in (lambda: read(path), lambda: add(path, [entry(1)])):
        with pytest.raises(HistoryError, match=r"expected a history .*move the file aside"):
            use()
    assert path.read_bytes() == content


def test_an_empty_file_is_no_history_to_read_and_becomes_one_when_written(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.touch()
    with pytest.raises(HistoryError, match="found an empty file; remove it"):
        read(path)
    add(path, [entry(1)])
    assert len(read(path)) == 1


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match=r"expected a history that can be written, found .*--history"):
        add(tmp_path / "file" / "h", [entry(1)])


def test_entries_are_added_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "h"
    broken = entry(2)
    broken = replace(broken, ratios=(replace(broken.ratios[0], scenario=None),))
    with pytest.raises(HistoryError, match="NOT NULL"):
        add(path, [entry(1), broken])
    assert not path.stat().st_size or read(path) == ()
