"""The one result object of a reproduction, and the file that keeps it.

Everything that a report shows stands in it, beside the raw samples that it was computed from. Times are
nanoseconds, sizes bytes, shares between 0 and 1; a ratio is the reference's time over the candidate's.
"""

from __future__ import annotations

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from bench.asking_cell import AskingCell

SCHEMA_VERSION = 1


class ResultError(ValueError):
    """A stored result cannot be used; says where, what was expected, what was found, and the remedy."""


class RowVerdict(StrEnum):
    """How a row's measured ratio stands to its claim, or why there is none to speak of."""

    HOLDS = "holds"
    ABOVE = "above the claim"
    BELOW = "below the claim"
    UNCLEAR = "inconclusive"
    NO_CLAIM = "no claim"
    OUTPUTS_DIFFER = "outputs differ"
    NOTHING_MEASURED = "nothing measured"


class TargetState(StrEnum):
    """Whether a target was kept, or why nobody can say."""

    MET = "met"
    MISSED = "missed"
    UNCLEAR = "inconclusive"
    OUTPUTS_DIFFER = "outputs differ"
    NOTHING_MEASURED = "nothing measured"
    NOT_IN_THIS_RUN = "not in this run"


class EqualityVerdict(StrEnum):
    """Whether two answers are the same; one that is missing, or too short, is no wrong answer but none."""

    EQUAL = "equal"
    DIFFER = "outputs differ"
    NOTHING_MEASURED = "nothing measured"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with the bounds of its 95 % interval; the bounds are `None` where samples were too few."""

    estimate: float
    low: float | None = None
    high: float | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long one implementation took for the whole catalog, and so for one listed checkpoint."""

    contestant: str
    total_ns: Interval
    per_checkpoint_ns: float
    calls: int
    processes: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario on one tree: its conditions, what was claimed, what was measured, and the verdict.

    `ratio`, `times_floor` and the standings are `None` or empty in a void row.
    """

    scenario: str
    title: str
    setting: str
    tree: str
    checkpoints: int
    checkpoint_bytes: int
    sidecar_share: float
    cache_state: str
    claimed_legacy: str
    claimed_v2: str
    claimed_ratio: str
    reference: Timing | None = None
    candidate: Timing | None = None
    floor: Timing | None = None
    ratio: Interval | None = None
    times_floor: float | None = None
    verdict: RowVerdict = RowVerdict.NOTHING_MEASURED
    remarks: tuple[str, ...] = ()


class TargetOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One target on one tree: the limit, the measured value in the limit's unit, and the verdict."""

    name: str
    limit: str
    scenario: str
    tree: str
    measured: Interval | None
    unit: str
    verdict: TargetState


class EqualityOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Two answers of one setting compared; `reason` tells the first difference, or why there is no answer."""

    setting: str
    tree: str
    left: str
    right: str
    entries: int
    fields: int
    differences: int
    verdict: EqualityVerdict
    reason: str = ""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A difference that the contract declares, and how many checkpoints it concerned in this run."""

    what: str
    checkpoints: int


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """What the same code measured against itself: the ratio should be 1, and how far it is off is noise."""

    setting: str
    tree: str
    ratio: Interval


class TreeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A generated tree: the spec that repeats it, and its size."""

    name: str
    spec: dict[str, Any]
    checkpoints: int
    listed: int
    size_bytes: int


class SettingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The raw samples of one setting on one tree, with the orders and seeds that they were taken in."""

    setting: str
    tree: str
    is_complete: bool
    samples: dict[str, Any]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, or what of it was finished (`is_complete`) when the file was written."""

    schema_version: int = SCHEMA_VERSION
    kind: str = "reproduce"
    started_at: str
    is_complete: bool = False
    profile: str
    seed: int
    is_quick: bool
    budget_s: float
    environment: dict[str, Any]
    contestants: dict[str, str] = {}
    trees: tuple[TreeRecord, ...] = ()
    rows: tuple[Row, ...] = ()
    targets: tuple[TargetOutcome, ...] = ()
    equality: tuple[EqualityOutcome, ...] = ()
    declared: tuple[Declared, ...] = ()
    noise: tuple[Noise, ...] = ()
    notes: tuple[str, ...] = ()
    settings: tuple[SettingRecord, ...] = ()
    asking: tuple[AskingCell, ...] = ()
    exit_code: int | None = None
    verdict: str = "not finished"


def save(result: msgspec.Struct, path: Path) -> None:
    """Write `result` to `path` whole or not at all. Raises `OSError` where the disk refuses."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text + b"\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> Result:
    """Read a result that `save` wrote. Raises `ResultError`, for another schema version too."""
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Versioned).schema_version
    except OSError as error:
        raise ResultError(
            f"{path}: expected a result, found {error.strerror}; run `ckpt-bench reproduce`"
        ) from error
    except msgspec.DecodeError as error:
        raise ResultError(
            f"{path}: expected a result, found {error}; run `ckpt-bench reproduce` again"
        ) from error
    if version != SCHEMA_VERSION:
        raise ResultError(
            f"{path}: expected schema version {SCHEMA_VERSION}, found {version}; "
            "read it with the version of ckpt-bench that wrote it, or measure again"
        )
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.DecodeError as error:
        raise ResultError(
            f"{path}: expected a result, found {error}; run `ckpt-bench reproduce` again"
        ) from error


class _Versioned(msgspec.Struct):
    schema_version: int
