"""How time grows with the tree in a gate: one scenario's candidate and reference on trees of several sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.gate_case import CANDIDATE, REFERENCE
from bench.result import Interval
from bench.scaling import Growth, compare_growth
from bench.statistics import InsufficientData
from bench.verdict_file import Cause, GrowthFound, Reason, Refusal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from bench.gate_case import Case
    from bench.statistics import Exponent

EXPERIMENTS = (5, 10, 20, 40)
"""The sizes of the trees, in experiments: each tree is twice as large as the one before it."""

GROUPS = 12
"""Groups of processes at each size."""

PASSES = 2
"""In so many passes over all sizes, each in random order: what drifts does not look like growth."""


NOTHING_TO_GROW_BESIDE = (
    "expected a revision or an implementation to compare growth with, found none; name one with --against"
)


def growths(
    by_name: Mapping[str, Mapping[int, Case]],
    budget_s: float,
    rng: random.Random,
    say: Callable[[str], None],
) -> tuple[dict[str, GrowthFound], list[Reason]]:
    """How each scenario's time grows (`by_name[scenario][checkpoints]`), and the reasons not to pass."""
    found: dict[str, GrowthFound] = {}
    against: list[Reason] = []
    for name, cases in by_name.items():
        say(f"{name}: growth over {', '.join(map(str, cases))} checkpoints")
        try:
            found[name] = growth_of(cases, budget_s=budget_s, rng=rng)
        except Refusal as refusal:
            against.append(refusal.reason(name))
        else:
            reason = reason_of(found[name], name)
            against += [] if reason is None else [reason]
    return found, against


def growth_of(cases: Mapping[int, Case], *, budget_s: float, rng: random.Random) -> GrowthFound:
    """Measure one scenario at every size (`cases[checkpoints]`), and compare both sides' exponents.

    Raises Refusal where a size shows anything that no time may be taken from, or where the budget does not
    suffice for enough groups.
    """
    for _ in range(PASSES):
        for size in rng.sample(list(cases), len(cases)):
            cases[size].draw(GROUPS // PASSES, budget_s / (PASSES * len(cases)))
    try:
        found = compare_growth(list(cases), _times(cases, CANDIDATE), _times(cases, REFERENCE))
    except InsufficientData as error:
        raise Refusal(Cause.TOO_FEW_SAMPLES, f"{error}; raise the budget") from error
    return GrowthFound(
        verdict=found.growth.value,
        sizes=tuple(cases),
        candidate=_interval(found.candidate),
        reference=_interval(found.reference),
        difference=_interval(found.difference),
    )


def reason_of(found: GrowthFound, about: str) -> Reason | None:
    """Why a growth is no pass, if it is none."""
    difference = found.difference
    told = (
        f"time grows with checkpoints^{found.candidate.estimate:.3f}, the reference's with "
        f"^{found.reference.estimate:.3f}; they differ by {difference.low:+.3f} to {difference.high:+.3f}"
    )
    if found.verdict == Growth.STEEPER.value:
        return Reason(Cause.STEEPER, about, told)
    if found.verdict == Growth.INCONCLUSIVE.value:
        return Reason(Cause.GROWTH_UNCLEAR, about, f"{told}; raise the budget")
    return None


def _times(cases: Mapping[int, Case], arm: str) -> list[tuple[float, ...]]:
    """`times[group][size]`: the groups of all sizes, as far as all have them, in the order of measuring."""
    by_size = [
        [] if case.measurement is None else case.measurement.process_times_ns(arm) for case in cases.values()
    ]
    return list(zip(*by_size, strict=False))


def _interval(exponent: Exponent) -> Interval:
    return Interval(estimate=exponent.estimate, low=exponent.low, high=exponent.high)
