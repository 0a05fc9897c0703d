"""The named cases are complete, told apart, and answered by V2 as they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.case import checkpoint, config, plan_of
from bench.cases import named_cases
from bench.contract_rules import RULES
from bench.damaged import _LEFT_OUT
from bench.differences import KnownDifferences
from bench.equality import ENTRY_FIELDS
from bench.subject import Subject
from bench.trial import Trial, Witness
from bench.zone import time_zone
from fixtures import untidy_configs, untidy_sidecars
from fixtures.damage import DEFECTS

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"


def test_no_two_cases_have_one_name() -> None:
    assert [name for name, count in Counter(one.name for one in named_cases()).items() if count > 1] == []


def test_every_entry_of_the_tables_is_a_case() -> None:
    names = [one.name for one in named_cases()]
    begins = Counter(name.partition("/")[0] for name in names)
    assert begins["sidecar"] == len(untidy_sidecars.VALUES) + len(untidy_sidecars.SPELLINGS)
    assert begins["config"] == len(untidy_configs.VALUES)
    for defect in DEFECTS.values():
        if defect.name not in {*_LEFT_OUT, "unreadable"}:
            assert {f"damage/{kind}/{defect.name}" for kind in defect.kinds} <= set(names)


def test_nothing_that_is_compared_lacks_a_rule_in_the_words_of_the_contract() -> None:
    contract = " ".join(CONTRACT.read_text(encoding="utf-8").split())
    for name in (*ENTRY_FIELDS, "listed", "order", "skipped", "problems", "raises", "answers", "written"):
        assert " ".join(RULES[name].split()) in contract, name


def test_cases_of_more_than_five_checkpoints_are_none() -> None:
    assert max(one.checkpoints for one in named_cases()) <= 5


def test_a_plan_replaces_nodes_and_adds_the_folders_that_hold_them() -> None:
    plan = plan_of(
        [checkpoint("a/b/x.ckpt", epoch=1), config("a/c.json", {}), checkpoint("a/b/x.ckpt", epoch=2)]
    )
    assert sorted(plan.nodes) == ["a", "a/b", "a/b/x.ckpt", "a/c.json"]
    assert plan.nodes["a/b/x.ckpt"] == checkpoint("a/b/x.ckpt", epoch=2)


@pytest.mark.parametrize("target", ["catalog.subjects:v2"])
def test_v2_answers_every_case_as_the_contract_does(target: str, tmp_path: Path) -> None:
    known = KnownDifferences(())
    with time_zone(), Trial([Witness(Subject("v2", target))], known, tmp_path) as trial:
        strayed = [one.name for one in named_cases() if trial.examine(one) is not None]
    assert strayed == []
