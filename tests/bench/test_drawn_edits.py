"""Drawn edits keep trees small, change answers, repeat for a seed, and are reduced to what matters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.case import checkpoint, plan_of
from bench.differences import KnownDifferences
from bench.drawn_edits import Reducing, drawn_edits
from bench.edits import edit_between
from bench.equality import Difference, Listing
from bench.search import MOST_CHECKPOINTS
from bench.subject import Subject
from bench.trial import Finding, Told, Trial, Witness
from bench.zone import time_zone
from fixtures.generate import write_plan
from fixtures.plan import Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.case import Case

CATALOGS = str(Path(__file__).parent)


def test_edits_are_small_and_many_of_them_change_the_answer() -> None:
    with time_zone():
        cases = list(drawn_edits(60, seed=1))
        again = list(drawn_edits(60, seed=1))
    assert [one.plans for one in cases] == [one.plans for one in again]
    assert {one.name for one in cases} == {f"drawn edit/{number}" for number in range(1, 61)}
    assert all(len(one.plans) == 3 and one.checkpoints <= MOST_CHECKPOINTS for one in cases)
    assert sum(one.expected[0] != one.expected[1] for one in cases) >= 15
    assert any(one.plans[2] == one.plans[0] != one.plans[1] for one in cases)
    assert any(one.plans[2] not in one.plans[:2] for one in cases)


def test_every_state_can_be_written(tmp_path: Path) -> None:
    with time_zone():
        for case in drawn_edits(15, seed=2):
            for number, plan in enumerate(case.plans):
                root = tmp_path / case.name / str(number)
                write_plan(plan, root)
                assert all(os.path.lexists(root / path) for path in plan.nodes)


def test_a_finding_is_reduced_to_the_edit_that_it_needs() -> None:
    def is_edited(case: Case) -> bool:
        return len(case.plans) > 1 and any("made" in one for one in edit_between(*case.plans[:2]))

    def examine(cases: Sequence[Case]) -> Iterator[Finding]:
        told = Told(Listing(()), (Difference("x.ckpt", "listed", "not listed", "listed"),))
        yield from (Finding(case, 1, {"mine": told}) for case in cases if is_edited(case))

    with time_zone():
        found = next(examine(list(drawn_edits(60, seed=3))))
        reduced = Reducing(examine).reduced(found)
    assert len(reduced.case.plans) == 2
    assert len(list(edit_between(*reduced.case.plans))) == 1
    assert sum(len(plan.nodes) for plan in reduced.case.plans) < sum(len(one.nodes) for one in found.case.plans)


def test_one_that_remembers_for_good_is_caught_by_them(tmp_path: Path) -> None:
    stale = Subject("stale", "catalogs:stale", search_path=(CATALOGS,), fields=("checkpoint_path",))
    with time_zone(), Trial([Witness(stale, fields=stale.fields)], KnownDifferences(()), tmp_path) as trial:
        found = list(trial.examine_edited(list(drawn_edits(20, seed=1)), lambda _: None))
    assert any(one.state > 0 and ("stale", "listed") in one.signature for one in found)


def test_an_edit_is_told_file_by_file() -> None:
    before = plan_of([checkpoint("r/a.ckpt", epoch=1), checkpoint("r/b.ckpt", epoch=1)])
    after = plan_of([checkpoint("r/a.ckpt", epoch=2), checkpoint("r/c.ckpt", epoch=1)])
    told = ["r/a.ckpt: rewritten", "r/b.ckpt: removed", "r/c.ckpt: made"]
    assert list(edit_between(before, after)) == told
    linked = plan_of([Link(path="r/a.ckpt", target="b.ckpt", mtime_ns=1), checkpoint("r/b.ckpt", epoch=1)])
    assert list(edit_between(before, linked)) == ["r/a.ckpt: a link now"]
    assert list(edit_between(before, before)) == []
