"""The benchmarks under pytest: untimed they check answers, timed they keep targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.asking import LATENCIES_MS, SPECS
from bench.scenario import LEGACY, READ_FLOOR, SETTINGS, V2
from bench.suites.test_asking import check_operations
from bench.suites.test_catalogs import BENCHMARKS, check_answer, check_targets
from bench.targets import Target
from tests.bench.fakes import right_answer, variant_of

ROOT = Path(__file__).parents[2]
VARIANT = variant_of()
SIDECARS = SETTINGS[0]


def run_suite(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "bench",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path}/t",
    ]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_every_setting_and_contestant_is_a_benchmark() -> None:
    names = {str(one.id) for one in BENCHMARKS}
    assert {"sidecars-warm-legacy", "sidecars-warm-v2", "header-cold-v2", "wandb-v2-wandb-100ms"} <= names
    assert len(names) == sum(len(setting.contestants) for setting in SETTINGS)


def test_a_right_answer_is_accepted() -> None:
    check_answer(V2, VARIANT, right_answer(V2, VARIANT))
    check_answer(READ_FLOOR, VARIANT, right_answer(READ_FLOOR, VARIANT))


def test_a_wrong_answer_fails() -> None:
    answer = right_answer(LEGACY, VARIANT)
    answer.records[0]["epochs"] = 77
    with pytest.raises(pytest.fail.Exception, match=r"outputs differ: .*: epochs: legacy says 77"):
        check_answer(LEGACY, VARIANT, answer)


def test_a_short_answer_fails_as_nothing_measured() -> None:
    answer = right_answer(V2, VARIANT)
    answer.records.pop()
    with pytest.raises(pytest.fail.Exception, match="nothing measured: 13 of 14"):
        check_answer(V2, VARIANT, answer)


@pytest.mark.parametrize("median_s", [1.001, float("nan")])
def test_a_missed_target_fails(median_s: float) -> None:
    target = Target("total", "sidecars-warm", "seconds", 1.0, 50)
    with pytest.raises(pytest.fail.Exception, match="target total missed"):
        check_targets(SIDECARS, V2, 14, median_s, (target,))


def test_targets_are_for_their_own_scenario_size_and_contestant() -> None:
    target = Target("total", "sidecars-warm", "seconds", 1.0, 50)
    check_targets(SIDECARS, V2, 14, 0.9, (target,))
    check_targets(SIDECARS, V2, 51, 9.0, (target,))
    check_targets(SIDECARS, LEGACY, 14, 9.0, (target,))
    check_targets(SETTINGS[1], V2, 14, 9.0, (target,))


def test_a_target_per_checkpoint_grows_with_the_tree() -> None:
    target = Target("each", "sidecars-warm", "milliseconds_per_checkpoint", 10.0)
    check_targets(SIDECARS, V2, 14, 0.14, (target,))
    with pytest.raises(pytest.fail.Exception, match="target each missed"):
        check_targets(SIDECARS, V2, 14, 0.15, (target,))


def test_untimed_the_suite_checks_every_answer(tmp_path: Path) -> None:
    done = run_suite(tmp_path, "--benchmark-disable", "-k", "test_catalog")
    assert done.returncode == 0, done.stdout + done.stderr
    count = sum(len(setting.contestants) for setting in SETTINGS)
    assert f"{count} passed" in done.stdout


def test_timed_the_suite_writes_what_other_tools_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    done = run_suite(tmp_path, f"--benchmark-json={path}", "-k", "sidecars-warm-v2")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {one["name"] for one in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]}
    assert "test_catalog[14x0.064MB-sidecars-warm-v2]" in names


def test_asking_is_a_benchmark_for_each_tree_latency_and_way(tmp_path: Path) -> None:
    listed = run_suite(tmp_path, "--collect-only", "-k", "test_asking")
    assert listed.stdout.count("::test_asking[") == len(SPECS) * len(LATENCIES_MS) * 2
    path = tmp_path / "x.json"
    done = run_suite(tmp_path, f"--benchmark-json={path}", "-k", "test_asking and 14-check and in-process-0ms")
    assert done.returncode == 0, done.stdout + done.stderr
    (one,) = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    assert one["extra_info"]["operations"] == {"Runs": 1, "RunSampledHistory": 7}
    assert one["extra_info"]["one_by_one_operations"]["Run"] == 28


@pytest.mark.parametrize(
    "operations",
    [{}, {"Viewer": 1}, {"Runs": 4}, {"Runs": 1, "Run": 14}, {"Runs": 1, "RunSampledHistory": 8}],
)
def test_too_many_operations_fail_and_none_at_all(operations: dict[str, int]) -> None:
    check_operations({"Viewer": 1, "Runs": 1, "RunSampledHistory": 7}, runs=7)
    with pytest.raises(pytest.fail.Exception, match="at most 3 operations, and at most 7 histories"):
        check_operations(operations, runs=7)
