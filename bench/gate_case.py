"""One benchmark of a gate while it runs: its arms, all that was measured, and what speaks against it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace as with_changes

from bench.agreement import examine
from bench.arms import arms_of
from bench.instructions import wait_until_settled
from bench.measurement import Measurement, Plan
from bench.result import EqualityVerdict, RowVerdict
from bench.scenario import CONFIG_FILENAMES, Setting
from bench.trees import standing_in
from bench.verdict_file import Cause, Needs, Reason, Refusal
from bench.worker import Call

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.arms import Serve
    from bench.baseline import Groups
    from bench.gate_collaborators import LookAgain
    from bench.measurement import Arm, Resources
    from bench.reproduce import Measure, Weigh
    from bench.result import EqualityOutcome
    from bench.revision import Side
    from bench.scenario import Contestant, Scenario
    from bench.trees import GrownTree

CANDIDATE = "candidate"
REFERENCE = "reference"
AGAIN = "reference-again"
YARDSTICK = "yardstick"

ROUNDS = 30
"""The most pairs in a group: some tenths of a second of calls of 1-10 ms beside the start of the processes."""

TIMEOUT_S = 60.0
"""After which a call counts as hung: far above what a benchmark of a gate takes."""

_CAUSES = {
    "subject": Cause.NOT_FOUND,
    "crashed": Cause.CRASHED,
    "hung": Cause.HUNG,
    "raised": Cause.RAISED,
    "answer": Cause.NO_ANSWER,
    "clock": Cause.CLOCK,
    "count": Cause.COUNT,
    "cold": Cause.UNKNOWN_COLD,
}

_ROW_CAUSES = {RowVerdict.OUTPUTS_DIFFER: Cause.OUTPUTS_DIFFER}


class Pairs(NamedTuple):
    """Groups of pairs of times: candidate and reference, and the reference with itself."""

    compared: list[list[tuple[float, float]]]
    same: list[list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: the candidate with a reference, or with what is stored of it beside a yardstick."""

    candidate: Side
    reference: Side | None

    def contestants(self, scenario: Scenario) -> tuple[Contestant, ...]:
        """Who takes part: the two, and one of them twice."""
        candidate = replace(scenario.candidate, name=CANDIDATE)
        if self.reference is None:
            return (candidate, replace(candidate, name=AGAIN), replace(scenario.floor, name=YARDSTICK))
        reference = replace(candidate, name=REFERENCE, target=self.reference.target or candidate.target)
        if (theirs := self.reference.subject) is not None:
            fields = tuple(name for name in candidate.fields if name in theirs.fields)
            reference = replace(reference, fields=fields, subject=theirs)
        return (candidate, reference, replace(reference, name=AGAIN))

    def of(self, arm: str) -> Side | None:
        """The side that an arm measures; a floor is the harness's own."""
        if arm in {REFERENCE, AGAIN}:
            return self.reference or self.candidate
        return None if arm in {YARDSTICK, "times_floor"} else self.candidate

    @contextlib.contextmanager
    def arms(
        self, contestants: Sequence[Contestant], tree: GrownTree, home: Path, serve: Serve
    ) -> Iterator[list[Arm]]:
        """An arm for each contestant; those of one side share their files, the two sides share none."""
        runs = tree.with_sidecars(tree.spec.sidecar_share).runs
        with contextlib.ExitStack() as stack:
            arms = []
            # The folders' names are of one length: no side is favoured by its environment's size.
            for name in dict.fromkeys(self._folder(one.name) for one in contestants):
                own = [one for one in contestants if self._folder(one.name) == name]
                for arm in stack.enter_context(arms_of(own, runs, home / name, serve)):
                    side = self.of(arm.name)
                    subject = arm.subject
                    if side is not None:
                        subject = with_changes(subject, python=side.python, search_path=side.search_path)
                    arms.append(with_changes(arm, subject=subject))
            yield arms

    def _folder(self, arm: str) -> str:
        if arm == AGAIN:
            return CANDIDATE if self.reference is None else REFERENCE
        return arm


@dataclass(slots=True)
class Case:
    """One scenario of a gate, beside one reference.

    `draw` measures more of it; `reasons` tells what speaks against what was seen. `against` is the reference's
    number in the gate.
    """

    name: str
    setting: Setting
    scenario: Scenario
    sides: Sides
    tree: GrownTree
    arms: list[Arm]
    contestants: tuple[Contestant, ...]
    measure: Measure
    rng: random.Random
    against: int = 0
    stored: Groups | None = None
    measurement: Measurement | None = None
    elapsed_s: float = 0.0
    weighed: dict[str, Resources] = field(default_factory=dict)
    settle: Callable[[Path], None] = wait_until_settled
    _unseen: tuple[Cause, str] | None = None
    _written: list[str] = field(default_factory=list)

    @property
    def arm(self) -> Arm:
        """The candidate's arm."""
        return next(arm for arm in self.arms if arm.name == CANDIDATE)

    @property
    def call(self) -> Call:
        """What every arm is called with; the tree is made into the setting's first, and settles if it must."""
        root = self.tree.with_sidecars(self.setting.sidecar_share).root
        if self.scenario.candidate.is_remembering:
            self.settle(root)  # nobody would remember what has just been written
        return Call(root, CONFIG_FILENAMES)

    def draw(self, groups: int, budget_s: float) -> Pairs:
        """Measure so many more groups, or what of them fits into the budget; their pairs.

        Raises Refusal where they show anything that no time may be taken from.
        """
        call = self.call
        plan = Plan(
            processes=groups,
            rounds=ROUNDS,
            budget_s=budget_s,
            cold=self.setting.is_cold,
            timeout_s=TIMEOUT_S,
            calls_limit=1,
            balanced=True,
        )
        before = standing_in(call.outputs_dir)
        fresh = self.measure(self.arms, call, plan, rng=self.rng)
        changed = set(before.items()) ^ set(standing_in(call.outputs_dir).items())
        self._written += sorted({os.path.relpath(path, call.outputs_dir) for path, _ in changed})
        begun = 0 if self.measurement is None else len(self.measurement.groups)
        self.measurement = fresh if self.measurement is None else _joined(self.measurement, fresh)
        self.elapsed_s += fresh.elapsed_s
        for reason in self.reasons():
            raise Refusal(reason.cause, reason.told)
        return self._pairs(fresh, begun)

    def reasons(self) -> tuple[Reason, ...]:
        """What speaks against all that was measured: failures, foreign code, unusable times, wrong answers."""
        if self.measurement is None:
            return (Reason(Cause.NO_BENCHMARK, self.name, "expected a measurement, found none"),)
        return tuple(self._reasons(self.measurement))

    def equality(self) -> tuple[EqualityOutcome, ...]:
        """Every comparison of the answers of those who were timed."""
        if self.measurement is None:
            return ()
        variant = self.tree.with_sidecars(self.setting.sidecar_share)
        return examine(self._setting(), variant, self.measurement).outcomes(self.name, variant.name)

    def weigh(self, weigh: Weigh) -> None:
        """Look at what the candidate and its reference need besides time, in processes of their own."""
        compared = [arm for arm in self.arms if arm.name in {CANDIDATE, REFERENCE}]
        self.weighed = weigh(compared, self.call, rng=self.rng)

    def look_again(self, look: LookAgain) -> None:
        """See whether the candidate notices a change between two calls, in a process of its own."""
        self._unseen = look(self.arm.subject, self.call)

    def needs(self) -> tuple[Needs, ...]:
        """What each that was weighed needs, with the CPU time of the calls that were timed."""
        return tuple(self._needs(arm, one) for arm, one in self.weighed.items())

    def _needs(self, arm: str, weighed: Resources) -> Needs:
        memory, read = weighed.memory, weighed.input_output
        return Needs(
            arm=arm,
            cpu_ns=None if self.measurement is None else self.measurement.cpu_ns(arm),
            peak_bytes=None if memory is None else memory.peak_bytes,
            read_bytes=None if read is None else read.read_bytes,
            disk_read_bytes=None if read is None else read.disk_read_bytes,
            read_calls=None if read is None else read.read_calls,
            system_calls=weighed.system_calls,
        )

    def own_groups(self) -> Groups:
        """The candidate's and the yardstick's pairs, to be stored."""
        if self.measurement is None:
            return ()
        return tuple(tuple(group) for group in self.measurement.pairs_ns(CANDIDATE, YARDSTICK))

    def _pairs(self, fresh: Measurement, begun: int) -> Pairs:
        if self.sides.reference is not None:
            return Pairs(fresh.pairs_ns(CANDIDATE, REFERENCE), fresh.pairs_ns(AGAIN, REFERENCE))
        same = fresh.pairs_ns(AGAIN, CANDIDATE)
        if self.stored is None:
            return Pairs(same, same)
        now = _middle_ratios(fresh.pairs_ns(CANDIDATE, YARDSTICK))
        then = _middle_ratios(self.stored[begun : begun + len(now)])
        once_more = _middle_ratios(fresh.pairs_ns(AGAIN, YARDSTICK))
        # Groups of two sessions have nothing in common: any two are paired, by the medians of their ratios. The
        # A/A arm is paired alike, each group with the next one, so that it has the yardstick's noise as well.
        following = [*now[1:], *now[:1]]
        return Pairs(
            [[pair] for pair in zip(now, then, strict=False)],
            [[pair] for pair in zip(once_more, following, strict=True)],
        )

    def _reasons(self, measurement: Measurement) -> Iterator[Reason]:
        for failure in measurement.failures:
            cause = _CAUSES.get(failure.kind, Cause.CRASHED)
            yield Reason(cause, self.name, f"{failure.arm}: {failure.told}")
        yield from self._foreign(measurement)
        if unusable := _unusable(measurement):
            yield Reason(Cause.UNUSABLE_TIMES, self.name, unusable)
        if self._written:
            told = f"expected the tree as it was, found {len(self._written)} changes, first {self._written[0]}"
            yield Reason(Cause.TREE_WRITTEN, self.name, told)
        if self._unseen is not None:
            cause, told = self._unseen
            yield Reason(cause, self.name, f"{CANDIDATE}: {told}")
        yield from self._wrong(measurement)

    def _foreign(self, measurement: Measurement) -> Iterator[Reason]:
        """Arms whose callable came from elsewhere than the code that it was to be measured in."""
        for arm in sorted({name for group in measurement.groups for name in group.loaded}):
            side = self.sides.of(arm)
            if side is None:
                continue
            for origin in {group.loaded[arm].origin for group in measurement.groups if arm in group.loaded}:
                if told := self._is_foreign(side, origin):
                    yield Reason(Cause.OTHER_CODE, self.name, f"{arm}: {told}")

    def _is_foreign(self, side: Side, origin: str | None) -> str:
        """What is wrong with where a side's code came from; empty where nothing is."""
        if side.home is not None:
            if origin is None or not _is_below(origin, side.home):
                return f"expected code of {side.name}, found {origin}; it has no such module"
            return ""
        ours = self.sides.candidate
        is_itself = side.target == self.scenario.candidate.target and bool(side.search_path)
        if is_itself and origin is not None and ours.home is not None and _is_below(origin, ours.home):
            told = ", ".join(side.search_path)
            return f"expected code below {told}, found the candidate's own; say whose with --path NAME=DIR"
        return ""

    def _wrong(self, measurement: Measurement) -> Iterator[Reason]:
        variant = self.tree.with_sidecars(self.setting.sidecar_share)
        agreement = examine(self._setting(), variant, measurement)
        failed = {failure.arm for failure in measurement.failures}
        for arm, (verdict, told) in agreement.faults.items():
            if arm not in failed:
                yield Reason(_ROW_CAUSES.get(verdict, Cause.NO_ANSWER), self.name, f"{arm}: {told}")
        if not agreement.faults:
            for one in agreement.outcomes(self.name, variant.name):
                if one.verdict is not EqualityVerdict.EQUAL:
                    yield Reason(Cause.OUTPUTS_DIFFER, self.name, one.reason)

    def _setting(self) -> Setting:
        return replace(self.setting, scenarios=(), besides=self.contestants)


def _is_below(path: str, folder: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)


def _middle_ratios(groups: Sequence[Sequence[tuple[float, float]]]) -> list[float]:
    """Of each group the median of its pairs' ratios."""
    return [median(ours / theirs for ours, theirs in group) for group in groups if group]


def _joined(before: Measurement, after: Measurement) -> Measurement:
    """Two measurements of the same arms as one; an answer that both gave stands once."""
    answers = {
        name: tuple({repr(one): one for one in (*before.answers.get(name, ()), *told)}.values())
        for name, told in after.answers.items()
    }
    return with_changes(
        before,
        groups=(*before.groups, *after.groups),
        answers=answers,
        failures=(*before.failures, *after.failures),
        complete=before.complete and after.complete,
        elapsed_s=before.elapsed_s + after.elapsed_s,
        cold_method=after.cold_method,
    )


def _unusable(measurement: Measurement) -> str | None:
    """The first time that no clock can give."""
    for group in measurement.groups:
        for one in group.rounds:
            for arm, samples in one.samples.items():
                for sample in samples:
                    if not 0 < sample.elapsed_ns < float("inf"):
                        return (
                            f"{arm}: expected a time above 0, found {sample.elapsed_ns} ns; look at the clock"
                        )
    return None
