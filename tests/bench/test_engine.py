"""Who runs when: orders, budgets, calibration, withdrawals; with fake workers and a fake clock."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from bench.engine import Arm, Plan, measure, measure_resources
from bench.measurement import Failure, Measurement
from bench.pagecache import Drop
from bench.subject import Subject, SubjectError
from bench.worker import (
    Answer,
    Call,
    ClockError,
    InputOutput,
    Loaded,
    Memory,
    Sample,
    SubjectRaised,
    WorkerCrashed,
    WorkerHung,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CALL = Call(Path("outputs"))
FAST, SLOW, OTHER = (Subject(name, f"fakes:{name}") for name in ("fast", "slow", "other"))
PAIR = (Arm("fast", FAST), Arm("slow", SLOW))


class Laboratory:
    """Fake workers, a clock that only calls move, and a journal of what was asked of whom."""

    def __init__(self, **cost_ms: float) -> None:
        self.now_s = 0.0
        self.start_s = 0.0
        self.cost_ms = {"fast": 1.0, "slow": 1.0, "other": 1.0} | cost_ms
        self.journal: list[tuple[str, str]] = []
        self.seeds: list[tuple[str, int]] = []
        self.open: Counter[str] = Counter()
        self.resident_bytes = 0
        self.first_call_ms: float | None = None
        self.counts: Callable[[str, int], int] = lambda _name, _call: 14
        self.failing: dict[tuple[str, str, int], BaseException] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.spoken: Callable[[str, int], Any] = lambda _name, _call: 1

    def clock(self) -> float:
        return self.now_s

    def start(self, subject: Subject, *, hash_seed: int, timeout_s: float) -> FakeWorker:
        assert timeout_s == Plan().timeout_s
        self.note(subject.name, "start")
        self.now_s += self.start_s
        self.seeds.append((subject.name, hash_seed))
        return FakeWorker(self, subject.name, hash_seed)

    def note(self, name: str, request: str) -> int:
        """Write a request down, fail it if it is to fail, and tell how many of its kind there were before."""
        self.journal.append((name, request))
        number = self.asked[name, request]
        self.asked[name, request] += 1
        if (name, request, number) in self.failing:
            raise self.failing[name, request, number]
        return number

    def drop(self, tree: Path) -> Drop:
        assert tree == CALL.outputs_dir
        self.journal.append(("tree", "drop"))
        return Drop("by magic", 100, self.resident_bytes)

    def measure(self, arms: tuple[Arm, ...] = PAIR, seed: int = 1, **plan: Any) -> Measurement:
        wanted = Plan(**{"processes": 3, "rounds": 4, "budget_s": 1000.0} | plan)
        rng = random.Random(seed)
        return measure(arms, CALL, wanted, rng=rng, start_worker=self.start, clock=self.clock, drop=self.drop)


class FakeWorker:
    """A worker of the laboratory."""

    def __init__(self, laboratory: Laboratory, name: str, hash_seed: int) -> None:
        self.loaded = Loaded(1000, None, "3.11.7", str(hash_seed), (0,))
        self.laboratory = laboratory
        self.name = name
        self.calls = 0
        self.called = False

    def __enter__(self) -> Self:
        self.laboratory.open[self.name] += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.laboratory.open[self.name] -= 1

    def prepare(self, call: Call) -> None:
        assert call == CALL
        self.laboratory.note(self.name, "prepare")

    def call(self, call: Call) -> Sample:
        assert call == CALL
        self.calls = self.laboratory.note(self.name, "call")
        first_ms = self.laboratory.first_call_ms if self.name == "slow" and not self.called else None
        cost_ms = first_ms or self.laboratory.cost_ms[self.name]
        self.called = True
        self.laboratory.now_s += cost_ms / 1e3
        digest = repr(self.laboratory.spoken(self.name, self.calls))
        return Sample(int(cost_ms * 1e6), 1, self.laboratory.counts(self.name, self.calls), digest)

    def answer(self) -> Answer:
        self.laboratory.note(self.name, "answer")
        return Answer([{"epochs": self.laboratory.spoken(self.name, self.calls)}], [None], [], [])

    def memory(self, call: Call) -> Memory:
        assert call == CALL
        self.laboratory.note(self.name, "memory")
        return Memory(100, 50, "VmHWM")

    def input_output(self, call: Call) -> InputOutput | None:
        assert call == CALL
        self.laboratory.note(self.name, "input_output")
        return InputOutput(10, 0, 1)

    def system_calls(self, call: Call) -> int | None:
        assert call == CALL
        return 100 + self.laboratory.note(self.name, "system_calls")


def test_every_group_has_fresh_processes_and_every_round_all_arms() -> None:
    laboratory = Laboratory()
    found = laboratory.measure()
    assert laboratory.asked["fast", "start"] == laboratory.asked["slow", "start"] == 3
    assert [len(group.rounds) for group in found.groups] == [4, 4, 4]
    assert all(set(one.samples) == {"fast", "slow"} for group in found.groups for one in group.rounds)
    assert found.complete
    assert not found.failures
    assert laboratory.open.total() == 0


def test_the_order_is_random_and_the_recorded_one_is_the_one_that_happened() -> None:
    laboratory = Laboratory()
    found = laboratory.measure(warmups=0, rounds=20)
    calls = [name for name, request in laboratory.journal if request == "call"]
    orders = [one.order for group in found.groups for one in group.rounds]
    assert calls == [name for order in orders for name in order]
    assert set(orders) == {("fast", "slow"), ("slow", "fast")}


def test_processes_start_in_random_order_side_by_side() -> None:
    laboratory = Laboratory()
    all_begun = threading.Barrier(len(PAIR), timeout=10.0)

    def start(subject: Subject, *, hash_seed: int, timeout_s: float) -> FakeWorker:
        all_begun.wait()  # which nobody passes who starts alone
        return laboratory.start(subject, hash_seed=hash_seed, timeout_s=timeout_s)

    plan = Plan(processes=8, rounds=1, budget_s=1000.0)
    found = measure(PAIR, CALL, plan, rng=random.Random(1), start_worker=start, clock=laboratory.clock)
    orders = {group.start_order for group in found.groups}
    assert orders == {("fast", "slow"), ("slow", "fast")}


def test_what_was_started_beside_an_unexpected_error_is_closed() -> None:
    laboratory = Laboratory()
    laboratory.failing["fast", "start", 0] = MemoryError()
    with pytest.raises(MemoryError):
        laboratory.measure()
    assert laboratory.asked["slow", "start"] == 1
    assert laboratory.open.total() == 0


@pytest.mark.parametrize(("cost_ms", "rounds"), [(1.0, 30), (10.0, 13), (1000.0, 8)])
def test_a_balanced_group_has_fewer_rounds_where_they_are_dear_beside_a_start(
    cost_ms: float, rounds: int
) -> None:
    laboratory = Laboratory(fast=cost_ms, slow=cost_ms)
    laboratory.start_s = 0.18
    found = laboratory.measure(rounds=30, balanced=True)
    assert [len(group.rounds) for group in found.groups] == [rounds] * 3
    assert found.complete


def test_the_same_seed_repeats_everything() -> None:
    assert Laboratory().measure(seed=7) == Laboratory().measure(seed=7)
    assert Laboratory().measure(seed=7) != Laboratory().measure(seed=8)


def test_arms_of_a_group_share_a_hash_seed_and_groups_do_not() -> None:
    laboratory = Laboratory()
    found = laboratory.measure()
    assert len({group.hash_seed for group in found.groups}) == 3
    assert sorted(seed for _, seed in laboratory.seeds) == sorted(
        2 * [group.hash_seed for group in found.groups]
    )
    assert found.groups[0].loaded["fast"].hash_seed == str(found.groups[0].hash_seed)


def test_preparation_comes_before_every_call_and_cooling_between_them() -> None:
    laboratory = Laboratory()
    found = laboratory.measure((PAIR[0],), processes=1, rounds=2, warmups=1, cold=True)
    requests = [request for _, request in laboratory.journal if request != "answer"]
    assert requests == ["start", "prepare", "call", *["prepare", "drop", "call"] * 2]
    assert found.cold_method == "by magic"


def test_a_warm_measurement_leaves_the_page_cache_alone() -> None:
    laboratory = Laboratory()
    assert laboratory.measure().cold_method is None
    assert ("tree", "drop") not in laboratory.journal


def test_slow_warm_ups_are_not_repeated() -> None:
    laboratory = Laboratory(slow=600.0)
    laboratory.measure(processes=1, rounds=1, warmups=5, calls_limit=1)
    assert laboratory.asked["slow", "call"] == 1 + 1
    assert laboratory.asked["fast", "call"] == 5 + 1


@pytest.mark.parametrize(
    ("slow_ms", "limit", "calls"),
    [
        (1.9, 15, 1),
        (9.9, 15, 1),
        (10.0, 15, 5),
        (12.0, 15, 5),
        (1500.0, 15, 15),
        (1500.0, 4, 3),
        (1500.0, 1, 1),
    ],
)
def test_a_fast_arm_is_called_as_often_as_the_slow_one_leaves_room(
    slow_ms: float, limit: int, calls: int
) -> None:
    found = Laboratory(slow=slow_ms).measure(processes=1, rounds=2, calls_limit=limit)
    assert found.calls_per_round == {"fast": calls, "slow": 1}
    assert [len(one.samples["fast"]) for one in found.groups[0].rounds] == [calls, calls]


def test_arms_of_one_subject_are_called_equally_often() -> None:
    laboratory = Laboratory(slow=100.0)
    arms = (*PAIR, Arm("again", FAST))
    calls = laboratory.measure(arms).calls_per_round
    assert calls["fast"] == calls["again"] > 1


def test_a_first_call_that_imports_does_not_make_an_arm_slow() -> None:
    laboratory = Laboratory()
    laboratory.first_call_ms = 2000.0
    assert laboratory.measure().calls_per_round == {"fast": 1, "slow": 1}


def test_an_arm_can_fail_while_its_cost_is_found_out() -> None:
    laboratory = Laboratory(slow=100.0)
    laboratory.failing["slow", "call", 1] = WorkerHung("slow", "silent")
    found = laboratory.measure()
    assert found.failures == (Failure("slow", "hung", 0, -1, "slow: silent"),)
    assert found.calls_per_round == {"fast": 1}


@pytest.mark.parametrize("plan", [{"cold": True}, {"warmups": 0}], ids=["cold", "not warmed up"])
def test_every_arm_is_called_once_a_round_where_repeating_is_dear_or_costs_are_unknown(
    plan: dict[str, Any],
) -> None:
    assert Laboratory(slow=100.0).measure(**plan).calls_per_round == {"fast": 1, "slow": 1}


def test_the_budget_is_shared_out_among_the_groups() -> None:
    laboratory = Laboratory(fast=62.5, slow=62.5)
    found = laboratory.measure(rounds=100, budget_s=7.5, warmups=0)
    assert [len(group.rounds) for group in found.groups] == [20, 20, 20]
    assert not found.complete
    assert found.elapsed_s <= 7.5


@pytest.mark.parametrize(("rounds", "measured"), [(3, [2]), (1, [1, 1])])
def test_two_rounds_are_measured_whatever_the_budget(rounds: int, measured: list[int]) -> None:
    found = Laboratory(slow=5000.0).measure(rounds=rounds, budget_s=0.001)
    assert [len(group.rounds) for group in found.groups] == measured
    assert set(found.groups[0].rounds[0].samples) == {"fast", "slow"}
    assert not found.complete


def test_a_group_that_would_not_fit_is_not_begun() -> None:
    laboratory = Laboratory(fast=10.0, slow=10.0)
    laboratory.start_s = 2.0
    found = laboratory.measure(processes=5, rounds=1, budget_s=9.0)
    assert len(found.groups) == 2
    assert found.elapsed_s < 9.0


def test_an_answer_is_fetched_once_and_again_only_where_its_digest_is_another() -> None:
    laboratory = Laboratory()
    found = laboratory.measure()
    assert laboratory.asked["fast", "answer"] == 1
    assert [len(answers) for answers in found.answers.values()] == [1, 1]


def test_an_answer_that_changes_is_kept_beside_the_first() -> None:
    laboratory = Laboratory()
    laboratory.spoken = lambda name, call: 2 if name == "slow" and call > 6 else 1
    found = laboratory.measure()
    assert [answer.records[0]["epochs"] for answer in found.answers["slow"]] == [1, 2]
    assert len(found.answers["fast"]) == 1


def test_one_wrong_answer_among_all_the_timed_calls_is_kept() -> None:
    laboratory = Laboratory()
    laboratory.spoken = lambda name, call: 2 if name == "fast" and call == 9 else 1
    assert len(laboratory.measure().answers["fast"]) == 2


def test_answers_that_differ_in_type_alone_are_different() -> None:
    laboratory = Laboratory()
    laboratory.spoken = lambda _name, call: 1.0 if call > 6 else True
    assert [repr(answer.records[0]["epochs"]) for answer in laboratory.measure().answers["fast"]] == [
        "True",
        "1.0",
    ]


@pytest.mark.parametrize(
    ("request_failing", "error", "kind"),
    [
        ("start", SubjectError("fakes:slow", "a callable", "none", "write one"), "subject"),
        ("start", WorkerCrashed("slow", "no interpreter"), "crashed"),
        ("call", WorkerCrashed("slow", "signal SIGSEGV"), "crashed"),
        ("call", WorkerHung("slow", "silent"), "hung"),
        ("call", SubjectRaised("slow", "Traceback"), "raised"),
        ("call", ClockError("stood still"), "clock"),
        ("prepare", SubjectRaised("slow", "Traceback"), "raised"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("number", [0, 2])
def test_an_arm_that_fails_is_withdrawn_with_the_reason_and_the_others_go_on(
    request_failing: str, error: Exception, kind: str, number: int
) -> None:
    laboratory = Laboratory()
    laboratory.failing["slow", request_failing, number] = error
    found = laboratory.measure()
    (failure,) = found.failures
    assert (failure.arm, failure.kind, failure.told) == ("slow", kind, str(error))
    assert not found.complete
    assert found.times_ns("slow") == []
    assert [len(times) for times in found.times_ns("fast")] == [4, 4, 4]
    assert laboratory.journal.count(("slow", request_failing)) == number + 1
    assert laboratory.open.total() == 0


def test_a_failure_tells_group_and_round() -> None:
    laboratory = Laboratory()
    laboratory.failing["slow", "call", (1 + 1 + 4) + 1 + 2] = SubjectRaised("slow", "Traceback")
    (failure,) = laboratory.measure().failures
    assert failure == Failure("slow", "raised", 1, 2, "slow: Traceback")


def test_a_measurement_ends_when_nobody_is_left() -> None:
    laboratory = Laboratory()
    for name in ("fast", "slow"):
        laboratory.failing[name, "call", 0] = WorkerCrashed(name, "gone")
    found = laboratory.measure()
    assert {failure.arm for failure in found.failures} == {"fast", "slow"}
    assert all(not group.rounds for group in found.groups)
    assert not found.complete


def test_an_arm_that_lists_another_number_of_records_is_withdrawn() -> None:
    laboratory = Laboratory()
    laboratory.counts = lambda name, call: 13 if (name, call) == ("slow", 4) else 14
    (failure,) = laboratory.measure().failures
    assert (failure.arm, failure.kind) == ("slow", "count")
    assert "expected 14 records as before, found 13" in failure.told


def test_a_tree_that_stays_cached_is_not_measured_as_cold() -> None:
    laboratory = Laboratory()
    laboratory.resident_bytes = 10
    found = laboratory.measure(cold=True)
    assert {failure.kind for failure in found.failures} == {"cold"}
    assert found.times_ns("fast") == []
    assert "found 10 of 100 bytes cached" in found.failures[0].told


def test_workers_are_closed_when_the_measurement_is_interrupted() -> None:
    laboratory = Laboratory()
    laboratory.failing["slow", "call", 3] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        laboratory.measure()
    assert laboratory.open.total() == 0


@pytest.mark.parametrize("plan", [{"processes": 0}, {"rounds": 0}, {"calls_limit": 0}])
def test_a_plan_of_nothing_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a plan of at least one"):
        Laboratory().measure(**plan)


@pytest.mark.parametrize("arms", [(), (PAIR[0], Arm("fast", SLOW))], ids=["none", "of one name"])
def test_arms_that_cannot_be_told_apart_are_refused(arms: tuple[Arm, ...]) -> None:
    with pytest.raises(ValueError, match="arms of different names"):
        Laboratory().measure(arms)


def test_resources_are_measured_in_a_process_of_their_own() -> None:
    laboratory = Laboratory()
    found = measure_resources(PAIR, CALL, rng=random.Random(1), start_worker=laboratory.start)
    slow = [request for name, request in laboratory.journal if name == "slow"]
    assert slow == ["start", "prepare", "memory", "prepare", "input_output", "system_calls"]
    assert found["slow"].memory == Memory(100, 50, "VmHWM")
    assert found["slow"].input_output == InputOutput(10, 0, 1)
    assert found["slow"].system_calls == 100
    assert found["slow"].failure is None


def test_resources_of_an_arm_that_fails_are_a_failure_and_the_others_are_there() -> None:
    laboratory = Laboratory()
    laboratory.failing["fast", "memory", 0] = WorkerCrashed("fast", "out of memory")
    found = measure_resources(PAIR, CALL, rng=random.Random(1), start_worker=laboratory.start)
    assert found["fast"].failure == Failure("fast", "crashed", -1, -1, "fast: out of memory")
    assert found["slow"].memory is not None


def test_real_processes_are_measured_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "two_catalogs.py").write_text(
        "def quick(folder, names): return [{'epochs': 1}]\n"
        "def slow(folder, names): sum(range(20_000)); return [{'epochs': 2}]\n"
    )
    arms = tuple(
        Arm(name, Subject(name, f"two_catalogs:{name}", (str(tmp_path),))) for name in ("quick", "slow")
    )
    plan = Plan(processes=2, rounds=3, budget_s=60.0)
    found = measure(arms, Call(tmp_path), plan, rng=random.Random(1))
    assert found.complete
    assert [len(pairs) for pairs in found.pairs_ns("slow", "quick")] == [3, 3]
    assert found.answers["slow"] == (Answer([{"epochs": 2}], [None], None, None),)
    assert found.calls_per_round["quick"] >= found.calls_per_round["slow"] == 1
