"""Many benchmarks in one gate: who is measured next, and one error rate for all. Pure: no clock.

All are screened by a few groups each. The rest of the total goes first to those that look slower, until each
is decided, and then to all others in turn. One benchmark is a family of one. The chance of a false alarm is
divided among the benchmarks (Bonferroni; Dunn, "Multiple comparisons among means", JASA 56, 1961).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, log
from typing import TYPE_CHECKING

import msgspec

from bench.sampling import ALARM_ERROR, LEAST_GROUPS, Continue, Decision, Final, plan_within
from bench.statistics import ratio_of_values
from bench.verdict import DEFAULT_MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.sampling import Values

SCREEN_GROUPS = 8
"""Groups by which every benchmark is screened; they count among those of its first look."""

FAMILY_ALARM_ERROR = 0.01
"""The chance of a false alarm that all benchmarks together may have, however many."""

SHARE_OF_ONE_AMONG_MANY = 2
"""By how much one of several benchmarks may exceed its own budget, out of what others leave of the total: one
among many has the smaller share of the error, and so needs more groups to be called slower."""


class Request(msgspec.Struct, frozen=True):
    """Measure `groups` further groups of a benchmark, the A/A arm in each."""

    name: str
    groups: int


@dataclass(slots=True)
class _Member:
    """A benchmark, and all that was measured of it."""

    decision: Decision | None = None
    values: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    spent_s: float = 0.0
    due: int = SCREEN_GROUPS
    final: Final | None = None
    level: float = 0.0  # the log-ratio as far as it is known

    @property
    def group_s(self) -> float:
        return self.spent_s / len(self.values) if self.values else 0.0

    def add(self, values: Values, again: Values, elapsed_s: float) -> None:
        self.values.extend(values)
        self.again.extend(again)
        self.spent_s += elapsed_s
        if len(self.values) >= LEAST_GROUPS:
            self.level = log(ratio_of_values(self.values).estimate)


class Family:
    """The benchmarks of one gate on their way to their verdicts.

    Loop: `while (request := family.next()): ...measure...; family.record(...)`; then `family.finals()`.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        budget_s: float = 600.0,
        benchmark_budget_s: float = 60.0,
        margin: float = DEFAULT_MARGIN,
    ) -> None:
        """`budget_s` is the stated total of all; no benchmark takes more than `benchmark_budget_s`.

        One of several may take SHARE_OF_ONE_AMONG_MANY times as much, as long as the total lasts.
        The time that a group takes is known from those before it, so that either may be exceeded by what
        the last groups take longer. Raises ValueError for no names, a name that stands twice, and budgets
        that are not above 0.
        """
        if not names or len(set(names)) < len(names):
            raise ValueError(f"expected benchmarks of different names, found {list(names)}")
        if not (budget_s > 0.0 and benchmark_budget_s > 0.0):
            raise ValueError(f"expected budgets above 0 s, found {budget_s} and {benchmark_budget_s}")
        self._members = {name: _Member() for name in names}
        self._left_s = budget_s
        most = SHARE_OF_ONE_AMONG_MANY if len(names) > 1 else 1
        self._benchmark_budget_s = min(budget_s, most * benchmark_budget_s)
        self._margin = margin
        self._alarm_error = min(ALARM_ERROR, FAMILY_ALARM_ERROR / len(names))

    def next(self) -> Request | None:
        """What to measure next; None where all is decided or the total is spent."""
        for name in sorted(self._open(), key=self._rank):
            member = self._members[name]
            affordable = self._affordable(member)
            if affordable >= 1:
                return Request(name, min(member.due - len(member.values), affordable))
            if member.decision is not None:
                self._look(member, last=True)
        return None

    def record(self, name: str, values: Values, again: Values, elapsed_s: float) -> None:
        """Add what was measured on request: the new groups' values, their A/A values, and the time it took.

        Fewer groups than requested are taken as they are; none at all end the benchmark. Values:
        `sampling.values_of`. Raises KeyError for an unknown name, ValueError for a time that is not
        above 0, InsufficientData for values that are not finite.
        """
        if not elapsed_s > 0.0:
            raise ValueError(f"expected a time above 0 s for {name}, found {elapsed_s}")
        member = self._members[name]
        member.add(values, again, elapsed_s)
        self._left_s -= elapsed_s
        if len(values) == 0:
            self._look(member, last=True)
        elif len(member.values) >= member.due:
            self._look(member, last=False)

    def withdraw(self, name: str) -> None:
        """Take a benchmark out that failed: nothing more is asked of it, and it has no final."""
        del self._members[name]

    def finals(self) -> dict[str, Final]:
        """The answer of each benchmark that was not withdrawn; what the total did not reach is inconclusive."""
        for member in self._members.values():
            if member.final is None:
                self._look(member, last=True)
        return {name: one.final for name, one in self._members.items() if one.final is not None}

    def _open(self) -> list[str]:
        return [name for name, member in self._members.items() if member.final is None]

    def _rank(self, name: str) -> tuple[int, int, float]:
        """First whoever is not screened; then what looks slower, the slowest first; then the least measured."""
        member = self._members[name]
        if member.decision is None:
            return 0, 0, 0.0
        if member.level > log(1.0 + self._margin):
            return 1, 0, -member.level
        return 2, len(member.values), -member.level

    def _affordable(self, member: _Member) -> int:
        """How many more groups of a benchmark fit into its own budget and into what is left of the total."""
        left_s = min(self._left_s, self._benchmark_budget_s - member.spent_s)
        if not member.values:
            return SCREEN_GROUPS if left_s > 0.0 else 0
        return floor(left_s / member.group_s)

    def _look(self, member: _Member, *, last: bool) -> None:
        if member.decision is None:
            plan = plan_within(
                self._benchmark_budget_s,
                member.group_s or self._benchmark_budget_s,
                alarm_error=self._alarm_error,
            )
            member.decision = Decision(plan, margin=self._margin)
        outcome = member.decision.look(member.values, member.again, last=last)
        while isinstance(outcome, Continue) and outcome.groups <= len(member.values):
            outcome = member.decision.look(member.values, member.again)
        if isinstance(outcome, Continue):
            member.due = outcome.groups
        else:
            member.final = outcome
