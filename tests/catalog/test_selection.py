"""Conditions, the best of a group, order and number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.records import CheckpointCatalogEntry
from catalog.selection import Selection, SelectionError, parse_condition


def entry(name: str, **fields: Any) -> CheckpointCatalogEntry:
    told: dict[str, Any] = {
        "checkpoint_path": Path("outputs") / name,
        "config_path": None,
        "display_name": name,
        "architecture": "dbnet",
        "backbone": "resnet18",
        "exp_name": "one",
        "epochs": 1,
        "created_timestamp": "20250101_0000",
    }
    return CheckpointCatalogEntry(**told | fields)


ENTRIES = [
    entry("a", hmean=0.8, epochs=3, exp_name="one"),
    entry("b", hmean=0.9, epochs=1, exp_name="one", architecture="pan", has_metadata=True),
    entry("c", hmean=None, epochs=2, exp_name="two", has_metadata=True),
    entry("d", hmean=0.7, epochs=9, exp_name="two", score=0.2, monitor_mode="min"),
    entry("e", hmean=0.6, epochs=8, exp_name="two", score=0.4, monitor_mode="min"),
]


def names(selection: Selection) -> str:
    return "".join(one.display_name for one in selection.apply(ENTRIES))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("hmean>0.7", "ab"),
        ("hmean >= 0.7", "abd"),
        ("hmean!=0.9", "ade"),
        ("epochs=2", "c"),
        ("epochs<3", "bc"),
        ("architecture==pan", "b"),
        ("exp_name='two'", "cde"),
        ("score<1", "de"),
        ("has_metadata=yes", "bc"),
        ("has_metadata=YES", "bc"),
        ("has_metadata == 'True'", "bc"),
        ("has_metadata!=no", "bc"),
        ("has_metadata!=false", "bc"),
        ("has_metadata=No", "ade"),
        ("has_metadata=FALSE", "ade"),
    ],
)
def test_a_condition_keeps_what_fulfils_it_and_never_what_is_not_told(text: str, kept: str) -> None:
    assert names(Selection(conditions=[parse_condition(text)])) == kept


@pytest.mark.parametrize("text", ["hmean", "hmean>", "speed>3", "hmean>high", ">3", "hmean~1"])
def test_a_condition_that_cannot_be_understood_says_what_could(text: str) -> None:
    with pytest.raises(SelectionError, match="expected"):
        parse_condition(text)


@pytest.mark.parametrize("value", ["1", "ja", "yes no", "-"])
def test_what_is_neither_yes_nor_no_is_refused_and_said_so(value: str) -> None:
    with pytest.raises(SelectionError, match=f"expected yes or no for has_metadata, found '{value}'"):
        parse_condition(f"has_metadata={value}")


def test_the_best_is_kept_of_each_architecture_or_of_each_backbone() -> None:
    entries = [
        entry("a", architecture="dbnet", backbone="resnet18", hmean=0.5),
        entry("b", architecture="dbnet", backbone="resnet50", hmean=0.6),
        entry("c", architecture="pan", backbone="resnet50", hmean=0.7),
    ]
    for per, kept in (("architecture", "bc"), ("backbone", "ac")):
        found = Selection(best="hmean", per=per).apply(entries)
        assert "".join(one.display_name for one in found) == kept


def test_the_best_of_each_experiment_is_kept_and_a_minimised_score_counts_downwards() -> None:
    assert names(Selection(best="hmean")) == "b"
    assert names(Selection(best="hmean", per="experiment")) == "bd"
    assert names(Selection(best="score", per="experiment")) == "d"


def test_sorting_puts_what_is_not_told_last_in_both_directions() -> None:
    assert names(Selection(sort="hmean")) == "edabc"
    assert names(Selection(sort="-hmean")) == "badec"
    assert names(Selection(sort="-checkpoint_path", limit=2)) == "ed"


def test_experiments_match_by_pattern_and_architectures_by_name() -> None:
    assert names(Selection(experiment="t*")) == "cde"
    assert names(Selection(architecture="pan")) == "b"
    assert names(Selection(limit=0)) == ""
