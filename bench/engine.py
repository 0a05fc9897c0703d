"""Who runs when: arms in alternation, in several fresh processes each, in random order, within a budget.

A *group* is one fresh process an arm, started side by side in random order under one hash seed. In a group
all arms take turns, in a random order each *round*; the calls of one round are paired. What varies between
processes shows between groups, what varies between calls inside them.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench import pagecache
from bench.measurement import Arm, Failure, FailureKind, Group, Measurement, Plan, Resources, Round
from bench.sampling import pairs_per_group
from bench.worker import (
    DEFAULT_TIMEOUT_S,
    Answer,
    Call,
    ClockError,
    RunningWorker,
    Sample,
    StartWorker,
    SubjectError,
    SubjectRaised,
    UnusableAnswer,
    Worker,
    WorkerError,
    WorkerHung,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Arm", "Call", "Failure", "Measurement", "Plan", "Resources", "measure", "measure_resources"]

WARM_AFTER_S = 0.5
"""No further warm-up call follows once an arm's have taken this long together."""

TELLING_ROUND = 2
"""The round that tells what a round takes, where their number depends on it: the first is slower."""

LEAST_PAIRS = 2
"""So many are measured whatever they take: a single one has no interval, and nothing can be judged by it."""

FAR_SLOWER = 10
"""An arm this many times as fast as the slowest is called several times a round."""


class _ArmError(Exception):
    """An arm that cannot go on, for a reason that no worker told."""

    def __init__(self, kind: FailureKind, told: str) -> None:
        super().__init__(told)
        self.kind = kind


_Reasons = (SubjectError, WorkerError, ClockError, _ArmError)


def measure(
    arms: Sequence[Arm],
    call: Call,
    plan: Plan,
    *,
    rng: random.Random,
    start_worker: StartWorker = Worker.start,
    clock: Callable[[], float] = time.monotonic,
    drop: Callable[[Path], pagecache.Drop] = pagecache.drop,
) -> Measurement:
    """Measure all arms in alternation, one after the other and never two at once (but while they start).

    Each timed call is checked: it takes time, and lists as many records as the arm's calls before it. An
    arm that fails is withdrawn with the reason and the others go on. `clock` counts seconds for the budget.
    Raises ValueError for a plan of nothing, no arms, or two arms of one name.
    """
    _check(arms, plan)
    session = _Session(arms, call, plan, rng, start_worker, clock, drop)
    for index in range(plan.processes):
        if not session.may_start():
            break
        session.run_group(index)
    return session.measurement()


def measure_resources(
    arms: Sequence[Arm],
    call: Call,
    *,
    rng: random.Random,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    start_worker: StartWorker = Worker.start,
) -> dict[str, Resources]:
    """Peak memory, reads and system calls of each arm, each arm in a process of its own, nothing timed.

    Memory is that of the process's first call, what it imports on the way included; reads are those of the
    second, system calls those of the third. A cold cache is not asked for: bytes from a disk are those that
    happened to be uncached.
    """
    found = {}
    for arm in arms:
        try:
            with start_worker(arm.subject, hash_seed=_hash_seed(rng), timeout_s=timeout_s) as worker:
                worker.prepare(call)
                memory = worker.memory(call)
                worker.prepare(call)
                read = worker.input_output(call)
                found[arm.name] = Resources(memory, read, worker.system_calls(call))
        except _Reasons as reason:
            found[arm.name] = Resources(failure=_failure(arm.name, reason, group=-1, number=-1))
    return found


class _Session:
    """One measurement while it runs."""

    def __init__(
        self,
        arms: Sequence[Arm],
        call: Call,
        plan: Plan,
        rng: random.Random,
        start_worker: StartWorker,
        clock: Callable[[], float],
        drop: Callable[[Path], pagecache.Drop],
    ) -> None:
        self._call = call
        self._plan = plan
        self._rng = rng
        self._start_worker = start_worker
        self._clock = clock
        self._drop = drop
        self._begun_s = clock()
        self._least_group_s = 0.0
        self._rounds = plan.rounds
        self._active = {arm.name: arm.subject for arm in arms}
        self._calls: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._answers: dict[str, dict[str, Answer]] = {arm.name: {} for arm in arms}
        self._digests: dict[str, set[str]] = {arm.name: set() for arm in arms}
        self._groups: list[Group] = []
        self._failures: list[Failure] = []
        self._cold_method: str | None = None
        self._at = (0, -1)

    def may_start(self) -> bool:
        """Whether somebody is left to measure, and a group with one round is needed or fits into the budget."""
        if not self._active:
            return False
        return self._is_wanting() or self._elapsed_s() + self._least_group_s <= self._plan.budget_s

    def run_group(self, index: int) -> None:
        """Start a process for each arm, warm them up, and let them take turns."""
        self._at = (index, -1)
        begun_s = self._clock()
        hash_seed = _hash_seed(self._rng)
        start_order = self._shuffled()
        with ExitStack() as stack:
            workers = self._start(start_order, hash_seed, stack)
            loaded = {name: worker.loaded for name, worker in workers.items()}
            self._warm_up(workers)
            if not self._groups:
                self._calibrate(workers)
            rounds = self._take_turns(index, workers, begun_s)
        self._groups.append(Group(hash_seed, start_order, loaded, tuple(rounds)))

    def measurement(self) -> Measurement:
        """Everything that was seen."""
        planned = len(self._groups) == self._plan.processes
        full = all(len(group.rounds) == self._rounds for group in self._groups)
        return Measurement(
            plan=self._plan,
            groups=tuple(self._groups),
            answers={name: tuple(answers.values()) for name, answers in self._answers.items()},
            failures=tuple(self._failures),
            calls_per_round=self._calls,
            complete=planned and full and not self._failures,
            elapsed_s=self._elapsed_s(),
            cold_method=self._cold_method,
        )

    def _elapsed_s(self) -> float:
        return self._clock() - self._begun_s

    def _take_turns(self, index: int, workers: dict[str, RunningWorker], begun_s: float) -> list[Round]:
        rounds: list[Round] = []
        round_s = 0.0
        start_s = self._clock() - begun_s
        while (
            self._active
            and len(rounds) < self._rounds
            and (not rounds or self._is_wanting(len(rounds)) or self._fits(index, round_s))
        ):
            self._at = (index, len(rounds))
            round_begun_s = self._clock()
            rounds.append(self._run_round(workers))
            round_s = self._clock() - round_begun_s
            if len(rounds) == 1:
                self._least_group_s = self._clock() - begun_s
            if len(rounds) == TELLING_ROUND and index == 0 and self._plan.balanced:
                self._rounds = min(self._plan.rounds, pairs_per_group(start_s, round_s))
        return rounds

    def _is_wanting(self, more: int = 0) -> bool:
        """Whether there are too few rounds, with so many of a group that is not at its end."""
        return sum(len(group.rounds) for group in self._groups) + more < LEAST_PAIRS

    def _fits(self, index: int, round_s: float) -> bool:
        """Whether another round leaves the later groups their share of the budget."""
        share_s = self._plan.budget_s * (index + 1) / self._plan.processes
        return self._elapsed_s() + round_s <= share_s

    def _shuffled(self) -> tuple[str, ...]:
        return tuple(self._rng.sample(list(self._active), len(self._active)))

    def _start(self, order: Sequence[str], hash_seed: int, stack: ExitStack) -> dict[str, RunningWorker]:
        """Their processes, started side by side: starts are most of what a group of short calls takes."""
        with ThreadPoolExecutor(max_workers=max(1, len(order))) as starters:
            start = partial(self._start_worker, hash_seed=hash_seed, timeout_s=self._plan.timeout_s)
            starting = {name: starters.submit(start, self._active[name]) for name in order}
        workers = {
            name: stack.enter_context(one.result()) for name, one in starting.items() if one.exception() is None
        }
        for name, one in starting.items():
            try:
                one.result()
            except _Reasons as reason:
                self._withdraw(name, reason)
        return workers

    def _warm_up(self, workers: dict[str, RunningWorker]) -> None:
        for name in self._shuffled():
            spent_ns = 0
            try:
                for _ in range(self._plan.warmups):
                    spent_ns += self._untimed(workers[name]).elapsed_ns
                    if spent_ns > WARM_AFTER_S * 1e9:
                        break
            except _Reasons as reason:
                self._withdraw(name, reason)

    def _calibrate(self, workers: dict[str, RunningWorker]) -> None:
        """Find out how often each arm is called in a round, from one more call of each.

        A first call may import what it needs, and so tells nothing about the next. Where there are no
        warm-ups nothing may come before the rounds; cold calls are made once, as each costs a cooling.
        """
        took_ns = {}
        if self._plan.warmups and not self._plan.cold and self._plan.calls_limit > 1:
            for name in self._shuffled():
                try:
                    took_ns[name] = self._untimed(workers[name]).elapsed_ns
                except _Reasons as reason:
                    self._withdraw(name, reason)
        self._calls = self._calls_per_round(took_ns) if took_ns else dict.fromkeys(self._active, 1)

    def _untimed(self, worker: RunningWorker) -> Sample:
        worker.prepare(self._call)
        return worker.call(self._call)

    def _calls_per_round(self, took_ns: dict[str, int]) -> dict[str, int]:
        """How often each arm is called in a round: once, or an odd number beside a far slower one.

        The median of several calls lies lower than a single call, since noise only adds. Arms of one
        subject get the same number, and so do arms that are near each other: beside a factor of ten that
        difference is nothing.
        """
        slowest_ns = max(took_ns.values())
        calls = {}
        for name, subject in self._active.items():
            own_ns = max(took_ns[other] for other, held in self._active.items() if held == subject)
            factor = slowest_ns // own_ns
            room = min(factor // 2, self._plan.calls_limit) if factor >= FAR_SLOWER else 1
            calls[name] = room - (room + 1) % 2
        return calls

    def _run_round(self, workers: dict[str, RunningWorker]) -> Round:
        order = self._shuffled()
        samples = {}
        for name in order:
            try:
                samples[name] = tuple(self._sample(name, workers[name]) for _ in range(self._calls[name]))
            except _Reasons as reason:
                self._withdraw(name, reason)
        return Round(order, samples)

    def _sample(self, name: str, worker: RunningWorker) -> Sample:
        worker.prepare(self._call)
        if self._plan.cold:
            self._cool()
        sample = worker.call(self._call)
        expected = self._counts.setdefault(name, sample.count)
        if sample.count != expected:
            raise _ArmError("count", f"expected {expected} records as before, found {sample.count}")
        if sample.digest not in self._digests[name]:
            self._digests[name].add(sample.digest)
            self._keep_answer(name, worker)
        return sample

    def _cool(self) -> None:
        dropped = self._drop(self._call.outputs_dir)
        self._cold_method = dropped.method
        if not dropped.cold:
            left = f"{dropped.resident_bytes} of {dropped.total_bytes} bytes"
            raise _ArmError("cold", f"expected a cold tree, found {left} cached; use another file system")

    def _keep_answer(self, name: str, worker: RunningWorker) -> None:
        answer = worker.answer()
        # By text: 1, 1.0 and True are equal in Python and are different answers.
        self._answers[name].setdefault(repr(answer), answer)

    def _withdraw(self, name: str, reason: Exception) -> None:
        group, number = self._at
        self._failures.append(_failure(name, reason, group=group, number=number))
        del self._active[name]


def _failure(arm: str, reason: Exception, *, group: int, number: int) -> Failure:
    kind: FailureKind
    match reason:
        case _ArmError():
            kind = reason.kind
        case SubjectError():
            kind = "subject"
        case SubjectRaised():
            kind = "raised"
        case UnusableAnswer():
            kind = "answer"
        case WorkerHung():
            kind = "hung"
        case ClockError():
            kind = "clock"
        case _:
            kind = "crashed"
    return Failure(arm, kind, group, number, str(reason))


def _hash_seed(rng: random.Random) -> int:
    return rng.randrange(1 << 32)


def _check(arms: Sequence[Arm], plan: Plan) -> None:
    names = [arm.name for arm in arms]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"expected arms of different names, found {names}")
    if plan.processes < 1 or plan.rounds < 1 or plan.calls_limit < 1:
        raise ValueError(f"expected a plan of at least one process, round and call, found {plan}")
