"""The real things of a self-test: gates through `bench.gate`, recorded groups, and the work that is injected.

Every gate is the whole gate: processes of its own, answers compared, looks, confirmation and verdict. Only the
tree is grown once for all gates of a scenario, and neither targets nor profiles are asked for.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from bench.arms import isolated
from bench.calibration import ProcessTimer, achieved, calibrated
from bench.family import Family
from bench.freshness import look_again
from bench.gate import GROUPS_IN_BUDGET, gate
from bench.gate_case import AGAIN, CANDIDATE, REFERENCE, Case, Sides
from bench.gate_collaborators import Collaborators
from bench.gate_request import GateRequest
from bench.injected import MODULE, laden_name, write_subjects, wrong_name
from bench.revision import Runtime, Side
from bench.scenario import READ_FLOOR, Contestant, Scenario, Setting
from bench.selftest_log import RecordedGroup
from bench.selftest_plan import BLOCK_GROUPS, CHANGES, GATE_BUDGET_S, TARGET, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.arms import Serve
    from bench.calibration import Achieved
    from bench.environment import Environment
    from bench.measurement import Arm, Resources
    from bench.mutants import Fate
    from bench.reproduce import Measure
    from bench.selftest_plan import Step
    from bench.trees import GrownTree
    from bench.verdict_file import GateResult
    from bench.worker import Call
    from fixtures.spec import TreeSpec

OFF: Final = 0.1
"""Work whose share is off by more than this part of it is measured out anew."""

ARMS: Final = (CANDIDATE, REFERENCE, AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestGate(GateRequest):
    """A gate of one benchmark: this candidate, first load of a tree that stands already."""

    tree: TreeSpec
    candidate: str

    @property
    def spec(self) -> TreeSpec:
        """The tree that stands."""
        return self.tree

    def scenarios(self, *, is_any_callable: bool = False) -> tuple[tuple[Setting, Scenario], ...]:  # noqa: ARG002 - it is one whoever asks
        """The one scenario."""
        return (_setting(self.candidate),)


class LookForMutants(Protocol):
    """Looks for mutants of the catalog."""

    def __call__(self, tell: Callable[[Fate], None], /, *, known: frozenset[str], is_quick: bool) -> None:
        """Tell the fate of every mutant that is not known yet."""


@dataclass(slots=True)
class Ground:
    """Where a self-test happens: a tree a scenario, folders of its own, and whatever gates work with."""

    trees: dict[str, GrownTree]
    home: Path
    runtime: Runtime
    environment: Environment
    measure: Measure
    serve: Serve
    seed: int
    say: Callable[[str], None]
    look_for_mutants: LookForMutants
    clock: Callable[[], float] = time.monotonic
    lines: dict[str, dict[float, int]] = field(default_factory=dict)

    def weigh(self, step: Step) -> tuple[Achieved, ...]:
        """Measure the share that the injected work comes to; where it is off, measure out another amount.

        What it was before and what it is then are both told.
        """
        timer = self._timer(step.scenario)
        found = achieved(self._lines(step.scenario), timer)
        if not any(abs(one.mean / one.change - 1.0) > OFF for one in found):
            return found
        del self.lines[step.scenario]
        return (*found, *achieved(self._lines(step.scenario), timer))

    def run_gate(self, step: Step) -> GateResult:
        """Run the gate that a step asks for."""
        candidate, reference = self._targets(step)
        home = self.home / "gate"
        request = SelfTestGate(
            started_at="",
            targets=(),
            trees_dir=home,
            budget_s=step.budget_s,
            seed=self._seed(step),
            tree=self.trees[step.scenario].spec,
            candidate=candidate,
        )
        sides = (self._side(step, "candidate"), (self._side(step, "reference", reference),))
        try:
            return gate(request, self._collaborators(step, sides, home))
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def record(self, step: Step, at: str) -> list[RecordedGroup]:
        """Measure groups as a gate with a budget of 60 s does, all arms of the same code.

        Raises Refusal where anything speaks against their times.
        """
        setting, scenario = _setting(TARGET)
        sides = Sides(self._side(step, "candidate"), self._side(step, "reference", TARGET))
        contestants = sides.contestants(scenario)
        tree = self.trees[step.scenario]
        home = self.home / "record"
        with sides.arms(contestants, tree, home, self.serve) as arms:
            case = Case(
                name=scenario.name,
                setting=setting,
                scenario=scenario,
                sides=sides,
                tree=tree,
                arms=arms,
                contestants=contestants,
                measure=self.measure,
                rng=random.Random(self._seed(step)),
            )
            begun_s = self.clock()
            case.draw(BLOCK_GROUPS, GATE_BUDGET_S * BLOCK_GROUPS / GROUPS_IN_BUDGET)
            took_s = self.clock() - begun_s
        measured = case.measurement
        if measured is None:
            return []
        times = {arm: measured.times_ns(arm) for arm in ARMS}
        count = len(measured.groups)
        return [
            RecordedGroup(times={arm: times[arm][group] for arm in ARMS}, at=at, took_s=took_s / count)
            for group in range(count)
        ]

    def _targets(self, step: Step) -> tuple[str, str]:
        """Candidate and reference of a step: identical code, or variants that differ in what is injected."""
        match step.kind:
            case Kind.CHANGED:
                self._lines(step.scenario)
                return f"{MODULE}:{laden_name(step.change)}", f"{MODULE}:{laden_name(0.0)}"
            case Kind.WRONG:
                self._lines(step.scenario)
                return f"{MODULE}:{wrong_name(step.fault)}", f"{MODULE}:{wrong_name('none')}"
            case _:
                return TARGET, TARGET

    def _lines(self, scenario: str) -> dict[float, int]:
        if scenario not in self.lines:
            self.lines[scenario] = calibrated(CHANGES, self._timer(scenario))
            self.say(f"{scenario}: lines of metadata read besides: {self.lines[scenario]}")
            write_subjects(self._folder(scenario), TARGET, self.lines[scenario])
        return self.lines[scenario]

    def _timer(self, scenario: str) -> ProcessTimer:
        return ProcessTimer(TARGET, self.trees[scenario].root, isolated(self.home))

    def _folder(self, scenario: str) -> Path:
        return self.home / "subjects" / scenario.replace(" ", "-")

    def _seed(self, step: Step) -> int:
        return random.Random(f"{self.seed}, {step.lane}, {step.number}").getrandbits(32)

    def _side(self, step: Step, name: str, target: str | None = None) -> Side:
        return Side(
            name=name,
            commit=None,
            home=None,
            python=sys.executable,
            runtime=self.runtime,
            search_path=(str(self._folder(step.scenario)),),
            target=target,
        )

    def _collaborators(self, step: Step, sides: tuple[Side, tuple[Side]], home: Path) -> Collaborators:
        return Collaborators(
            sides=lambda: sides,
            grow=lambda _spec, _parent, *, keep: contextlib.nullcontext(self.trees[step.scenario]),  # noqa: ARG005
            measure=self.measure,
            weigh=_nothing,
            serve=self.serve,
            decide=Family,
            profile=lambda _: "",
            environment=lambda _: self.environment,
            count_instructions=lambda _: None,
            look_again=look_again,
            settle=lambda _: None,
            is_cold_possible=lambda _: False,
            monotonic_s=self.clock,
            publish=lambda _: None,
            keep_samples=lambda _: None,
            keep_baseline=lambda _side, _cases: None,
            say=lambda _: None,
            home=home,
        )


def _setting(target: str) -> tuple[Setting, Scenario]:
    """First loads with every sidecar there, by this callable."""
    contestant = Contestant(CANDIDATE, target)
    scenario = Scenario("first-load", "sidecars, first load", contestant, READ_FLOOR, "", contestant)
    return Setting("first-load", 1.0, False, (scenario,)), scenario


def _nothing(arms: Sequence[Arm], call: Call, *, rng: random.Random) -> dict[str, Resources]:  # noqa: ARG001 - a Weigh
    """What else the sides need is no part of a verdict."""
    return {}
