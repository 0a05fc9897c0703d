"""The course of a gate: what is compared with what, within what, and what is done where it is red."""

from __future__ import annotations

import json
import math
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import catalog
from bench import cli, gate_cli
from bench.gate_case import AGAIN, CANDIDATE, REFERENCE, YARDSTICK, Case
from bench.gate_request import GateRequest, announcement
from bench.measurement import Resources
from bench.report import markdown
from bench.report.gate import gate_sections
from bench.result import TargetState
from bench.scenario import SCENARIOS, SETTINGS, V2
from bench.targets import Target
from bench.verdict_file import Cause
from tests.bench.gates import FINAL, SLOWER, StandInFamily, World
from tests.bench.repositories import git
from tests.bench.stored_baselines import baseline, benchmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.worker import Sample


def request(**changes: Any) -> GateRequest:
    return GateRequest(started_at="", targets=(), trees_dir=Path(), **changes)


def names(**changes: Any) -> list[str]:
    return [scenario.name for _, scenario in request(**changes).scenarios()]


def test_a_benchmark_is_one_scenario_in_one_state() -> None:
    states = {scenario.name: setting.is_cold for setting in SETTINGS for scenario in setting.scenarios}
    for setting, scenario in request().scenarios():
        assert states[scenario.name] == setting.is_cold
    assert {"sidecars-warm", "sidecars-cold", "remembered", "remembered-index"} <= set(names())
    assert len(set(names())) == len(names())


def test_patterns_choose_by_part_of_a_name_or_glob() -> None:
    assert names(pattern="remembered") == ["remembered", "remembered-index"]
    assert names(pattern="*-cold") == ["sidecars-cold", "mix-cold", "header-cold"]
    assert not any(name.startswith("wandb") for name in names())
    assert names(pattern="wandb-2") == ["wandb-20ms"]
    assert not any(name.endswith("cold") for name in names(is_quick=True))


def test_a_callable_of_somebody_is_compared_with_first_loads_alone() -> None:
    chosen = [scenario.name for _, scenario in request().scenarios(is_any_callable=True)]
    assert chosen
    assert all(SCENARIOS[name].candidate == V2 for name in chosen)


def test_the_total_is_stated_before_anything_is_run() -> None:
    told = " ".join(announcement(request(pattern="remembered", budget_s=20.0)))
    assert "Measures remembered, remembered-index on 50 checkpoints" in told
    assert "20 s a benchmark, at most 40 s in all" in told


def test_the_total_is_that_of_all_references() -> None:
    told = " ".join(announcement(request(pattern="remembered", budget_s=20.0), [False, True, False]))
    assert "on 50 checkpoints, beside each of 3 references" in told
    assert "at most 80 s in all" in told


class Watching(World):
    """A world that keeps the cases' arms and what the family was asked."""

    arms: tuple[Any, ...] = ()
    asked: dict[str, Any]

    def _measure(self, arms: Sequence[Any], *others: Any, **more: Any) -> Any:
        self.arms = tuple(arms)
        return super()._measure(arms, *others, **more)


def test_two_sides_and_one_of_them_twice_share_no_files(tmp_path: Path) -> None:
    world = Watching(tmp_path)
    result = world.run()
    subjects = {arm.name: arm.subject for arm in world.arms}
    assert set(subjects) == {CANDIDATE, REFERENCE, AGAIN}
    assert subjects[REFERENCE] == subjects[AGAIN]
    homes = [subjects[name].environment["HOME"] for name in (CANDIDATE, REFERENCE)]
    assert homes[0] != homes[1]
    assert len(homes[0]) == len(homes[1])
    assert result.candidate_commit == "aaa"
    assert [one.commit for one in result.references] == ["bbb"]


def test_the_family_is_given_the_budgets_and_the_margin(tmp_path: Path) -> None:
    asked: dict[str, Any] = {}

    def decide(chosen: Sequence[str], **budgets: Any) -> StandInFamily:
        asked.update(budgets, names=list(chosen))
        return StandInFamily(chosen, {}, 16)

    World(tmp_path, decide=decide).run(pattern="remembered", budget_s=20.0, margin=0.02)
    assert asked == {
        "names": ["remembered", "remembered-index"],
        "budget_s": 40.0,
        "benchmark_budget_s": 20.0,
        "margin": 0.02,
    }


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    wrong = world.origins

    def decide(chosen: Sequence[str], **_: Any) -> StandInFamily:
        family = StandInFamily(chosen, {}, 16)
        asked = family.next

        def following() -> Any:
            # Only the first benchmark finds foreign code.
            wrong.update({CANDIDATE: "/elsewhere"} if not wrong else {CANDIDATE: "/code/candidate/x.py"})
            return asked()

        family.next = following  # type: ignore[method-assign]  # for this test alone
        return family

    world.decide = decide
    first, second = world.run(pattern="remembered").benchmarks
    assert (first.verdict, first.ratio) == (Cause.OTHER_CODE.value, None)
    assert second.verdict == FINAL.verdict.value


def test_what_is_slower_is_profiled_and_what_is_not_is_not(tmp_path: Path) -> None:
    world = World(tmp_path, finals={"remembered": SLOWER})
    result = world.run(pattern="remembered")
    assert world.profiled == ["remembered"]
    assert "believe" in result.benchmarks[0].profile
    green = World(tmp_path)
    green.run(pattern="remembered")
    assert green.profiled == []


def test_what_both_need_besides_time_is_reported_and_decides_nothing(tmp_path: Path) -> None:
    result = World(tmp_path).run()
    told = {one.arm: one for one in result.benchmarks[0].needs}
    assert set(told) == {CANDIDATE, REFERENCE}
    assert (told[CANDIDATE].cpu_ns, told[CANDIDATE].peak_bytes) == (1, 20_000_000)
    assert (told[CANDIDATE].read_bytes, told[CANDIDATE].system_calls) == (12_345, 230)
    assert result.exit_code == 0
    text = markdown.render_sections(gate_sections(result))
    assert "| 20 MB | 12,345 | 0 | 51 | 230 |" in text


def test_what_the_system_does_not_tell_is_said_to_be_untold(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.weighed = Resources()
    result = world.run()
    assert result.benchmarks[0].needs[0].system_calls is None
    assert "| not told here | not told here |" in markdown.render_sections(gate_sections(result))


def test_a_baseline_is_compared_by_ratios_to_its_yardstick(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Keeping(StandInFamily):
        def record(self, name: str, values: Any, again: Any, elapsed_s: float) -> None:
            super().record(name, values, again, elapsed_s)
            seen.append((list(values), list(again)))

    # Then five times the yardstick, now ten times: as logarithms log 2, whatever a machine takes.
    world = Watching(
        tmp_path,
        references=(baseline(benchmark("sidecars-warm", groups=(((5e9, 1e9),),) * 16)),),
        elapsed_by_arm={YARDSTICK: 100_000},
        decide=lambda chosen, **_: Keeping(chosen, {}, 16),
    )
    result = world.run()
    assert {arm.name for arm in world.arms} == {CANDIDATE, AGAIN, YARDSTICK}
    ((values, again),) = seen
    assert values == pytest.approx([0.693] * 16, abs=1e-3)
    assert again == pytest.approx([0.0] * 16)
    assert (result.exit_code, result.references[0].commit) == (0, "bbb")


def test_beside_a_baseline_the_noise_floor_has_the_noise_of_the_yardstick(tmp_path: Path) -> None:
    seen: list[float] = []

    class Keeping(StandInFamily):
        def record(self, name: str, values: Any, again: Any, elapsed_s: float) -> None:
            super().record(name, values, again, elapsed_s)
            seen.extend(again)

    class Wavering(World):
        def _sample(self, name: str, step: int, checkpoints: int) -> Sample:
            steady = super()._sample(name, step, checkpoints)
            wavering_ns = steady.elapsed_ns * (2 if step % 2 else 1)
            return msgspec.structs.replace(steady, elapsed_ns=wavering_ns) if name == YARDSTICK else steady

    Wavering(
        tmp_path,
        references=(baseline(benchmark("sidecars-warm", groups=(((5e9, 1e9),),) * 16)),),
        decide=lambda chosen, **_: Keeping(chosen, {}, 16),
        rounds=1,
    ).run()
    # Both arms of the same code take the same time; what varies is what they are measured by.
    assert [abs(value) for value in seen] == pytest.approx([math.log(2)] * 16, abs=0.01)


def test_a_baseline_of_another_machine_is_noted(tmp_path: Path) -> None:
    world = World(
        tmp_path, references=(baseline(benchmark("sidecars-warm")),), machine={"cpu_model": "a slower one"}
    )
    result = world.run()
    assert result.exit_code == 0
    assert any("another machine (cpu_model a processor" in note for note in result.notes)


def test_a_baseline_is_stored_only_of_what_is_right(tmp_path: Path) -> None:
    good = World(tmp_path, references=())
    result = good.run()
    assert (result.exit_code, result.benchmarks[0].verdict) == (0, "stored")
    ((case,),) = good.stored
    assert isinstance(case, Case)
    assert len(case.own_groups()) == 16 + 16  # what its verdict took, and once more to be kept
    bad = World(tmp_path, references=(), written="index.json")
    assert bad.run().exit_code == 3
    assert bad.stored == []


@pytest.mark.parametrize(
    ("measure", "limit", "state"),
    [
        ("seconds", 1.0, TargetState.MET),
        ("seconds", 0.0005, TargetState.MISSED),
        ("milliseconds_per_checkpoint", 0.5, TargetState.MET),
        ("times_floor", 4.0, TargetState.MET),
        ("times_floor", 3.0, TargetState.MISSED),
        ("times_legacy", 30.0, TargetState.MET),
        ("times_legacy", 50.0, TargetState.MISSED),
    ],
)
def test_targets_apply_beside_the_comparison(
    tmp_path: Path, measure: Any, limit: float, state: TargetState
) -> None:
    # The candidate takes 1 ms, its files only read 0.285 ms, and legacy 40 ms.
    world = World(tmp_path, elapsed_by_arm={"times_floor": 285_000, "times_legacy": 40_000_000})
    result = world.run(targets=(Target("mine", "sidecars-warm", measure, limit),))
    (outcome,) = result.targets
    assert outcome.verdict is state
    assert result.exit_code == (0 if state is TargetState.MET else 1)


def test_a_target_of_another_scenario_is_named_as_not_measured(tmp_path: Path) -> None:
    (outcome,) = World(tmp_path).run(targets=(Target("cold", "sidecars-cold", "seconds", 1.0),)).targets
    assert outcome.verdict is TargetState.NOT_IN_THIS_RUN


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this catalog and one target, as the current folder."""
    folder = tmp_path / "clone"
    shutil.copytree(
        Path(catalog.__file__).parent, folder / "catalog", ignore=shutil.ignore_patterns("__pycache__")
    )
    target = '[tool.ckpt-bench.targets]\nfirst = { scenario = "sidecars-warm", seconds = 10 }\n'
    (folder / "pyproject.toml").write_text(target, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        git(folder, *command)
    monkeypatch.chdir(folder)
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "signal", lambda *_: before)
    return folder


def gated(*arguments: str) -> tuple[int, dict[str, Any]]:
    options = ["--quick", "-k", "sidecars-warm", "--budget", "1", "--output", "out", *arguments]
    code = cli.main(["gate", *options])
    return code, json.loads(Path("out/verdict.json").read_text(encoding="utf-8"))


def test_two_revisions_in_earnest_and_the_wrong_one_is_found(clone: Path) -> None:
    info = clone / "catalog" / "subjects.py"
    text = info.read_text(encoding="utf-8")
    info.write_text(
        text + "\n_right = v2\n\n\ndef v2(outputs_dir, config_filenames):\n"
        "    return list(_right(outputs_dir, config_filenames))[1:]\n",
        encoding="utf-8",
    )
    code, verdict = gated("--against", "HEAD")
    assert (code, verdict["exit_code"]) == (5, 5)
    causes = [(one["cause"], one["about"]) for one in verdict["reasons"]]
    assert causes == [("no answer", "sidecars-warm"), ("target not measured", "first")]
    assert "candidate listed 13 of 14 checkpoints" in verdict["reasons"][0]["told"]
    samples = json.loads(Path("out/samples.json").read_text(encoding="utf-8"))
    first = samples["sidecars-warm"]["groups"][0]["rounds"][0]
    assert sorted(first["order"]) == sorted(first["samples"]) == [CANDIDATE, REFERENCE, AGAIN]


def test_what_a_revision_lacks_is_not_measured_from_elsewhere(clone: Path) -> None:
    git(clone, "rm", "-rq", "--cached", "catalog")
    git(clone, "commit", "-qm", "without")
    code, verdict = gated("--against", "HEAD")
    assert (code, verdict["exit_code"]) == (5, 5)
    assert {one["cause"] for one in verdict["reasons"]} == {"callable not found", "target not measured"}


def test_a_baseline_that_is_missing_ends_before_anything_is_measured(clone: Path) -> None:
    assert clone.is_dir()
    code, verdict = gated("--against", "none.json")
    assert code == 5
    assert [one["cause"] for one in verdict["reasons"]] == ["baseline missing"]
    assert verdict["benchmarks"] == []


def test_outside_of_a_project_there_is_nothing_to_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "verdict.json").write_text('{"exit_code": 0}', encoding="utf-8")
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "signal", lambda *_: before)
    assert cli.main(["gate", "--output", "out"]) == 2
    assert not (tmp_path / "out" / "verdict.json").exists()


@pytest.mark.parametrize(
    "option",
    [["--margin", "-1%"], ["--margin", "nan"], ["--budget", "0"], ["--budget", "nan"], ["--seed", "-1"]],
)
def test_options_that_make_no_sense_are_refused_and_leave_no_earlier_verdict(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "verdict.json"
    for where in (["--output", str(tmp_path)], [f"--output={tmp_path}"]):
        earlier.write_text('{"exit_code": 0}', encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            cli.main(["gate", *option, *where])
        assert ended.value.code == 2
        assert "expected" in capsys.readouterr().err
        assert not earlier.exists()


def test_help_leaves_an_earlier_verdict(tmp_path: Path) -> None:
    earlier = tmp_path / "verdict.json"
    earlier.write_text('{"exit_code": 0}', encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["gate", "--output", str(tmp_path), "--help"])
    assert earlier.exists()


@pytest.mark.parametrize(
    ("against", "kind"),
    [
        ("v2", "revision"),
        (":/fix the reader", "revision"),
        ("main@{2026-01-01 10:00:00}", "revision"),
        ("cmd:python3 list.py {dir}/x.json", "implementation"),
        ("lines=cmd:/usr/bin/python3 list.py {dir}", "implementation"),
        ("a=make:Catalog().listed", "implementation"),
        ("mine=cmd:list {dir}", "implementation"),
        ("origin/main", "revision"),
        ("theirs:listing", "implementation"),
        ("b.json", "baseline"),
    ],
)
def test_what_a_reference_is_shows_in_its_form(against: str, kind: str) -> None:
    assert gate_cli._kind(against) == kind
