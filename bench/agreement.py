"""Whether those who were timed gave the answer that the tree was generated to have, and the same one.

Each different answer of all the calls that were timed is compared, so that an implementation that changes its
mind is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.conformity import lacking
from bench.equality import DISPLAY, Comparison, Difference, compare, listing_of, listing_of_expected
from bench.result import EqualityOutcome, EqualityVerdict, RowVerdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.equality import Listing
    from bench.measurement import Measurement
    from bench.scenario import Contestant, Setting
    from bench.subject import Subject
    from bench.trees import Variant
    from bench.worker import Answer

EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Every comparison of one measurement, and what keeps a contestant's times from counting.

    `faults` maps a contestant's name to a verdict and its reason; who is not in it may be timed.
    """

    comparisons: tuple[Comparison, ...]
    faults: dict[str, tuple[RowVerdict, str]]

    def outcomes(self, setting: str, tree: str) -> tuple[EqualityOutcome, ...]:
        """The comparisons as a result keeps them, and in their place those that no answer allowed."""
        compared = {one.left for one in self.comparisons}
        unanswered = [Comparison(name, EXPECTED, 0, ()) for name in self.faults if name not in compared]
        return tuple(
            EqualityOutcome(
                setting=setting,
                tree=tree,
                left=one.left,
                right=one.right,
                entries=one.entries,
                fields=len(one.fields),
                differences=len(one.differences),
                verdict=self._verdict(one),
                reason=one.first_difference or self.faults.get(one.left, (None, ""))[1],
            )
            for one in (*self.comparisons, *unanswered)
        )

    def _verdict(self, one: Comparison) -> EqualityVerdict:
        for name in (one.left, one.right):
            if name in self.faults and self.faults[name][0] is RowVerdict.NOTHING_MEASURED:
                return EqualityVerdict.NOTHING_MEASURED
        return EqualityVerdict.EQUAL if one.is_equal else EqualityVerdict.DIFFER


def examine(setting: Setting, variant: Variant, measurement: Measurement) -> Agreement:
    """Compare everybody's answers with what is expected, and with each other where they are asked the same."""
    answers = {
        one.name: tuple(listing_of(answer, variant.root) for answer in measurement.answers.get(one.name, ()))
        for one in setting.contestants
    }
    judged = [one for one in setting.contestants if not one.is_floor]
    with_expected = {
        one.name: tuple(_with_expected(one, listing, variant) for listing in answers[one.name])
        for one in judged
    }
    faults = dict(_missing(setting, variant, measurement, answers))
    for one in judged:
        if one.subject is not None and (told := _unnamed(one.subject, measurement.answers.get(one.name, ()))):
            faults.setdefault(one.name, (RowVerdict.OUTPUTS_DIFFER, told))
    comparisons = [comparison for group in with_expected.values() for comparison in group]
    # Only the expected answer tells who of two that differ is wrong.
    for comparison in comparisons:
        if not comparison.is_equal:
            faults.setdefault(comparison.left, (RowVerdict.OUTPUTS_DIFFER, comparison.first_difference))
    return Agreement((*comparisons, *_with_each_other(judged, answers)), faults)


def _missing(
    setting: Setting, variant: Variant, measurement: Measurement, answers: dict[str, tuple[Listing, ...]]
) -> Iterator[tuple[str, tuple[RowVerdict, str]]]:
    """Those of whom nothing, or not everything, was measured."""
    failures = {failure.arm: failure for failure in measurement.failures}
    for one in setting.contestants:
        if one.name in failures:
            failure = failures[one.name]
            yield one.name, (RowVerdict.NOTHING_MEASURED, f"{one.name} {failure.kind}: {failure.told}")
        elif not answers[one.name]:
            yield one.name, (RowVerdict.NOTHING_MEASURED, f"{one.name} gave no answer")
        elif (fewest := min(map(len, answers[one.name]))) < max(variant.listed, 1):
            reason = f"{one.name} listed {fewest} of {variant.listed} checkpoints"
            yield one.name, (RowVerdict.NOTHING_MEASURED, reason)


def _with_expected(one: Contestant, listing: Listing, variant: Variant) -> Comparison:
    expected = variant.expected_with_runs if one.is_asking_wandb else variant.expected
    right = listing_of_expected(expected, as_old_records=one.has_old_records)
    fields = _told_fields(one, listing)
    differences = compare(listing, right, fields=fields)
    if one.subject is None and not one.has_old_records:
        differences += tuple(_untold(listing))
    return Comparison(one.name, EXPECTED, len(listing), fields, differences)


def _told_fields(one: Contestant, listing: Listing) -> tuple[str, ...]:
    """What an answer is held to: somebody else's records need not have the display text."""
    is_untold = one.subject is not None and not any(DISPLAY in entry for entry in listing.entries)
    return tuple(name for name in one.fields if name != DISPLAY) if is_untold else one.fields


def _unnamed(subject: Subject, answers: Sequence[Answer]) -> str:
    """The fields that no record of somebody else's has, with what may be meant; empty where all are there."""
    return next((told for told in (lacking(subject, one) for one in answers) if told), "")


def _untold(listing: Listing) -> Iterator[Difference]:
    """What an answer in the new API's records has to tell beside them."""
    for name, told in (("skipped", listing.skipped), ("problems", listing.problems)):
        if told is None:
            yield Difference("", name, "not told", "the paths that the contract asks for")


def _with_each_other(
    judged: Sequence[Contestant], answers: dict[str, tuple[Listing, ...]]
) -> Iterator[Comparison]:
    """Of those who are asked the same, the first with every other one."""
    for is_asking in (False, True):
        asked = [one for one in judged if one.is_asking_wandb is is_asking]
        for other in asked[1:]:
            for ours, theirs in zip(answers[asked[0].name], answers[other.name], strict=False):
                fields = _common_fields(asked[0], other, _told_fields(other, theirs))
                yield Comparison(
                    asked[0].name, other.name, len(ours), fields, compare(ours, theirs, fields=fields)
                )


def _common_fields(left: Contestant, right: Contestant, told: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that both have; the display texts of old and new records are meant to differ."""
    untold = {DISPLAY} if left.has_old_records != right.has_old_records else set()
    return tuple(name for name in left.fields if name in told and name not in untold)
