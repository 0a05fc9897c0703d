"""What was measured before: ratios to a named reference, with their provenance, in a small SQLite file.

Rows are only ever added. Several programs may add at once: each waits for the other, and a result that is added
twice stands once.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import msgspec

from bench.result import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE = "history.sqlite"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x636B7074  # "ckpt": what tells this file from anybody else's
PATIENCE_S = 30.0

_TABLES = """
create table result (
    id integer primary key,
    digest text not null unique,
    command text not null,
    started_at text not null,
    exit_code integer,
    commit_id text,
    commit_time_s integer,
    commit_ancestors integer,
    is_dirty integer,
    machine text not null,
    runtime text not null,
    libraries text not null,
    environment text not null
) strict;
create table ratio (
    result_id integer not null references result (id),
    scenario text not null,
    tree text not null,
    subject text not null,
    reference text not null,
    estimate real not null,
    low real,
    high real,
    verdict text not null
) strict;
create index ratio_by_scenario on ratio (scenario);
"""


class HistoryError(Exception):
    """A history cannot be used: which file, what was expected, what was found, what mends it."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Which code: `ancestors` counts the commits before it, so that a child's number is above its parents'.

    None stands for what nobody knows: no repository, or a shallow clone, whose ancestors cannot be counted.
    """

    name: str | None = None
    time_s: int | None = None
    ancestors: int | None = None
    is_dirty: bool | None = None


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's time over that of `reference`, above 1 being slower; `tree` is its spec as JSON."""

    scenario: str
    tree: str
    subject: str
    reference: str
    value: Interval
    verdict: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a command: what it measured, of which code, where, and with which interpreter and libraries.

    `machine`, `runtime` and `libraries` are texts that are equal where the conditions are. `digest` stands for
    the whole result, so that it is added once.
    """

    digest: str
    command: str
    started_at: str
    exit_code: int | None
    commit: Commit
    machine: str
    runtime: str
    libraries: str
    environment: str
    ratios: tuple[Ratio, ...]


def add(path: Path, entries: Sequence[Entry]) -> int:
    """Add entries, all or none, and tell how many were new. Makes the file where it is missing.

    Raises HistoryError where the file is no history of this version, or cannot be written.
    """
    with _opened(path, is_written=True) as connection:
        return sum(_add(connection, one) for one in entries)


def read(path: Path, scenario: str | None = None) -> tuple[Entry, ...]:
    """Every entry in the order in which it was added, with the ratios of `scenario` alone if one is named.

    A history that is not there is empty. Raises HistoryError for a file that is none.
    """
    if not path.exists():
        return ()
    with _opened(path, is_written=False) as connection:
        rows = connection.execute(f"select {_COLUMNS}, id from result order by id").fetchall()  # noqa: S608 - ours
        asked = "where scenario = ?" if scenario is not None else ""
        values = connection.execute(
            f"select {_RATIO_COLUMNS} from ratio {asked} order by rowid",  # noqa: S608 - ours
            () if scenario is None else (scenario,),
        ).fetchall()
    ratios: dict[int, list[Ratio]] = {}
    for number, *told in values:
        ratios.setdefault(number, []).append(_ratio(*told))
    return tuple(_entry(row[:-1], tuple(ratios.get(row[-1], ()))) for row in rows)


_COLUMNS = (
    "digest, command, started_at, exit_code, commit_id, commit_time_s, commit_ancestors, is_dirty, "
    "machine, runtime, libraries, environment"
)

_RATIO_COLUMNS = "result_id, scenario, tree, subject, reference, estimate, low, high, verdict"


def _add(connection: sqlite3.Connection, entry: Entry) -> bool:
    commit = entry.commit
    found = connection.execute(
        f"insert or ignore into result ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - ours
        (
            entry.digest, entry.command, entry.started_at, entry.exit_code,
            commit.name, commit.time_s, commit.ancestors, commit.is_dirty,
            entry.machine, entry.runtime, entry.libraries, entry.environment,
        ),
    )  # fmt: skip
    if not found.rowcount:
        return False
    connection.executemany(
        "insert into ratio values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                found.lastrowid, one.scenario, one.tree, one.subject, one.reference,
                one.value.estimate, one.value.low, one.value.high, one.verdict,
            )
            for one in entry.ratios
        ],
    )  # fmt: skip
    return True


def _entry(row: Sequence[object], ratios: tuple[Ratio, ...]) -> Entry:
    digest, command, started_at, exit_code, name, time_s, ancestors, is_dirty, *conditions = row
    fields = dict(zip(("machine", "runtime", "libraries", "environment"), conditions, strict=True))
    commit = Commit(
        name=_text(name),
        time_s=_whole(time_s),
        ancestors=_whole(ancestors),
        is_dirty=None if is_dirty is None else bool(is_dirty),
    )
    told = {name: str(value) for name, value in fields.items()}
    return Entry(
        digest=str(digest), command=str(command), started_at=str(started_at), exit_code=_whole(exit_code),
        commit=commit, ratios=ratios, **told,
    )  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _ratio(
    scenario: str,
    tree: str,
    subject: str,
    reference: str,
    estimate: float,
    low: float | None,
    high: float | None,
    verdict: str,
) -> Ratio:
    return Ratio(
        scenario=scenario,
        tree=tree,
        subject=subject,
        reference=reference,
        value=Interval(estimate=estimate, low=low, high=high),
        verdict=verdict,
    )


@contextmanager
def _opened(path: Path, *, is_written: bool) -> Iterator[sqlite3.Connection]:
    """One transaction on a history that has been looked at; what goes wrong is told as HistoryError."""
    try:
        with closing(_connected(path, is_written=is_written)) as connection:
            connection.execute("begin immediate" if is_written else "begin")
            try:
                _check(path, connection, is_written=is_written)
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(
            f"{path}: expected a history that can be {'written' if is_written else 'read'}, found {error}; "
            "make room or rights there, move the file aside, or name another one with --history"
        ) from error


def _connected(path: Path, *, is_written: bool) -> sqlite3.Connection:
    mode = "rwc" if is_written else "ro"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE_S, isolation_level=None
    )


def _check(path: Path, connection: sqlite3.Connection, *, is_written: bool) -> None:
    (application,), (version,) = (
        connection.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
    )
    tables = connection.execute("select count(*) from sqlite_master").fetchone()[0]
    if not tables and (application, version) == (0, 0):
        if is_written:
            _create(connection)
            return
        raise HistoryError(f"{path}: expected a history, found an empty file; remove it")
    if application != APPLICATION_ID:
        raise HistoryError(
            f"{path}: expected a history of ckpt-bench, found another program's database; "
            "name another file with --history"
        )
    if version != SCHEMA_VERSION:
        raise HistoryError(
            f"{path}: expected schema version {SCHEMA_VERSION}, found {version}; read it with the version of "
            "ckpt-bench that wrote it, or move it aside to begin another"
        )


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.strip().split(";\n"):
        connection.execute(statement)
    connection.execute(f"pragma application_id = {APPLICATION_ID}")
    connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
