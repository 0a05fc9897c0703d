"""What a self-test does, and in what order: a stated time divided among kinds of steps. Pure: no clock.

Every kind has a share of the time, and whoever has had the least of its share is next. So the steps of all
kinds are spread over the whole time, and what an interruption leaves is balanced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bench.gate_request import TREE
from bench.injected import FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fixtures.spec import TreeSpec

TARGET: Final = "catalog.subjects:v2"
CHANGES: Final = (0.03, 0.05, 0.1)
QUIET: Final = "quiet"
NEIGHBOUR: Final = "neighbour"

FULL_BUDGET_S: Final = 2400.0
QUICK_BUDGET_S: Final = 112.0
"""With the mutants and the end, two minutes."""

BLOCK_GROUPS: Final = 16
"""Groups that are recorded in one step, about half a minute of a machine's noise."""

BLOCK_BUDGET_S: Final = 60.0
"""A step of recording never takes longer."""

GATE_BUDGET_S: Final = 60.0
SAME_BUDGET_S: Final = 10.0
WRONG_BUDGET_S: Final = 10.0

WANTED_GROUPS: Final = 300
WANTED_GATES: Final = 100
"""Fewer recorded groups, or A/A gates, than these say less than a self-test should."""

SIMULATED_SAME: Final = 4000
SIMULATED_CHANGED: Final = 2000
SIMULATION_S: Final = 20.0
"""What the simulations of one pool take at most, kept free at the end."""


class Kind(StrEnum):
    """What one step does."""

    WEIGH = "weigh"
    """Measure the share that the injected work comes to."""
    RECORD = "record"
    SAME = "same"
    CHANGED = "changed"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `change` and `fault` say what is injected; `number` counts the steps of its lane."""

    kind: Kind
    condition: str
    scenario: str
    budget_s: float
    change: float = 0.0
    fault: str = ""
    number: int = 0

    @property
    def lane(self) -> str:
        """What steps have in common that share their time."""
        change = f" {self.change:+.0%}" if self.kind is Kind.CHANGED else ""
        return f"{self.condition}, {self.scenario}: {self.kind.value}{change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestRequest:
    """What is asked for; `budget_s` is the total of measuring and simulating, resumed parts included."""

    started_at: str
    seed: int = 0
    budget_s: float = FULL_BUDGET_S
    is_quick: bool = False
    has_neighbour: bool = False

    @property
    def conditions(self) -> tuple[str, ...]:
        """Under which conditions everything is measured."""
        return (QUIET, NEIGHBOUR) if self.has_neighbour else (QUIET,)

    @property
    def scenarios(self) -> dict[str, TreeSpec]:
        """The trees on which V2's first load is gated: calls of 1 to 10 ms."""
        small = replace(TREE, experiments=7, checkpoints_per_experiment=2, seed=self.seed)
        trees = (small,) if self.is_quick else (small, replace(TREE, seed=self.seed))
        return {f"{one.checkpoints} checkpoints": replace(one, sidecar_share=1.0) for one in trees}


_WEIGHTS: Final = (
    (Kind.WEIGH, 0.0, 15.0, 0.03),
    (Kind.RECORD, 0.0, BLOCK_BUDGET_S, 0.24),
    (Kind.SAME, 0.0, SAME_BUDGET_S, 0.42),
    (Kind.CHANGED, 0.05, GATE_BUDGET_S, 0.13),
    (Kind.CHANGED, 0.03, GATE_BUDGET_S, 0.13),
    (Kind.CHANGED, 0.1, GATE_BUDGET_S, 0.03),
    (Kind.WRONG, 0.0, WRONG_BUDGET_S, 0.02),
)
"""Kinds of steps of a full self-test: change, the most that a step takes, and the share of the time."""

_QUICK: Final = (
    (Kind.WEIGH, 0.0, 10.0),
    (Kind.WRONG, 0.0, 4.0),
    (Kind.SAME, 0.0, 8.0),
    (Kind.CHANGED, 0.1, 20.0),
    (Kind.SAME, 0.0, 8.0),
    (Kind.WRONG, 0.0, 4.0),
    (Kind.CHANGED, 0.05, 20.0),
    (Kind.SAME, 0.0, 8.0),
    (Kind.WRONG, 0.0, 4.0),
    (Kind.CHANGED, 0.1, 20.0),
    (Kind.SAME, 0.0, 8.0),
)
"""The steps of a quick self-test: kind, change and budget."""


def next_step(
    request: SelfTestRequest, spent_s: Mapping[str, float], done: Mapping[str, int], total_spent_s: float
) -> Step | None:
    """The next step, after so many steps and seconds of each lane; None where no step fits in what is left."""
    if request.is_quick:
        return _next_of_quick(request, done, total_spent_s)
    kept_s = SIMULATION_S * len(request.conditions) * len(request.scenarios)
    left_s = request.budget_s - kept_s - total_spent_s
    weighed = [(step, weight) for step, weight in _lanes(request) if step.budget_s <= left_s]
    if not weighed:
        return None
    step, _ = min(weighed, key=lambda one: spent_s.get(one[0].lane, 0.0) / one[1])
    number = done.get(step.lane, 0)
    return replace(step, number=number, fault=_fault(number) if step.kind is Kind.WRONG else "")


def _next_of_quick(request: SelfTestRequest, done: Mapping[str, int], total_spent_s: float) -> Step | None:
    number = sum(done.values())
    if number >= len(_QUICK):
        return None
    step = _quick_step(request, number)
    return step if total_spent_s + step.budget_s <= request.budget_s else None


def _quick_step(request: SelfTestRequest, number: int) -> Step:
    kind, change, budget_s = _QUICK[number]
    before = sum(one[0] is kind for one in _QUICK[:number])
    return Step(
        kind=kind,
        condition=request.conditions[number % len(request.conditions)],
        scenario=next(iter(request.scenarios)),
        budget_s=budget_s,
        change=change,
        fault=_fault(before) if kind is Kind.WRONG else "",
        number=number,
    )


def _lanes(request: SelfTestRequest) -> list[tuple[Step, float]]:
    return [
        (Step(kind=kind, condition=condition, scenario=scenario, budget_s=budget_s, change=change), weight)
        for kind, change, budget_s, weight in _WEIGHTS
        for condition in request.conditions
        for scenario in request.scenarios
    ]


def wanted_gates(request: SelfTestRequest) -> tuple[Step, ...]:
    """A step of each kind of gate that has to be run under some condition, or nothing can be said."""
    gates = {Kind.SAME, Kind.CHANGED, Kind.WRONG}
    if not request.is_quick:
        return tuple(step for step, _ in _lanes(request) if step.kind in gates)
    steps = [_quick_step(request, number) for number in range(len(_QUICK))]
    found = {(step.kind, step.change): step for step in reversed(steps) if step.kind in gates}
    return tuple(found.values())


def _fault(number: int) -> str:
    """Every fault in turn; the first of all is none, and is no fault."""
    faults = list(FAULTS)[1:]
    return faults[number % len(faults)]


def announcement(request: SelfTestRequest) -> tuple[str, ...]:
    """What a self-test will do, said before it does any of it."""
    where = ", ".join(request.scenarios)
    if request.is_quick:
        return (
            f"Runs {len(_QUICK) - 1} gates on {where} within {request.budget_s:g} s, after some mutants.",
            "It checks that the gate works, not its rates: those take `ckpt-bench selftest` without --quick.",
        )
    total = f"{request.budget_s / 60:g} minutes"
    return (
        f"Gates identical code, real work of +3, +5 and +10 %, and wrong answers, on {where}: {total} in all.",
        f"Conditions: {', '.join(request.conditions)}. What is measured is kept as it comes: see --resume.",
    )
