"""The command line of `ckpt-bench selftest`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from bench import selftest_command
from bench.cli import main
from bench.mutants import MutantError
from bench.selftest_command import REPORT, RESULT, add_selftest_command, publish
from bench.selftest_plan import FULL_BUDGET_S, QUICK_BUDGET_S, SelfTestRequest
from bench.selftest_result import SelfTestResult, load_selftest
from tests.bench.selftests import QUICK, World

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    """Stands in for the whole self-test, and notes what was asked."""

    def __init__(self, answer: SelfTestResult | Exception) -> None:
        self.requests: list[SelfTestRequest] = []
        self.resumed: list[bool] = []
        self._answer = answer

    def __call__(
        self, request: SelfTestRequest, _folder: Path, *, is_resumed: bool, **_: Any
    ) -> SelfTestResult:
        self.requests.append(request)
        self.resumed.append(is_resumed)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = Run(World(tmp_path, same="slower").run(QUICK))
    monkeypatch.setattr(selftest_command, "run", run)
    return run


@pytest.mark.parametrize(
    ("options", "budget_s"),
    [
        ([], FULL_BUDGET_S),
        (["--quick"], QUICK_BUDGET_S),
        (["--budget", "40m"], 2400.0),
        (["--budget", "1.5h"], 5400.0),
        (["--budget", "90s"], 90.0),
        (["--budget", "90"], 90.0),
    ],
)
def test_a_budget_is_in_hours_minutes_or_seconds(
    tmp_path: Path, asked: Run, options: list[str], budget_s: float
) -> None:
    main(["selftest", *options, "--output", str(tmp_path)])
    assert asked.requests[0].budget_s == budget_s


@pytest.mark.parametrize("text", ["0m", "-1m", "m", "soon", "infh"])
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    parser = argparse.ArgumentParser()
    add_selftest_command(parser, seed=int, seconds=_seconds)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--budget={text}"])


def _seconds(text: str) -> float:
    value = float(text.removesuffix("s"))
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(text)
    return value


def test_what_was_asked_for_is_done(tmp_path: Path, asked: Run) -> None:
    main(["selftest", "--quick", "--neighbour", "--resume", "--seed", "7", "--output", str(tmp_path)])
    (request,) = asked.requests
    assert (request.is_quick, request.has_neighbour, request.seed, asked.resumed) == (True, True, 7, [True])


def test_the_exit_code_is_the_results_in_every_format(
    tmp_path: Path, asked: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in ([], ["--json"], ["--markdown"]):
        assert main(["selftest", *options, "--output", str(tmp_path)]) == 1
        assert "not as it should be" in capsys.readouterr().out
    assert len(asked.requests) == 3


def test_a_mutant_that_cannot_be_made_is_told_and_nothing_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(selftest_command, "run", Run(MutantError("bring it up to date")))
    assert main(["selftest", "--output", str(tmp_path)]) == 2
    assert "bring it up to date" in capsys.readouterr().err


def test_there_is_nothing_to_resume_in_an_empty_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["selftest", "--resume", "--output", str(tmp_path)]) == 2
    assert "found none; leave --resume out" in capsys.readouterr().err


def test_a_published_result_is_shown_again_with_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = World(tmp_path, changed="equivalent").run(QUICK)
    publish(result, tmp_path)
    assert load_selftest(tmp_path / RESULT) == result
    assert "not as it should be" in (tmp_path / REPORT).read_text(encoding="utf-8")
    assert main(["report", str(tmp_path / RESULT)]) == 1
    assert "the gate does not do here what it promises" in capsys.readouterr().out


def test_a_budget_that_is_no_time_is_refused_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("selftest", "gate", "reproduce"):
        with pytest.raises(SystemExit):
            main([command, "--budget", "x"])
        assert "expected seconds such as 90 or 90s, found 'x'" in capsys.readouterr().err
