"""Further implementations in a reproduction: measured beside ours, held to the same answer, told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench.agreement import EXPECTED, examine
from bench.equality import ENTRY_FIELDS, INFO_FIELDS
from bench.further import check_names, compared_too, left_out_of, measured_too
from bench.measurement import Failure
from bench.result import Row, RowVerdict
from bench.rows import rows_of
from bench.scenario import SETTINGS, UNTIDY
from bench.subject import Subject, SubjectError
from tests.bench.fakes import answer_of, measurement_of, variant_of

if TYPE_CHECKING:
    from bench.worker import Answer

MINE = Subject("mine", "mycatalog:build", search_path=("src",), field_map={"path": "checkpoint_path"})
VARIANT = variant_of()
SIDECARS = measured_too([MINE], SETTINGS[0])


def plain(answer: Answer, **changes: Any) -> Answer:
    """An answer of records alone, as people write them."""
    texts: list[str | None] = [None] * len(answer.records)
    return msgspec.structs.replace(answer, display_options=texts, skipped=None, problems=None, **changes)


def rows(answer: Answer, failures: tuple[Failure, ...] = ()) -> dict[str, Row]:
    answers = {"mine": (answer,)}
    measured = measurement_of(SIDECARS, VARIANT, answers=answers, failures=failures)
    agreement = examine(SIDECARS, VARIANT, measured)
    return {one.scenario: one for one in rows_of(SIDECARS, VARIANT, measured, agreement)}


def test_each_first_load_of_cached_files_has_a_row_for_it_and_nothing_else_has() -> None:
    added = {
        one.name
        for setting in SETTINGS
        for one in measured_too([MINE], setting).scenarios
        if one not in setting.scenarios
    }
    assert added == {"sidecars-warm:mine", "mix-warm:mine", "header-warm:mine"}


def test_without_further_ones_nothing_changes() -> None:
    assert [measured_too((), one) for one in SETTINGS] == list(SETTINGS)
    assert compared_too((), UNTIDY) == UNTIDY
    assert left_out_of(()) is None


def test_its_row_has_a_time_and_a_ratio_and_no_claim() -> None:
    row = rows(plain(answer_of(VARIANT.expected)))["sidecars-warm:mine"]
    assert row.verdict is RowVerdict.NO_CLAIM
    assert (row.claimed_legacy, row.claimed_v2, row.claimed_ratio) == ("-", "-", "-")
    assert row.ratio is not None
    assert row.ratio.estimate == pytest.approx(400, rel=0.001)
    assert row.candidate is not None
    assert (row.candidate.contestant, row.remarks) == ("mine", ())
    assert row.title == "mine: sidecars, first load"


def test_a_wrong_answer_of_it_voids_its_own_row_alone() -> None:
    right = answer_of(VARIANT.expected)
    first, *others = right.records
    found = rows(plain(right, records=[{**first, "epochs": 99}, *others]))
    assert found["sidecars-warm:mine"].verdict is RowVerdict.OUTPUTS_DIFFER
    assert "epochs: mine says 99, expected says" in found["sidecars-warm:mine"].remarks[0]
    assert found["sidecars-warm"].verdict is RowVerdict.HOLDS


def test_a_field_under_another_name_is_told_with_the_option_that_maps_it() -> None:
    right = answer_of(VARIANT.expected)
    renamed = [{name: value for name, value in one.items() if name != "epochs"} for one in right.records]
    row = rows(plain(right, records=renamed, other_names=["epoch"]))["sidecars-warm:mine"]
    assert row.verdict is RowVerdict.OUTPUTS_DIFFER
    assert "--map THEIRS=epochs" in row.remarks[0]


def test_one_that_hangs_measures_nothing_and_the_rest_stands() -> None:
    failures = (Failure("mine", "hung", 0, 0, "no answer within 120 s"),)
    found = rows(answer_of(VARIANT.expected), failures)
    assert found["sidecars-warm:mine"].verdict is RowVerdict.NOTHING_MEASURED
    assert "mine hung: no answer within 120 s" in found["sidecars-warm:mine"].remarks[0]
    assert found["sidecars-warm"].verdict is RowVerdict.HOLDS


def test_what_it_tells_beside_its_records_is_compared() -> None:
    answer = msgspec.structs.replace(answer_of(VARIANT.expected), skipped=["/trees/outputs/none.ckpt"])
    row = rows(answer)["sidecars-warm:mine"]
    assert row.verdict is RowVerdict.OUTPUTS_DIFFER
    assert "skipped" in row.remarks[0]


def test_it_is_compared_with_expected_and_with_legacy() -> None:
    measured = measurement_of(SIDECARS, VARIANT, answers={"mine": (plain(answer_of(VARIANT.expected)),)})
    compared = examine(SIDECARS, VARIANT, measured).comparisons
    assert {(one.left, one.right) for one in compared if "mine" in (one.left, one.right)} == {
        ("mine", EXPECTED),
        ("legacy", "mine"),
    }
    assert all(one.is_equal for one in compared)


@pytest.mark.parametrize("name", ["v2", "legacy", "v2-again", "floor-read", "expected"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(SubjectError, match=f"{name}: expected a name that no reproduction has"):
        check_names([Subject(name, "a:b")])


def test_what_is_not_measured_of_it_is_said() -> None:
    command = Subject("printed", "cmd:program {dir}", fields=INFO_FIELDS)
    text = left_out_of([MINE, command]) or ""
    assert text.startswith("mine, printed: ")
    for part in ("not measured: cold files", "W&B", "printed is a command", "held to these fields alone"):
        assert part in text
    assert MINE.fields == ENTRY_FIELDS
