"""From what a self-test recorded to its result: counts with exact intervals, simulations, and what rows say."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import binomtest  # type: ignore[import-untyped]  # scipy ships no types

from bench import simulation
from bench.selftest_log import GateRecord, MutantRecord, WeighedRecord
from bench.selftest_plan import (
    CHANGES,
    GATE_BUDGET_S,
    SIMULATED_CHANGED,
    SIMULATED_SAME,
    TARGET,
    WANTED_GATES,
    WANTED_GROUPS,
)
from bench.selftest_result import (
    Coverage,
    Gates,
    Injected,
    Mutants,
    Noise,
    Rate,
    SelfTestResult,
    State,
)
from bench.simulation import Setting, coverage, pool_of, tally
from bench.verdict import DEFAULT_MARGIN, Verdict
from bench.verdict_file import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.random import Generator

    from bench.selftest_log import Record, Recorded, RecordedGroup
    from bench.selftest_plan import SelfTestRequest
    from bench.simulation import Pool

FOUND: Final = {0.03: 0.95, 0.05: 0.99, 0.1: 0.99}
"""How often a slow-down of this share has to be found."""

GATES_PER_ALARM: Final = 3000
"""At most one resampled gate of identical code in so many may say that it differs; of real ones, none."""

COVERAGE: Final = (0.94, 0.96)
COVERED_AT_A_STOP: Final = 0.95
LEAST_POOL: Final = 30
"""From fewer recorded groups nothing is resampled."""

QUIET_SD: Final = 0.02
"""The noise between processes up to which the rates are promised."""

FIXED_GROUPS: Final = (16, 32, 64)
QUICK_NOTES: Final = (
    "quick: this checks that the gate works, not its rates; `ckpt-bench selftest` alone measures those",
)
_VERDICTS: Final = {one.value for one in Verdict}
_NORMAL_MAD: Final = 1.4826


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
    real = real_gates(recorded.records, is_quick=request.is_quick)
    return SelfTestResult(
        started_at=recorded.header.started_at,
        target=TARGET,
        is_quick=request.is_quick,
        seed=request.seed,
        budget_s=request.budget_s,
        elapsed_s=recorded.spent_s,
        is_complete=is_simulated or request.is_quick,
        noise=tuple(noises),
        injected=injected(recorded.records),
        gates=(*real, *drawn),
        coverage=tuple(held),
        mutants=mutants(recorded.records),
        notes=QUICK_NOTES if request.is_quick else shortfalls(recorded, request.conditions, request.scenarios),
        environment=environment,
    )


def exact(happened: int, of: int) -> Rate:
    """A rate with its interval (Clopper-Pearson, 95 %)."""
    interval = binomtest(happened, of).proportion_ci()
    return Rate(happened, of, float(interval.low), float(interval.high))


def real_gates(records: Iterable[Record], *, is_quick: bool) -> tuple[Gates, ...]:
    """The gates that ran, one row for each condition, scenario and injection."""
    lanes: dict[tuple[str, str, float, bool], list[GateRecord]] = defaultdict(list)
    for one in records:
        if isinstance(one, GateRecord):
            lanes[one.condition, one.scenario, one.change, bool(one.fault)].append(one)
    return tuple(_row(lane, is_quick=is_quick) for lane in lanes.values())


def _row(lane: Sequence[GateRecord], *, is_quick: bool) -> Gates:
    first = lane[0]
    called = Counter(one.verdict for one in lane)
    wanted = Cause.OUTPUTS_DIFFER.value if first.fault else Verdict.SLOWER.value
    times_s = [one.gate_s for one in lane]
    detectable = [one.smallest_detectable for one in lane if one.smallest_detectable is not None]
    if first.fault:
        promise, state = "caught every time", _state_of_faults(called)
    elif first.change:
        promise = f"found in {FOUND[first.change]:.0%}" if not is_quick else "found once"
        state = _state_of_changed(lane, called, is_quick=is_quick)
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
        rate=exact(called[wanted], len(lane)),
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
    return State.HOLDS if set(called) == {Cause.OUTPUTS_DIFFER.value} else State.BROKEN


def _state_of_same(called: Counter[str]) -> State:
    if called[Verdict.SLOWER.value] or called[Verdict.FASTER.value] or called[Cause.OUTPUTS_DIFFER.value]:
        return State.FAILED
    if _broken(called):
        return State.BROKEN
    told = called[Verdict.EQUIVALENT.value] + called[Verdict.INCONCLUSIVE.value]
    return State.HOLDS if told else State.NOISY


def _broken(called: Counter[str]) -> bool:
    return bool(set(called) - _VERDICTS - {Cause.TOO_FEW_SAMPLES.value})


def _state_of_changed(lane: Sequence[GateRecord], called: Counter[str], *, is_quick: bool) -> State:
    """Whether a slow-down is found as often as promised, or else whether the gates said they were blind."""
    if called[Verdict.EQUIVALENT.value] or called[Verdict.FASTER.value]:
        return State.FAILED
    if _broken(called):
        return State.BROKEN
    found = called[Verdict.SLOWER.value]
    unfound = [one for one in lane if one.verdict != Verdict.SLOWER.value]
    if found and (is_quick or exact(found, len(lane)).high >= FOUND[lane[0].change]):
        return State.HOLDS
    return State.NOISY if all(_is_blind(one) for one in unfound) else State.FAILED


def _is_blind(gate: GateRecord) -> bool:
    """Whether a gate said of itself that it could not tell such a change: it has to lie beyond the margin."""
    if gate.smallest_detectable is None:
        return True
    return (1.0 + DEFAULT_MARGIN) * (1.0 + gate.smallest_detectable) >= 1.0 + gate.change


def noise_of(condition: str, scenario: str, groups: Sequence[RecordedGroup]) -> Noise:
    """The noise of recorded groups."""
    pool = _pool(condition, scenario, groups)
    values = _distinct(pool)
    pairs = [_pair_logs(one) for one in groups]
    return Noise(
        condition=condition,
        scenario=scenario,
        groups=len(groups),
        pairs=fmean(len(one) for one in pairs),
        call_ns=median(time_ns for one in groups for times in one.times.values() for time_ns in times),
        group_s=fmean(one.took_s for one in groups),
        between_sd=float(np.sqrt(np.mean(values**2))),
        between_mad_sd=float(_NORMAL_MAD * np.median(np.abs(values))),
        pair_sd=float(np.sqrt(fmean(float(np.var(one, ddof=1)) for one in pairs if len(one) > 1) or 0.0)),
        first_at=min(one.at for one in groups),
        last_at=max(one.at for one in groups),
    )


def _distinct(pool: Pool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each pair of arms once: their true values are 0, as their code is the same."""
    return np.concatenate([pool.values[:, 0, 1], pool.values[:, 1, 2], pool.values[:, 2, 0]])


def _pair_logs(group: RecordedGroup) -> list[float]:
    one, other, *_ = group.times.values()
    return [log(ours / theirs) for ours, theirs in zip(one, other, strict=True)]


def _pool(condition: str, scenario: str, groups: Sequence[RecordedGroup]) -> Pool:
    return pool_of(f"{condition}, {scenario}", [one.times for one in groups])


def simulated(noise: Noise, groups: Sequence[RecordedGroup], rng: Generator) -> tuple[Gates, ...]:
    """Gates resampled from recorded groups at the cost that these had."""
    pool = _pool(noise.condition, noise.scenario, groups)
    rows = []
    for change in (0.0, *CHANGES):
        setting = Setting(
            group_s=noise.group_s, change=change, budget_s=GATE_BUDGET_S, benchmark_budget_s=GATE_BUDGET_S
        )
        count = SIMULATED_CHANGED if change else SIMULATED_SAME
        row = tally(setting, simulation.gates(pool, setting, rng, count))
        rows.append(_simulated_row(noise, setting, row))
    return tuple(rows)


def _simulated_row(noise: Noise, setting: Setting, row: simulation.Row) -> Gates:
    called = {verdict.value: count for verdict, count in row.verdicts.items() if count}
    rate = exact(row.slower, row.gates)
    covered = exact(row.covered.happened, row.covered.of) if row.covered.of else None
    wrong = called.get(Verdict.FASTER.value, 0)
    if setting.change:
        promise = f"found in {FOUND[setting.change]:.0%}"
        is_wrong = wrong + called.get(Verdict.EQUIVALENT.value, 0) > 0
        missed = State.FAILED if noise.between_sd <= QUIET_SD else State.NOISY
        state = State.HOLDS if rate.high >= FOUND[setting.change] else missed
    else:
        promise = f"slower or faster in 1 of {GATES_PER_ALARM:,}"
        is_wrong = row.slower + wrong > row.gates // GATES_PER_ALARM
        state = State.HOLDS
    if is_wrong or (covered is not None and covered.high < COVERED_AT_A_STOP):
        state = State.FAILED
    return Gates(
        condition=noise.condition,
        scenario=noise.scenario,
        real=False,
        change=setting.change,
        budget_s=setting.budget_s,
        gates=row.gates,
        called=called,
        rate=rate,
        promise=promise,
        median_s=row.median_s,
        covered=covered,
        state=state,
    )


def covered(noise: Noise, groups: Sequence[RecordedGroup], rng: Generator) -> tuple[Coverage, ...]:
    """How often the interval at a fixed number of groups covers, each of as many draws as A/A gates."""
    pool = _pool(noise.condition, noise.scenario, groups)
    rows = []
    for count in FIXED_GROUPS:
        told = coverage(pool, rng, groups=count, count=SIMULATED_SAME)
        rate = exact(told.happened, told.of)
        is_right = rate.high >= COVERAGE[0] and rate.low <= COVERAGE[1]
        rows.append(
            Coverage(
                condition=noise.condition,
                scenario=noise.scenario,
                groups=count,
                rate=rate,
                state=State.HOLDS if is_right else State.FAILED,
            )
        )
    return tuple(rows)


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
    fates = [one for one in records if isinstance(one, MutantRecord)]
    if not fates:
        return None
    survivors = tuple(one.name for one in fates if one.caught_by is None)
    return Mutants(
        caught=exact(len(fates) - len(survivors), len(fates)),
        survivors=survivors,
        state=State.FAILED if survivors else State.HOLDS,
    )


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
