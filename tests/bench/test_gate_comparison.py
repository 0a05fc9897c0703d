"""A gate with several references: one verdict, a benchmark for each, and no reference that hides another."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from msgspec.json import encode as json_bytes
from msgspec.structs import replace as changed

from bench import gate_cli
from bench.gate_comparison import comparisons_of
from bench.history_entries import gate_entry
from bench.instructions import InstructionChange
from bench.measurement import Failure
from bench.report import markdown
from bench.report.gate import gate_sections
from bench.result import ResultError
from bench.revision import Runtime, Side
from bench.subject import Subject, SubjectError
from bench.verdict_file import Cause, Refusal, load_verdict
from tests.bench.gates import LIMIT, REFERENCE_SIDE, RUNTIME, SIDE, SLOWER, StandInFamily, World
from tests.bench.stored_baselines import baseline, benchmark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from bench.baseline import Baseline
    from bench.measurement import Arm, Measurement, Plan
    from bench.worker import Call

THEIRS = replace(
    SIDE,
    name="theirs=their:catalog",
    commit=None,
    home=None,
    target="their:catalog",
    subject=Subject("theirs", "their:catalog"),
)
STORED = baseline(benchmark("sidecars-warm"))
FAILED = Failure("reference", "crashed", 0, 0, "the worker ended with signal SIGKILL")
ALL = (REFERENCE_SIDE, THEIRS, STORED)
NAMES = [
    "sidecars-warm against main at bbb",
    "sidecars-warm against theirs",
    f"sidecars-warm against baseline of {STORED.made_at}",
]


def test_every_reference_has_its_benchmark_and_its_commit(tmp_path: Path) -> None:
    result = World(tmp_path, references=ALL).run()
    assert result.exit_code == 0
    assert [one.name for one in result.benchmarks] == NAMES
    assert {one.scenario for one in result.benchmarks} == {"sidecars-warm"}
    commits = [result.references[one.against].commit for one in result.benchmarks]
    assert commits == ["bbb", None, STORED.commit]


@pytest.mark.parametrize("slow", range(3))
def test_slower_than_one_of_them_fails_the_gate_in_every_report(tmp_path: Path, slow: int) -> None:
    result = World(tmp_path, references=ALL, finals={NAMES[slow]: SLOWER}).run()
    assert (result.exit_code, [(one.cause, one.about) for one in result.reasons]) == (
        1,
        [(Cause.SLOWER, NAMES[slow])],
    )
    gate_cli.publish(result, tmp_path)
    assert load_verdict(tmp_path / "verdict.json") == result
    suite = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - our own file
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failed == [NAMES[slow], "gate"]
    report = markdown.render_sections(gate_sections(result))
    assert "References: main at bbb; theirs=their:catalog; baseline of" in report
    assert f"slower ({NAMES[slow]})" in report


def test_with_one_reference_a_benchmark_is_called_as_its_scenario(tmp_path: Path) -> None:
    assert [one.name for one in World(tmp_path).run().benchmarks] == ["sidecars-warm"]


def test_all_are_one_family_of_one_total(tmp_path: Path) -> None:
    asked: list[tuple[list[str], float, float]] = []

    def decide(
        names: Sequence[str], *, budget_s: float, benchmark_budget_s: float, margin: float
    ) -> StandInFamily:
        asked.append((list(names), budget_s, benchmark_budget_s))
        assert margin == 0.01
        return StandInFamily(names, {}, 16)

    World(tmp_path, references=ALL, decide=decide).run(budget_s=5.0)
    assert asked == [(NAMES, 15.0, 5.0)]


def test_a_target_is_judged_once(tmp_path: Path) -> None:
    world = World(tmp_path, references=ALL, elapsed_ns=5e9)
    result = world.run(targets=(LIMIT,))
    assert [one.name for one in result.targets] == [LIMIT.name]
    assert [one.cause for one in result.reasons] == [Cause.TARGET_MISSED]


def test_a_callable_of_somebody_is_measured_in_what_it_knows_of_and_a_revision_in_all(tmp_path: Path) -> None:
    references = (REFERENCE_SIDE, THEIRS)
    result = World(tmp_path, references=references).run(pattern="", targets=())
    scenarios = [{one.scenario for one in result.benchmarks if one.against == number} for number in range(2)]
    assert "remembered" in scenarios[0] - scenarios[1]
    assert "sidecars-warm" in scenarios[0] & scenarios[1]


def test_growth_is_compared_with_those_that_have_one(tmp_path: Path) -> None:
    result = World(tmp_path, references=ALL).run(is_growing=True)
    assert [one.growth is not None for one in result.benchmarks] == [True, True, False]
    about = f"growth against baseline of {STORED.made_at}"
    assert [(one.cause, one.about) for one in result.reasons] == [(Cause.NO_REFERENCE, about)]


def test_where_nothing_can_grow_no_tree_is_made_for_it(tmp_path: Path) -> None:
    world = World(tmp_path, references=(STORED,))
    world.run(is_growing=True)
    assert len(world.grown) == 1


def test_a_history_keeps_each_ratio_beside_its_own_reference(tmp_path: Path) -> None:
    entry = gate_entry(World(tmp_path, references=ALL).run(), tmp_path)
    assert [one.scenario for one in entry.ratios] == ["sidecars-warm"] * 3
    named = [one.reference for one in entry.ratios]
    assert named[:2] == ["commit bbb", "theirs=their:catalog"]
    assert named[2].startswith("baseline of")


def test_a_benchmark_that_one_baseline_lacks_is_named_with_it(tmp_path: Path) -> None:
    gone = baseline(benchmark("sidecars-warm"), benchmark("sidecars-forgotten"))
    result = World(tmp_path, references=(REFERENCE_SIDE, gone)).run(pattern="sidecars")
    about = f"sidecars-forgotten against baseline of {gone.made_at}"
    assert (Cause.REMOVED, about) in {(one.cause, one.about) for one in result.reasons}


def test_two_references_of_one_name_are_refused(tmp_path: Path) -> None:
    result = World(tmp_path, references=(THEIRS, THEIRS)).run()
    assert (result.exit_code, [one.cause for one in result.reasons]) == (5, [Cause.NO_REFERENCE])
    assert "found theirs 2 times; name each once" in result.reasons[0].told


OTHER_VERSIONS = Runtime(
    python=RUNTIME.python,
    build=RUNTIME.build,
    implementation=RUNTIME.implementation,
    libraries={"msgspec": "0.20.0"},
)


def test_two_names_of_one_commit_are_refused(tmp_path: Path) -> None:
    result = World(tmp_path, references=(REFERENCE_SIDE, replace(REFERENCE_SIDE, name="the same"))).run()
    assert (result.exit_code, [one.cause for one in result.reasons]) == (5, [Cause.NO_REFERENCE])


def test_a_reference_beside_which_nothing_is_measured_is_no_pass(tmp_path: Path) -> None:
    result = World(tmp_path, references=(REFERENCE_SIDE, THEIRS)).run(pattern="remembered", targets=())
    assert {one.against for one in result.benchmarks} == {0}
    assert (result.exit_code, [(one.cause, one.about) for one in result.reasons]) == (
        5,
        [(Cause.NO_BENCHMARK, "theirs")],
    )


def test_instructions_that_none_of_a_reference_can_be_counted_of_are_no_pass(tmp_path: Path) -> None:
    same = InstructionChange(candidate=1_000, reference=1_000, ratio=1.0, verdict="same")
    result = World(tmp_path, references=(REFERENCE_SIDE, STORED), instructions=same).run(instructions="gate")
    about = f"baseline of {STORED.made_at}"
    assert [(one.cause, one.about) for one in result.reasons] == [(Cause.NOT_COUNTED, about)]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_target_is_judged_beside_a_reference_that_answers(tmp_path: Path, is_first: bool) -> None:
    class OneIsWrong(World):
        def _measure(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: Random) -> Measurement:
            measured = super()._measure(arms, call, plan, rng=rng)
            theirs = any(arm.subject.target == "their:catalog" for arm in arms)
            return changed(measured, failures=(FAILED,)) if theirs else measured

    references = (THEIRS, REFERENCE_SIDE) if is_first else (REFERENCE_SIDE, THEIRS)
    result = OneIsWrong(tmp_path, references=references, elapsed_ns=5e9).run(targets=(LIMIT,))
    assert {one.cause for one in result.reasons} == {Cause.CRASHED, Cause.TARGET_MISSED}


def test_names_that_steer_a_terminal_are_escaped(tmp_path: Path) -> None:
    evil = replace(REFERENCE_SIDE, name="x\x1b[2J <b>@all", commit="ccc")
    result = World(tmp_path, references=(REFERENCE_SIDE, evil), finals={}).run()
    assert result.benchmarks[1].name == "sidecars-warm against x\\u001b[2J <b>@all"
    report = markdown.render_sections(gate_sections(result))
    assert "<b>" not in report
    assert "\x1b" not in report


def test_versions_of_its_own_make_another_reference_in_the_history(tmp_path: Path) -> None:
    other = replace(THEIRS, runtime=OTHER_VERSIONS)
    (same,) = gate_entry(World(tmp_path, references=(THEIRS,)).run(), tmp_path).ratios
    (apart,) = gate_entry(World(tmp_path, references=(other,)).run(), tmp_path).ratios
    assert same.reference == "theirs=their:catalog"
    assert apart.reference.startswith("theirs=their:catalog on CPython 3.11.7, libraries ")


def test_a_command_is_not_said_to_run_with_anything(tmp_path: Path) -> None:
    command = replace(THEIRS, name="cmd:list {dir}", subject=Subject("cmd:list {dir}", "cmd:list {dir}"))
    assert World(tmp_path, references=(command,)).run().notes == ()


def test_a_number_of_no_reference_is_no_verdict(tmp_path: Path) -> None:
    result = World(tmp_path).run()
    for references in ((), result.references):
        wrong = changed(result.benchmarks[0], against=len(references))
        content = changed(result, references=references, benchmarks=(wrong,))
        (tmp_path / "verdict.json").write_bytes(json_bytes(content))
        with pytest.raises(ResultError, match="expected numbers of"):
            load_verdict(tmp_path / "verdict.json")


def test_one_revision_of_other_versions_refuses_the_gate_and_is_named() -> None:
    other = replace(REFERENCE_SIDE, name="old at ccc", commit="ccc", runtime=OTHER_VERSIONS)
    with pytest.raises(Refusal, match=r"old at ccc: .*msgspec 0\.20\.0") as raised:
        comparisons_of(SIDE, (REFERENCE_SIDE, other))
    assert raised.value.cause is Cause.DEPENDENCIES


def test_somebodys_implementation_is_measured_as_it_runs_and_that_is_noted(tmp_path: Path) -> None:
    result = World(tmp_path, references=(replace(THEIRS, runtime=OTHER_VERSIONS),)).run()
    assert result.exit_code == 0
    (note,) = [note for note in result.notes if note.startswith("theirs=their:catalog")]
    assert "with other versions: " in note
    assert "msgspec 0.20.0" in note


def sides_of(options: argparse.Namespace, folder: Path) -> tuple[Side, list[Side | Baseline]]:
    return gate_cli._sides(options, gate_cli.subjects_among(options), folder, folder)


def options_of(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    gate_cli.add_options(parser, seconds=float, seed=int)
    return parser.parse_args(arguments)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """No code is set aside and no interpreter asked."""

    def revision(_project: Path, name: str, into: Path) -> Side:
        return replace(REFERENCE_SIDE, name=name, home=into)

    monkeypatch.setattr(gate_cli, "working_tree", lambda _project, into: replace(SIDE, home=into))
    monkeypatch.setattr(gate_cli, "revision", revision)
    monkeypatch.setattr(gate_cli, "default_revision", lambda _project: "where it began")
    monkeypatch.setattr("bench.revision.probe", lambda _python, _path: RUNTIME)


@pytest.mark.usefixtures("apart")
def test_references_come_in_their_order_each_with_its_own_options(tmp_path: Path) -> None:
    for name in ("mine", "yours"):
        (tmp_path / name).mkdir()
    options = options_of(
        *("--against", "mine=a:build", "--against", "v1.2", "--against", "yours=b:build"),
        *("--path", f"mine={tmp_path / 'mine'}", "--path", f"yours={tmp_path / 'yours'}"),
        *("--python", f"yours={sys.executable}", "--map", "mine:f1=hmean", "--fields", "yours=epochs,hmean"),
    )
    candidate, references = sides_of(options, tmp_path)
    mine, tag, yours = references
    assert isinstance(mine, Side)
    assert isinstance(tag, Side)
    assert isinstance(yours, Side)
    assert (mine.target, tag.name, yours.target) == ("a:build", "v1.2", "b:build")
    assert mine.search_path == (str(tmp_path / "mine"),)
    assert yours.search_path == (str(tmp_path / "yours"),)
    assert mine.subject is not None
    assert mine.subject.field_map == {"f1": "hmean"}
    assert yours.subject is not None
    assert yours.subject.fields == ("epochs", "hmean")
    # No side is favoured by the length of its search path.
    assert len(str(tag.home)) == len(str(candidate.home))


@pytest.mark.usefixtures("apart")
def test_another_interpreter_runs_the_reference_that_it_is_given_to(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    options = options_of("--against", "a=m:build", "--against", "b=n:build", "--python", f"b={python}")
    _, references = sides_of(options, tmp_path)
    assert [one.python for one in references if isinstance(one, Side)] == [SIDE.python, str(python)]


@pytest.mark.usefixtures("apart")
def test_without_a_reference_it_is_where_the_work_began_and_a_baseline_has_none(tmp_path: Path) -> None:
    _, references = sides_of(options_of(), tmp_path)
    assert [one.name for one in references if isinstance(one, Side)] == ["where it began"]
    options = options_of("--save-baseline", str(tmp_path / "b.json"))
    assert sides_of(options, tmp_path)[1] == []


def test_a_baseline_is_not_made_and_compared_with_in_one_gate(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options_of("--against", "v1.2", "--save-baseline", "b.json")
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.usefixtures("apart")
def test_an_option_that_no_reference_takes_is_refused(tmp_path: Path) -> None:
    options = options_of("--against", "v1.2", "--path", str(tmp_path))
    with pytest.raises(SubjectError, match="expected a subject that takes it"):
        sides_of(options, tmp_path)


def test_a_result_with_several_references_is_plain_json(tmp_path: Path) -> None:
    gate_cli.publish(World(tmp_path, references=ALL).run(), tmp_path)
    told = json.loads((tmp_path / "verdict.json").read_text())
    assert [one["is_stored"] for one in told["references"]] == [False, False, True]
    assert [one["against"] for one in told["benchmarks"]] == [0, 1, 2]
