"""Whatever a gate works with: who sets code aside, measures, decides and publishes. Tests bring their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.arms import Serve
    from bench.baseline import Baseline
    from bench.environment import Environment
    from bench.family import Family
    from bench.gate_case import Case
    from bench.gate_instructions import CountInstructions
    from bench.reproduce import Grow, Measure, Weigh
    from bench.revision import Side
    from bench.subject import Subject
    from bench.verdict_file import Cause, GateResult
    from bench.worker import Call


class Decide(Protocol):
    """Begins with the benchmarks of a gate."""

    def __call__(
        self, names: Sequence[str], *, budget_s: float, benchmark_budget_s: float, margin: float
    ) -> Family:
        """All of them within a total."""


class LookAgain(Protocol):
    """Sees whether a subject notices a change."""

    def __call__(self, subject: Subject, call: Call, /) -> tuple[Cause, str] | None:
        """What speaks against it, if anything does."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Whatever a gate works with; `sides` sets the code aside that is to be measured, and may raise Refusal.

    It tells the candidate, and all that it is compared with; with nothing, a baseline is made.
    """

    sides: Callable[[], tuple[Side, Sequence[Side | Baseline]]]
    grow: Grow
    measure: Measure
    weigh: Weigh
    serve: Serve
    decide: Decide
    profile: Callable[[Case], str]
    environment: Callable[[Path], Environment]
    count_instructions: CountInstructions
    look_again: LookAgain
    settle: Callable[[Path], None]
    is_cold_possible: Callable[[Path], bool]
    monotonic_s: Callable[[], float]
    publish: Callable[[GateResult], None]
    keep_samples: Callable[[Sequence[Case]], None]
    keep_baseline: Callable[[Side, Sequence[Case]], None]
    say: Callable[[str], None]
    home: Path
