"""The claims measured: trees generated, answers checked, times taken in turns, one result kept.

Collaborators are arguments, so that the course of a run can be tested without a process, a disk or a wait.
The result is handed on after every setting: a later failure loses nothing that was measured before.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec.structs import replace as with_changes

from bench.agreement import examine
from bench.arms import arms_of
from bench.further import compared_too, left_out_of
from bench.measurement import Plan
from bench.operations import Count, with_operations
from bench.outcome import WORDS, exit_code, judge, left_out
from bench.records import setting_record, unfinished_note, with_declared, with_tree
from bench.result import EqualityOutcome, EqualityVerdict, Interval, Result
from bench.rows import legacy_note, noise_of, range_of, rows_of
from bench.scenario import CONFIG_FILENAMES, UNTIDY, UNTIDY_SPEC
from bench.trees import standing_in
from bench.verdict import ExitCode, worst
from bench.worker import Call, ClockError, SubjectError, WorkerError
from fixtures.wandb_server_process import WandbServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.agreement import Agreement
    from bench.arms import Serve
    from bench.asking_cell import AskingCell
    from bench.environment import Environment
    from bench.measurement import Arm, Measurement, Resources
    from bench.reproduce_request import Request
    from bench.result import Row, TargetOutcome
    from bench.scenario import Setting
    from bench.trees import GrownTree, Variant
    from fixtures.spec import TreeSpec


class Grow(Protocol):
    """Generates trees."""

    def __call__(self, spec: TreeSpec, parent: Path, /, *, keep: bool) -> AbstractContextManager[GrownTree]:
        """Yield a tree below `parent`, and remove it when the context is left, unless it is to be kept."""


class Ask(Protocol):
    """Measures asking W&B."""

    def __call__(self, spec: TreeSpec, parent: Path, /) -> Iterable[AskingCell]:
        """Measure on a tree of its own below `parent`, cell by cell."""


class Measure(Protocol):
    """Takes times."""

    def __call__(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        """Measure arms in alternation."""


class Weigh(Protocol):
    """Looks at what calls need besides time."""

    def __call__(self, arms: Sequence[Arm], call: Call, *, rng: random.Random) -> dict[str, Resources]:
        """Call each arm once, untimed."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Whatever a run works with; `home` is for the subjects' own files, `count` counts what W&B is sent."""

    grow: Grow
    measure: Measure
    weigh: Weigh
    serve: Serve
    environment: Callable[[Path], Environment]
    is_cold_possible: Callable[[Path], bool]
    monotonic_s: Callable[[], float]
    keep_result: Callable[[Result], None]
    say: Callable[[str], None]
    home: Path
    count: Count | None = None
    ask: Ask | None = None


TIMEOUT_S = 120.0
QUICK_TIMEOUT_S = 20.0
"""After which a call counts as hung: far above what legacy takes for the trees of a profile."""


def reproduce(request: Request, collaborators: Collaborators) -> Result:
    """Measure every claim on every tree of the request, and judge.

    Raises what generating a tree raises where the disk is too full or not writable.
    """
    return _Run(request, collaborators).whole()


class _Run:
    """One reproduction in progress, and its result so far."""

    def __init__(self, request: Request, collaborators: Collaborators) -> None:
        self._request = request
        self._with = collaborators
        self._rng = random.Random(request.seed)
        self._failures: list[ExitCode] = []
        self._result: Result

    def whole(self) -> Result:
        """Every tree, then the verdict."""
        request = self._request
        self._result = Result(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            profile=request.profile,
            seed=request.seed,
            is_quick=request.is_quick,
            budget_s=request.budget_s,
            environment=msgspec.to_builtins(self._with.environment(request.trees_dir)),
        )
        self._untidy()
        for number, share in enumerate(_shares_of_budget(request)):
            self._tree(number, share * request.budget_s)
        for spec in request.asked:
            self._asking(spec)
        return self._judged()

    def _untidy(self) -> None:
        """Compare everybody's answers where most can go wrong, before anything is timed."""
        self._with.say("Comparing the answers to a small untidy tree")
        spec = replace(UNTIDY_SPEC, seed=self._request.seed)
        with self._with.grow(spec, self._request.trees_dir, keep=self._request.is_kept) as tree:
            self._setting(compared_too(self._request.further, UNTIDY), tree, 0.0)

    def _tree(self, number: int, budget_s: float) -> None:
        spec = self._request.specs[number]
        self._with.say(f"Writing {spec.checkpoints} checkpoints of {spec.checkpoint_bytes / 1e6:.3g} MB")
        # The runs have to stand in the tree from the start: only sidecars are exchanged later.
        asked = replace(spec, wandb_share=1.0, sidecar_share=1.0)
        with self._with.grow(asked, self._request.trees_dir, keep=self._request.is_kept) as tree:
            settings = self._settings(number, tree)
            weights = [setting.weight for setting in settings]
            ends_s = self._with.monotonic_s() + budget_s
            for place, setting in enumerate(settings):
                # What one setting leaves unused is there for those after it.
                left_s = max(ends_s - self._with.monotonic_s(), 0.0)
                self._setting(setting, tree, left_s * setting.weight / sum(weights[place:]))

    def _asking(self, spec: TreeSpec) -> None:
        ask = self._with.ask
        if ask is None:
            return
        self._with.say(f"{spec.checkpoints} small checkpoints: asking W&B, at once and one by one")
        try:
            for cell in ask(spec, self._request.trees_dir):
                self._result = with_changes(self._result, asking=(*self._result.asking, cell))
                self._with.keep_result(self._result)
        except (OSError, ValueError, WorkerError, SubjectError, ClockError, WandbServerError) as error:
            # All else is measured by now, and stands.
            self._failures.append(ExitCode.NOTHING_MEASURED)
            told = str(error).strip().rpartition("\n")[2]
            self._note(f"asking W&B about {spec.checkpoints} checkpoints: not measured to the end: {told}")

    def _settings(self, number: int, tree: GrownTree) -> tuple[Setting, ...]:
        settings = self._request.settings(number)
        if any(setting.is_cold for setting in settings) and not self._with.is_cold_possible(tree.root):
            self._note(
                f"{tree.name}: this system does not let files be made cold, so that no cold row is measured"
            )
            return tuple(setting for setting in settings if not setting.is_cold)
        return settings

    def _setting(self, setting: Setting, tree: GrownTree, budget_s: float) -> None:
        variant = tree.with_sidecars(setting.sidecar_share)
        if setting.scenarios:
            self._with.say(f"{variant.name}: {setting.name}, {budget_s:.0f} s")
        call = Call(variant.root, CONFIG_FILENAMES)
        with arms_of(setting.contestants, variant.runs, self._with.home, self._with.serve) as arms:
            plan = _plan(setting, budget_s, is_quick=self._request.is_quick)
            before = standing_in(variant.root)
            measurement = self._with.measure(arms, call, plan, rng=self._rng)
            changed = sorted(set(before.items()) ^ set(standing_in(variant.root).items()))
            agreement = examine(setting, variant, measurement)
            rows = rows_of(setting, variant, measurement, agreement)
            rows = with_operations(rows, setting, variant, arms, call, self._with.count)
            outcomes = self._targets(setting, rows, measurement, arms, call)
        self._keep(setting, variant, measurement, agreement, rows, outcomes)
        if changed:
            self._written(setting, variant, changed[0][0], len(changed))

    def _written(self, setting: Setting, variant: Variant, path: str, count: int) -> None:
        """A catalog never writes into the tree that it lists; whose doing it was, nobody can tell."""
        below = os.path.relpath(path, variant.root)
        outcome = EqualityOutcome(
            setting=setting.name,
            tree=variant.name,
            left="the tree",
            right="itself before",
            entries=variant.listed,
            fields=0,
            differences=count,
            verdict=EqualityVerdict.DIFFER,
            reason=f"{below}: written, or removed, while its catalogs were measured",
        )
        self._result = with_changes(self._result, equality=(*self._result.equality, outcome))

    def _targets(
        self,
        setting: Setting,
        rows: Sequence[Row],
        measurement: Measurement,
        arms: Sequence[Arm],
        call: Call,
    ) -> list[TargetOutcome]:
        outcomes = []
        candidates = {scenario.name: scenario.candidate for scenario in setting.scenarios}
        for row in rows:
            candidate = candidates[row.scenario]
            for target in self._request.targets:
                if target.is_for(row.scenario, row.checkpoints) and not target.is_ratio:
                    is_memory = target.measure == "megabytes"
                    arm = next(arm for arm in arms if arm.name == candidate.name)
                    measured = self._memory(arm, call) if is_memory else range_of(candidate, measurement)
                    outcomes.append(judge(target, row, measured))
        return outcomes

    def _memory(self, arm: Arm, call: Call) -> Interval | None:
        memory = self._with.weigh([arm], call, rng=self._rng)[arm.name].memory
        if memory is None:
            return None
        peak_bytes = float(memory.peak_bytes)
        return Interval(estimate=peak_bytes, low=peak_bytes, high=peak_bytes)

    def _keep(
        self,
        setting: Setting,
        variant: Variant,
        measurement: Measurement,
        agreement: Agreement,
        rows: tuple[Row, ...],
        outcomes: list[TargetOutcome],
    ) -> None:
        result = self._result
        self._result = with_changes(
            result,
            contestants=result.contestants | {one.name: one.target for one in setting.contestants},
            trees=with_tree(result.trees, variant),
            rows=(*result.rows, *rows),
            targets=(*result.targets, *outcomes),
            equality=(*result.equality, *agreement.outcomes(setting.name, variant.name)),
            noise=(*result.noise, *noise_of(setting, variant, measurement)),
            declared=with_declared(result.declared, setting, variant),
            settings=(*result.settings, setting_record(setting, variant, measurement)),
        )
        self._with.keep_result(self._result)

    def _note(self, note: str) -> None:
        self._result = with_changes(self._result, notes=(*self._result.notes, note))

    def _judged(self) -> Result:
        result = self._result
        targets = (*result.targets, *left_out(self._request.targets, result.targets))
        notes = [legacy_note(result.rows), unfinished_note(result.settings), left_out_of(self._request.further)]
        code = worst([exit_code(result.rows, targets, result.equality), *self._failures])
        self._result = with_changes(
            result,
            targets=targets,
            notes=(*result.notes, *filter(None, notes)),
            exit_code=int(code),
            verdict=WORDS[code],
            is_complete=True,
        )
        self._with.keep_result(self._result)
        return self._result


def _shares_of_budget(request: Request) -> Iterator[float]:
    """Each tree's part of the budget: legacy's time grows with the bytes, starting processes does not."""
    weights = [
        spec.total_bytes**0.5 * sum(setting.weight for setting in request.settings(number))
        for number, spec in enumerate(request.specs)
    ]
    for weight in weights:
        yield weight / sum(weights)


def _plan(setting: Setting, budget_s: float, *, is_quick: bool) -> Plan:
    timeout_s = QUICK_TIMEOUT_S if is_quick else TIMEOUT_S
    if not setting.scenarios:
        return Plan(processes=1, rounds=1, warmups=0, budget_s=budget_s, timeout_s=timeout_s)
    # Starting legacy takes longer than its calls on a quick run's small files: one process, several rounds.
    processes, rounds = (1, 5) if is_quick else (3, 1 if setting.is_first_call else 5)
    warmups = 0 if setting.is_first_call else 1
    return Plan(
        processes=processes,
        rounds=rounds,
        warmups=warmups,
        budget_s=budget_s,
        cold=setting.is_cold,
        timeout_s=timeout_s,
    )
