"""What a self-test measured, kept as it comes: lines that are appended, and read again after an interruption.

`selftest.jsonl` holds a header and one record a step. Recorded groups stand apart, in one file a condition and
scenario, each line as `python -m bench.simulation --recorded` reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from bench.calibration import Achieved
from bench.result import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOG: Final = "selftest.jsonl"
SCHEMA_VERSION: Final = 1


class SelfTestError(Exception):
    """A self-test that cannot go on; says what was expected, what was found, and the remedy."""


class Header(msgspec.Struct, frozen=True, tag="header", kw_only=True):
    """What was tested, where: parts of one self-test must not differ in any of it."""

    schema_version: int = SCHEMA_VERSION
    started_at: str
    code: str
    machine: dict[str, str | int | None]
    seed: int
    is_quick: bool


class _Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What all records say: the lane of the step, when it began, what it took in seconds."""

    lane: str
    condition: str
    scenario: str
    at: str
    elapsed_s: float


class GateRecord(_Measured, frozen=True, tag="gate", kw_only=True):
    """One real gate, which took `gate_s`. `verdict` is its benchmark's, or the cause for which it has none."""

    change: float
    fault: str
    budget_s: float
    gate_s: float
    verdict: str
    exit_code: int
    told: str = ""
    ratio: Interval | None = None
    noise_floor: float | None = None
    smallest_detectable: float | None = None
    groups: int = 0


class GroupsRecord(_Measured, frozen=True, tag="groups", kw_only=True):
    """So many groups were recorded, in the file of their condition and scenario."""

    groups: int


class WeighedRecord(_Measured, frozen=True, tag="weighed", kw_only=True):
    """The shares that the injected work came to."""

    achieved: tuple[Achieved, ...]


class MutantRecord(_Measured, frozen=True, tag="mutant", kw_only=True):
    """One mutant of V2, and the case that caught it; None of a survivor, with the reason that is known for it.

    `is_stillborn`: it fails on any tree, so that it counts for nothing.
    """

    name: str
    caught_by: str | None
    is_by_hand: bool = True
    is_stillborn: bool = False
    reason: str | None = None


class RecordedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group of three arms of the same code: ns of each round by arm, and what it took with all starts."""

    times: dict[str, list[float]]
    at: str
    took_s: float


Line = TypeVar("Line")
Record = GateRecord | GroupsRecord | WeighedRecord | MutantRecord
_LINE = msgspec.json.Decoder(Header | Record)
_GROUP = msgspec.json.Decoder(RecordedGroup)


@dataclass(slots=True)
class Recorded:
    """Everything that stands in a folder."""

    header: Header
    records: list[Record] = field(default_factory=list)
    groups: dict[tuple[str, str], list[RecordedGroup]] = field(default_factory=dict)

    @property
    def spent_s(self) -> float:
        """What all steps took."""
        return sum(one.elapsed_s for one in self.records)

    def spent_by_lane(self) -> dict[str, float]:
        """What the steps of each lane took."""
        found: dict[str, float] = {}
        for one in self.records:
            found[one.lane] = found.get(one.lane, 0.0) + one.elapsed_s
        return found

    def steps_by_lane(self) -> dict[str, int]:
        """How many steps of each lane there were; mutants are no steps."""
        found: dict[str, int] = {}
        for one in self.records:
            if not isinstance(one, MutantRecord):
                found[one.lane] = found.get(one.lane, 0) + 1
        return found


class Log:
    """The files of one self-test in a folder; every record is on the disk before the next step begins."""

    def __init__(self, folder: Path, recorded: Recorded) -> None:
        self._folder = folder
        self.recorded = recorded

    @classmethod
    def begun(cls, folder: Path, header: Header) -> Log:
        """A new self-test; what an earlier one left is moved aside, under the time at which that began."""
        if (folder / LOG).exists():
            _move_aside(folder)
        log = cls(folder, Recorded(header))
        log._append(LOG, [header])
        return log

    @classmethod
    def resumed(cls, folder: Path, header: Header) -> Log:
        """Go on with the self-test that stands there. Raises SelfTestError for none, or another one."""
        if not (folder / LOG).exists():
            raise SelfTestError(
                f"{folder / LOG}: expected a self-test to resume, found none; leave --resume out"
            )
        found = read(folder)
        other = [
            f"{name} {getattr(found.header, name)} (now {getattr(header, name)})"
            for name in ("schema_version", "code", "machine", "seed", "is_quick")
            if getattr(found.header, name) != getattr(header, name)
        ]
        if other:
            raise SelfTestError(
                f"{folder / LOG}: expected a self-test of the same, found one of {', '.join(other)}; "
                "leave --resume out"
            )
        return cls(folder, found)

    def append(self, record: Record, groups: Iterable[RecordedGroup] = ()) -> None:
        """Keep a record, and the groups that it tells of."""
        key = (record.condition, record.scenario)
        fresh = list(groups)
        if fresh:
            self._append(groups_file(*key), fresh)
            self.recorded.groups.setdefault(key, []).extend(fresh)
        self._append(LOG, [record])
        self.recorded.records.append(record)

    def _append(self, name: str, lines: Iterable[object]) -> None:
        with open(self._folder / name, "ab") as file:
            file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in lines))
            file.flush()
            os.fsync(file.fileno())


def groups_file(condition: str, scenario: str) -> str:
    """Where the groups of a condition and a scenario stand."""
    return f"selftest-groups-{condition}-{scenario.replace(' ', '-')}.jsonl"


def read(folder: Path) -> Recorded:
    """Everything that stands in a folder; a line that an interruption cut short is taken away.

    Raises SelfTestError for a line that is none, or where the header is missing.
    """
    path = folder / LOG
    lines = [_decoded(path, _LINE, line) for line in _whole_lines(path)]
    if not lines or not isinstance(lines[0], Header):
        raise SelfTestError(f"{path}: expected a header first, found none; leave --resume out")
    recorded = Recorded(lines[0], [one for one in lines if not isinstance(one, Header)])
    for key in {(one.condition, one.scenario) for one in recorded.records if isinstance(one, GroupsRecord)}:
        groups = folder / groups_file(*key)
        recorded.groups[key] = [_decoded(groups, _GROUP, line) for line in _whole_lines(groups)]
    return recorded


def _decoded(path: Path, decoder: msgspec.json.Decoder[Line], line: bytes) -> Line:
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        raise SelfTestError(
            f"{path}: expected a record in each line, found {error}; leave --resume out"
        ) from error


def _whole_lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return whole.splitlines()


def _move_aside(folder: Path) -> None:
    try:
        began = read(folder).header.started_at
    except SelfTestError:
        began = "unreadable"
    aside = folder / f"selftest-{began.replace(':', '')}"
    while aside.exists():
        aside = aside.with_name(aside.name + "-again")
    aside.mkdir()
    for path in sorted(folder.glob("selftest*")):
        if path.is_file():
            path.rename(aside / path.name)
