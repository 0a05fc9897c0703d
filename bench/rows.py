"""The rows of a report: a scenario's times, its ratio with an interval, and how that stands to its claim."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.claims import BY_NAME, Standing
from bench.figures import NONE, duration
from bench.result import Interval, Noise, Row, RowVerdict, Timing
from bench.scenario import V2, V2_AGAIN
from bench.statistics import InsufficientData, median_interval, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.agreement import Agreement
    from bench.claims import Claim
    from bench.measurement import Measurement
    from bench.scenario import Contestant, Scenario, Setting
    from bench.trees import Variant

_VERDICTS = {
    Standing.HOLDS: RowVerdict.HOLDS,
    Standing.ABOVE: RowVerdict.ABOVE,
    Standing.BELOW: RowVerdict.BELOW,
    Standing.UNCLEAR: RowVerdict.UNCLEAR,
}


def rows_of(
    setting: Setting, variant: Variant, measurement: Measurement, agreement: Agreement
) -> tuple[Row, ...]:
    """A row for each scenario of the setting; one whose contestants are at fault is void and says why."""
    return tuple(_row(setting, one, variant, measurement, agreement) for one in setting.scenarios)


def noise_of(setting: Setting, variant: Variant, measurement: Measurement) -> tuple[Noise, ...]:
    """What V2 measured against itself, where it ran twice."""
    if V2_AGAIN not in setting.contestants:
        return ()
    itself = _ratio(measurement, V2, V2_AGAIN)
    return () if itself is None else (Noise(setting=setting.name, tree=variant.name, ratio=itself),)


LEAST_TIMES_FLOOR = 0.5
"""Below this part of what reading, or stat-ing, its files takes, a catalog cannot have looked at them."""


def timing_of(contestant: Contestant, measurement: Measurement, listed: int) -> Timing | None:
    """How long a contestant took for the whole catalog: the median round, and its interval."""
    times_ns = measurement.process_times_ns(contestant.name)
    if not times_ns or listed < 1:
        return None
    total_ns = _median(times_ns)
    return Timing(
        contestant=contestant.name,
        total_ns=total_ns,
        per_checkpoint_ns=total_ns.estimate / listed,
        calls=_calls(contestant, measurement),
        processes=len(times_ns),
    )


def range_of(contestant: Contestant, measurement: Measurement) -> Interval | None:
    """The median time with its interval over all calls: by order statistics, or of a few calls their range.

    A single call has no bounds. Calls of one process are not independent, so that the interval tells what
    this run's processes took, and not what every process would.
    """
    times_ns = measurement.process_times_ns(contestant.name)
    if not times_ns:
        return None
    calls_ns = [
        float(sample.elapsed_ns)
        for group in measurement.groups
        for one in group.rounds
        for sample in one.samples.get(contestant.name, ())
    ]
    if len(calls_ns) < 2:
        return Interval(estimate=median(times_ns))
    found = median_interval(calls_ns)
    return Interval(estimate=found.median, low=found.low, high=found.high)


def _median(times_ns: list[float]) -> Interval:
    """The median over processes, one time each, because rounds of one process are not independent."""
    try:
        found = median_interval(times_ns)
    except InsufficientData:
        return Interval(estimate=median(times_ns))
    return Interval(estimate=found.median, low=found.low, high=found.high)


def _calls(contestant: Contestant, measurement: Measurement) -> int:
    return sum(
        len(one.samples.get(contestant.name, ())) for group in measurement.groups for one in group.rounds
    )


def _ratio(measurement: Measurement, slow: Contestant, fast: Contestant) -> Interval | None:
    """How many times `slow` takes of `fast`, from pairs; without bounds where there are too few."""
    pairs = measurement.pairs_ns(slow.name, fast.name)
    try:
        found = ratio(pairs)
    except InsufficientData:
        ratios = [ours / theirs for group in pairs for ours, theirs in group if theirs > 0]
        return Interval(estimate=median(ratios)) if ratios else None
    return Interval(estimate=found.estimate, low=found.low, high=found.high)


def _row(
    setting: Setting, scenario: Scenario, variant: Variant, measurement: Measurement, agreement: Agreement
) -> Row:
    claim = BY_NAME.get(scenario.claim)
    contestants = (scenario.reference, scenario.candidate)
    faults = [agreement.faults[one.name] for one in contestants if one.name in agreement.faults]
    empty = _empty_row(setting, scenario, claim, variant)
    if faults:
        # Both contestants may be at fault; nothing measured is the stronger reason to show no figure.
        verdicts = [verdict for verdict, _ in faults]
        is_nothing = RowVerdict.NOTHING_MEASURED in verdicts
        verdict = RowVerdict.NOTHING_MEASURED if is_nothing else RowVerdict.OUTPUTS_DIFFER
        return replace(empty, verdict=verdict, remarks=tuple(reason for _, reason in faults))
    reference, candidate, floor = (
        timing_of(one, measurement, variant.listed) for one in (*contestants, scenario.floor)
    )
    if reference is None or candidate is None:
        return empty
    speedup = _ratio(measurement, *contestants)
    above_floor = _ratio(measurement, scenario.candidate, scenario.floor) if floor else None
    filled = replace(empty, reference=reference, candidate=candidate, floor=floor, ratio=speedup)
    filled = replace(filled, times_floor=above_floor.estimate if above_floor else None)
    if above_floor is not None and above_floor.estimate < LEAST_TIMES_FLOOR:
        remark = f"{scenario.candidate.name} took {above_floor.estimate:.2g} times the floor: it did not look"
        return replace(empty, verdict=RowVerdict.NOTHING_MEASURED, remarks=(remark,))
    return replace(filled, verdict=_judge(claim, speedup), remarks=tuple(_remarks(claim, filled)))


def _empty_row(setting: Setting, scenario: Scenario, claim: Claim | None, variant: Variant) -> Row:
    return Row(
        scenario=scenario.name,
        title=scenario.title,
        setting=setting.name,
        tree=variant.name,
        checkpoints=variant.listed,
        checkpoint_bytes=variant.spec.checkpoint_bytes,
        sidecar_share=setting.sidecar_share,
        cache_state=setting.cache_state,
        claimed_legacy=claim.legacy_ns.text if claim else NONE,
        claimed_v2=claim.v2_ns.text if claim else NONE,
        claimed_ratio=claim.speedup.text if claim else NONE,
    )


def _judge(claim: Claim | None, speedup: Interval | None) -> RowVerdict:
    if claim is None:
        return RowVerdict.NO_CLAIM
    if speedup is None or speedup.low is None or speedup.high is None:
        return RowVerdict.UNCLEAR
    return _VERDICTS[claim.speedup.judge(speedup.low, speedup.high)]


def _remarks(claim: Claim | None, row: Row) -> Iterator[str]:
    """Where V2's claimed time does not hold here."""
    if row.candidate is None or claim is None:
        return
    v2_ns = row.candidate.total_ns.estimate if claim.is_v2_total else row.candidate.per_checkpoint_ns
    if claim.v2_ns.judge(v2_ns, v2_ns) is not Standing.HOLDS:
        whole = "the catalog" if claim.is_v2_total else "a checkpoint"
        yield f"V2 takes {duration(v2_ns)} for {whole} here, not {claim.v2_ns.text}"


def legacy_note(rows: Sequence[Row]) -> str | None:
    """What legacy's claimed 2 to 5 s are here, over all rows; `None` where nothing was measured."""
    taken_ns = [row.reference.per_checkpoint_ns for row in rows if row.reference is not None]
    if not taken_ns:
        return None
    claimed = BY_NAME["sidecars"].legacy_ns
    measured = f"legacy takes {duration(min(taken_ns))} to {duration(max(taken_ns))} for a checkpoint here"
    holds = claimed.judge(min(taken_ns), max(taken_ns)) is Standing.HOLDS
    return f"{measured}, as claimed" if holds else f"{measured}, and not the {claimed.text} that was claimed"
