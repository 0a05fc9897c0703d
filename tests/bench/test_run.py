"""Any subjects on any tree: who is timed beside whom, and what is printed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as with_changes

from bench import environment
from bench.measurement import Failure, Measurement, Plan
from bench.report.terminal import render_sections
from bench.result import EqualityVerdict
from bench.run import Ground, Limits, RunResult, run, run_sections
from bench.scenario import Contestant, Setting
from bench.subject import Subject
from bench.verdict import ExitCode
from tests.bench.fakes import answer_of, measurement_of, variant_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measurement import Arm
    from bench.worker import Answer, Call

LEGACY = Subject("legacy", "a:b")
MINE = Subject("mine", "cmd:./mine {dir}")


def ran(
    tmp_path: Path,
    *,
    answers: dict[str, Answer] | None = None,
    failure: Failure | None = None,
    is_known: bool = True,
    is_writing: bool = False,
    rounds: int = 4,
) -> RunResult:
    """A run of both on a tree; `legacy` takes 400 ms and `mine` 1 ms unless told otherwise."""
    variant = variant_of(root=tmp_path)

    def measure(arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        assert (call.outputs_dir, rng.random() > 0, plan.budget_s) == (tmp_path, True, 3.0)
        assert all(arm.subject.environment["HOME"].startswith(str(tmp_path)) for arm in arms)
        if is_writing:
            (tmp_path / "index").write_text("")
        setting = Setting("any", 1.0, False, (), besides=tuple(Contestant(arm.name, "a:b") for arm in arms))
        told = {name: (answer,) for name, answer in (answers or {}).items()}
        failures = [failure] if failure else []
        groups = 6 if rounds > 1 else 1
        return measurement_of(setting, variant, answers=told, failures=failures, groups=groups, rounds=rounds)

    home = tmp_path / "home"
    for number in ("0", "1"):
        (home / number).mkdir(parents=True)
    expected = variant.expected if is_known else None
    return run(
        (LEGACY, MINE),
        Ground("tree", tmp_path, expected),
        Limits(3.0, 9.0),
        measure=measure,
        environment=environment.collect,
        home=home,
    )


def right(tmp_path: Path) -> Answer:
    return answer_of(variant_of(root=tmp_path).expected, root=tmp_path)


def wrong(tmp_path: Path) -> Answer:
    answer = right(tmp_path)
    return with_changes(answer, records=[{**record, "epochs": 0} for record in answer.records])


def printed(result: RunResult) -> str:
    return render_sections(run_sections([result]), width=300, is_colored=False)


@pytest.mark.parametrize("is_known", [True, False])
def test_who_is_right_is_timed_against_the_reference(is_known: bool, tmp_path: Path) -> None:
    result = ran(tmp_path, is_known=is_known)
    _, mine = result.rows
    assert mine.ratio is not None
    assert mine.ratio.estimate == pytest.approx(400)
    assert result.exit_code is ExitCode.PASS
    assert "400x" in printed(result)


def test_a_single_pair_has_a_ratio_and_no_interval(tmp_path: Path) -> None:
    result = ran(tmp_path, rounds=1)
    ratio = result.rows[1].ratio
    assert ratio is not None
    assert (ratio.estimate, ratio.low) == (400.0, None)
    assert "no interval" in printed(result)


def test_that_a_command_starts_a_process_stands_beside_its_time(tmp_path: Path) -> None:
    text = printed(ran(tmp_path))
    assert "1.00 ms *" in text
    assert "* mine is a command: the start of its process is part of every call." in text


@pytest.mark.parametrize(
    ("who", "mine_is"), [("mine", EqualityVerdict.DIFFER), ("legacy", EqualityVerdict.EQUAL)]
)
def test_a_wrong_answer_has_no_time_and_nobody_a_ratio_to_it(
    who: str, mine_is: EqualityVerdict, tmp_path: Path
) -> None:
    result = ran(tmp_path, answers={who: wrong(tmp_path)})
    rows: dict[str, Any] = {row.subject: row for row in result.rows}
    assert rows[who].total_ns is None
    assert rows["mine"].ratio is None
    assert rows["mine"].verdict is mine_is
    assert result.exit_code is ExitCode.OUTPUTS_DIFFER
    assert f"{who}: outputs differ: " in printed(result)


def test_a_failure_is_told_line_by_line(tmp_path: Path) -> None:
    result = ran(tmp_path, failure=Failure("mine", "raised", 0, 0, "Traceback:\n  File mine.py\nKeyError"))
    assert result.exit_code is ExitCode.NOTHING_MEASURED
    assert "mine: nothing measured: raised: Traceback:\n  File mine.py\nKeyError\n" in printed(result)


def test_a_tree_that_was_written_to_is_told(tmp_path: Path) -> None:
    result = ran(tmp_path, is_writing=True)
    assert result.written == ("index",)
    assert result.exit_code is ExitCode.OUTPUTS_DIFFER
    assert "written, or removed, while subjects ran" in printed(result)
