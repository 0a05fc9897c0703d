"""Differences found and told; equal answers left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.equality import (
    ENTRY_FIELDS,
    INFO_FIELDS,
    Comparison,
    Listing,
    against_expected,
    compare,
    listing_of,
    listing_of_expected,
)
from bench.worker import Answer
from tests.bench.fakes import ROOT, answer_of, variant_of

RECORD = {
    "checkpoint_path": "a/x.ckpt",
    "config_path": None,
    "display_name": "x",
    "architecture": "dbnet",
    "backbone": "resnet18",
    "exp_name": "a",
    "epochs": 3,
    "hmean": 0.5,
    "precision": None,
    "recall": None,
    "created_timestamp": "20250101_0000",
    "monitor": None,
    "monitor_mode": None,
    "score": None,
    "has_metadata": True,
    "display_option": "dbnet",
}


def listing(*changes: dict[str, Any], **sets: frozenset[str]) -> Listing:
    return Listing(tuple(RECORD | change for change in changes), **sets)


def test_fields_are_those_that_the_contract_compares() -> None:
    assert set(ENTRY_FIELDS) == set(RECORD)
    assert set(INFO_FIELDS) < set(ENTRY_FIELDS)


def test_equal_listings_do_not_differ() -> None:
    assert compare(listing({}), listing({})) == ()


@pytest.mark.parametrize("field", sorted(set(RECORD) - {"checkpoint_path"}))
def test_every_field_is_compared(field: str) -> None:
    found = compare(listing({}), listing({field: "something else"}))
    assert [(one.path, one.field, one.right) for one in found] == [("a/x.ckpt", field, "'something else'")]


def test_a_missing_entry_is_told_as_not_listed() -> None:
    other = {"checkpoint_path": "b/y.ckpt"}
    found = compare(listing({}), listing({}, other))
    assert [(one.path, one.left, one.right) for one in found] == [("b/y.ckpt", "not listed", "listed")]


def test_an_entry_listed_twice_differs() -> None:
    assert compare(listing({}, {}), listing({}))[0].left == "listed 2 times"


def test_order_counts() -> None:
    other = {"checkpoint_path": "b/y.ckpt"}
    found = compare(listing({}, other), listing(other, {}))
    assert [(one.field, one.left, one.right) for one in found] == [
        ("order", "a/x.ckpt at place 0", "b/y.ckpt there")
    ]


def test_nan_equals_nan_and_nothing_else() -> None:
    nan = float("nan")
    assert compare(listing({"score": nan}), listing({"score": float("nan")})) == ()
    assert compare(listing({"score": nan}), listing({"score": 0.5})) != ()


def test_floats_compare_to_the_last_bit() -> None:
    assert compare(listing({"hmean": 0.1 + 0.2}), listing({"hmean": 0.3})) != ()


def test_a_whole_float_equals_the_int_but_a_bool_does_not() -> None:
    assert compare(listing({"hmean": 1.0}), listing({"hmean": 1})) == ()
    assert compare(listing({"hmean": True}), listing({"hmean": 1})) != ()


def test_a_field_that_a_record_lacks_differs_from_none() -> None:
    record = {name: value for name, value in RECORD.items() if name != "monitor"}
    found = compare(Listing((record,)), listing({}))
    assert [(one.field, one.left, one.right) for one in found] == [("monitor", "(absent)", "None")]


def test_fields_that_are_not_asked_for_are_not_compared() -> None:
    assert compare(listing({"score": 1.0}), listing({"score": 2.0}), fields=INFO_FIELDS) == ()


@pytest.mark.parametrize("name", ["skipped", "problems"])
def test_sets_of_paths_are_compared_where_both_tell_them(name: str) -> None:
    told, other = listing({}, **{name: frozenset({"a"})}), listing({}, **{name: frozenset({"b"})})
    assert [(one.path, one.field) for one in compare(told, other)] == [("a", name), ("b", name)]
    assert compare(told, listing({})) == ()


def test_the_first_difference_says_who_says_what() -> None:
    found = compare(listing({}), listing({"epochs": 4, "monitor": "val/loss"}))
    comparison = Comparison("v2", "legacy", 1, ENTRY_FIELDS, found)
    assert comparison.first_difference == "a/x.ckpt: epochs: v2 says 3, legacy says 4 (and 1 more)"
    assert not comparison.is_equal


def test_paths_are_made_relative_to_the_outputs_directory() -> None:
    answer = Answer(
        [{"checkpoint_path": "/o/a/x.ckpt", "config_path": "/o/a/config.yaml"}],
        ["text"],
        ["/o/a/y.ckpt"],
        ["/o", "/o/z.ckpt"],
    )
    told = listing_of(answer, Path("/o"))
    assert told.entries == (
        {"checkpoint_path": "a/x.ckpt", "config_path": "a/config.yaml", "display_option": "text"},
    )
    assert told.skipped == frozenset({"a/y.ckpt"})
    assert told.problems == frozenset({".", "z.ckpt"})


def test_a_path_elsewhere_stays_as_it_is_and_so_differs() -> None:
    told = listing_of(Answer([{"checkpoint_path": "/other/x.ckpt"}], [None], None, None), Path("/o"))
    assert told.entries == ({"checkpoint_path": "/other/x.ckpt"},)


def test_right_answers_equal_the_expected_one() -> None:
    variant = variant_of()
    told = listing_of(answer_of(variant.expected), ROOT)
    assert len(told) == 14
    assert against_expected(told, variant.expected) == ()


def test_old_records_are_held_to_their_own_display_text() -> None:
    variant = variant_of()
    told = listing_of(answer_of(variant.expected, INFO_FIELDS), ROOT)
    assert against_expected(told, variant.expected, fields=INFO_FIELDS, as_old_records=True) == ()
    new = compare(told, listing_of_expected(variant.expected), fields=INFO_FIELDS)
    assert {one.field for one in new} == {"display_option"}
