"""The self-test's course: does the gate, here and now, find what is there and nothing else?

Mutants first, then steps until the budget is spent, each kept before the next begins; then the rates.
Everything it works with is an argument, so that its course can be tested without a gate, a process or a wait.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from bench.mutants import reason_of
from bench.selftest_log import GateRecord, GroupsRecord, MutantRecord, WeighedRecord
from bench.selftest_plan import NEIGHBOUR, QUIET, Kind, next_step
from bench.selftest_result import concluded
from bench.verdict_file import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bench.calibration import Achieved
    from bench.mutants import Fate
    from bench.selftest_log import Log, Record, Recorded, RecordedGroup
    from bench.selftest_plan import SelfTestRequest, Step
    from bench.selftest_result import SelfTestResult
    from bench.verdict_file import Benchmark, GateResult

MUTANTS: Final = "named cases"
"""What stands for a scenario where mutants are looked for."""


class Real(Protocol):
    """The real things that are done."""

    def weigh(self, step: Step) -> tuple[Achieved, ...]:
        """Measure what share the injected work comes to."""

    def run_gate(self, step: Step) -> GateResult:
        """Run one gate."""

    def record(self, step: Step, at: str) -> list[RecordedGroup]:
        """Record groups of the same code; may raise Refusal."""

    def look_for_mutants(self, tell: Callable[[Fate], None], *, known: frozenset[str], is_quick: bool) -> None:
        """Tell the fate of every mutant that is not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """Whatever a self-test works with; `now` tells the time of day as text.

    `assess` makes the result of what was recorded, with simulations where the second argument says so.
    """

    real: Real
    log: Log
    neighbour: Callable[[int], AbstractContextManager[object]]
    assess: Callable[[Recorded, bool], SelfTestResult]
    monotonic_s: Callable[[], float]
    now: Callable[[], str]
    publish: Callable[[SelfTestResult], None]
    say: Callable[[str], None]


def selftest(request: SelfTestRequest, collaborators: Collaborators) -> SelfTestResult:
    """Test and judge. An interruption is raised on, after the result of what was measured is published."""
    recorded = collaborators.log.recorded
    try:
        _look_for_mutants(request, collaborators)
        while (step := _next(request, recorded)) is not None:
            _told(step, collaborators)
            collaborators.log.append(*_done(request, step, collaborators))
        result = replace(collaborators.assess(recorded, not request.is_quick), is_complete=True)
    except KeyboardInterrupt:
        collaborators.publish(concluded(collaborators.assess(recorded, False)))
        raise
    result = concluded(result)
    collaborators.publish(result)
    return result


def _next(request: SelfTestRequest, recorded: Recorded) -> Step | None:
    return next_step(request, recorded.spent_by_lane(), recorded.steps_by_lane(), recorded.spent_s)


def _told(step: Step, collaborators: Collaborators) -> None:
    injected = f", {step.fault}" if step.fault else ""
    collaborators.say(f"{collaborators.log.recorded.spent_s:5.0f} s  {step.lane} {step.number + 1}{injected}")


def _done(
    request: SelfTestRequest, step: Step, collaborators: Collaborators
) -> tuple[Record, list[RecordedGroup]]:
    """Do one step under its condition; what became of it, and the groups that it recorded."""
    at = collaborators.now()
    is_beside = step.condition == NEIGHBOUR
    begun_s = collaborators.monotonic_s()
    groups: list[RecordedGroup] = []
    gate: GateResult | None = None
    achieved: tuple[Achieved, ...] = ()
    with collaborators.neighbour(request.seed + step.number) if is_beside else nullcontext():
        match step.kind:
            case Kind.WEIGH:
                achieved = collaborators.real.weigh(step)
            case Kind.RECORD:
                groups = _recorded(step, at, collaborators)
            case _:
                gate = collaborators.real.run_gate(step)
    elapsed_s = collaborators.monotonic_s() - begun_s
    if gate is not None:
        return _gate_record(step, gate, at, elapsed_s), groups
    common = {"lane": step.lane, "condition": step.condition, "scenario": step.scenario, "at": at}
    if step.kind is Kind.WEIGH:
        return WeighedRecord(**common, elapsed_s=elapsed_s, achieved=achieved), groups
    return GroupsRecord(**common, elapsed_s=elapsed_s, groups=len(groups)), groups


def _recorded(step: Step, at: str, collaborators: Collaborators) -> list[RecordedGroup]:
    try:
        return collaborators.real.record(step, at)
    except Refusal as refusal:
        collaborators.say(f"{step.lane}: {refusal.cause}: {refusal.told}")
        return []


def _gate_record(step: Step, gate: GateResult, at: str, elapsed_s: float) -> GateRecord:
    benchmark: Benchmark | None = gate.benchmarks[0] if gate.benchmarks else None
    reason = gate.reasons[0] if gate.reasons else None
    verdict = gate.verdict if reason is None else reason.cause.value
    return GateRecord(
        lane=step.lane,
        condition=step.condition,
        scenario=step.scenario,
        at=at,
        elapsed_s=elapsed_s,
        change=step.change,
        fault=step.fault,
        budget_s=step.budget_s,
        gate_s=gate.elapsed_s,
        verdict=verdict if benchmark is None else benchmark.verdict,
        exit_code=gate.exit_code,
        told="" if reason is None else reason.told,
        ratio=None if benchmark is None else benchmark.ratio,
        noise_floor=None if benchmark is None else benchmark.noise_floor,
        smallest_detectable=None if benchmark is None else benchmark.smallest_detectable,
        groups=0 if benchmark is None else benchmark.groups,
    )


def _look_for_mutants(request: SelfTestRequest, collaborators: Collaborators) -> None:
    """Every mutant that no earlier part looked for; each is kept as it is caught, or survives."""
    known = frozenset(one.name for one in collaborators.log.recorded.records if isinstance(one, MutantRecord))
    begun_s = collaborators.monotonic_s()

    def tell(fate: Fate) -> None:
        nonlocal begun_s
        now_s = collaborators.monotonic_s()
        record = _mutant_record(fate, collaborators.now(), now_s - begun_s)
        begun_s = now_s
        collaborators.log.append(record)
        collaborators.say(f"mutant, {record.name}: {record.caught_by or record.reason or 'SURVIVED'}")

    collaborators.real.look_for_mutants(tell, known=known, is_quick=request.is_quick)


def _mutant_record(fate: Fate, at: str, elapsed_s: float) -> MutantRecord:
    return MutantRecord(
        lane="mutants",
        condition=QUIET,
        scenario=MUTANTS,
        at=at,
        elapsed_s=elapsed_s,
        name=fate.mutant.name,
        caught_by=fate.caught_by,
        is_by_hand=fate.mutant.is_by_hand,
        is_stillborn=fate.is_stillborn,
        reason=reason_of(fate) if fate.caught_by is None else None,
    )
