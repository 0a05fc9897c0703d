"""The contract's table of sources as data: which field believes which source first, and what it takes.

`docs/contract.md` says why. A *place* is one cell of the table: a source and the dotted keys that are
looked for in its documents. A *rule* decides what a value found there tells.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from catalog.records import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHITECTURES: Final = ("dbnetpp", "dbnet", "craft", "pan", "psenet")
ENCODERS: Final = (
    "mobilenetv3_small_050",
    "mobilenetv3_small_075",
    "mobilenetv3_large_100",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "efficientnet_b0",
    "efficientnet_b3",
    "efficientnet_v2_s",
)
MAX_WHOLE: Final = 2**63 - 1


class Source(StrEnum):
    """Where a value comes from; what `provenance` says."""

    SIDECAR = "sidecar"
    CHECKPOINT = "checkpoint"
    WANDB_HISTORY = "wandb-history"
    WANDB_SUMMARY = "wandb-summary"
    WANDB_CONFIG = "wandb-config"
    CONFIG = "config"
    NAMES = "names"
    FILE = "file"


WANDB_SOURCES: Final = frozenset({Source.WANDB_HISTORY, Source.WANDB_SUMMARY, Source.WANDB_CONFIG})
METADATA_SOURCES: Final = WANDB_SOURCES | {Source.SIDECAR}


class _Verdict:
    """A value that tells nothing: silent, or unusable and worth a problem."""


SILENT: Final = _Verdict()
UNUSABLE: Final = _Verdict()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field takes: `accept` gives the told value, `SILENT` or `UNUSABLE`."""

    expected: str
    accept: Callable[[object], object]


def _is_silent(value: object) -> bool:
    return value is None or (isinstance(value, str) and (value == UNKNOWN or not value or value.isspace()))


def accept_text(value: object) -> object:
    """Text as it stands; unusable where it holds what no UTF-8 can (a lone surrogate)."""
    if _is_silent(value):
        return SILENT
    if not isinstance(value, str):
        return UNUSABLE
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return UNUSABLE
    return value


_DIGITS = re.compile(r"[0-9]{1,19}")


def accept_whole(value: object) -> object:
    """A whole number from 0 to 2^63-1: an int, a float without fraction, ASCII digits."""
    if type(value) is int and 0 <= value <= MAX_WHOLE:  # what nearly all are, told without further questions
        return value
    if _is_silent(value):
        return SILENT
    number: int
    if isinstance(value, bool):
        return UNUSABLE
    if isinstance(value, int):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, str) and _DIGITS.fullmatch(value.lstrip("0") or "0") and value.isascii():
        number = int(value.lstrip("0") or "0")
    else:
        return UNUSABLE
    return number if 0 <= number <= MAX_WHOLE else UNUSABLE


def accept_number(value: object) -> object:
    """A finite number as a float: an int, a float, a string that `float()` reads."""
    if _is_silent(value):
        return SILENT
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return UNUSABLE
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return UNUSABLE
    return number if math.isfinite(number) else UNUSABLE


def accept_share(value: object) -> object:
    """A number in [0, 1]."""
    if type(value) is float and 0.0 <= value <= 1.0:  # what nearly all are, told without further questions
        return value
    number = accept_number(value)
    return UNUSABLE if isinstance(number, float) and not 0 <= number <= 1 else number


def accept_loss(value: object) -> object:
    """A number that is at least 0."""
    number = accept_number(value)
    return UNUSABLE if isinstance(number, float) and number < 0 else number


def accept_mode(value: object) -> object:
    """`min` or `max`."""
    if _is_silent(value):
        return SILENT
    return value if isinstance(value, str) and value in {"min", "max"} else UNUSABLE


def accept_moment(value: object) -> object:
    """An ISO 8601 moment as `YYYYmmdd_HHMM`, its wall clock as written; a date is midnight."""
    if _is_silent(value):
        return SILENT
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return UNUSABLE
        if value[4:5] == value[7:8] == "-" and value[13:14] == ":":  # as nearly all are written
            return f"{value[:4]}{value[5:7]}{value[8:10]}_{value[11:13]}{value[14:16]}"
        value = moment
    if isinstance(value, dt.datetime):
        written = value.isoformat(timespec="minutes")
        return f"{written[:4]}{written[5:7]}{written[8:10]}_{written[11:13]}{written[14:16]}"
    if isinstance(value, dt.date):
        return f"{value.year:04}{value.month:02}{value.day:02}_0000"
    return UNUSABLE


TEXT: Final = Rule("text", accept_text)
WHOLE: Final = Rule("a whole number from 0 to 2^63-1", accept_whole)
NUMBER: Final = Rule("a finite number", accept_number)
SHARE: Final = Rule("a number in [0, 1]", accept_share)
LOSS: Final = Rule("a number of at least 0", accept_loss)
MODE: Final = Rule("'min' or 'max'", accept_mode)
MOMENT: Final = Rule("an ISO 8601 date and time", accept_moment)


class Key:
    """A dotted key and its steps, split once: `Key("model.encoder.name").steps`."""

    __slots__ = ("dotted", "steps")

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted
        self.steps = tuple(dotted.split("."))

    def __repr__(self) -> str:
        return f"Key({self.dotted!r})"


@dataclass(frozen=True, slots=True)
class Place:
    """One cell of the table: a source, and the keys that are tried in it, in order."""

    source: Source
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a field, what it takes, and whom it asks, in order."""

    field: str
    rule: Rule
    places: tuple[Place, ...]


def _place(source: Source, *dotted: str) -> Place:
    return Place(source, tuple(Key(one) for one in dotted))


_ARCHITECTURE_KEYS: Final = ("model.architectures", "model.architecture", "model.architecture_name")
_ENCODER_KEYS: Final = ("model.encoder.model_name", "model.encoder.name")


def _metric(name: str) -> Row:
    return Row(
        name,
        SHARE,
        (
            _place(Source.SIDECAR, f"metrics.{name}", f"metrics.val/{name}"),
            _place(Source.CHECKPOINT, f"cleval_metrics.{name}"),
            _place(Source.WANDB_HISTORY, f"test/{name}", f"val/{name}"),
            _place(Source.WANDB_SUMMARY, f"test/{name}", f"val/{name}"),
        ),
    )


def _checkpointing(field: str, rule: Rule, name: str) -> Row:
    return Row(
        field,
        rule,
        (
            _place(Source.SIDECAR, f"checkpointing.{name}", f"config.{name}"),
            # Sources hand out the one callback that the contract chooses in place of all of them.
            _place(Source.CONFIG, f"callbacks.{name}"),
            _place(Source.CHECKPOINT, f"callbacks.{name}"),
            _place(Source.WANDB_CONFIG, f"callbacks.{name}"),
        ),
    )


# The order of the rows does not matter. Score stands apart (`merge`): it depends on `monitor`.
FIELDS: Final = (
    Row(
        "architecture",
        TEXT,
        (
            _place(Source.SIDECAR, "model.architecture"),
            _place(Source.CONFIG, *_ARCHITECTURE_KEYS),
            _place(Source.WANDB_CONFIG, *_ARCHITECTURE_KEYS),
            _place(Source.NAMES, "architecture"),
        ),
    ),
    Row(
        "backbone",
        TEXT,
        (
            _place(Source.SIDECAR, "model.encoder.model_name"),
            _place(Source.CONFIG, *_ENCODER_KEYS),
            _place(Source.WANDB_CONFIG, *_ENCODER_KEYS),
            _place(Source.NAMES, "backbone"),
            _place(Source.CHECKPOINT, "shapes.backbone"),
        ),
    ),
    Row("exp_name", TEXT, (_place(Source.SIDECAR, "exp_name"), _place(Source.NAMES, "exp_name"))),
    Row(
        "epochs",
        WHOLE,
        (
            _place(Source.SIDECAR, "training.epoch"),
            _place(Source.CHECKPOINT, "epoch"),
            _place(Source.NAMES, "epoch"),
            _place(Source.WANDB_SUMMARY, "epoch"),
            _place(Source.CONFIG, "trainer.max_epochs"),
            _place(Source.NAMES, "sentinel_epoch"),
        ),
    ),
    _metric("hmean"),
    _metric("precision"),
    _metric("recall"),
    Row(
        "created_timestamp",
        MOMENT,
        (_place(Source.SIDECAR, "created_at"),),
    ),
    _checkpointing("monitor", TEXT, "monitor"),
    _checkpointing("monitor_mode", MODE, "mode"),
)

SCORE_METRICS: Final = {
    "hmean": ("hmean", SHARE),
    "precision": ("precision", SHARE),
    "recall": ("recall", SHARE),
    "loss": ("validation_loss", LOSS),
    "validation_loss": ("validation_loss", LOSS),
}
"""The last part of a monitor -> the sidecar's metric of that name, and what it takes."""

OLDER_METRICS: Final = {"hmean": "val/hmean", "precision": "val/precision", "recall": "val/recall"} | {
    "validation_loss": "val/loss"
}
"""A V1 metric -> its key in older sidecars."""
