"""Gates drawn from the groups that a self-test recorded: their rates, the coverage of intervals, the noise."""

from __future__ import annotations

from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

import numpy as np

from bench import simulation
from bench.selftest_plan import CHANGES, GATE_BUDGET_S, SIMULATED_CHANGED, SIMULATED_SAME
from bench.selftest_promises import (
    COVERED_AT_A_STOP,
    COVERED_FIXED,
    FOUND,
    GATES_PER_ALARM,
    QUIET_SD,
    exact,
)
from bench.selftest_result import Coverage, Gates, Noise, State
from bench.simulation import Setting, coverage, pool_of, tally
from bench.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from bench.selftest_log import RecordedGroup
    from bench.selftest_result import Rate
    from bench.simulation import Pool

LEAST_POOL: Final = 30
"""From fewer recorded groups nothing is resampled."""

FIXED_GROUPS: Final = (16, 32, 64)
_NORMAL_MAD: Final = 1.4826


def noise_of(condition: str, scenario: str, groups: Sequence[RecordedGroup]) -> Noise:
    """The noise of recorded groups."""
    pool = _pool(condition, scenario, groups)
    values = _distinct(pool)
    pairs = [_pair_logs(one) for one in groups]
    variances = [float(np.var(one, ddof=1)) for one in pairs if len(one) > 1]
    return Noise(
        condition=condition,
        scenario=scenario,
        groups=len(groups),
        pairs=fmean(len(one) for one in pairs),
        call_ns=median(time_ns for one in groups for times in one.times.values() for time_ns in times),
        group_s=fmean(one.took_s for one in groups),
        between_sd=float(np.sqrt(np.mean(values**2))),
        between_mad_sd=float(_NORMAL_MAD * np.median(np.abs(values))),
        pair_sd=float(np.sqrt(fmean(variances))) if variances else 0.0,
        first_at=min(one.at for one in groups),
        last_at=max(one.at for one in groups),
    )


def is_noisy(noise: Noise) -> bool:
    """Whether noise exceeds what rates are promised for; by the median, as a group may be far off."""
    return noise.between_mad_sd > QUIET_SD


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
        missed = State.NOISY if is_noisy(noise) else State.FAILED
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
        rows.append(
            Coverage(
                condition=noise.condition,
                scenario=noise.scenario,
                groups=count,
                rate=rate,
                state=_state_of_coverage(rate, noise),
            )
        )
    return tuple(rows)


def _state_of_coverage(rate: Rate, noise: Noise) -> State:
    """Too narrow is wrong in any noise; too wide costs power, which is promised only up to `QUIET_SD`."""
    if rate.high < COVERED_FIXED[0]:
        return State.FAILED
    if rate.low <= COVERED_FIXED[1]:
        return State.HOLDS
    return State.NOISY if is_noisy(noise) else State.FAILED
