"""The gate: is the candidate slower than its reference, are its answers right, does it keep its targets?

Collaborators are arguments, so that the course of a gate can be tested without a process, a disk or a wait.
Whatever goes wrong becomes a reason not to pass; the first thing that is published, over whatever an earlier
gate left, is that this one is not finished.
"""

from __future__ import annotations

import random
import traceback
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace as with_changes

from bench.baseline import Baseline, machine_of, removed, stored
from bench.gate_case import Case, Pairs, Sides
from bench.gate_growth import EXPERIMENTS, NOTHING_TO_GROW_BESIDE, growths
from bench.gate_instructions import instruction_reasons
from bench.gate_request import tree_of
from bench.gate_targets import outcomes, reasons
from bench.outcome import left_out
from bench.result import Interval
from bench.revision import Side, differences
from bench.sampling import LEAST_GROUPS
from bench.scenario import SCENARIOS
from bench.statistics import group_values
from bench.verdict import ExitCode, Verdict
from bench.verdict_file import Benchmark, Cause, GateResult, Reason, Refusal, code_of, concluded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.environment import Environment
    from bench.gate_collaborators import Collaborators
    from bench.gate_request import GateRequest
    from bench.sampling import Final
    from bench.trees import GrownTree

STORED = "stored"
"""What is said of a benchmark that was measured for a baseline, and compared with itself alone."""

BASELINE_GROUPS = 48
"""How many groups a stored baseline has, if its budget affords them: two looks and a confirmation."""

GROUPS_IN_BUDGET = 2 * LEAST_GROUPS
"""How many groups of processes a benchmark's budget has to pay for; pairs are fewer where they must."""


def gate(request: GateRequest, collaborators: Collaborators) -> GateResult:
    """Measure and judge; the result's exit code is the verdict. Nothing is raised but interrupts."""
    return _Gate(request, collaborators).whole()


class _Gate:
    """One gate in progress, and its result so far."""

    def __init__(self, request: GateRequest, collaborators: Collaborators) -> None:
        self._request = request
        self._with = collaborators
        self._rng = random.Random(request.seed)
        self._reasons: list[Reason] = []
        self._notes: list[str] = []
        self._result = GateResult(
            started_at=request.started_at,
            margin=request.margin,
            seed=request.seed,
            budget_s=request.budget_s,
            is_quick=request.is_quick,
            tree=tree_of(request),
        )

    def whole(self) -> GateResult:
        """Everything, then the verdict, which is published last."""
        begun_s = self._with.monotonic_s()
        try:
            unfinished = Reason(Cause.UNFINISHED, "", "expected a finished gate, found none; run it again")
            self._with.publish(concluded(with_changes(self._result, reasons=(unfinished,))))
            self._measured()
        except Refusal as refusal:
            self._reasons.append(refusal.reason())
        except OSError as error:
            self._reasons.append(_disk(error))
        except Exception as error:  # noqa: BLE001 - a fault of the harness must not look like a verdict
            self._with.say(traceback.format_exc())
            told = f"{type(error).__name__}: {error}; nothing that it measured counts"
            self._reasons.append(Reason(Cause.HARNESS, "", told))
        self._result = with_changes(
            self._result,
            reasons=tuple(self._reasons),
            notes=tuple(self._notes),
            elapsed_s=self._with.monotonic_s() - begun_s,
        )
        return self._published()

    def _published(self) -> GateResult:
        result = concluded(self._result)
        try:
            self._with.publish(result)
        except OSError as error:
            # A verdict that nobody can read again is none, whatever it was.
            result = concluded(with_changes(result, reasons=(_disk(error),)))
        return result

    def _measured(self) -> None:
        request = self._request
        candidate, reference = self._with.sides()
        self._note_sides(candidate, reference)
        with ExitStack() as stack:
            spec = replace(request.spec, sidecar_share=1.0)
            tree = stack.enter_context(self._with.grow(spec, request.trees_dir, keep=False))
            self._note_environment(self._with.environment(request.trees_dir), reference)
            cases = list(self._cases(tree, candidate, reference, stack, self._with.home))
            if not cases:
                self._reasons += [] if self._reasons else [self._nothing_chosen()]
                return
            finals = self._sampled(cases)
            for case in cases:
                if case.name in finals:
                    case.weigh(self._with.weigh)
            self._with.keep_samples(cases)
            self._result = with_changes(
                self._result,
                benchmarks=tuple(self._benchmark(case, finals.get(case.name)) for case in cases),
                equality=tuple(one for case in cases for one in case.equality()),
            )
            self._targets(cases)
            self._instructions(cases)
            if request.is_growing:
                self._growths(candidate, reference, stack)
            if reference is None and not self._reasons:
                self._with.keep_baseline(candidate, cases)

    def _note_sides(self, candidate: Side, reference: Side | Baseline | None) -> None:
        named = with_changes(self._result, candidate=candidate.name, candidate_commit=candidate.commit)
        if isinstance(reference, Side):
            named = with_changes(named, reference=reference.name, reference_commit=reference.commit)
            for cause, told in differences(candidate.runtime, reference.runtime):
                raise Refusal(cause, told)
            self._notes.append("both sides: the same interpreter and the same versions of every dependency")
        elif isinstance(reference, Baseline):
            name = f"baseline of {reference.made_at}, commit {reference.commit[:12]}"
            named = with_changes(named, reference=name, reference_commit=reference.commit)
            self._reasons += removed(reference, SCENARIOS, self._request.is_chosen)
        else:
            named = with_changes(named, reference="itself, to be stored as a baseline")
        self._result = named

    def _note_environment(self, environment: Environment, reference: Side | Baseline | None) -> None:
        self._result = with_changes(self._result, environment=msgspec.to_builtins(environment))
        if isinstance(reference, Baseline) and reference.machine != machine_of(environment):
            told = ", ".join(f"{name} {value}" for name, value in reference.machine.items())
            self._notes.append(
                f"the baseline was made on another machine ({told}): ratios to the yardstick are compared, "
                "which may differ between machines by more than the margin"
            )

    def _cases(
        self,
        tree: GrownTree,
        candidate: Side,
        reference: Side | Baseline | None,
        stack: ExitStack,
        home: Path,
    ) -> Iterator[Case]:
        sides = Sides(candidate, reference if isinstance(reference, Side) else None)
        for setting, scenario in self._request.scenarios():
            if setting.is_cold and not self._with.is_cold_possible(tree.root):
                if self._request.pattern:
                    told = "expected files that can be made cold, found none; use another file system"
                    self._reasons.append(Reason(Cause.UNKNOWN_COLD, scenario.name, told))
                self._notes.append(f"{scenario.name}: not measured, as files cannot be made cold here")
                continue
            groups = None
            if isinstance(reference, Baseline):
                try:
                    target = scenario.candidate.target
                    groups = stored(reference, scenario.name, target, tree_of(self._request))
                except Refusal as refusal:
                    self._reasons.append(refusal.reason(scenario.name))
                    continue
            contestants = sides.contestants(scenario)
            arms = sides.arms(contestants, tree, home / scenario.name, self._with.serve)
            yield Case(
                setting=setting,
                scenario=scenario,
                sides=sides,
                tree=tree,
                arms=stack.enter_context(arms),
                contestants=contestants,
                measure=self._with.measure,
                rng=self._rng,
                stored=groups,
            )

    def _nothing_chosen(self) -> Reason:
        asked = f" that {self._request.pattern!r} chooses" if self._request.pattern else ""
        told = f"expected benchmarks{asked}, found none; `ckpt-bench list` names the scenarios"
        return Reason(Cause.NO_BENCHMARK, "", told)

    def _sampled(self, cases: list[Case]) -> dict[str, Final]:
        """Measure whom the family asks for, until it has all its answers."""
        by_name = {case.name: case for case in cases}
        budget_s = self._request.budget_s
        family = self._with.decide(
            list(by_name),
            budget_s=budget_s * len(cases),
            benchmark_budget_s=budget_s,
            margin=self._request.margin,
        )
        while wanted := family.next():
            case = by_name[wanted.name]
            self._with.say(f"{case.name}: {wanted.groups} groups")
            begun_s = self._with.monotonic_s()
            pairs = self._drawn(case, wanted.groups, wanted.groups * budget_s / GROUPS_IN_BUDGET)
            if pairs is None:
                family.withdraw(case.name)
                continue
            took_s = self._with.monotonic_s() - begun_s
            family.record(case.name, group_values(pairs.compared), group_values(pairs.same), took_s)
        finals = family.finals()
        for case in cases:
            # Whoever compares with it later can look no further than at what is stored.
            if self._is_storing(case) and case.name in finals:
                left_s = budget_s - case.elapsed_s
                self._drawn(case, BASELINE_GROUPS - finals[case.name].groups, left_s)
        return finals

    def _drawn(self, case: Case, groups: int, budget_s: float) -> Pairs | None:
        """More of a case; none where anything speaks against it, which is noted."""
        if groups < 1 or budget_s <= 0:
            return None
        try:
            return case.draw(groups, budget_s)
        except Refusal:
            self._reasons += case.reasons()
            return None

    @staticmethod
    def _is_storing(case: Case) -> bool:
        return case.sides.reference is None and case.stored is None

    def _benchmark(self, case: Case, final: Final | None) -> Benchmark:
        """One benchmark's record; its reasons not to pass are noted."""
        named = Benchmark(
            name=case.name,
            title=case.scenario.title,
            tree=case.tree.name,
            cache_state=case.setting.cache_state,
            candidate=case.contestants[0].target,
            reference=case.contestants[1].target,
            elapsed_s=case.elapsed_s,
            needs=case.needs(),
        )
        if final is None:
            about = [one for one in self._reasons if one.about == case.name]
            if not about:
                about = [Reason(Cause.UNFINISHED, case.name, "expected a verdict, found none")]
                self._reasons += about
            return with_changes(named, verdict=about[0].cause.value)
        reason = self._reason(case, final)
        if reason is not None:
            self._reasons.append(reason)
        is_slower = final.verdict is Verdict.SLOWER
        said = STORED if self._is_storing(case) else final.verdict.value
        return with_changes(
            named,
            verdict=said if reason is None else reason.cause.value,
            ratio=None if final.ratio is None else _interval(final),
            noise_floor=final.noise_floor,
            smallest_detectable=final.smallest_detectable,
            groups=final.groups,
            remarks=() if said == STORED else (f"{final.reason}; {final.groups} groups, {final.looks} looks",),
            profile=self._with.profile(case) if is_slower and case.sides.reference is not None else "",
        )

    def _reason(self, case: Case, final: Final) -> Reason | None:
        if final.groups < LEAST_GROUPS or final.ratio is None or final.noise_floor is None:
            told = f"expected at least {LEAST_GROUPS} groups of processes, found {final.groups}; {final.reason}"
            return Reason(Cause.TOO_FEW_SAMPLES, case.name, told)
        if self._is_storing(case):
            return None  # A baseline is being made: there is nothing to be slower than.
        match final.verdict:
            case Verdict.SLOWER:
                return Reason(Cause.SLOWER, case.name, f"{_told(final)}; {final.reason}")
            case Verdict.FASTER | Verdict.EQUIVALENT:
                return None
            case _:
                return Reason(Cause.UNCLEAR, case.name, f"{_told(final)}; {final.reason}")

    def _targets(self, cases: list[Case]) -> None:
        """Hold every case whose answers are right against the targets that speak of it."""
        judged = []
        for case in cases:
            judged += outcomes(case, self._request.targets, self._with.home, self._with.serve)
        self._reasons += reasons(judged)
        targets = (*judged, *left_out(self._request.targets, judged))
        self._result = with_changes(self._result, targets=targets)

    def _instructions(self, cases: list[Case]) -> None:
        """The second witness beside every verdict; it decides only if that was asked for."""
        asked = self._request.instructions
        if not asked:
            return
        about = {
            one.about
            for one in self._reasons
            if code_of([one]) in {ExitCode.OUTPUTS_DIFFER, ExitCode.NOTHING_MEASURED}
        }
        counts = {
            case.name: change
            for case in cases
            if case.sides.reference is not None and case.name not in about
            if (change := self._with.count_instructions(case)) is not None
        }
        benchmarks = tuple(
            with_changes(one, instructions=counts.get(one.name)) for one in self._result.benchmarks
        )
        self._result = with_changes(self._result, benchmarks=benchmarks)
        if asked == "gate":
            self._reasons += instruction_reasons(counts)

    def _growths(self, candidate: Side, reference: Side | Baseline | None, stack: ExitStack) -> None:
        """Compare how times grow over trees of several sizes, and note it at each benchmark."""
        if not isinstance(reference, Side):
            self._reasons.append(NOTHING_TO_GROW_BESIDE)
            return
        by_name: dict[str, dict[int, Case]] = {}
        for experiments in EXPERIMENTS:
            spec = replace(self._request.spec, experiments=experiments, sidecar_share=1.0)
            tree = stack.enter_context(self._with.grow(spec, self._request.trees_dir, keep=False))
            home = self._with.home / f"growth-{experiments}"
            for case in self._cases(tree, candidate, reference, stack, home):
                listed = tree.with_sidecars(case.setting.sidecar_share).listed
                by_name.setdefault(case.name, {})[listed] = case
        found, speaking_against = growths(by_name, self._request.budget_s, self._rng, self._with.say)
        self._reasons += speaking_against
        benchmarks = tuple(with_changes(one, growth=found.get(one.name)) for one in self._result.benchmarks)
        self._result = with_changes(self._result, benchmarks=benchmarks)


def _interval(final: Final) -> Interval | None:
    ratio = final.ratio
    return None if ratio is None else Interval(estimate=ratio.estimate, low=ratio.low, high=ratio.high)


def _told(final: Final) -> str:
    ratio = final.ratio
    if ratio is None:
        return "no ratio"
    return f"{ratio.estimate:.4f} times the reference ({ratio.low:.4f}-{ratio.high:.4f})"


def _disk(error: OSError) -> Reason:
    return Reason(Cause.DISK, "", f"expected to read and write, found {error}; make room or rights there")
