"""A gate's benchmarks held against the targets that speak of them: times, memory, ratios."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.gate_case import CANDIDATE, TIMEOUT_S
from bench.measurement import Plan
from bench.outcome import judge
from bench.result import Interval, Row, RowVerdict, TargetState
from bench.rows import range_of
from bench.scenario import LEGACY
from bench.statistics import InsufficientData, ratio
from bench.verdict import ExitCode
from bench.verdict_file import Cause, Reason, code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bench.arms import Serve
    from bench.gate_case import Case
    from bench.result import TargetOutcome
    from bench.targets import Target

_VERDICTS = {ExitCode.PASS: RowVerdict.HOLDS, ExitCode.OUTPUTS_DIFFER: RowVerdict.OUTPUTS_DIFFER}

_CAUSES = {
    TargetState.MISSED: Cause.TARGET_MISSED,
    TargetState.UNCLEAR: Cause.TARGET_UNCLEAR,
    TargetState.OUTPUTS_DIFFER: Cause.OUTPUTS_DIFFER,
    TargetState.NOTHING_MEASURED: Cause.TARGET_NOT_MEASURED,
}

BUDGET_S = 20.0
"""What measuring one ratio may take; legacy has to be waited for."""


def outcomes(case: Case, targets: Iterable[Target], home: Path, serve: Serve) -> list[TargetOutcome]:
    """What becomes of each target that speaks of the case's scenario and size.

    A time is that of the candidate over all of the gate's groups. A ratio is measured in pairs of its own,
    in alternation. Nothing is measured of a case whose answers or times do not count.
    """
    listed = case.tree.with_sidecars(case.setting.sidecar_share).listed
    chosen = [target for target in targets if target.is_for(case.scenario.name, listed)]
    verdict = _VERDICTS.get(code_of(case.reasons()), RowVerdict.NOTHING_MEASURED)
    is_void = verdict is not RowVerdict.HOLDS
    row = _row(case, listed, verdict)
    return [judge(one, row, None if is_void else _of(case, one, home, serve)) for one in chosen]


def reasons(judged: Iterable[TargetOutcome]) -> Iterator[Reason]:
    """A reason not to pass for each target that is not met."""
    for one in judged:
        cause = _CAUSES.get(one.verdict)
        if cause is not None:
            told = f"expected {one.limit}, found {_measured(one.measured)} {one.unit}"
            yield Reason(cause, one.name, told)


def _of(case: Case, target: Target, home: Path, serve: Serve) -> Interval | None:
    if target.is_ratio:
        return _ratio(case, target, home, serve)
    if target.measure == "megabytes":
        weighed = case.weighed.get(CANDIDATE)
        memory = None if weighed is None else weighed.memory
        if memory is None:
            return None
        peak_bytes = float(memory.peak_bytes)
        return Interval(estimate=peak_bytes, low=peak_bytes, high=peak_bytes)
    return None if case.measurement is None else range_of(case.contestants[0], case.measurement)


def _ratio(case: Case, target: Target, home: Path, serve: Serve) -> Interval | None:
    """Times the floor, or times as fast as legacy; both run beside the candidate, legacy from its own code.

    `None` where anything speaks against what was measured: a wrong answer, a failure, foreign code.
    """
    other = replace(LEGACY if target.measure == "times_legacy" else case.scenario.floor, name=target.measure)
    plan = Plan(processes=3, rounds=5, budget_s=BUDGET_S, cold=case.setting.is_cold, timeout_s=TIMEOUT_S)
    contestants = (case.contestants[0], other)
    with case.sides.arms(contestants, case.tree, home / target.name, serve) as arms:
        measurement = case.measure(arms, case.call, plan, rng=case.rng)
        if replace(case, arms=arms, contestants=contestants, measurement=measurement).reasons():
            return None
    order = (other.name, CANDIDATE) if target.measure == "times_legacy" else (CANDIDATE, other.name)
    try:
        found = ratio(measurement.pairs_ns(*order))
    except InsufficientData:
        return None
    return Interval(estimate=found.estimate, low=found.low, high=found.high)


def _row(case: Case, listed: int, verdict: RowVerdict) -> Row:
    return Row(
        scenario=case.scenario.name,
        title=case.scenario.title,
        setting=case.setting.name,
        tree=case.tree.name,
        checkpoints=listed,
        checkpoint_bytes=case.tree.spec.checkpoint_bytes,
        sidecar_share=case.setting.sidecar_share,
        cache_state=case.setting.cache_state,
        claimed_legacy="",
        claimed_v2="",
        claimed_ratio="",
        verdict=verdict,
    )


def _measured(value: Interval | None) -> str:
    if value is None:
        return "nothing"
    if value.low is None or value.high is None:
        return f"{value.estimate:.3g} in a single call"
    return f"{value.estimate:.3g} ({value.low:.3g} to {value.high:.3g})"
