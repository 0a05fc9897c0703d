"""Right and wrong answers, by the tree's own answer or by the reference's."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as with_changes

from bench.conformity import find, judge_of
from bench.equality import ENTRY_FIELDS, INFO_FIELDS
from bench.measurement import Failure, Measurement, Plan
from bench.subject import Subject
from bench.worker import Answer
from tests.bench.fakes import ROOT, answer_of, variant_of

VARIANT = variant_of()
RIGHT = answer_of(VARIANT.expected)
REFERENCE = Subject("reference", "a:b")
MINE = Subject("mine", "c:d")


def found(
    mine: Answer, subject: Subject = MINE, *, known: bool = True, reference: Answer | None = RIGHT
) -> str:
    """What is said of an answer, and what was not compared of it."""
    answers: dict[str, tuple[Answer, ...]] = {"mine": (mine,), "reference": (reference,) if reference else ()}
    measured = measurement(answers)
    expected = VARIANT.expected if known else None
    finding = find(subject, judge_of(subject, REFERENCE, measured, ROOT, expected), measured, ROOT)
    return finding.failed or finding.differs or ", ".join(finding.untold)


def measurement(answers: dict[str, tuple[Answer, ...]], *failures: Failure) -> Measurement:
    return Measurement(
        plan=Plan(),
        groups=(),
        answers=answers,
        failures=failures,
        calls_per_round={},
        complete=True,
        elapsed_s=1.0,
    )


def altered(field: str, value: object) -> Answer:
    """The right answer, but for one field of its second record."""
    records = [dict(record) for record in RIGHT.records]
    records[1][field] = value  # type: ignore[assignment]  # what is wrong may be of any type
    return with_changes(RIGHT, records=records)


def test_the_right_answer_is_sound_by_either_judge() -> None:
    assert found(RIGHT) == found(RIGHT, known=False) == ""


def test_a_wrong_field_is_told_with_both_values() -> None:
    told = found(altered("epochs", -1))
    assert "epochs: expected says" in told
    assert told.endswith("it says -1")
    assert "epochs: reference says" in found(altered("epochs", -1), known=False)


def test_every_different_answer_is_looked_at() -> None:
    measured = measurement({"mine": (RIGHT, altered("hmean", 2.0))})
    judge = judge_of(MINE, REFERENCE, measured, ROOT, VARIANT.expected)
    assert "it says 2.0" in find(MINE, judge, measured, ROOT).differs


def test_a_field_that_is_not_asked_for_is_not_compared() -> None:
    fields = tuple(name for name in ENTRY_FIELDS if name != "score")
    assert found(altered("score", -5.0), with_changes(MINE, fields=fields)) == ""


def test_what_records_cannot_tell_is_said_and_not_held_against_them() -> None:
    plain = Answer(RIGHT.records, [None] * len(RIGHT.records), None, None)
    assert found(plain) == found(plain, known=False) == "display_option, problems, skipped"
    assert found(RIGHT, known=False, reference=plain) == ""


def test_a_field_that_no_record_has_is_told_with_what_they_have_instead() -> None:
    records = [{name: value for name, value in record.items() if name != "hmean"} for record in RIGHT.records]
    told = found(with_changes(RIGHT, records=records, other_names=["f1"]))
    assert "expected the fields hmean, found in its records besides the contract's: f1" in told
    assert "--map THEIRS=hmean" in told


def test_an_empty_answer_to_a_full_tree_is_wrong_and_to_an_empty_one_right() -> None:
    nothing = Answer([], [], None, None)
    assert f"expected {VARIANT.listed} checkpoints, found none" in found(nothing)
    assert found(nothing, known=False, reference=nothing) == "problems, skipped"


def test_old_records_are_held_to_the_old_display_text() -> None:
    old = with_changes(MINE, fields=INFO_FIELDS)
    assert found(answer_of(VARIANT.expected, INFO_FIELDS), old) == "problems, skipped"
    assert "display_option" in found(answer_of(VARIANT.expected, INFO_FIELDS), replace_display(old))


def replace_display(subject: Subject) -> Subject:
    """The same subject held to the new display text."""
    return with_changes(subject, fields=(*INFO_FIELDS, "display_option"))


def test_a_failure_and_a_judge_without_an_answer_are_no_times() -> None:
    measured = measurement({}, Failure("mine", "hung", 0, 0, "mine: nothing"))
    assert find(MINE, None, measured, ROOT).failed == "hung: mine: nothing"
    assert "no answer of the reference" in found(RIGHT, known=False, reference=None)
    assert not replace(find(MINE, None, measured, ROOT)).is_sound
