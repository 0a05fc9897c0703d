"""Whether a subject's answers are the right ones: the tree's own where it is known, else the reference's.

Display text, `skipped` and `problems` are compared where an answer tells them: records without methods need
not have them, and what is not compared is said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.equality import DISPLAY, PATH, compare, listing_of, listing_of_expected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.equality import Difference, Listing
    from bench.measurement import Measurement
    from bench.subject import Subject
    from bench.worker import Answer
    from fixtures.expected import Expected


@dataclass(frozen=True, slots=True)
class Judge:
    """Who knows the right answer: its name, its listing, and the fields that it tells."""

    name: str
    listing: Listing
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a subject's answers, and what of them was not compared.

    `failed`: there is no answer; `differs`: it is a wrong one.
    """

    differs: str = ""
    failed: str = ""
    untold: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether its times may be shown."""
        return not self.differs and not self.failed


def judge_of(
    subject: Subject, reference: Subject, measurement: Measurement, root: Path, expected: Expected | None
) -> Judge | None:
    """Who judges a subject: the tree's own answer, else the reference's first one, None where it gave none."""
    if expected is not None:
        return expected_judge(subject, expected)
    answers = measurement.answers.get(reference.name, ())
    if not answers:
        return None
    untold = {DISPLAY} if subject.has_old_records != reference.has_old_records else set()
    fields = tuple(name for name in reference.fields if name not in untold | untold_of(reference, answers[0]))
    return Judge(reference.name, listing_of(answers[0], root), fields)


def expected_judge(subject: Subject, expected: Expected) -> Judge:
    """The tree's own answer, as the judge of a subject."""
    listing = listing_of_expected(expected, as_old_records=subject.has_old_records)
    return Judge("expected", listing, subject.fields)


def find(subject: Subject, judge: Judge | None, measurement: Measurement, root: Path) -> Finding:
    """Hold every different answer of a subject to its judge's."""
    for failure in measurement.failures:
        if failure.arm == subject.name:
            return Finding(failed=f"{failure.kind}: {failure.told}")
    answers = measurement.answers.get(subject.name, ())
    if not answers:
        return Finding(failed="it gave no answer")
    if judge is None:
        return Finding(failed="there is no answer of the reference to hold it to")
    for answer in answers:
        if wrong := wrong_with(subject, answer, judge, root):
            return Finding(differs=wrong)
    return Finding(untold=tuple(sorted(untold_of(subject, answers[0]))))


def untold_of(subject: Subject, answer: Answer) -> set[str]:
    """What need not be told, and is not."""
    untold = {name for name in ("skipped", "problems") if getattr(answer, name) is None}
    if DISPLAY in subject.fields and answer.records and all(text is None for text in answer.display_options):
        untold.add(DISPLAY)
    return untold


def missing_fields(subject: Subject, answer: Answer) -> tuple[str, ...]:
    """The fields that a subject is held to and that none of its records has."""
    told = set().union(*answer.records) | {DISPLAY}
    return tuple(name for name in subject.fields if name not in told) if answer.records else ()


def lacking(subject: Subject, answer: Answer) -> str:
    """The fields that none of its records has, and what of theirs may be meant; empty where all are there."""
    missing = missing_fields(subject, answer)
    if not missing:
        return ""
    others = ", ".join(answer.other_names) or "nothing"
    return (
        f"expected the fields {', '.join(missing)}, found in its records besides the contract's: {others}; "
        f"name theirs with --map THEIRS={missing[0]}, or compare fewer with --fields"
    )


def wrong_with(subject: Subject, answer: Answer, judge: Judge, root: Path) -> str:
    """The first thing that is wrong with an answer, in a line; empty where nothing is."""
    if lacks := lacking(subject, answer):
        return lacks
    if judge.listing.entries and not answer.records:
        return f"expected {len(judge.listing)} checkpoints, found none; see that it looks into subfolders"
    untold = untold_of(subject, answer)
    fields = tuple(name for name in judge.fields if name in {*subject.fields, PATH} - untold)
    differences = compare(judge.listing, listing_of(answer, root), fields=fields)
    return _told(differences, judge.name) if differences else ""


def _told(differences: tuple[Difference, ...], judge: str) -> str:
    first = differences[0]
    places = {(one.path, one.field) for one in differences}
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return f"{first.path}: {first.field}: {judge} says {first.left}, it says {first.right}{more}"


def written_between(before: Mapping[str, int], after: Mapping[str, int], root: Path) -> tuple[str, ...]:
    """What of `bench.trees.standing_in` changed, below `root`; a folder alone if nothing in it did."""
    changed = {path for path, _ in before.items() ^ after.items()}
    alone = (one for one in changed if not any(other.startswith(one + os.sep) for other in changed))
    return tuple(sorted(os.path.relpath(path, root) for path in alone))
