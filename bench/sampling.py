"""How long one benchmark is measured, and what is said in the end. Pure: no input, no output, no clock.

A measurement is looked at after a few planned numbers of process groups. Every look is a chance to be wrong,
so that the error which is allowed is spent over the looks, little at first (`bench.spending`). The intervals
of all looks hold together (repeated confidence intervals: Jennison and Turnbull, "Interim analyses", JRSS B 51,
1989), so that it may end whenever the answer is clear. A slow-down that shows is measured afresh before it is
reported, by groups that had no part in finding it.
"""

from __future__ import annotations

from math import floor, sqrt
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import structs

from bench.spending import level, spent
from bench.statistics import (
    PROCESSES_FOR_TRIMMING,
    RatioEstimate,
    at_confidence,
    group_values,
    noise_floor_of,
    ratio_of_values,
    smallest_detectable,
)
from bench.verdict import DEFAULT_MARGIN, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Values = Sequence[float] | NDArray[np.float64]
    Times = Sequence[Sequence[float]]

FIRST_LOOK = 16
"""After how many process groups a measurement is looked at first; then after twice as many, and so on."""

LOOKS = (16, 32, 64, 128)
"""The looks of a measurement of 128 groups."""

LEAST_STEP = 1.5
"""A look that the last one exceeds by less than this factor is left out."""

CONFIRMATION_GROUPS = 12
"""By how many fresh groups a slow-down is confirmed; as many again where they leave it open."""

ALARM_ERROR = 0.002
"""How often the strict bounds may be wrong on either side, over all looks.

Of a change that is just the margin, fresh groups then confirm about half; of identical code, which lies a
margin below it, far less.
"""

LEAST_GROUPS = PROCESSES_FOR_TRIMMING
"""Fewer groups than these are never judged."""


class SamplingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """When one benchmark is looked at, and how often each answer may be wrong.

    `alarm_error` is the chance, over all looks together, that *slower* is said of code that is no slower
    than the margin allows, and likewise *faster* (one-sided, each). `confidence` is that of the interval
    which is reported and by which *equivalent* is judged, again over all looks. `power` is the probability
    with which the smallest detectable change would have been seen. `confirmation_error` is the one-sided
    error of the bound that fresh groups have to lift above no change. `limit` is the number of groups that
    can be afforded in all: a slow-down that shows only when hardly any is left cannot be confirmed. The
    exponents say how late the errors are spent: see `spending.spent`.
    """

    looks: tuple[int, ...] = LOOKS
    alarm_error: float = ALARM_ERROR
    confidence: float = 0.95
    power: float = 0.8
    confirmation_groups: int = CONFIRMATION_GROUPS
    confirmation_error: float = 0.1
    alarm_exponent: float = 2.0
    interval_exponent: float = 2.0
    limit: int | None = None

    @property
    def alarm_end(self) -> int:
        """The groups of the last look after which a slow-down can still be confirmed."""
        if self.limit is None:
            return self.looks[-1]
        return max((look for look in self.looks if look + LEAST_GROUPS <= self.limit), default=self.looks[-1])


class Continue(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is clear yet: measure until there are `groups` groups in all, and look again."""

    groups: int
    phase: Literal["sampling", "confirming"]


class Final(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one benchmark, with all that it rests on.

    `ratio` is candidate to reference, its interval 95 % over all looks together. `strict` is the same ratio
    with the wider interval by which *slower* and *faster* are judged. `confirmation` is the ratio of the
    fresh groups alone, where a slow-down was to be confirmed. `noise_floor` is what the A/A arm of this run
    may have shown, and `smallest_detectable` the change that this run tells from none, both as shares (0.01
    is 1 %). None stands for what could not be computed. `groups` counts all groups, `looks` those spent.
    """

    verdict: Verdict
    reason: str
    groups: int
    looks: int
    ratio: RatioEstimate | None = None
    strict: RatioEstimate | None = None
    confirmation: RatioEstimate | None = None
    noise_floor: float | None = None
    smallest_detectable: float | None = None


def values_of(
    candidate: Times, reference: Times, again: Times
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The group values of the candidate and of the A/A arm, each against the reference, from times by group.

    The mean of both arms of the reference's code would be the more exact reference, and a wrong one: times
    are skewed, and of identical code only the ratio of one arm to one is symmetric, which trimming needs.
    Raises InsufficientData for times that are not above 0 and finite, ValueError for arms of different rounds.
    """
    return group_values(_pairs(candidate, reference)), group_values(_pairs(again, reference))


def plan_within(budget_s: float, group_s: float, *, alarm_error: float = ALARM_ERROR) -> SamplingPlan:
    """The plan that a budget affords, if a group of all arms takes `group_s` seconds.

    A quarter of the groups, and at most CONFIRMATION_GROUPS, is kept for a confirmation; the last look but
    one stands where the rest ends. Where nothing had to be confirmed, the last look comes after these
    groups, too. Raises ValueError for times that are not above 0. A budget for too few groups gives
    a plan for the least: cut short, it can end only as *inconclusive*.
    """
    if not (budget_s > 0.0 and group_s > 0.0):
        raise ValueError(f"expected times above 0, found a budget of {budget_s} s and groups of {group_s} s")
    affordable = floor(budget_s / group_s)
    confirmation = min(CONFIRMATION_GROUPS, max(LEAST_GROUPS, affordable // 4))
    end = max(LEAST_GROUPS, affordable - confirmation)
    looks = []
    groups = FIRST_LOOK
    while groups * LEAST_STEP <= end:
        looks.append(groups)
        groups *= 2
    limit = end + confirmation
    return SamplingPlan(
        looks=(*looks, end, limit),
        alarm_error=alarm_error,
        confirmation_groups=confirmation,
        limit=limit,
    )


def pairs_per_group(start_s: float, pair_s: float) -> int:
    """How many pairs (rounds of all arms) a group should have: 8 to 30.

    `start_s` is what it costs to start a group's processes and to warm them up, `pair_s` what a round costs.
    For a given time the interval is the narrowest at sqrt(start/pair) * sd(pair)/sd(process), the rule for
    two-stage samples (Cochran, "Sampling Techniques", 1977, 10.6); the quotient is taken to be 3. Raises
    ValueError for times that are not above 0.
    """
    if not (start_s > 0.0 and pair_s > 0.0):
        raise ValueError(f"expected times above 0, found a start of {start_s} s and pairs of {pair_s} s")
    return round(min(30.0, max(8.0, 3.0 * sqrt(start_s / pair_s))))


class _Spending:
    """An error (one-sided) on its way through the looks of one measurement."""

    def __init__(self, error: float, groups: int, exponent: float) -> None:
        self._error = error
        self._groups = groups
        self._exponent = exponent
        self._seen: list[int] = []
        self._used: list[float] = []

    def level(self, groups: int, *, last: bool) -> float:
        """The level of a look at so many groups; the last one may use all that is left."""
        used = self._error if last else spent(self._error, groups / self._groups, self._exponent)
        if self._seen and groups <= self._seen[-1]:  # the same data once more, now with a larger error
            self._seen.pop()
            self._used.pop()
        self._seen.append(groups)
        self._used.append(used)
        return level(tuple(self._seen), tuple(self._used))


class Decision:
    """One benchmark on its way to a verdict."""

    def __init__(self, plan: SamplingPlan, *, margin: float = DEFAULT_MARGIN) -> None:
        self._plan = plan
        self._margin = margin
        self._looks_spent = 0
        self._alarm = _Spending(plan.alarm_error, plan.alarm_end, plan.alarm_exponent)
        self._interval = _Spending((1.0 - plan.confidence) / 2.0, plan.looks[-1], plan.interval_exponent)
        self._strict: RatioEstimate | None = None
        self._found: Final | None = None  # a slow-down that is being confirmed
        self._confirm_until = 0
        self._over = False

    def look(self, values: Values, again: Values, *, last: bool = False) -> Continue | Final:
        """Look at all groups measured so far, in the order in which they were measured.

        `values` holds a value of each group, `again` the same of the A/A arm, in all groups or in a part of
        them: see `values_of`. With fewer groups than were asked for, nothing is spent and the answer is the
        same Continue. `last` says that no further group can be afforded: the answer is then Final. Raises
        InsufficientData for a value that is not finite, RuntimeError after a Final.
        """
        if self._over:
            raise RuntimeError("expected no look after the final one; make a Decision for each benchmark")
        outcome = self._sample(values, again, last) if self._found is None else self._confirm(values, last)
        self._over = isinstance(outcome, Final)
        return outcome

    def _sample(self, values: Values, again: Values, last: bool) -> Continue | Final:
        planned = self._plan.looks[self._looks_spent]
        if len(values) < planned and not last:
            return Continue(groups=planned, phase="sampling")
        self._looks_spent += 1
        seen = self._seen(values, again, last)
        is_end = last or self._looks_spent == len(self._plan.looks)
        match seen.verdict:
            case Verdict.SLOWER if last or not self._can_confirm(len(values)):
                reason = f"{seen.reason}, but the budget leaves no groups to confirm it; raise the budget"
                return structs.replace(seen, verdict=Verdict.INCONCLUSIVE, reason=reason)
            case Verdict.SLOWER:
                self._found = seen
                self._confirm_until = len(values) + self._plan.confirmation_groups
                return Continue(groups=self._confirm_until, phase="confirming")
            case Verdict.INCONCLUSIVE if not is_end:
                return Continue(groups=self._plan.looks[self._looks_spent], phase="sampling")
            case _:
                return seen

    def _can_confirm(self, groups: int) -> bool:
        return self._plan.limit is None or groups + LEAST_GROUPS <= self._plan.limit

    def _confirm(self, values: Values, last: bool) -> Continue | Final:
        assert self._found is not None  # noqa: S101 - `look` comes here only then
        found = self._found
        fresh = values[found.groups :]
        if len(fresh) < LEAST_GROUPS and last:
            told = f"only {len(fresh)} fresh groups to confirm it; raise the budget"
            return self._unconfirmed(found, len(values), None, told)
        if len(values) < self._confirm_until and not last:
            return Continue(groups=self._confirm_until, phase="confirming")
        ratio = ratio_of_values(fresh, confidence=1.0 - 2.0 * self._plan.confirmation_error)
        if ratio.estimate > 1.0 + self._margin and ratio.low > 1.0:
            reason = f"{found.reason}, and {len(fresh)} fresh groups confirm it"
            return structs.replace(found, reason=reason, confirmation=ratio, groups=len(values))
        extended = found.groups + 2 * self._plan.confirmation_groups
        if not last and self._confirm_until < extended:
            self._confirm_until = extended
            return Continue(groups=extended, phase="confirming")
        told = f"{len(fresh)} fresh groups show {_percent(ratio.estimate - 1.0)} and do not confirm it"
        return self._unconfirmed(found, len(values), ratio, told)

    def _unconfirmed(self, found: Final, groups: int, ratio: RatioEstimate | None, told: str) -> Final:
        return structs.replace(
            found,
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{found.reason}, but {told}",
            groups=groups,
            confirmation=ratio,
        )

    def _seen(self, values: Values, again: Values, last: bool) -> Final:
        """What all groups together say now, whatever may follow."""
        if len(values) < LEAST_GROUPS:
            reason = f"only {len(values)} groups of at least {LEAST_GROUPS}; raise the budget"
            return Final(
                verdict=Verdict.INCONCLUSIVE, reason=reason, groups=len(values), looks=self._looks_spent
            )
        plan = self._plan
        at_look = ratio_of_values(values, confidence=1.0 - 2.0 * self._interval.level(len(values), last=last))
        strict = self._strictly(at_look, last)
        detectable = smallest_detectable(at_look, margin=0.0, power=plan.power)
        floor_ = None
        bias = 0.0
        if len(again) >= LEAST_GROUPS:
            same = ratio_of_values(again, confidence=plan.confidence)
            floor_ = noise_floor_of(same)
            bias = max(same.estimate, 1.0 / same.estimate) - 1.0
        verdict = judge(
            at_look,
            margin=self._margin,
            noise_floor=floor_ or 0.0,
            bias=bias,
            smallest_detectable=detectable,
            strict=strict,
        )
        if floor_ is None and verdict is not Verdict.SLOWER:
            verdict = Verdict.INCONCLUSIVE
        final = Final(
            verdict=verdict,
            reason="",
            # Over all looks together the intervals hold what the plan says.
            ratio=structs.replace(at_look, confidence=plan.confidence),
            strict=structs.replace(strict, confidence=1.0 - 2.0 * plan.alarm_error),
            noise_floor=floor_,
            smallest_detectable=detectable,
            groups=len(values),
            looks=self._looks_spent,
        )
        return structs.replace(final, reason=_reason(final, self._margin))

    def _strictly(self, at_look: RatioEstimate, last: bool) -> RatioEstimate:
        """The ratio with its strict bounds; once their error is spent they stay what they were."""
        is_spent = self._strict is not None and self._strict.groups >= self._plan.alarm_end
        if self._strict is None or not is_spent:
            level_ = self._alarm.level(at_look.groups, last=last)
            self._strict = at_confidence(at_look, 1.0 - 2.0 * level_)
        return self._strict


def _pairs(arm: Times, reference: Times) -> list[list[tuple[float, float]]]:
    groups = zip(arm, reference, strict=True)
    return [list(zip(times, references, strict=True)) for times, references in groups]


def _reason(seen: Final, margin: float) -> str:
    ratio, strict, floor_, detectable = seen.ratio, seen.strict, seen.noise_floor, seen.smallest_detectable
    if ratio is None or strict is None or detectable is None:
        return "nothing was computed"
    match seen.verdict:
        case Verdict.SLOWER:
            return f"slower by {_percent(strict.low - 1.0)} or more, beyond the margin of {_percent(margin)}"
        case Verdict.FASTER:
            return f"at most {strict.high:.4f} times the reference, beyond the margin of {_percent(margin)}"
        case Verdict.EQUIVALENT:
            return f"no change beyond the margin of {_percent(margin)}"
        case Verdict.INCONCLUSIVE:
            pass
    if floor_ is None:
        return "the A/A arm was measured in too few groups to tell this run's noise floor; measure it again"
    if margin == 0.0:
        return "a margin of 0 leaves no room for equivalence; set a margin"
    if floor_ > margin:
        return (
            f"the margin of {_percent(margin)} is below this run's noise floor of {_percent(floor_)};"
            " raise the budget or the margin, or measure on a quieter machine"
        )
    if detectable > margin:
        return (
            f"the margin of {_percent(margin)} is below the smallest change that this run could have seen,"
            f" {_percent(detectable)}; raise the budget or the margin, or measure on a quieter machine"
        )
    return (
        f"the interval from {ratio.low:.4f} to {ratio.high:.4f} reaches over the margin of"
        f" {_percent(margin)}; raise the budget"
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
