"""`history` and `trend` as a person meets them, and results that are added without deciding anything."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from bench import cli
from bench.history import HistoryError, add, read
from bench.history_command import keep
from bench.result import save
from tests.bench.histories import entry
from tests.bench.results import RESULT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def filled(path: Path, commits: int = 24, step_at: int = 12) -> Path:
    ratios = ((1.04 if number >= step_at else 1.0) * (1.0 + number % 3 / 1000) for number in range(commits))
    add(path, [entry(number, ratio) for number, ratio in enumerate(ratios)])
    return path


def test_an_empty_history_says_who_fills_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["history"]) == 0
    assert "`ckpt-bench gate` and `ckpt-bench reproduce` add theirs" in capsys.readouterr().out
    assert not (tmp_path / ".ckpt-bench").exists()


def test_the_newest_results_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["history", "--history", str(filled(tmp_path / "h"))]) == 0
    told = capsys.readouterr().out
    assert "24 results in" in told
    assert "the newest 20 shown" in told
    assert "sidecars-warm (24)" in told


def test_a_trend_shows_bars_the_step_and_the_conditions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["trend", "sidecars-warm", "--history", str(filled(tmp_path / "h"))]) == 0
    told = capsys.readouterr().out
    assert "▁" in told
    assert "█" in told
    assert "step" in told
    assert "c011 2023-11-25" in told
    assert "c012 2023-11-26" in told
    assert "slower" in told
    assert "a processor" in told


def test_a_trend_is_told_as_markdown_and_json_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(filled(tmp_path / "h"))
    assert cli.main(["trend", "sidecars-warm", "--history", path, "--markdown"]) == 0
    assert "| kind | from | to |" in capsys.readouterr().out
    assert cli.main(["trend", "sidecars-warm", "--history", path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["first"] for one in told["changes"]["changes"]] == [12]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trend", "sidecars-warm"], "expected a history, found none; `ckpt-bench gate`"),
        (
            ["trend", "nothing", "--history", "h"],
            "nothing: expected results of this scenario, found sidecars-warm",
        ),
        (["history", "--history", "foreign"], "found file is not a database"),
    ],
)
def test_what_cannot_be_shown_ends_with_five_and_the_remedy(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    filled(tmp_path / "h")
    (tmp_path / "foreign").write_text("somebody's notes, which are no database" * 40, encoding="utf-8")
    assert cli.main(arguments) == 5
    assert told in capsys.readouterr().err


def test_results_of_other_machines_are_added_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(RESULT, tmp_path / "result.json")
    for told in ("1 of 1 added", "0 of 1 added"):
        assert cli.main(["history", "--history", "h", "--add", "result.json"]) == 0
        assert told in capsys.readouterr().out
    assert len(read(tmp_path / "h")) == 1


def test_a_history_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said: list[str] = []
    keep(tmp_path / "file" / "h", lambda: entry(1), said.append)
    assert said[0].startswith("Warning: not added to the history:")
    keep(None, lambda: entry(1), said.append)
    assert len(said) == 1


def test_an_entry_that_cannot_be_made_is_a_warning(tmp_path: Path) -> None:
    def broken() -> object:
        raise HistoryError("no entry")

    said: list[str] = []
    keep(tmp_path / "h", broken, said.append)  # type: ignore[arg-type]  # it returns nothing
    assert said == ["Warning: not added to the history: no entry"]


def test_one_commit_alone_has_no_changes_looked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["trend", "sidecars-warm", "--history", str(filled(tmp_path / "h", commits=1))]) == 0
    told = capsys.readouterr().out
    assert "sidecars-warm over 1 commit\n" in told
    assert "Not looked for: there are too few commits." in told
