"""Edits change what must be answered, are undone again, and tell nobody by a time of modification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.differences import KnownDifferences
from bench.edits import edited_cases
from bench.subject import Subject
from bench.trial import Trial, Witness

if TYPE_CHECKING:
    from bench.case import Case

CASES = list(edited_cases())
CATALOGS = str(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_edit_changes_the_answer_and_is_undone(case: Case) -> None:
    before, after, again = case.expected
    assert before == again != after
    assert case.checkpoints <= 5


def test_a_catalog_that_remembers_for_good_is_caught_and_v2_that_remembers_is_not(tmp_path: Path) -> None:
    stale = Subject("stale", "catalogs:stale", search_path=(CATALOGS,), fields=("checkpoint_path",))
    sound = Subject(
        "v2", "catalog.subjects:v2_remembered", environment={"CKPT_CATALOG_INDEX_DIR": str(tmp_path)}
    )
    chosen = [one for one in CASES if one.name in {"edit/checkpoint removed", "edit/checkpoint renamed"}]
    with Trial([Witness(stale, fields=stale.fields), Witness(sound)], KnownDifferences(()), tmp_path) as trial:
        found = list(trial.examine_edited(chosen, lambda _: None))
    assert {(one.state, *one.signature) for one in found} == {(1, ("stale", "listed"))}
    assert len(found) == len(chosen)
