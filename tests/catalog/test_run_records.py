from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.run_records import (
    EXPIRES_NS,
    LOCAL,
    RunRecord,
    RunTeller,
    history_at,
    plain_config,
    plain_summary,
)


def row(step: int | None, epoch: int | None, **logged: float) -> dict[str, object]:
    """A logged row; `val_hmean` becomes `val/hmean`."""
    told: dict[str, object] = {key.replace("_", "/"): value for key, value in logged.items()}
    if step is not None:
        told["trainer/global_step"] = step
    if epoch is not None:
        told["epoch"] = epoch
    return told


# As Lightning logs two epochs of 4 batches, checked with lightning 2.6: checkpoints hold step 4 and 8.
LIGHTNING = [
    row(3, 0, train_loss=2.0),
    row(3, 0, val_hmean=0.1),
    row(7, 1, train_loss=1.0),
    row(7, 1, val_hmean=0.2),
    row(8, 2, test_hmean=0.9),
]


@pytest.mark.parametrize(("epoch", "step", "hmean"), [(0, 4, 0.1), (1, 8, 0.2)])
def test_lightnings_validation_of_a_checkpoint_stands_one_step_before_it(
    epoch: int, step: int, hmean: float
) -> None:
    assert history_at(LIGHTNING, epoch, step)["val/hmean"] == hmean


def test_lightnings_test_row_is_nobodys_since_it_may_be_of_any_checkpoint() -> None:
    assert "test/hmean" not in history_at(LIGHTNING, 1, 8)


def test_a_row_at_the_checkpoints_own_number_counts() -> None:
    rows = [row(100, 0, val_hmean=0.1), row(200, 1, val_hmean=0.2)]
    assert history_at(rows, 1, 200)["val/hmean"] == 0.2


def test_of_two_neighbouring_validations_lightnings_is_the_checkpoints() -> None:
    rows = [row(7, 1, val_hmean=0.1), row(8, 1, val_hmean=0.2, val_recall=0.3)]
    told = history_at(rows, 1, 8)
    assert (told["val/hmean"], told["val/recall"]) == (0.1, 0.3)


def test_the_row_of_a_neighbouring_step_does_not_count() -> None:
    rows = [row(100, 0, val_hmean=0.1), row(102, 0, val_hmean=0.2)]
    assert history_at(rows, 0, 104) == {}


def test_a_row_of_another_epoch_does_not_count_whatever_its_step() -> None:
    assert history_at([row(100, 3, val_hmean=0.1)], 1, 100) == {}


def test_without_steps_the_epoch_decides() -> None:
    rows = [row(None, 0, val_hmean=0.1), row(None, 1, val_hmean=0.2)]
    assert history_at(rows, 1, 500)["val/hmean"] == 0.2


def test_without_a_step_of_the_checkpoint_the_epoch_decides() -> None:
    assert history_at(LIGHTNING, 0, None)["val/hmean"] == 0.1


def test_an_epoch_that_was_validated_twice_does_not_tell_which() -> None:
    rows = [row(None, 1, val_hmean=0.1), row(None, 1, val_hmean=0.2)]
    assert "val/hmean" not in history_at(rows, 1, None)


def test_a_checkpoint_that_tells_neither_epoch_nor_step_has_no_row() -> None:
    assert history_at(LIGHTNING, None, None) == {}


@pytest.mark.parametrize("count", [math.nan, math.inf, "4", True, None, [4]])
def test_a_step_that_is_no_number_matches_nothing(count: object) -> None:
    assert history_at([{"trainer/global_step": count, "val/hmean": 0.1}], None, 1) == {}


def test_a_config_loses_its_wrapping_and_wandbs_own_keys() -> None:
    wrapped = {"model": {"value": {"name": "x"}, "desc": None}, "_wandb": {"value": {}}, "wandb_version": 1}
    assert plain_config(wrapped) == {"model": {"name": "x"}}


def test_a_config_may_come_as_text_and_as_text_in_text() -> None:
    text = json.dumps({"lr": {"value": 0.1}})
    assert plain_config(text) == plain_config(json.dumps(text)) == {"lr": 0.1}


@pytest.mark.parametrize("config", [None, "", "not json", "[1]", "3", 3, [1], "{" * 100_000])
def test_a_config_that_is_no_mapping_is_empty(config: object) -> None:
    assert plain_config(config) == {}
    assert plain_summary(config) == {}


def test_a_summary_may_hold_what_is_no_number() -> None:
    assert math.isnan(plain_summary('{"val/hmean": NaN}')["val/hmean"])


def test_a_checkpoints_documents_stand_in_the_order_of_belief() -> None:
    record = RunRecord(config={"a": 1}, summary={"val/hmean": 0.9}, history=tuple(LIGHTNING))
    documents = RunTeller(record).about(0, 4)
    assert documents.history["val/hmean"] == 0.1
    assert documents[1:] == ({"val/hmean": 0.9}, {"a": 1})


@pytest.mark.parametrize("state", ["finished", "failed", "killed", LOCAL])
def test_what_has_ended_stays_so(state: str) -> None:
    assert RunRecord(state=state).expires_ns is None


@pytest.mark.parametrize("state", ["running", "pending", "preempting", "unknown", "of a later version"])
def test_what_may_go_on_is_believed_for_a_minute(state: str) -> None:
    assert RunRecord(state=state).expires_ns == EXPIRES_NS


@pytest.mark.parametrize("state", ["crashed", "preempted"])
def test_what_was_interrupted_may_go_on_and_is_believed_for_an_hour(state: str) -> None:
    assert RunRecord(state=state).expires_ns == 60 * EXPIRES_NS


counts = st.none() | st.integers(0, 4) | st.sampled_from([1.0, 2.5, "2", True])
rows_of_runs = st.lists(
    st.fixed_dictionaries(
        {}, optional={"epoch": counts, "trainer/global_step": counts, "val/hmean": counts, "test/hmean": counts}
    )
)


@given(rows_of_runs, st.none() | st.integers(0, 4), st.none() | st.integers(0, 5))
def test_a_history_that_was_looked_through_once_tells_what_the_whole_of_it_tells(
    rows: list[dict[str, Any]], epoch: int | None, step: int | None
) -> None:
    record = RunRecord(history=tuple(rows))
    assert RunTeller(record).about(epoch, step).history == history_at(rows, epoch, step)
