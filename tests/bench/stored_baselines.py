"""Stored baselines, right unless said otherwise."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.baseline import Baseline, StoredBenchmark, harness_digest
from bench.gate_request import TREE
from tests.bench.gates import RUNTIME, StandInEnvironment


def benchmark(name: str, **changes: Any) -> StoredBenchmark:
    """One benchmark of steady times, five times the yardstick's."""
    return msgspec.structs.replace(
        StoredBenchmark(
            name=name,
            target="catalog.subjects:v2",
            yardstick="bench.floor:read_files",
            tree=msgspec.to_builtins(TREE),
            groups=tuple(((5e6 + number, 1e6), (5e6, 1e6 + number)) for number in range(16)),
        ),
        **changes,
    )


def baseline(*benchmarks: StoredBenchmark, **changes: Any) -> Baseline:
    """A baseline of the day on which tests live, made where they run."""
    return msgspec.structs.replace(
        Baseline(
            made_at="2026-01-01T00:00:00+00:00",
            commit="bbb",
            code="working tree at bbb",
            runtime=RUNTIME,
            machine=msgspec.to_builtins(StandInEnvironment()),
            harness=harness_digest(),
            benchmarks=benchmarks,
        ),
        **changes,
    )
