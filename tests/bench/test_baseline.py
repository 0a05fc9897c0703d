"""Stored baselines: kept whole, and refused by name where they are nothing to compare with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench.baseline import Baseline, load_baseline, store, stored
from bench.gate_request import TREE
from bench.verdict_file import Cause, Refusal
from tests.bench.gates import RUNTIME
from tests.bench.stored_baselines import baseline, benchmark

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 8, tzinfo=UTC)
GOOD = baseline(benchmark("sidecars-warm"))


def loaded(path: Path, *, now: datetime = NOW, is_known: bool = True) -> Baseline:
    return load_baseline(path, RUNTIME, now=now, is_known_commit=lambda _: is_known)


def written(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(msgspec.to_builtins(GOOD) | changes), encoding="utf-8")
    return path


def test_what_was_stored_is_read_again(tmp_path: Path) -> None:
    store(GOOD, tmp_path / "b.json")
    found = loaded(tmp_path / "b.json")
    assert found == GOOD
    tree = msgspec.to_builtins(TREE)
    one = GOOD.benchmarks[0]
    assert stored(found, "sidecars-warm", "catalog.subjects:v2", one.yardstick, tree) == one.groups


def test_ratios_to_another_yardstick_are_refused() -> None:
    one = GOOD.benchmarks[0]
    with pytest.raises(Refusal, match=r"beside bench\.floor:other on") as refused:
        stored(GOOD, one.name, one.target, "bench.floor:other", one.tree)
    assert refused.value.cause is Cause.BASELINE_STALE


@pytest.mark.parametrize(
    ("cause", "changes"),
    [
        (Cause.BASELINE_FUTURE, {"schema_version": 2}),
        (Cause.BASELINE_STALE, {"schema_version": 0}),
        (Cause.BASELINE_FUTURE, {"made_at": "2027-01-01T00:00:00+00:00"}),
        (Cause.BASELINE_STALE, {"made_at": "2025-01-01T00:00:00+00:00"}),
        (Cause.BASELINE_UNREADABLE, {"made_at": "yesterday"}),
        (Cause.BASELINE_UNREADABLE, {"made_at": "9999-12-31T23:59:59-05:00"}),
        (Cause.BASELINE_STALE, {"harness": "another"}),
        (Cause.BASELINE_FOREIGN, {"kind": "pytest-benchmark"}),
        (Cause.BASELINE_FOREIGN, {"kind": 5}),
        (Cause.BASELINE_EMPTY, {"benchmarks": []}),
        (Cause.BASELINE_UNREADABLE, {"benchmarks": [{"name": "sidecars-warm"}]}),
        (Cause.INTERPRETER, {"runtime": msgspec.to_builtins(RUNTIME) | {"build": "3.10"}}),
        (Cause.DEPENDENCIES, {"runtime": msgspec.to_builtins(RUNTIME) | {"libraries": {}}}),
    ],
)
def test_provenance_is_checked(tmp_path: Path, cause: Cause, changes: dict[str, Any]) -> None:
    path = written(tmp_path / "b.json", **changes)
    with pytest.raises(Refusal) as refused:
        loaded(path)
    assert refused.value.cause is cause
    assert str(path) in refused.value.told


@pytest.mark.parametrize(
    ("cause", "content"),
    [
        (Cause.BASELINE_MISSING, None),
        (Cause.BASELINE_EMPTY, b" \n"),
        (Cause.BASELINE_UNREADABLE, b'{"kind": "ckpt-bench baseline"'),
        (Cause.BASELINE_UNREADABLE, b'{"kind": "ckpt-bench baseline", "made_at": NaN}'),
        (Cause.BASELINE_FOREIGN, b'{"benchmarks": [], "machine_info": {}}'),
        (Cause.BASELINE_FOREIGN, b"[]"),
    ],
)
def test_a_file_that_is_no_baseline_says_so(tmp_path: Path, cause: Cause, content: bytes | None) -> None:
    path = tmp_path / "b.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refusal) as refused:
        loaded(path)
    assert refused.value.cause is cause


def test_a_commit_of_another_repository_is_foreign(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        loaded(written(tmp_path / "b.json"), is_known=False)
    assert refused.value.cause is Cause.BASELINE_FOREIGN


def test_age_counts_from_when_it_was_made(tmp_path: Path) -> None:
    path = written(tmp_path / "b.json")
    loaded(path, now=NOW + timedelta(days=80))
    with pytest.raises(Refusal, match="at most 90 days"):
        loaded(path, now=NOW + timedelta(days=90))


@pytest.mark.parametrize("taken_ns", [0.0, -1.0, float("nan"), float("inf")])
def test_times_that_no_clock_gives_are_refused(taken_ns: float) -> None:
    one = benchmark("sidecars-warm", groups=(((1.0, taken_ns),),) * 9)
    with pytest.raises(Refusal) as refused:
        stored(baseline(one), one.name, one.target, one.yardstick, one.tree)
    assert refused.value.cause is Cause.UNUSABLE_TIMES
