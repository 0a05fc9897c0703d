"""Every known way in which a gate passes wrongly: each ends non-zero, by name, in every report."""

from __future__ import annotations

import errno
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench import engine
from bench.baseline import load_baseline
from bench.gate_cli import publish
from bench.measurement import Arm, Failure, FailureKind, Plan
from bench.subject import Subject
from bench.subject_host import ClockError
from bench.subject_host.calls import timed_call
from bench.verdict import ExitCode, Verdict
from bench.verdict_file import Cause, Refusal, load_verdict
from bench.worker import Call
from tests.bench.gates import REFERENCE_SIDE, RUNTIME, SLOWER, World, changed
from tests.bench.stored_baselines import baseline, benchmark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.verdict_file import GateResult

FULL = OSError(errno.ENOSPC, "No space left on device", "verdict.json")


def failed(kind: FailureKind, told: str, arm: str = "candidate") -> tuple[Failure, ...]:
    return (Failure(arm, kind, 0, 1, told),)


def other_runtime(**changes: Any) -> Any:
    return replace(REFERENCE_SIDE, runtime=msgspec.structs.replace(RUNTIME, **changes))


def other_answer(world: World) -> Any:
    right = world.right_answer()
    return msgspec.structs.replace(right, records=[{**right.records[0], "epochs": 99.5}, *right.records[1:]])


def short_answer(world: World) -> Any:
    right = world.right_answer()
    return msgspec.structs.replace(
        right, records=right.records[:-1], display_options=right.display_options[:-1]
    )


def refusal_of(path: Path) -> Refusal:
    """Why a file is no baseline, as its reader says."""
    with pytest.raises(Refusal) as refused:
        load_baseline(path, RUNTIME, now=datetime.now(UTC), is_known_commit=lambda _: True)
    return refused.value


CASES: dict[str, tuple[Cause, ExitCode, Callable[[World], GateResult]]] = {}


def case(cause: Cause, code: ExitCode) -> Callable[[Callable[[World], GateResult]], None]:
    def keep(run: Callable[[World], GateResult]) -> None:
        CASES[run.__name__.strip("_")] = (cause, code, run)

    return keep


NOTHING = ExitCode.NOTHING_MEASURED


@case(Cause.SLOWER, ExitCode.MISSED)
def _slower(world: World) -> GateResult:
    world.finals["sidecars-warm"] = SLOWER
    return world.run()


@case(Cause.TARGET_MISSED, ExitCode.MISSED)
def _target_missed(world: World) -> GateResult:
    world.elapsed_ns = 2e9
    return world.run()


@case(Cause.UNCLEAR, ExitCode.INCONCLUSIVE)
def _inconclusive(world: World) -> GateResult:
    world.finals["sidecars-warm"] = changed(verdict=Verdict.INCONCLUSIVE, reason="reaches over the margin")
    return world.run()


@case(Cause.CHANGE_UNSEEN, ExitCode.OUTPUTS_DIFFER)
def _answers_that_were_kept(world: World) -> GateResult:
    world.unseen = (Cause.CHANGE_UNSEEN, "expected 14 checkpoints, then 15 after one had come, found 14")
    return world.run()


@case(Cause.UNKNOWN_COLD, NOTHING)
def _cold_benchmark_of_a_baseline_that_cannot_be_cold(world: World) -> GateResult:
    world.is_cold_possible = False
    world.references = (baseline(benchmark("sidecars-warm"), benchmark("sidecars-cold")),)
    return world.run(pattern="")


@case(Cause.NO_BENCHMARK, NOTHING)
def _no_benchmark_is_chosen(world: World) -> GateResult:
    return world.run(pattern="no-such-thing")


@case(Cause.REMOVED, NOTHING)
def _benchmark_removed(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-warm"), benchmark("sidecars-forgotten")),)
    return world.run(pattern="sidecars-*", is_quick=True)


@case(Cause.REMOVED, NOTHING)
def _benchmark_renamed(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-wram")),)
    return world.run(pattern="")


@case(Cause.NOT_IN_BASELINE, NOTHING)
def _benchmark_not_in_baseline(world: World) -> GateResult:
    world.references = (baseline(benchmark("remembered")),)
    return world.run()


@case(Cause.BASELINE_STALE, NOTHING)
def _baseline_of_another_tree(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-warm", tree={"experiments": 3})),)
    return world.run()


@case(Cause.BASELINE_ABSOLUTE, NOTHING)
def _baseline_of_absolute_times(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-warm", yardstick="")),)
    return world.run()


@case(Cause.UNUSABLE_TIMES, NOTHING)
def _negative_time_in_the_baseline(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-warm", groups=(((-5.0, 1.0),),) * 16)),)
    return world.run()


@case(Cause.TOO_FEW_SAMPLES, ExitCode.INCONCLUSIVE)
def _one_process_in_the_baseline(world: World) -> GateResult:
    world.references = (baseline(benchmark("sidecars-warm", groups=(((5.0, 1.0),),))),)
    return world.run()


@case(Cause.BASELINE_MISSING, NOTHING)
def _refused_sides(world: World) -> GateResult:
    world.sides_error = Refusal(Cause.BASELINE_MISSING, "there is none")
    return world.run()


@case(Cause.UNUSABLE_TIMES, NOTHING)
def _time_that_is_no_number(world: World) -> GateResult:
    world.elapsed_by_arm["candidate"] = math.nan
    return world.run()


@case(Cause.UNUSABLE_TIMES, NOTHING)
def _negative_time(world: World) -> GateResult:
    world.elapsed_by_arm["candidate"] = -1_000_000
    return world.run()


@case(Cause.TOO_FEW_SAMPLES, ExitCode.INCONCLUSIVE)
def _one_sample(world: World) -> GateResult:
    from bench.family import Family

    world.decide, world.groups, world.rounds = Family, 1, 1
    return world.run(budget_s=1.5)


@case(Cause.TOO_FEW_SAMPLES, ExitCode.INCONCLUSIVE)
def _fewer_groups_than_count(world: World) -> GateResult:
    world.finals["sidecars-warm"] = changed(verdict=Verdict.FASTER, groups=2)
    return world.run()


@case(Cause.CRASHED, NOTHING)
def _candidate_crashed(world: World) -> GateResult:
    world.failures = failed("crashed", "the worker ended with exit code 3")
    return world.run()


@case(Cause.CRASHED, NOTHING)
def _reference_killed(world: World) -> GateResult:
    world.failures = failed("crashed", "the worker ended with signal SIGKILL", "reference")
    return world.run()


@case(Cause.HUNG, NOTHING)
def _candidate_hung(world: World) -> GateResult:
    world.failures = failed("hung", "expected an answer within 60 s, found none")
    return world.run()


@case(Cause.RAISED, NOTHING)
def _candidate_raised(world: World) -> GateResult:
    world.failures = failed("raised", "KeyError: 'epochs'")
    return world.run()


@case(Cause.NOT_FOUND, NOTHING)
def _callable_removed(world: World) -> GateResult:
    world.failures = failed("subject", "expected v2 in catalog.subjects, found no such name", "reference")
    return world.run()


@case(Cause.CLOCK, NOTHING)
def _clock_stepped(world: World) -> GateResult:
    world.failures = failed("clock", "expected a call to take time, found -3 ns")
    return world.run()


@case(Cause.COUNT, NOTHING)
def _count_changed(world: World) -> GateResult:
    world.failures = failed("count", "expected 50 records as before, found 49")
    return world.run()


@case(Cause.UNKNOWN_COLD, NOTHING)
def _files_not_cold(world: World) -> GateResult:
    world.is_cold_possible = False
    return world.run(pattern="sidecars-cold")


@case(Cause.OUTPUTS_DIFFER, ExitCode.OUTPUTS_DIFFER)
def _fast_and_wrong(world: World) -> GateResult:
    world.answers["candidate"] = other_answer(world)
    world.finals["sidecars-warm"] = changed(verdict=Verdict.FASTER)
    return world.run()


@case(Cause.NO_ANSWER, NOTHING)
def _fewer_checkpoints_listed(world: World) -> GateResult:
    world.answers["candidate"] = short_answer(world)
    return world.run()


@case(Cause.TREE_WRITTEN, ExitCode.OUTPUTS_DIFFER)
def _tree_written_to(world: World) -> GateResult:
    world.written = "index.json"
    return world.run()


@case(Cause.OTHER_CODE, NOTHING)
def _reference_measured_the_working_tree(world: World) -> GateResult:
    world.origins["reference"] = "/code/candidate/catalog/subjects.py"
    return world.run()


@case(Cause.INTERPRETER, NOTHING)
def _other_interpreter(world: World) -> GateResult:
    world.references = (other_runtime(python="3.12.0", build="3.12.0 (main)"),)
    return world.run()


@case(Cause.DEPENDENCIES, NOTHING)
def _other_dependency_versions(world: World) -> GateResult:
    world.references = (other_runtime(libraries={"msgspec": "0.20.0"}),)
    return world.run()


@case(Cause.DEPENDENCIES, NOTHING)
def _missing_dependency(world: World) -> GateResult:
    world.references = (other_runtime(libraries={}),)
    return world.run()


@case(Cause.BASELINE_FUTURE, NOTHING)
def _baseline_of_a_later_version(world: World) -> GateResult:
    path = world.folder / "baseline.json"
    path.write_text('{"kind": "ckpt-bench baseline", "schema_version": 99}', encoding="utf-8")
    world.sides_error = refusal_of(path)
    return world.run()


@case(Cause.BASELINE_EMPTY, NOTHING)
def _empty_baseline(world: World) -> GateResult:
    path = world.folder / "baseline.json"
    path.write_text("", encoding="utf-8")
    world.sides_error = refusal_of(path)
    return world.run()


@case(Cause.BASELINE_FOREIGN, NOTHING)
def _baseline_of_another_tool(world: World) -> GateResult:
    path = world.folder / "baseline.json"
    path.write_text('{"benchmarks": [], "machine_info": {}, "version": "5.3.1"}', encoding="utf-8")
    world.sides_error = refusal_of(path)
    return world.run()


@case(Cause.DISK, NOTHING)
def _disk_full_at_the_start(world: World) -> GateResult:
    world.publish_errors[0] = FULL
    return world.run()


@case(Cause.DISK, NOTHING)
def _disk_full_at_the_end(world: World) -> GateResult:
    world.publish_errors[1] = FULL
    world.finals["sidecars-warm"] = SLOWER
    return world.run()


@case(Cause.HARNESS, NOTHING)
def _fault_of_the_harness(world: World) -> GateResult:
    world.sides_error = ZeroDivisionError("division by zero")
    return world.run()


@pytest.mark.parametrize("name", CASES)
def test_each_way_to_pass_wrongly_has_a_name_and_a_code(name: str, tmp_path: Path) -> None:
    cause, code, run = CASES[name]
    result = run(World(tmp_path))
    assert cause in {reason.cause for reason in result.reasons}, result.reasons
    assert result.exit_code == code
    assert all(reason.told for reason in result.reasons)


def test_there_are_as_many_ways_as_are_known() -> None:
    assert len(CASES) >= 20


def test_the_same_gate_passes_where_nothing_is_wrong(tmp_path: Path) -> None:
    result = World(tmp_path).run()
    assert (result.exit_code, result.reasons) == (0, ())


def test_a_gate_that_is_interrupted_has_published_that_it_is_not_finished(tmp_path: Path) -> None:
    world = World(tmp_path, sides_error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.run()
    (left,) = world.published
    assert (left.reasons[0].cause, left.exit_code) == (Cause.UNFINISHED, 5)


MISBEHAVING = {
    "hung": ("import time\n    time.sleep(60)", Cause.HUNG),
    "killed": ("import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)", Cause.CRASHED),
    "exited as if all were well": ("import os\n    os._exit(0)", Cause.CRASHED),
    "raised": ("raise SystemExit(0)", Cause.RAISED),
}


@pytest.mark.parametrize("way", MISBEHAVING)
def test_a_real_process_that_misbehaves_is_a_reason_by_name(way: str, tmp_path: Path) -> None:
    body, cause = MISBEHAVING[way]
    (tmp_path / "theirs.py").write_text(f"def build(outputs_dir, names):\n    {body}\n", encoding="utf-8")
    arm = Arm("candidate", Subject("theirs", "theirs:build", search_path=(str(tmp_path),)))
    plan = Plan(processes=1, rounds=1, timeout_s=2.0)
    found = engine.measure([arm], Call(tmp_path), plan, rng=random.Random(1))
    world = World(tmp_path)
    world.failures = found.failures
    result = world.run()
    assert cause in {reason.cause for reason in result.reasons}
    assert result.exit_code == ExitCode.NOTHING_MEASURED


def test_a_clock_that_steps_back_is_a_reason_by_name(tmp_path: Path) -> None:
    steps = iter([1_000, 400])
    with pytest.raises(ClockError) as stepped:
        timed_call(lambda *_: [], tmp_path, (), clock=lambda: next(steps))
    world = World(tmp_path)
    world.failures = failed("clock", str(stepped.value))
    result = world.run()
    assert result.reasons[0].cause is Cause.CLOCK
    assert "found -600 ns" in result.reasons[0].told


def test_a_disk_that_is_really_full_leaves_no_verdict_of_a_pass(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    world = World(tmp_path)
    result = world.run()
    (tmp_path / "verdict.json.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        publish(result, tmp_path)
    assert not (tmp_path / "verdict.json").exists()


def test_a_wrapper_that_swallows_the_exit_code_does_not_change_the_verdict(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bench.gate_cli import publish;"
        "from tests.bench.gates import SLOWER, World;"
        "folder = Path(sys.argv[1]); world = World(folder, finals={'sidecars-warm': SLOWER});"
        "result = world.run(); publish(result, folder); sys.exit(result.exit_code)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    direct = subprocess.run(command, check=False)
    piped = ["/bin/sh", "-c", '"$@" | cat', "sh", *command]
    wrapped = subprocess.run(piped, check=False)
    assert (direct.returncode, wrapped.returncode) == (1, 0)
    assert load_verdict(tmp_path / "verdict.json").exit_code == 1
    shown = subprocess.run(
        [sys.executable, "-m", "bench", "report", str(tmp_path / "verdict.json")],
        check=False,
        capture_output=True,
    )
    assert shown.returncode == 1
    assert b"slower (sidecars-warm)" in shown.stdout
