"""Asking W&B timed, and what asking for one run after the other takes beside it; too many operations fail.

What the times may be, `ckpt-bench limits --only wandb` judges: in turns, and from more calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.asking import LATENCIES_MS, NEW, OLD, ONCE, SPECS, placed
from bench.asking_cell import counted
from bench.limits_wandb import MOST_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from bench.asking import Asked, Place

ROUNDS = 3


@pytest.fixture(scope="module", params=SPECS, ids=lambda checkpoints: f"{checkpoints}-checkpoints")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A tree whose checkpoints have neither sidecars nor metrics, and its runs."""
    with placed(SPECS[request.param], tmp_path_factory.mktemp("asked")) as found:
        yield found


@pytest.mark.parametrize("latency_ms", LATENCIES_MS, ids=lambda latency_ms: f"{latency_ms}ms")
@pytest.mark.parametrize("is_whole_process", [True, False], ids=["whole-process", "in-process"])
def test_asking(place: Place, is_whole_process: bool, latency_ms: int, benchmark: BenchmarkFixture) -> None:
    """Time a build that asks, and count what it sends."""
    benchmark.group = f"asking W&B, {place.checkpoints} checkpoints"
    asked: list[Asked] = []
    with place.callers([NEW, ONCE, OLD], latency_ms, is_whole_process=is_whole_process) as ask:
        benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark has no types
            lambda: asked.append(ask(NEW)), rounds=ROUNDS
        )
        at_once, one_by_one = ask(ONCE), ask(OLD)
    # The benchmark's own times include the exchange with the process that was asked to build; these do not.
    benchmark.extra_info["build_s"] = min(one.elapsed_ns for one in asked) / 1e9
    benchmark.extra_info["at_once_s"] = at_once.elapsed_ns / 1e9
    benchmark.extra_info["one_by_one_s"] = one_by_one.elapsed_ns / 1e9
    benchmark.extra_info["operations"] = asked[-1].operations
    benchmark.extra_info["one_by_one_operations"] = one_by_one.operations
    check_operations(asked[-1].operations, runs=len(place.runs))


def check_operations(operations: dict[str, int], *, runs: int) -> None:
    """Fail where a build sent more than one request for all runs and one for each history may take."""
    others, histories = counted(operations)
    if not operations.get("Runs") or others > MOST_OPERATIONS or histories > runs:
        expected = f"runs asked for in at most {MOST_OPERATIONS} operations, and at most {runs} histories"
        pytest.fail(f"expected {expected}; found {operations}")
