from __future__ import annotations

import pytest

from catalog.run_ids import RunId, RunIdError, complete_run_id

NOWHERE: dict[str, str] = {}
SET = {"WANDB_ENTITY": "env-team", "WANDB_PROJECT": "env-ocr"}


def test_a_bare_id_takes_entity_and_project_from_the_environment() -> None:
    assert complete_run_id("abc123", environ=SET) == RunId("env-team", "env-ocr", "abc123")


def test_what_stands_beside_the_id_in_a_config_goes_before_the_environment() -> None:
    found = complete_run_id("abc123", entity="team", project="ocr", environ=SET)
    assert found == RunId("team", "ocr", "abc123")


def test_what_the_id_says_itself_goes_before_everything() -> None:
    found = complete_run_id("own/mine/abc123", entity="team", project="ocr", environ=SET)
    assert found == RunId("own", "mine", "abc123")


def test_an_id_may_name_its_project_alone() -> None:
    assert complete_run_id("mine/abc123", environ=SET) == RunId("env-team", "mine", "abc123")


@pytest.mark.parametrize("beside", [None, "", "  ", 7, ["team"], "${team}", "a-${oc.env:USER}"])
def test_what_is_no_text_beside_the_id_counts_as_absent(beside: object) -> None:
    assert complete_run_id("abc123", entity=beside, project="ocr", environ=SET).entity == "env-team"


@pytest.mark.parametrize(
    ("given", "unset"),
    [
        ({}, "WANDB_ENTITY and WANDB_PROJECT"),
        ({"entity": "team"}, "WANDB_PROJECT"),
        ({"project": "ocr"}, "WANDB_ENTITY"),
    ],
)
def test_a_bare_id_that_nothing_completes_says_what_to_set(given: dict[str, str], unset: str) -> None:
    with pytest.raises(RunIdError) as refused:
        complete_run_id("abc123", environ=NOWHERE, **given)
    assert refused.value.remedy.startswith(f"set {unset},")
    assert "abc123" in refused.value.found


@pytest.mark.parametrize(
    "run_id", ["", "/", "a/b/c/d", "a b", "run?x", "a%2Fb", "x\ny", "a:b", "\ud800", "x" * 129]
)
def test_what_can_be_no_id_is_refused(run_id: str) -> None:
    with pytest.raises(RunIdError, match="a W&B run id"):
        complete_run_id(run_id, environ=SET)


def test_an_entity_that_would_lead_elsewhere_is_refused() -> None:
    with pytest.raises(RunIdError, match="entity or project"):
        complete_run_id("abc123", entity="team/../other", environ=SET)
