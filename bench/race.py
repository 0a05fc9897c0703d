"""Implementations timed in pairs on trees on which they agree; where they do not, no ratio is told."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final

from bench import engine
from bench.case import Case, case_of
from bench.engine import Arm, Plan
from bench.equality import listing_of
from bench.figures import duration
from bench.statistics import InsufficientData, ratio
from bench.verdict import judge
from bench.worker import Call
from fixtures.draw import draw
from fixtures.generate import write_plan
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.measurement import Measurement
    from bench.trial import Witness

_TIDY: Final = TreeSpec(
    experiments=5, checkpoints_per_experiment=4, checkpoint_bytes=200_000, metrics_share=0.0
)
SCENARIOS: Final = {
    "all with sidecars": _TIDY,
    "half with sidecars": replace(_TIDY, sidecar_share=0.5),
    "no sidecars": replace(_TIDY, sidecar_share=0.0),
    "untidy": replace(_TIDY, sidecar_share=0.6, untidiness=1.0),
}
"""Twenty checkpoints each, of 0.2 MB."""


@dataclass(frozen=True, slots=True)
class Lap:
    """One candidate against the reference in one scenario, in words; `is_refused` where they disagree."""

    line: str
    is_refused: bool = False


def race(
    reference: Witness,
    candidates: Sequence[Witness],
    *,
    folder: Path,
    budget_s: float,
    seed: int,
    measure: Callable[..., Measurement] = engine.measure,
) -> list[Lap]:
    """Time everybody in every scenario, warm, with their own preparation; `budget_s` is for all of them."""
    laps: list[Lap] = []
    everybody = (reference, *candidates)
    plan = Plan(processes=2, rounds=10, budget_s=budget_s / len(SCENARIOS))
    for number, (name, spec) in enumerate(SCENARIOS.items()):
        case = case_of(f"race/{name}", "Fields", draw(spec))
        root = folder / f"race-{number}" / "outputs"
        write_plan(case.plans[0], root)
        arms = [Arm(one.name, one.subject) for one in everybody]
        measurement = measure(arms, Call(root), plan, rng=random.Random(seed))
        faults = {one.name: _fault(one, case, measurement, root) for one in everybody}
        laps += [_lap(name, reference.name, one.name, faults, measurement) for one in candidates]
    return laps


def _fault(witness: Witness, case: Case, measurement: Measurement, root: Path) -> str:
    """Why a witness has no time here, empty where it has one: every answer that was timed is compared."""
    failure = next((one for one in measurement.failures if one.arm == witness.name), None)
    if failure is not None:
        return f"{failure.kind}: {failure.told.strip().splitlines()[-1]}"
    for answer in measurement.answers[witness.name]:
        for one in witness.differences(listing_of(answer, root), case, 0):
            return f"{one.path}: {one.field}: says {one.left}, not {one.right}"
    return "" if measurement.answers[witness.name] else "gave no answer"


def _lap(
    scenario: str, reference: str, candidate: str, faults: dict[str, str], measurement: Measurement
) -> Lap:
    fault = next((f"{name}: {faults[name]}" for name in (reference, candidate) if faults[name]), "")
    if fault:
        return Lap(f"{scenario}: {candidate} against {reference}: no ratio, they disagree: {fault}", True)
    pairs = measurement.pairs_ns(candidate, reference)
    try:
        found = ratio(pairs)
    except InsufficientData:
        some = median(ours / theirs for group in pairs for ours, theirs in group)
        told = f"{candidate} takes about {some:.3g} of {reference}'s time; too few pairs for an interval"
        return Lap(f"{scenario}: {told}: give it a quieter machine or more time")
    times = [min(measurement.process_times_ns(name)) for name in (candidate, reference)]
    verdict = judge(found)
    return Lap(
        f"{scenario}: {candidate} takes {found.estimate:.3g} of {reference}'s time "
        f"[{found.low:.3g}, {found.high:.3g}], {verdict.value} "
        f"({duration(times[0])} to {duration(times[1])}; {found.groups} processes each, {found.pairs} pairs)"
    )
