"""A self-test without gates, processes or waiting: what is measured is as a test wishes."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.calibration import Achieved
from bench.mutants import Fate, Mutant
from bench.result import Interval
from bench.selftest import Collaborators, selftest
from bench.selftest_log import GateRecord, Header, Log, RecordedGroup
from bench.selftest_plan import Kind, SelfTestRequest
from bench.selftest_rates import assess
from bench.verdict_file import Benchmark, Cause, GateResult, Reason, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.selftest_log import Recorded
    from bench.selftest_plan import Step
    from bench.selftest_result import SelfTestResult

BEGUN = "2026-01-01T00:00:00+00:00"
HEADER = Header(started_at=BEGUN, code="aaa", machine={"cpu_model": "a processor"}, seed=0, is_quick=True)
QUICK = SelfTestRequest(started_at=BEGUN, is_quick=True, budget_s=1000.0)


def groups_of(count: int, *, sd: float = 0.004, seed: int = 0, at: str = BEGUN) -> list[RecordedGroup]:
    """Groups of three arms of the same code, 10 rounds of 2 ms each, with noise between processes."""
    rng = random.Random(seed)
    groups = []
    for _ in range(count):
        levels = {arm: rng.gauss(0.0, sd) for arm in ("candidate", "reference", "reference-again")}
        times = {
            arm: [2e6 * (1.0 + level + rng.gauss(0.0, 0.01)) for _ in range(10)]
            for arm, level in levels.items()
        }
        groups.append(RecordedGroup(times=times, at=at, took_s=0.6))
    return groups


def gate_of(
    verdict: str,
    *,
    change: float = 0.0,
    fault: str = "",
    detectable: float | None = 0.02,
    condition: str = "quiet",
) -> GateRecord:
    """A gate that ran, and said so."""
    return GateRecord(
        lane=f"{condition}, 14 checkpoints",
        condition=condition,
        scenario="14 checkpoints",
        at=BEGUN,
        elapsed_s=11.0,
        gate_s=10.0,
        change=change,
        fault=fault,
        budget_s=20.0,
        verdict=verdict,
        exit_code=0,
        smallest_detectable=detectable,
    )


def result_of(verdict: str, elapsed_s: float) -> GateResult:
    """What a gate ends with, by its one benchmark's verdict or by the cause that it has none for."""
    causes = {"inconclusive": Cause.UNCLEAR, "slower": Cause.SLOWER}
    is_passed = verdict in {"equivalent", "faster"}
    reasons = () if is_passed else (Reason(causes.get(verdict) or Cause(verdict), "first-load", "as told"),)
    benchmark = Benchmark(
        name="first-load",
        scenario="first-load",
        title="",
        tree="",
        cache_state="warm",
        candidate="",
        reference="",
        verdict=verdict,
        ratio=Interval(estimate=1.0, low=0.99, high=1.01),
        noise_floor=0.01,
        smallest_detectable=0.02,
        groups=16,
    )
    return GateResult(
        started_at=BEGUN,
        margin=0.01,
        seed=0,
        budget_s=10.0,
        benchmarks=(benchmark,),
        reasons=reasons,
        exit_code=int(code_of(reasons)),
        elapsed_s=elapsed_s,
    )


@dataclass
class World:
    """Collaborators of a self-test that note what is done; the fields are what may go wrong."""

    folder: Path
    header: Header = HEADER
    same: str = "inconclusive"
    changed: str = "slower"
    wrong: str = "outputs differ"
    survivor: str | None = None
    step_s: float = 10.0
    interrupted_at: int | None = None
    steps: list[Step] = field(default_factory=list)
    mutants_known: list[frozenset[str]] = field(default_factory=list)
    beside: list[int] = field(default_factory=list)
    is_beside: bool = False
    published: list[SelfTestResult] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    clock_s: float = 0.0

    def run(self, request: SelfTestRequest = QUICK, *, is_resumed: bool = False) -> SelfTestResult:
        """A whole self-test in the folder."""
        log = (Log.resumed if is_resumed else Log.begun)(self.folder, self.header)
        return selftest(request, self._with(request, log))

    def _with(self, request: SelfTestRequest, log: Log) -> Collaborators:
        def assessed(recorded: Recorded, is_simulated: bool) -> SelfTestResult:
            assert not is_simulated or not request.is_quick
            return assess(recorded, request, {}, is_simulated=False)

        return Collaborators(
            real=self,
            log=log,
            neighbour=self._neighbour,
            assess=assessed,
            monotonic_s=lambda: self.clock_s,
            now=lambda: BEGUN,
            publish=self.published.append,
            say=self.said.append,
        )

    @contextmanager
    def _neighbour(self, seed: int) -> Iterator[None]:
        self.beside.append(seed)
        self.is_beside = True
        yield
        self.is_beside = False

    def _took(self, step: Step) -> None:
        if self.interrupted_at == len(self.steps):
            raise KeyboardInterrupt
        assert self.is_beside == (step.condition == "neighbour")
        self.steps.append(step)
        self.clock_s += self.step_s

    def weigh(self, step: Step) -> tuple[Achieved, ...]:
        self._took(step)
        return (Achieved(0.05, 100, 0.051, 0.049, 0.052, 3),)

    def record(self, step: Step, at: str) -> list[RecordedGroup]:
        self._took(step)
        return groups_of(16, seed=len(self.steps), at=at)

    def run_gate(self, step: Step) -> GateResult:
        self._took(step)
        said = {Kind.SAME: self.same, Kind.CHANGED: self.changed, Kind.WRONG: self.wrong}
        return result_of(said[step.kind], self.step_s - 1.0)

    def look_for_mutants(self, tell: Callable[[Fate], None], *, known: frozenset[str], is_quick: bool) -> None:
        assert is_quick or not known
        self.mutants_known.append(known)
        for name in ("an epoch", "a metric"):
            if name not in known:
                self.clock_s += 1.0
                tell(Fate(Mutant(name, {}), None if name == self.survivor else "a case"))
