"""The table as data, and the rules of what a value tells."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from catalog.contract import (
    FIELDS,
    LOSS,
    MAX_WHOLE,
    MODE,
    MOMENT,
    NUMBER,
    SHARE,
    SILENT,
    TEXT,
    UNUSABLE,
    WHOLE,
    Rule,
    Source,
)

RULES = {
    "text": TEXT,
    "whole": WHOLE,
    "number": NUMBER,
    "share": SHARE,
    "loss": LOSS,
    "mode": MODE,
    "moment": MOMENT,
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("value", [None, "", "  ", "unknown"])
def test_nothing_empty_and_unknown_are_silent_to_every_rule(rule: Rule, value: object) -> None:
    assert rule.accept(value) is SILENT


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@pytest.mark.parametrize("value", [True, False, [], {}, [1], {"a": 1}, b"x", 1j], ids=repr)
def test_containers_and_bools_are_usable_to_no_rule(rule: Rule, value: object) -> None:
    assert rule.accept(value) is UNUSABLE


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),
        ("007", 7),
        ("0", 0),
        (MAX_WHOLE, MAX_WHOLE),
        (str(MAX_WHOLE), MAX_WHOLE),
        ("0" * 5000 + "3", 3),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_whole_number_may_be_written_in_three_ways(value: object, told: int) -> None:
    assert WHOLE.accept(value) == told


@pytest.mark.parametrize(
    "value",
    [-1, 1.5, math.nan, math.inf, 1e300, MAX_WHOLE + 1, "-1", "1.0", "+1", " 1", "1_0", "٣", "9" * 5000, "x"],
)
def test_other_numbers_are_no_whole_numbers(value: object) -> None:
    assert WHOLE.accept(value) is UNUSABLE


@pytest.mark.parametrize(("value", "told"), [(1, 1.0), (0.5, 0.5), ("1e-3", 0.001), (" 2 ", 2.0), (-3, -3.0)])
def test_a_number_may_be_what_float_reads(value: object, told: float) -> None:
    assert NUMBER.accept(value) == told


@pytest.mark.parametrize("value", [math.nan, math.inf, "nan", "-inf", "abc", 10**400])
def test_what_is_not_finite_is_no_number(value: object) -> None:
    assert NUMBER.accept(value) is UNUSABLE


def test_a_share_lies_in_the_unit_interval_and_a_loss_above_zero() -> None:
    assert [SHARE.accept(value) for value in (0, 1, "0.5")] == [0.0, 1.0, 0.5]
    assert [SHARE.accept(value) for value in (-0.1, 1.1)] == [UNUSABLE, UNUSABLE]
    assert LOSS.accept(12) == 12.0
    assert LOSS.accept(-1e-9) is UNUSABLE


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("2025-10-19T08:07:06", "20251019_0807"),
        ("2025-10-19T23:07:06+09:00", "20251019_2307"),
        ("2025-10-19T23:07:06Z", "20251019_2307"),
        ("2025-10-19", "20251019_0000"),
        (dt.datetime(2025, 10, 19, 8, 7, tzinfo=dt.UTC), "20251019_0807"),
        (dt.date(985, 1, 2), "09850102_0000"),
    ],
)
def test_a_moment_keeps_its_wall_clock_as_written(value: object, told: str) -> None:
    assert MOMENT.accept(value) == told


@pytest.mark.parametrize("value", ["yesterday", "2025-13-01", 20251019, 1.5])
def test_what_is_no_iso_8601_is_no_moment(value: object) -> None:
    assert MOMENT.accept(value) is UNUSABLE


def test_text_without_a_utf_8_form_is_unusable() -> None:
    assert TEXT.accept("d\ud800b") is UNUSABLE
    assert TEXT.accept("größe") == "größe"


def test_a_mode_is_min_or_max_to_the_letter() -> None:
    assert [MODE.accept(value) for value in ("min", "max", "Max")] == ["min", "max", UNUSABLE]


def test_the_table_asks_in_the_order_of_the_contract() -> None:
    order = {row.field: [place.source for place in row.places] for row in FIELDS}
    run = [Source.WANDB_HISTORY, Source.WANDB_SUMMARY]
    assert order == {
        "architecture": [Source.SIDECAR, Source.CONFIG, Source.WANDB_CONFIG, Source.NAMES],
        "backbone": [Source.SIDECAR, Source.CONFIG, Source.WANDB_CONFIG, Source.NAMES, Source.CHECKPOINT],
        "exp_name": [Source.SIDECAR, Source.NAMES],
        "epochs": [
            Source.SIDECAR,
            Source.CHECKPOINT,
            Source.NAMES,
            Source.WANDB_SUMMARY,
            Source.CONFIG,
            Source.NAMES,
        ],
        "hmean": [Source.SIDECAR, Source.CHECKPOINT, *run],
        "precision": [Source.SIDECAR, Source.CHECKPOINT, *run],
        "recall": [Source.SIDECAR, Source.CHECKPOINT, *run],
        "created_timestamp": [Source.SIDECAR],
        "monitor": [Source.SIDECAR, Source.CONFIG, Source.CHECKPOINT, Source.WANDB_CONFIG],
        "monitor_mode": [Source.SIDECAR, Source.CONFIG, Source.CHECKPOINT, Source.WANDB_CONFIG],
    }
