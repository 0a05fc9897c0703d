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

from bench.baseline import Baseline, removed, stored
from bench.gate_case import Case, Pairs, Sides
from bench.gate_comparison import Comparison, comparisons_of
from bench.gate_growth import EXPERIMENTS, NOTHING_TO_GROW_BESIDE, growths
from bench.gate_instructions import instruction_reasons
from bench.gate_record import is_storing, judged, reason_of, unjudged
from bench.gate_request import tree_of
from bench.gate_targets import outcomes, reasons
from bench.outcome import left_out
from bench.revision import Side
from bench.sampling import LEAST_GROUPS
from bench.scenario import SCENARIOS
from bench.statistics import group_values
from bench.verdict import ExitCode
from bench.verdict_file import Benchmark, Cause, GateResult, Reason, Refusal, code_of, concluded, encodable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.environment import Environment
    from bench.gate_collaborators import Collaborators
    from bench.gate_request import GateRequest
    from bench.sampling import Final
    from bench.trees import GrownTree

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
        result = concluded(encodable(self._result))
        try:
            self._with.publish(result)
        except OSError as error:
            # A verdict that nobody can read again is none, whatever it was.
            result = concluded(with_changes(result, reasons=(_disk(error),)))
        return result

    def _measured(self) -> None:
        request = self._request
        candidate, references = self._with.sides()
        comparisons = self._noted_sides(candidate, references)
        with ExitStack() as stack:
            spec = replace(request.spec, sidecar_share=1.0)
            tree = stack.enter_context(self._with.grow(spec, request.trees_dir, keep=False))
            self._note_environment(self._with.environment(request.trees_dir), comparisons)
            cases = []
            for one in comparisons:
                own = list(self._cases(tree, one, stack, self._with.home))
                if not own and not any(one.is_about(reason) for reason in self._reasons):
                    self._reasons.append(self._nothing_chosen(one))
                cases += own
            if not cases:
                return
            finals = self._sampled(cases)
            for case in cases:
                if case.name in finals and not case.reasons():
                    case.weigh(self._with.weigh)
                    case.look_again(self._with.look_again)
                    if found := case.reasons():
                        self._reasons += found
                        del finals[case.name]
            self._with.keep_samples(cases)
            self._result = with_changes(
                self._result,
                benchmarks=tuple(self._benchmark(case, finals.get(case.name)) for case in cases),
                equality=tuple(one for case in cases for one in case.equality()),
            )
            self._targets(cases)
            self._instructions(cases, comparisons)
            if request.is_growing:
                self._growths(comparisons, stack)
            if not references and not self._reasons:
                self._with.keep_baseline(candidate, cases)

    def _noted_sides(self, candidate: Side, references: Sequence[Side | Baseline]) -> tuple[Comparison, ...]:
        """The comparisons to be made, after what is compared is noted; raises Refusal for what cannot be."""
        named = with_changes(self._result, candidate=candidate.name, candidate_commit=candidate.commit)
        alone = [Comparison(candidate, one) for one in references or (None,)]
        self._result = with_changes(named, references=tuple(one.told for one in alone))
        comparisons = comparisons_of(candidate, references)
        for one in comparisons:
            if isinstance(one.reference, Baseline):
                gone = removed(one.reference, SCENARIOS, self._request.is_chosen)
                self._reasons += (with_changes(reason, about=one.name_of(reason.about)) for reason in gone)
        return comparisons

    def _note_environment(self, environment: Environment, comparisons: Sequence[Comparison]) -> None:
        self._result = with_changes(self._result, environment=msgspec.to_builtins(environment))
        self._notes += (note for one in comparisons for note in one.notes(environment))

    def _cases(self, tree: GrownTree, comparison: Comparison, stack: ExitStack, home: Path) -> Iterator[Case]:
        reference = comparison.reference
        sides = Sides(comparison.candidate, reference if isinstance(reference, Side) else None)
        for setting, scenario in self._request.scenarios(is_any_callable=comparison.is_any_callable):
            name = comparison.name_of(scenario.name)
            if setting.is_cold and not self._with.is_cold_possible(tree.root):
                if self._request.pattern or _holds(reference, scenario.name):
                    told = "expected files that can be made cold, found none; use another file system"
                    self._reasons.append(Reason(Cause.UNKNOWN_COLD, name, told))
                self._notes.append(f"{name}: not measured, as files cannot be made cold here")
                continue
            groups = None
            if isinstance(reference, Baseline):
                try:
                    target = scenario.candidate.target
                    yardstick = scenario.floor.target
                    groups = stored(reference, scenario.name, target, yardstick, tree_of(self._request))
                except Refusal as refusal:
                    self._reasons.append(refusal.reason(name))
                    continue
            contestants = sides.contestants(scenario)
            folder = home / str(comparison.number) / scenario.name
            arms = sides.arms(contestants, tree, folder, self._with.serve)
            yield Case(
                name=name,
                setting=setting,
                scenario=scenario,
                sides=sides,
                tree=tree,
                arms=stack.enter_context(arms),
                contestants=contestants,
                measure=self._with.measure,
                rng=self._rng,
                against=comparison.number,
                stored=groups,
                settle=self._with.settle,
            )

    def _nothing_chosen(self, comparison: Comparison) -> Reason:
        asked = f" that {self._request.pattern!r} chooses" if self._request.pattern else ""
        told = f"expected benchmarks{asked}, found none; `ckpt-bench list` names the scenarios"
        return Reason(Cause.NO_BENCHMARK, comparison.beside, told)

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
            _ = case.call  # the tree is made ready, which is nobody's time
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
            if is_storing(case) and case.name in finals:
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

    def _benchmark(self, case: Case, final: Final | None) -> Benchmark:
        """One benchmark's record; its reasons not to pass are noted."""
        if final is None:
            about = [one for one in self._reasons if one.about == case.name]
            if not about:
                about = [Reason(Cause.UNFINISHED, case.name, "expected a verdict, found none")]
                self._reasons += about
            return with_changes(unjudged(case), verdict=about[0].cause.value)
        reason = reason_of(case, final)
        if reason is not None:
            self._reasons.append(reason)
        return judged(case, final, reason, self._with.profile)

    def _targets(self, cases: list[Case]) -> None:
        """Hold every case whose answers are right against the targets that speak of it."""
        held = []
        # A target speaks of the candidate alone: it is judged once, where nothing speaks against the times.
        once: dict[str, Case] = {}
        for case in sorted(cases, key=lambda one: bool(one.reasons())):
            once.setdefault(case.scenario.name, case)
        for case in cases:
            if once[case.scenario.name] is case:
                held += outcomes(case, self._request.targets, self._with.home, self._with.serve)
        self._reasons += reasons(held)
        targets = (*held, *left_out(self._request.targets, held))
        self._result = with_changes(self._result, targets=targets)

    def _instructions(self, cases: list[Case], comparisons: Sequence[Comparison]) -> None:
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
            for one in comparisons:
                own = [case.name for case in cases if case.against == one.number and case.name in counts]
                self._reasons += instruction_reasons({name: counts[name] for name in own}, one.beside)

    def _growths(self, comparisons: Sequence[Comparison], stack: ExitStack) -> None:
        """Compare how times grow over trees of several sizes, and note it at each benchmark."""
        growing = [one for one in comparisons if isinstance(one.reference, Side)]
        for one in comparisons:
            if one not in growing:
                about = one.name_of("growth")
                self._reasons.append(Reason(Cause.NO_REFERENCE, about, NOTHING_TO_GROW_BESIDE))
        if not growing:
            return
        by_name: dict[str, dict[int, Case]] = {}
        for experiments in EXPERIMENTS:
            spec = replace(self._request.spec, experiments=experiments, sidecar_share=1.0)
            tree = stack.enter_context(self._with.grow(spec, self._request.trees_dir, keep=False))
            home = self._with.home / f"growth-{experiments}"
            for case in (case for one in growing for case in self._cases(tree, one, stack, home)):
                listed = tree.with_sidecars(case.setting.sidecar_share).listed
                by_name.setdefault(case.name, {})[listed] = case
        found, speaking_against = growths(by_name, self._request.budget_s, self._rng, self._with.say)
        self._reasons += speaking_against
        benchmarks = tuple(with_changes(one, growth=found.get(one.name)) for one in self._result.benchmarks)
        self._result = with_changes(self._result, benchmarks=benchmarks)


def _holds(reference: Side | Baseline | None, scenario: str) -> bool:
    """Whether a reference is a baseline that has a benchmark of this name."""
    return isinstance(reference, Baseline) and any(one.name == scenario for one in reference.benchmarks)


def _disk(error: OSError) -> Reason:
    return Reason(Cause.DISK, "", f"expected to read and write, found {error}; make room or rights there")
