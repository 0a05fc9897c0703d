"""A gate's benchmark as its verdict keeps it: what the samples came to, and the reason not to pass, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.result import Interval
from bench.sampling import LEAST_GROUPS
from bench.verdict import Verdict
from bench.verdict_file import Benchmark, Cause, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.gate_case import Case
    from bench.sampling import Final

STORED = "stored"
"""What is said of a benchmark that was measured for a baseline, and compared with itself alone."""


def is_storing(case: Case) -> bool:
    """Whether a case is measured for a baseline."""
    return case.sides.reference is None and case.stored is None


def unjudged(case: Case) -> Benchmark:
    """A benchmark that has no verdict yet."""
    return Benchmark(
        name=case.name,
        scenario=case.scenario.name,
        title=case.scenario.title,
        tree=case.tree.name,
        cache_state=case.setting.cache_state,
        candidate=case.contestants[0].target,
        reference=case.contestants[1].target,
        against=case.against,
        elapsed_s=case.elapsed_s,
        needs=case.needs(),
    )


def judged(case: Case, final: Final, reason: Reason | None, profile: Callable[[Case], str]) -> Benchmark:
    """A benchmark with what its samples came to; what is slower than a reference at hand is profiled."""
    is_slower = final.verdict is Verdict.SLOWER
    said = STORED if is_storing(case) else final.verdict.value
    return replace(
        unjudged(case),
        verdict=said if reason is None else reason.cause.value,
        ratio=None if final.ratio is None else _interval(final),
        noise_floor=final.noise_floor,
        smallest_detectable=final.smallest_detectable,
        groups=final.groups,
        remarks=() if said == STORED else (f"{final.reason}; {final.groups} groups, {final.looks} looks",),
        profile=profile(case) if is_slower and case.sides.reference is not None else "",
    )


def reason_of(case: Case, final: Final) -> Reason | None:
    """Why a benchmark does not pass; None where it does."""
    if final.groups < LEAST_GROUPS or final.ratio is None or final.noise_floor is None:
        told = f"expected at least {LEAST_GROUPS} groups of processes, found {final.groups}; {final.reason}"
        return Reason(Cause.TOO_FEW_SAMPLES, case.name, told)
    if is_storing(case):
        return None  # A baseline is being made: there is nothing to be slower than.
    match final.verdict:
        case Verdict.SLOWER:
            return Reason(Cause.SLOWER, case.name, f"{_told(final)}; {final.reason}")
        case Verdict.FASTER | Verdict.EQUIVALENT:
            return None
        case _:
            return Reason(Cause.UNCLEAR, case.name, f"{_told(final)}; {final.reason}")


def _interval(final: Final) -> Interval | None:
    ratio = final.ratio
    return None if ratio is None else Interval(estimate=ratio.estimate, low=ratio.low, high=ratio.high)


def _told(final: Final) -> str:
    ratio = final.ratio
    if ratio is None:
        return "no ratio"
    return f"{ratio.estimate:.4f} times the reference ({ratio.low:.4f}-{ratio.high:.4f})"
