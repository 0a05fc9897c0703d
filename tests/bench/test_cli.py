"""The command line: what it prints where, its exit codes, and one real run of everything."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import cli, reproduce_command
from bench.result import load, save
from fixtures.space import DiskSpaceError
from tests.bench.results import RESULT

if TYPE_CHECKING:
    from bench.reproduce import Collaborators
    from bench.reproduce_request import Request
    from bench.result import Result


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: before)


def stand_in(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> list[Request]:
    """Let `reproduce` return a stored result, or raise, and note what it was asked."""
    asked: list[Request] = []

    def pretend(request: Request, collaborators: Collaborators) -> Result:
        asked.append(request)
        if error is not None:
            raise error
        collaborators.keep_result(RESULT)
        return RESULT

    monkeypatch.setattr(reproduce_command, "reproduce", pretend)
    return asked


def test_the_verdict_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch)
    assert cli.main(["reproduce"]) == 3
    told = capsys.readouterr()
    assert "Exit code 3: outputs differ" in told.out
    assert "Generates 14 x 48 MB, then 50 x 48 MB" in told.err


def test_results_go_to_a_folder_that_version_control_ignores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = stand_in(monkeypatch)
    cli.main(["reproduce"])
    assert load(tmp_path / ".ckpt-bench" / "result.json") == RESULT
    assert (tmp_path / ".ckpt-bench" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert asked[0].trees_dir == tmp_path / ".ckpt-bench"


def test_options_reach_the_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = stand_in(monkeypatch)
    numbers = ["--seed", "5", "--budget", "90s"]
    cli.main(["reproduce", "--profile", "seed", *numbers, "--no-cold", "--keep", "--output", "there"])
    (request,) = asked
    assert (request.profile, request.seed, request.budget_s) == ("seed", 5, 90.0)
    assert (request.is_cold_wanted, request.is_kept, request.is_quick) == (False, True, False)
    assert {spec.seed for spec in request.specs} == {5}
    assert request.trees_dir == tmp_path / "there"
    assert {target.name for target in request.targets} >= {"first-load-small", "first-load-medium"}


def test_quick_means_the_smoke_profile_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stand_in(monkeypatch)
    cli.main(["reproduce", "--quick"])
    cli.main(["reproduce", "--quick", "--profile", "small"])
    assert [request.profile for request in asked] == ["smoke", "small"]
    assert [request.is_quick for request in asked] == [True, True]


def test_json_is_the_whole_result_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch)
    cli.main(["reproduce", "--json"])
    assert json.loads(capsys.readouterr().out)["exit_code"] == 3


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            DiskSpaceError(Path("/here"), 3_000_000_000, 1_000_000_000),
            5,
            "3.00 GB of free disk space, found 1.00 GB",
        ),
        (
            OSError(28, "No space left on device", "/here/x"),
            5,
            "/here/x: expected to read or write",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["too little space", "disk full", "interrupted"],
)
def test_what_ends_a_run_has_a_code_and_a_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    told: str,
) -> None:
    stand_in(monkeypatch, error)
    assert cli.main(["reproduce"]) == code
    assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["reproduse"],
        ["reproduce", "--budget", "0"],
        ["reproduce", "--budget", "nan"],
        ["reproduce", "--budget", "soon"],
        ["reproduce", "--profile", "huge"],
        ["reproduce", "--json", "--markdown"],
    ],
    ids=" ".join,
)
def test_a_usage_error_is_2_with_a_remedy(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_negative_seed_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["reproduce", "--seed", "-1"])
    assert ended.value.code == 2
    assert "seed" in capsys.readouterr().err


def test_a_wrong_target_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ckpt-bench.targets]\none = 1\n", encoding="utf-8")
    assert cli.main(["reproduce"]) == 2
    assert "expected a table" in capsys.readouterr().err


def test_a_stored_result_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(RESULT, tmp_path / "x.json")
    assert cli.main(["report", "x.json", "--markdown"]) == 3
    assert "## Claimed and measured" in capsys.readouterr().out


def test_a_file_that_is_no_result_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    assert cli.main(["report", "x.json"]) == 2
    assert "expected a result" in capsys.readouterr().err


def test_list_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    text = capsys.readouterr().out
    for name in ("small", "sidecars-warm", "catalog.subjects:legacy", "first-load-small", "< 1 s, up to 50"):
        assert name in text


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["reproduce", "--help"])
    assert ended.value.code == 0
    assert "3  outputs differ" in capsys.readouterr().out


def test_color_is_for_terminals_that_did_not_refuse_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save(RESULT, tmp_path / "x.json")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    cli.main(["report", "x.json"])
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    cli.main(["report", "x.json"])
    assert "\x1b[" not in capsys.readouterr().out


def test_a_real_run_measures_and_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """End to end, with real trees, processes and clocks: the one slow test here."""
    code = cli.main(["reproduce", "--quick", "--budget", "1"])
    shown = capsys.readouterr().out
    result = load(tmp_path / ".ckpt-bench" / "result.json")
    assert {row.setting for row in result.rows} == {"sidecars-warm", "mix-warm", "header-warm", "wandb"}
    assert [one.reason for one in result.equality if one.reason] == []
    assert all(
        row.ratio is not None and row.ratio.estimate > 1 for row in result.rows if row.setting != "wandb"
    )
    # Whether times keep their targets is the machine's affair; that they were judged is ours.
    assert code in {0, 1}
    assert code == result.exit_code
    assert f"Exit code {code}" in shown
    assert sorted(os.listdir(tmp_path / ".ckpt-bench")) == [".gitignore", "history.sqlite", "result.json"]


def test_further_implementations_reach_the_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = stand_in(monkeypatch)
    (tmp_path / "src").mkdir()
    options = ["--path", "src", "--map", "mine:path=checkpoint_path", "--fields", "printed=epochs"]
    cli.main(["reproduce", "mine=mycat:build", "--quick", "printed=cmd:program {dir}", *options])
    mine, printed = asked[0].further
    assert (mine.name, mine.search_path) == ("mine", (str(tmp_path / "src"),))
    assert dict(mine.field_map) == {"path": "checkpoint_path"}
    assert (printed.is_command, printed.fields) == (True, ("epochs",))


def test_a_further_one_that_is_measured_already_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stand_in(monkeypatch) == []
    assert cli.main(["reproduce", "v2"]) == 2
    assert "write mine=module:callable" in capsys.readouterr().err


def test_a_flag_that_there_is_not_is_answered_by_the_commands_own_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", "--agianst", "main"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "--against" in told
    assert "unrecognized arguments: --agianst main; `ckpt-bench gate --help` explains" in told
