"""What a measurement tells of its samples."""

from __future__ import annotations

import msgspec

from bench.measurement import Failure, Group, Measurement, Plan, Round
from bench.worker import Answer, Loaded, Sample


def sample(elapsed_ns: int) -> Sample:
    return Sample(elapsed_ns, elapsed_ns, 3)


def group(*rounds: dict[str, tuple[int, ...]]) -> Group:
    """A group of these rounds: arm -> times of its calls."""
    held = [Round(tuple(one), {arm: tuple(map(sample, times)) for arm, times in one.items()}) for one in rounds]
    return Group(1, ("a", "b"), {"a": Loaded(1, None, "3.11.7", "1", (0,))}, tuple(held))


def measurement(*groups: Group, failures: tuple[Failure, ...] = ()) -> Measurement:
    return Measurement(
        plan=Plan(),
        groups=groups,
        answers={"a": (Answer([{"epochs": 3, "hmean": 0.5}], [None], None, []),)},
        failures=failures,
        calls_per_round={"a": 3, "b": 1},
        complete=not failures,
        elapsed_s=1.0,
    )


TWO = (
    group({"a": (1, 9, 2), "b": (10,)}, {"b": (20,), "a": (4, 4, 4)}),
    group({"a": (5, 5, 6), "b": (30,)}),
)


def test_an_arms_time_in_a_round_is_the_median_of_its_calls() -> None:
    assert measurement(*TWO).times_ns("a") == [[2, 4], [5]]


def test_an_arms_time_in_a_process_is_the_median_of_its_rounds() -> None:
    assert measurement(*TWO).process_times_ns("a") == [3.0, 5]


def test_calls_of_one_round_are_paired() -> None:
    assert measurement(*TWO).pairs_ns("b", "a") == [[(10, 2), (20, 4)], [(30, 5)]]


def test_an_arm_that_failed_has_no_times_and_no_pairs() -> None:
    failed = measurement(*TWO, failures=(Failure("b", "crashed", 1, 1, "gone"),))
    assert failed.times_ns("b") == []
    assert failed.process_times_ns("b") == []
    assert failed.pairs_ns("a", "b") == []
    assert failed.pairs_ns("b", "a") == []
    assert failed.times_ns("a") == [[2, 4], [5]]


def test_a_measurement_survives_a_round_trip_through_json() -> None:
    held = measurement(*TWO, failures=(Failure("b", "hung", 1, 1, "silent"),))
    assert msgspec.json.decode(msgspec.json.encode(held), type=Measurement) == held
