"""What a measurement is: its plan, all raw samples, the answers of the processes that were timed. Pure data."""

from __future__ import annotations

from statistics import median
from typing import Literal

import msgspec

from bench.subject import Subject
from bench.worker import DEFAULT_TIMEOUT_S, Answer, InputOutput, Loaded, Memory, Sample

FailureKind = Literal["subject", "crashed", "hung", "raised", "answer", "clock", "count", "cold"]


class Arm(msgspec.Struct, frozen=True):
    """One contestant of a measurement. Two arms of one subject measure this run's own noise."""

    name: str
    subject: Subject


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured: groups of processes, rounds in each, and where to stop.

    `warmups` untimed calls come before the first round of a process (fewer where they are slow). `cold`
    makes the tree's files cold before every timed call. `budget_s` is shared out among the groups and ends
    the measurement before a round that would exceed it; two rounds of all arms are measured whatever they take.
    `timeout_s` is the patience with one request. `calls_limit` bounds how often a fast arm is called in a
    round that a slow one holds up. Where it is `balanced`, groups have no more rounds than pay beside what
    starting a group takes: `sampling.pairs_per_group`.
    """

    processes: int = 5
    rounds: int = 20
    warmups: int = 1
    budget_s: float = 20.0
    cold: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
    calls_limit: int = 15
    balanced: bool = False


class Round(msgspec.Struct, frozen=True):
    """One turn of all arms: the order in which they came, and the samples of each."""

    order: tuple[str, ...]
    samples: dict[str, tuple[Sample, ...]]


class Group(msgspec.Struct, frozen=True):
    """One fresh process an arm: hash seed, order of their start, how they loaded, and the rounds."""

    hash_seed: int
    start_order: tuple[str, ...]
    loaded: dict[str, Loaded]
    rounds: tuple[Round, ...]


class Failure(msgspec.Struct, frozen=True):
    """An arm that was withdrawn: why, and in which group and round (-1: before the first)."""

    arm: str
    kind: FailureKind
    group: int
    round: int
    told: str


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen: raw samples, and the answers of the processes that were timed.

    `answers` holds the different answers of each arm in the order of their appearance: one where the arm is
    steady, none where it never answered. `complete` says that all planned rounds of all arms were measured.
    An arm in `failures` has no times: what it had measured before stands in `groups` only.
    """

    plan: Plan
    groups: tuple[Group, ...]
    answers: dict[str, tuple[Answer, ...]]
    failures: tuple[Failure, ...]
    calls_per_round: dict[str, int]
    complete: bool
    elapsed_s: float
    cold_method: str | None = None
    collector: str = "collected before each timed call, off during it"

    def times_ns(self, arm: str) -> list[list[float]]:
        """An arm's time in each round, group by group: the median of its calls. Empty for a failed arm."""
        if any(failure.arm == arm for failure in self.failures):
            return []
        return [[_round_ns(one, arm) for one in group.rounds] for group in self.groups]

    def process_times_ns(self, arm: str) -> list[float]:
        """An arm's time in each process: the median of its rounds. Empty for a failed arm."""
        return [median(times) for times in self.times_ns(arm)]

    def cpu_ns(self, arm: str) -> float | None:
        """The CPU time of an arm's call: the median of all that were timed, None for a failed arm."""
        if any(failure.arm == arm for failure in self.failures):
            return None
        taken = [
            sample.cpu_ns
            for group in self.groups
            for one in group.rounds
            for sample in one.samples.get(arm, ())
        ]
        return median(taken) if taken else None

    def pairs_ns(self, arm: str, reference: str) -> list[list[tuple[float, float]]]:
        """Both arms' times in each round, group by group: what `bench.statistics.ratio` takes.

        Empty where either failed.
        """
        both = zip(self.times_ns(arm), self.times_ns(reference), strict=False)
        return [list(zip(times, references, strict=True)) for times, references in both]


class Resources(msgspec.Struct, frozen=True):
    """What one call of an arm needs besides time; a `failure` leaves the rest empty."""

    memory: Memory | None = None
    input_output: InputOutput | None = None
    system_calls: int | None = None
    failure: Failure | None = None


def _round_ns(one: Round, arm: str) -> float:
    return median(sample.elapsed_ns for sample in one.samples[arm])
