"""From what a self-test recorded to its result: counts with exact intervals, simulations, and what rows say."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.mutants import UNEXPLAINED
from bench.selftest_log import GateRecord, MutantRecord, WeighedRecord
from bench.selftest_plan import (
    TARGET,
    WANTED_GATES,
    WANTED_GROUPS,
    Kind,
    wanted_gates,
)
from bench.selftest_promises import FOUND, exact
from bench.selftest_resampled import LEAST_POOL, covered, is_noisy, noise_of, simulated
from bench.selftest_result import (
    CAUGHT,
    Coverage,
    Gates,
    Injected,
    MutantFate,
    Mutants,
    Noise,
    Rate,
    SelfTestResult,
    State,
)
from bench.verdict import DEFAULT_MARGIN, Verdict
from bench.verdict_file import Cause

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from bench.selftest_log import Record, Recorded
    from bench.selftest_plan import SelfTestRequest, Step

QUICK_NOTES: Final = (
    "quick: this checks that the gate works, not its rates; `ckpt-bench selftest` alone measures those",
)
_VERDICTS: Final = {one.value for one in Verdict}


def assess(
    recorded: Recorded, request: SelfTestRequest, environment: dict[str, Any], *, is_simulated: bool
) -> SelfTestResult:
    """All that a self-test found so far, not yet concluded; simulations take most of a minute a pool."""
    noises: list[Noise] = []
    drawn: list[Gates] = []
    held: list[Coverage] = []
    for number, ((condition, scenario), groups) in enumerate(recorded.groups.items()):
        if len(groups) < LEAST_POOL:
            continue
        noise = noise_of(condition, scenario, groups)
        noises.append(noise)
        if is_simulated:
            rng = np.random.default_rng((request.seed, number))
            drawn += simulated(noise, groups, rng)
            held += covered(noise, groups, rng)
    noisy = {(one.condition, one.scenario) for one in noises if is_noisy(one)}
    real = real_gates(recorded.records, noisy, is_quick=request.is_quick)
    real = (*real, *missing(real, wanted_gates(request), is_quick=request.is_quick))
    return SelfTestResult(
        started_at=recorded.header.started_at,
        target=TARGET,
        is_quick=request.is_quick,
        seed=request.seed,
        budget_s=request.budget_s,
        elapsed_s=recorded.spent_s,
        noise=tuple(noises),
        injected=injected(recorded.records),
        gates=(*real, *drawn),
        coverage=tuple(held),
        mutants=mutants(recorded.records),
        notes=QUICK_NOTES if request.is_quick else shortfalls(recorded, request.conditions, request.scenarios),
        environment=environment,
    )


def real_gates(
    records: Iterable[Record], noisy: Container[tuple[str, str]] = (), *, is_quick: bool
) -> tuple[Gates, ...]:
    """The gates that ran, one row for each condition, scenario and injection.

    `noisy` are the conditions and scenarios with more noise than rates are promised for.
    """
    lanes: dict[tuple[str, str, float, bool], list[GateRecord]] = defaultdict(list)
    for one in records:
        if isinstance(one, GateRecord):
            lanes[one.condition, one.scenario, one.change, bool(one.fault)].append(one)
    return tuple(
        _row(lane, is_quick=is_quick, is_noisy=(condition, scenario) in noisy)
        for (condition, scenario, _, _), lane in lanes.items()
    )


def missing(real: Sequence[Gates], wanted: Iterable[Step], *, is_quick: bool) -> tuple[Gates, ...]:
    """A row for each kind of gate that should have been run and was not; of a quick self-test, anywhere."""
    run = {(*_place(one.condition, one.scenario, is_quick), one.change, one.fault) for one in real}
    return tuple(
        _unmeasured(one)
        for one in wanted
        if (*_place(one.condition, one.scenario, is_quick), one.change, one.kind is Kind.WRONG) not in run
    )


def _place(condition: str, scenario: str, is_quick: bool) -> tuple[str, ...]:
    return () if is_quick else (condition, scenario)


def _unmeasured(step: Step) -> Gates:
    return Gates(
        condition=step.condition,
        scenario=step.scenario,
        real=True,
        change=step.change,
        fault=step.kind is Kind.WRONG,
        budget_s=step.budget_s,
        gates=0,
        called={},
        rate=Rate(0, 0, 0.0, 1.0),
        promise="at least one",
        state=State.UNMEASURED,
    )


def _row(lane: Sequence[GateRecord], *, is_quick: bool, is_noisy: bool) -> Gates:
    first = lane[0]
    called = Counter(one.verdict for one in lane)
    caught = sum(called[name] for name in CAUGHT) if first.fault else called[Verdict.SLOWER.value]
    times_s = [one.gate_s for one in lane]
    detectable = [one.smallest_detectable for one in lane if one.smallest_detectable is not None]
    if first.fault:
        promise, state = "caught every time", _state_of_faults(called)
    elif first.change:
        promise = f"found in {FOUND[first.change]:.0%}" if not is_quick else "found once"
        state = _state_of_changed(lane, called, is_quick=is_quick, is_noisy=is_noisy)
    else:
        promise, state = "no slower, no faster", _state_of_same(called)
    return Gates(
        condition=first.condition,
        scenario=first.scenario,
        real=True,
        change=first.change,
        fault=bool(first.fault),
        budget_s=first.budget_s,
        gates=len(lane),
        called=dict(called),
        rate=exact(caught, len(lane)),
        promise=promise,
        median_s=median(times_s),
        longest_s=max(times_s),
        smallest_detectable=median(detectable) if detectable else None,
        state=state,
    )


def _state_of_faults(called: Counter[str]) -> State:
    """A wrong answer has to be caught as such, whatever the times."""
    passed = sum(called[verdict] for verdict in _VERDICTS)
    if passed:
        return State.FAILED
    return State.HOLDS if set(called) <= set(CAUGHT) else State.BROKEN


def _state_of_same(called: Counter[str]) -> State:
    if called[Verdict.SLOWER.value] or called[Verdict.FASTER.value] or called[Cause.OUTPUTS_DIFFER.value]:
        return State.FAILED
    if _broken(called):
        return State.BROKEN
    told = called[Verdict.EQUIVALENT.value] + called[Verdict.INCONCLUSIVE.value]
    return State.HOLDS if told else State.NOISY


def _broken(called: Counter[str]) -> bool:
    return bool(set(called) - _VERDICTS - {Cause.TOO_FEW_SAMPLES.value})


def _state_of_changed(
    lane: Sequence[GateRecord], called: Counter[str], *, is_quick: bool, is_noisy: bool
) -> State:
    """Whether a slow-down is found as often as promised, or else whether noise is the reason.

    It is where there is more than is promised for, or where the gates said that they were blind.
    """
    if called[Verdict.EQUIVALENT.value] or called[Verdict.FASTER.value]:
        return State.FAILED
    if _broken(called):
        return State.BROKEN
    found = called[Verdict.SLOWER.value]
    unfound = [one for one in lane if one.verdict != Verdict.SLOWER.value]
    if found and (is_quick or exact(found, len(lane)).high >= FOUND[lane[0].change]):
        return State.HOLDS
    return State.NOISY if is_noisy or all(_is_blind(one) for one in unfound) else State.FAILED


def _is_blind(gate: GateRecord) -> bool:
    """Whether a gate said of itself that it could not tell such a change: it has to lie beyond the margin."""
    if gate.smallest_detectable is None:
        return True
    return (1.0 + DEFAULT_MARGIN) * (1.0 + gate.smallest_detectable) >= 1.0 + gate.change


def injected(records: Iterable[Record]) -> tuple[Injected, ...]:
    """The share that each amount of work came to, whenever it was measured."""
    found: dict[tuple[str, str, float], list[tuple[float, float, float, int]]] = defaultdict(list)
    for one in records:
        if isinstance(one, WeighedRecord):
            for share in one.achieved:
                key = (one.condition, one.scenario, share.change)
                found[key].append((share.mean, share.low, share.high, share.processes))
    return tuple(
        Injected(
            condition=condition,
            scenario=scenario,
            change=change,
            mean=fmean(mean for mean, _, _, _ in shares),
            low=min(low for _, low, _, _ in shares),
            high=max(high for _, _, high, _ in shares),
            processes=sum(count for _, _, _, count in shares),
        )
        for (condition, scenario, change), shares in found.items()
    )


def mutants(records: Iterable[Record]) -> Mutants | None:
    """How many mutants were caught, and which were not; None where none were looked at."""
    looked_for = [one for one in records if isinstance(one, MutantRecord)]
    counted = [one for one in looked_for if not one.is_stillborn]
    if not counted:
        return None
    survivors = tuple(one.name for one in counted if one.caught_by is None and one.reason is None)
    return Mutants(
        caught=_caught(counted),
        survivors=survivors,
        state=State.FAILED if survivors else State.HOLDS,
        by_hand=_caught_of(counted, is_by_hand=True),
        by_tool=_caught_of(counted, is_by_hand=False),
        fates=tuple(_fate(one) for one in looked_for),
    )


def _caught(some: Sequence[MutantRecord]) -> Rate:
    return exact(sum(one.caught_by is not None for one in some), len(some))


def _caught_of(counted: Iterable[MutantRecord], *, is_by_hand: bool) -> Rate | None:
    some = [one for one in counted if one.is_by_hand is is_by_hand]
    return _caught(some) if some else None


def _fate(one: MutantRecord) -> MutantFate:
    caught_by = one.caught_by or f"survived: {one.reason or UNEXPLAINED}"
    if one.is_stillborn:
        caught_by = f"not counted, it fails at once on {one.caught_by}"
    return MutantFate(name=one.name, maker="by hand" if one.is_by_hand else "by the tool", caught_by=caught_by)


def shortfalls(recorded: Recorded, conditions: Iterable[str], scenarios: Iterable[str]) -> tuple[str, ...]:
    """What of a full self-test was measured less often than it should be."""
    few = []
    for condition in conditions:
        for scenario in scenarios:
            groups = len(recorded.groups.get((condition, scenario), ()))
            if groups < WANTED_GROUPS:
                few.append(f"{condition}, {scenario}: {groups} groups recorded, wanted {WANTED_GROUPS} or more")
        real = sum(
            isinstance(one, GateRecord) and one.condition == condition and not (one.change or one.fault)
            for one in recorded.records
        )
        if real < WANTED_GATES:
            few.append(f"{condition}: {real} real A/A gates, wanted {WANTED_GATES} or more")
    return tuple(f"{told}; raise --budget and go on with --resume" for told in few)
