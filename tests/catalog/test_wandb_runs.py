from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from catalog.run_ids import RunId
from catalog.wandb_process import WorkerProcess, WorkerShelf
from catalog.wandb_runs import FetchedRuns, fetch_runs
from fixtures.runs import Run
from fixtures.wandb_schema import Limits
from fixtures.wandb_server import WandbServer
from tests.wandb_clients import client_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PLACES = (("team", "ocr"), ("team", "other"), ("guild", "ocr"))
ROWS = tuple(
    {"epoch": epoch, "trainer/global_step": 10 * epoch, "val/hmean": epoch / 100} for epoch in range(30)
)
RECALL = {"epoch": 1, "trainer/global_step": 10, "val/recall": 0.3}
LONG = tuple({"_step": step, "epoch": step, "val/hmean": step / 1e4} for step in range(250))

RUNS = [
    Run(
        entity=entity,
        project=project,
        run_id=f"run{number:03}",
        state="running" if number == 1 else "finished",
        config={"model": {"architecture": "dbnet"}, "number": number},
        summary={"val/hmean": 0.5, "epoch": number},
        history=ROWS,
    )
    for entity, project in PLACES
    for number in range(260 if project == "other" else 5)
]
ALL = [RunId(run.entity, run.project, run.run_id) for run in RUNS]
OF_TEAM = [one for one in ALL if one[:2] == ("team", "ocr")]


@dataclass(frozen=True)
class Served:
    """A server, the environment of its client, and the worker that both tests and client keep."""

    server: WandbServer
    environ: Mapping[str, str]
    workers: WorkerShelf


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    odd = [
        Run(entity="odd", project="ocr", run_id="long", history=LONG),
        Run(entity="odd", project="ocr", run_id="apart", history=(*ROWS[:2], RECALL)),
        Run(entity="odd", project="ocr", run_id="none", history=({"loss": 1.0},)),
    ]
    workers = WorkerShelf()
    with WandbServer([*RUNS, *odd], limits=Limits(page_runs=100, sampled_rows=100)) as server:
        yield Served(server, client_environ(server, tmp_path_factory.mktemp("home")), workers)
        workers.clear()


@pytest.fixture
def served(started: Served) -> Served:
    started.server.operations.clear()
    return started


def test_all_runs_of_a_project_take_one_request(served: Served) -> None:
    fetched = fetch_runs(OF_TEAM, environ=served.environ, workers=served.workers)
    assert set(fetched.runs) == set(OF_TEAM)
    assert not fetched.failures
    assert served.server.operations["Runs"] == 1
    assert served.server.operations.total() <= 3
    assert not served.server.other_requests


def test_a_run_tells_state_config_and_summary(served: Served) -> None:
    record = fetch_runs(OF_TEAM[1:2], environ=served.environ, workers=served.workers).runs[OF_TEAM[1]]
    assert record.config == {"model": {"architecture": "dbnet"}, "number": 1}
    assert record.summary == {"val/hmean": 0.5, "epoch": 1}
    assert record.state == "running"
    assert not record.is_finished
    assert record.history == ()


def test_what_is_asked_twice_is_asked_once(served: Served) -> None:
    fetched = fetch_runs([*OF_TEAM, *OF_TEAM], environ=served.environ, workers=served.workers)
    assert len(fetched.runs) == len(OF_TEAM)
    assert served.server.operations["Runs"] == 1


def test_several_projects_and_entities_take_one_request_for_each_page(served: Served) -> None:
    fetched = fetch_runs(ALL, environ=served.environ, workers=served.workers)
    assert {key: record.config["number"] for key, record in fetched.runs.items()} == {
        key: int(key.run_id[3:]) for key in ALL
    }
    # The 260 ids of one project are asked for in two chunks; the first comes in three pages.
    assert served.server.operations["Runs"] == 1 + 1 + (3 + 1)
    assert "Run" not in served.server.operations


def test_a_history_is_asked_for_once_a_run_and_only_where_it_is_wanted(served: Served) -> None:
    fetched = fetch_runs(OF_TEAM, with_history=OF_TEAM[:2], environ=served.environ, workers=served.workers)
    assert served.server.operations["RunSampledHistory"] == 2
    assert [len(fetched.runs[one].history) for one in OF_TEAM] == [30, 30, 0, 0, 0]
    assert fetched.runs[OF_TEAM[0]].history[7].items() >= ROWS[7].items()


def test_a_history_that_the_server_thins_out_is_read_whole(served: Served) -> None:
    long = RunId("odd", "ocr", "long")
    fetched = fetch_runs([long], with_history=[long], environ=served.environ, workers=served.workers)
    assert list(fetched.runs[long].history) == list(LONG)


def test_metrics_that_were_logged_apart_are_all_told(served: Served) -> None:
    apart = RunId("odd", "ocr", "apart")
    fetched = fetch_runs([apart], with_history=[apart], environ=served.environ, workers=served.workers)
    told = [(row["epoch"], row.get("val/hmean"), row.get("val/recall")) for row in fetched.runs[apart].history]
    assert sorted(told, key=str) == [(0, 0.0, None), (1, 0.01, None), (1, None, 0.3)]


def test_a_run_that_logged_no_metric_is_not_asked_for_its_history(served: Served) -> None:
    none = RunId("odd", "ocr", "none")
    fetched = fetch_runs([none], with_history=[none], environ=served.environ, workers=served.workers)
    assert fetched.runs[none].history == ()
    assert set(served.server.operations) <= {"Viewer", "Runs"}


def test_runs_and_projects_that_are_not_there_are_failures_that_say_what_to_do(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    gone, nowhere = RunId("team", "ocr", "gone"), RunId("team", "nowhere", "run000")
    fetched = fetch_runs([OF_TEAM[0], gone, nowhere], environ=served.environ, workers=served.workers)
    assert set(fetched.runs) == {OF_TEAM[0]}
    failures = {failure.run_id: failure for failure in fetched.failures}
    assert set(failures) == {gone, nowhere}
    assert all(failure.found == "no such run" for failure in failures.values())
    assert all("project" in failure.remedy for failure in failures.values())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_worker_never_answers_for_another_environment(served: Served, tmp_path: Path) -> None:
    with WandbServer(RUNS[:1]) as other:
        fetched = fetch_runs(OF_TEAM[:1], environ=client_environ(other, tmp_path), workers=served.workers)
        assert len(fetched.runs) == 1
        assert other.operations == {"Viewer": 1, "Runs": 1}
    assert not served.server.operations


class NoWorkers(WorkerShelf):
    """Nobody may ask anything."""

    def take(self, environ: Mapping[str, str]) -> WorkerProcess:
        raise AssertionError(f"a worker was started for {environ['WANDB_BASE_URL']}")


KEYLESS = {"HOME": "/nonexistent", "WANDB_BASE_URL": "http://127.0.0.1:9"}
KEYED = KEYLESS | {"WANDB_API_KEY": "k" * 40}


@pytest.mark.parametrize(
    ("wanted", "environ"),
    [(OF_TEAM, KEYLESS), ([], KEYED), (OF_TEAM, KEYED | {"WANDB_MODE": "offline"})],
    ids=["no key", "no ids", "offline"],
)
def test_where_nothing_can_be_asked_no_process_is_started(
    wanted: list[RunId], environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert fetch_runs(wanted, environ=environ, workers=NoWorkers()) == FetchedRuns()
    assert not caplog.records


def test_a_missing_package_is_a_failure_that_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    fetched = fetch_runs(OF_TEAM[:1], environ=KEYED, workers=NoWorkers())
    assert "pip install" in fetched.failures[0].remedy


def test_a_folder_of_runs_does_not_pass_for_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    fetched = fetch_runs(OF_TEAM[:1], environ=KEYED, workers=NoWorkers())
    assert fetched.failures[0].found == "no package `wandb`"


def test_asking_imports_the_package_into_no_process_but_the_worker(served: Served) -> None:
    script = (
        "import os, sys\n"
        "from catalog.run_ids import RunId\n"
        "from catalog.wandb_runs import fetch_runs\n"
        "fetched = fetch_runs([RunId('team', 'ocr', 'run000')])\n"
        "print(len(fetched.runs), 'wandb' in sys.modules)\n"
    )
    asked = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=dict(served.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (asked.stdout, asked.stderr) == ("1 False\n", "")
