"""Trends: what is compared with what, in which order, and what is said of the rest."""

from __future__ import annotations

import pytest
from msgspec import structs

from bench.changes import Changes
from bench.history import Commit, Entry
from bench.trend import NoTrend, Trend, Wanted, trend
from tests.bench.histories import entry

WANTED = Wanted(scenario="sidecars-warm")


def of(entries: list[Entry], wanted: Wanted = WANTED, **rest: object) -> Trend:
    return trend(entries, wanted, find=lambda *_, **__: Changes(noise_sd=0, smallest_step=None), **rest)  # type: ignore[arg-type]


def names(found: Trend) -> list[str]:
    return [one.commit for one in found.points]


def test_commits_stand_in_the_order_of_their_ancestry_and_not_of_their_measurement_or_clock() -> None:
    late = entry(1, commit=Commit(name="late", time_s=0, ancestors=9, is_dirty=False))
    assert names(of([late, entry(3), entry(1), entry(2)])) == ["c001", "c002", "c003", "late"]


def test_without_ancestry_the_time_of_the_commit_orders_and_that_is_said() -> None:
    shallow = entry(2, commit=Commit(name="x", time_s=1_800_000_000, is_dirty=False))
    found = of([shallow, entry(1)])
    assert names(found) == ["c001", "x"]
    assert any("ordered by commit time" in note for note in found.notes)


def test_results_of_one_commit_are_one_point() -> None:
    (point,) = of([entry(1, 1.0), entry(1, 1.21)]).points
    assert point.ratio == pytest.approx(1.1)
    assert point.results == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"machine": "{}"}, "1 result of another machine"),
        ({"runtime": "CPython 3.12"}, "1 result of another interpreter"),
        ({"libraries": "{}"}, "1 result of another dependency versions"),
        ({"machine": "{}", "libraries": "{}"}, "1 result of another machine and dependency versions"),
    ],
)
def test_other_conditions_are_left_out_and_told_or_mixed_and_told(changes: dict[str, str], told: str) -> None:
    entries = [entry(1), structs.replace(entry(2), **changes), entry(3)]
    found = of(entries)
    assert names(found) == ["c001", "c003"]
    assert any(note.startswith(f"left out: {told}") for note in found.notes)
    mixed = of(entries, Wanted(scenario="sidecars-warm", is_mixed=True))
    assert [one.is_other for one in mixed.points] == [False, True, False]
    assert any(note.startswith(f"MIXED: {told}") for note in mixed.notes)


def test_another_reference_is_never_mixed_in_and_can_be_chosen() -> None:
    entries = [entry(1, reference="commit old"), entry(2), entry(3)]
    found = of(entries)
    assert (found.reference, names(found)) == ("commit ref", ["c002", "c003"])
    assert any("1 result of another reference" in note for note in found.notes)
    chosen = of(entries, Wanted(scenario="sidecars-warm", reference="old", is_mixed=True))
    assert names(chosen) == ["c001"]


def test_changed_trees_unknown_commits_and_other_branches_are_left_out_and_told() -> None:
    dirty = entry(2, commit=Commit(name="d", ancestors=2, is_dirty=True))
    entries = [entry(1), dirty, entry(3, commit=Commit()), entry(4)]
    found = of(entries, on_branch={"c001", "d"})
    assert names(found) == ["c001"]
    told = " ".join(found.notes)
    assert all(text in told for text in ("no known commit", "changes of its own", "HEAD does not contain"))
    with_dirty = Wanted(scenario="sidecars-warm", is_dirty_wanted=True)
    assert names(of(entries, with_dirty, on_branch={"c001", "d"})) == ["c001", "d"]


def test_few_commits_say_that_changes_are_not_looked_for() -> None:
    assert any("from 10 commits on; there are 1" in note for note in of([entry(1)]).notes)


@pytest.mark.parametrize(
    ("entries", "wanted", "told"),
    [
        ([], WANTED, "found none at all"),
        ([entry(1)], Wanted(scenario="sidecar"), "found sidecars-warm; `ckpt-bench history`"),
        (
            [entry(1)],
            Wanted(scenario="sidecars-warm", reference="v9"),
            "a reference with 'v9', found commit ref",
        ),
        ([entry(1)], Wanted(scenario="sidecars-warm", tree="big"), "a tree with 'big'"),
        ([entry(1, commit=Commit())], WANTED, "expected results of commits, found none"),
    ],
)
def test_where_nothing_is_left_the_error_says_what_there_is(
    entries: list[Entry], wanted: Wanted, told: str
) -> None:
    with pytest.raises(NoTrend, match=told):
        of(entries, wanted)
