from __future__ import annotations

import importlib.util
import inspect
import logging
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import psutil
import pytest

from catalog.builder import Collaborators
from catalog.run_ids import RunId
from catalog.run_records import history_at
from catalog.wandb_process import WorkerProcess, WorkerShelf
from catalog.wandb_runs import Asker, FetchedRuns, fetch_runs
from catalog.wandb_worker import MAX_ANSWER_CHARACTERS
from fixtures.runs import Run
from fixtures.wandb_schema import Limits
from fixtures.wandb_server import WandbServer
from tests.wandb_clients import client_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fixtures.runs import RunState

PLACES = (("team", "ocr"), ("team", "other"), ("guild", "ocr"))
ROWS = tuple(
    {"epoch": epoch, "trainer/global_step": 10 * epoch, "val/hmean": epoch / 100} for epoch in range(30)
)
RECALL = {"epoch": 1, "trainer/global_step": 10, "val/recall": 0.3}
TESTED = (
    {"epoch": 0, "trainer/global_step": 9, "val/hmean": 0.5},
    {"epoch": 1, "trainer/global_step": 9, "test/hmean": 0.9},
    {"epoch": 1, "trainer/global_step": 9, "test/recall": 0.8},
)
EACH = tuple(
    {"epoch": epoch, "trainer/global_step": 10 * epoch, metric: epoch / divisor}
    for epoch in range(3)
    for metric, divisor in (("val/hmean", 10), ("val/recall", 20))
)
LONG = tuple({"_step": step, "epoch": step, "val/hmean": step / 1e4} for step in range(250))

ODD_IDS = ('say"so', "{braces}", "$name", "(a)", "it's", "naïve", "a&b=c", "-dash", "[0]")

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
        Run(
            entity="odd",
            project="ocr",
            run_id="huge",
            config={"text": "x" * MAX_ANSWER_CHARACTERS},
            history=ROWS[:1],
        ),
        Run(entity="odd", project="ocr", run_id="each", history=EACH),
        Run(entity="odd", project="ocr", run_id="tested", history=TESTED),
        Run(entity="odd", project="ocr", run_id="state", state=cast("RunState", ["running"])),
        *(Run(entity="odd", project="$(x)", run_id=one, history=ROWS[:2]) for one in ODD_IDS),
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
    assert record.expires_ns
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


def test_a_long_history_is_not_too_long(tmp_path: Path) -> None:
    metrics = {f"val/{name}": 0.8512345678901234 for name in ("hmean", "precision", "recall")}
    rows = tuple(
        {"_step": step, "epoch": step // 100, "trainer/global_step": 50 * step, **metrics}
        for step in range(20_000)
    )
    one = RunId("team", "ocr", "long")
    workers = WorkerShelf()
    with WandbServer([Run(entity="team", project="ocr", run_id="long", history=rows)]) as server:
        environ = client_environ(server, tmp_path)
        fetched = fetch_runs([one], with_history=[one], environ=environ, workers=workers, deadline_s=60.0)
    workers.clear()
    assert not fetched.failures
    assert len(fetched.runs[one].history) == len(rows)


def test_metrics_that_were_logged_apart_are_all_told(served: Served) -> None:
    apart = RunId("odd", "ocr", "apart")
    fetched = fetch_runs([apart], with_history=[apart], environ=served.environ, workers=served.workers)
    told = [(row["epoch"], row.get("val/hmean"), row.get("val/recall")) for row in fetched.runs[apart].history]
    assert sorted(told, key=str) == [(0, 0.0, None), (1, 0.01, None), (1, None, 0.3)]


def test_metrics_that_were_logged_as_often_and_never_together_are_all_told(served: Served) -> None:
    each = RunId("odd", "ocr", "each")
    fetched = fetch_runs([each], with_history=[each], environ=served.environ, workers=served.workers)
    history = fetched.runs[each].history
    for epoch in (1, 2):
        own = {"epoch": epoch, "trainer/global_step": 10 * epoch}
        assert (
            history_at(history, epoch, own["trainer/global_step"] + 1).items()
            >= {
                "val/hmean": epoch / 10,
                "val/recall": epoch / 20,
            }.items()
        )


def test_a_row_that_was_asked_for_under_its_step_keeps_its_epoch(served: Served) -> None:
    """What a test logged an epoch later, key by key, is not told of the checkpoint that stands at its step."""
    tested = RunId("odd", "ocr", "tested")
    fetched = fetch_runs([tested], with_history=[tested], environ=served.environ, workers=served.workers)
    history = fetched.runs[tested].history
    assert {key for row in history for key in row} >= {"test/hmean", "test/recall"}
    assert set(history_at(history, 0, 10)) & {"test/hmean", "test/recall", "val/hmean"} == {"val/hmean"}


def test_a_run_that_logged_no_metric_is_not_asked_for_its_history(served: Served) -> None:
    none = RunId("odd", "ocr", "none")
    fetched = fetch_runs([none], with_history=[none], environ=served.environ, workers=served.workers)
    assert fetched.runs[none].history == ()
    assert set(served.server.operations) <= {"Viewer", "Runs"}


def test_ids_that_mean_something_to_a_query_language_are_asked_for_as_they_are(served: Served) -> None:
    ids = [RunId("odd", "$(x)", one) for one in ODD_IDS]
    fetched = fetch_runs(ids, with_history=ids, environ=served.environ, workers=served.workers)
    assert set(fetched.runs) == set(ids)
    assert all(len(record.history) == 2 for record in fetched.runs.values())
    assert served.server.operations["Runs"] == 1


def test_a_run_that_says_too_much_is_a_failure_and_costs_no_other(served: Served) -> None:
    ids = [RunId("odd", "ocr", "huge"), RunId("odd", "ocr", "apart")]
    for history in ([], ids):
        fetched = fetch_runs(ids, with_history=history, environ=served.environ, workers=served.workers)
        assert set(fetched.runs) == {ids[1]}
        assert "more than 4,194,304" in fetched.failures[0].found
        assert "log less" in fetched.failures[0].remedy


def test_a_state_that_is_no_text_is_an_unknown_one(served: Served) -> None:
    (record,) = fetch_runs(
        [RunId("odd", "ocr", "state")], environ=served.environ, workers=served.workers
    ).runs.values()
    assert record.state == "unknown"
    assert record.expires_ns


def test_a_worker_whose_helper_has_died_is_not_asked_again(served: Served) -> None:
    workers = WorkerShelf()
    fetch_runs(OF_TEAM[:1], environ=served.environ, workers=workers)
    worker = workers.take(served.environ, served.environ["WANDB_API_KEY"])
    for helper in psutil.Process(worker.process_id).children():
        helper.kill()
        while helper.status() != psutil.STATUS_ZOMBIE:  # the worker, which would reap it, is asleep
            time.sleep(0.01)
    workers.put(worker)
    assert fetch_runs(OF_TEAM[:1], environ=served.environ, workers=workers).failures
    assert len(fetch_runs(OF_TEAM[:1], environ=served.environ, workers=workers).runs) == 1
    workers.clear()


@pytest.mark.parametrize(
    "wrong", [{"WANDB_API_KEY": "short"}, {"WANDB_BASE_URL": "nowhere"}, {"WANDB_MODE": "never"}]
)
def test_settings_that_the_client_refuses_are_told_apart_from_a_server_that_is_not_there(
    wrong: dict[str, str], tmp_path: Path
) -> None:
    workers = WorkerShelf()
    fetched = fetch_runs(OF_TEAM[:1], environ=KEYED | {"HOME": str(tmp_path)} | wrong, workers=workers)
    assert "correct WANDB_API_KEY, or" in fetched.failures[0].remedy
    workers.clear()


def test_the_deadline_is_ten_seconds_wherever_none_is_given() -> None:
    given = [inspect.signature(one).parameters["deadline_s"].default for one in (fetch_runs, Asker.answer)]
    assert [*given, Collaborators().wandb_deadline_s] == [10.0] * 3


def test_a_deadline_may_be_endless(served: Served) -> None:
    fetched = fetch_runs(OF_TEAM[:1], environ=served.environ, workers=served.workers, deadline_s=float("inf"))
    assert len(fetched.runs) == 1


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


@pytest.mark.parametrize("step", ["send", "answers"])
def test_an_interruption_leaves_nobody_asking(
    step: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking: list[WorkerProcess] = []

    def interrupted(worker: WorkerProcess, *_: object) -> Iterator[dict[str, object]]:
        asking.append(worker)
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerProcess, step, interrupted)
    workers = WorkerShelf()
    with pytest.raises(KeyboardInterrupt):
        fetch_runs(OF_TEAM[:1], environ=served.environ, workers=workers)
    assert not psutil.pid_exists(asking[0].process_id)


def test_a_worker_is_not_asked_with_another_key_than_its_own(served: Served, tmp_path: Path) -> None:
    """The environment is the same: the key stands in a file."""
    environ = {**served.environ, "NETRC": str(tmp_path / "netrc")}
    key = environ.pop("WANDB_API_KEY")
    machine = environ["WANDB_BASE_URL"].removeprefix("http://")
    workers = WorkerShelf()
    for password, is_right in (("0" * 40, False), (key, True)):
        (tmp_path / "netrc").write_text(f"machine {machine} login user password {password}\n")
        fetched = fetch_runs(OF_TEAM[:1], environ=environ, workers=workers)
        assert bool(fetched.runs) is is_right
    workers.clear()


def test_all_that_was_asked_is_answered_while_nobody_listens(tmp_path: Path) -> None:
    """Configs that fill the pipe many times do not keep the worker from asking for histories."""
    runs = [
        Run(entity="team", project="ocr", run_id=f"big{number}", config={"text": "x" * 50_000}, history=ROWS)
        for number in range(10)
    ]
    ids = [RunId(run.entity, run.project, run.run_id) for run in runs]
    workers = WorkerShelf()
    with WandbServer(runs) as server:
        environ = client_environ(server, tmp_path)
        asker = Asker(environ, environ["WANDB_API_KEY"], workers=workers)
        asker.ask(ids, with_history=ids)
        given_up_s = time.monotonic() + 60
        while server.operations["RunSampledHistory"] < len(ids):
            assert time.monotonic() < given_up_s
            time.sleep(0.02)
        fetched = asker.answer()
    workers.clear()
    assert all(len(fetched.runs[one].history) == len(ROWS) for one in ids)


def test_a_worker_that_was_warmed_is_the_one_that_is_asked_unless_it_has_ended(served: Served) -> None:
    workers = WorkerShelf()
    asker = Asker(served.environ, served.environ["WANDB_API_KEY"], workers=workers)
    asker.warm()
    served.server.operations.clear()
    for is_ended in (False, True):
        worker = asker._worker
        if worker is not None and is_ended:
            psutil.Process(worker.process_id).kill()
            while worker.is_usable(served.environ, served.environ["WANDB_API_KEY"]):
                time.sleep(0.01)
        asker.ask(OF_TEAM[:1])
        assert (asker._worker is worker) is not is_ended
        assert set(asker.answer().runs) == set(OF_TEAM[:1])
        asker.warm()
    asker.give_up()
    workers.clear()


def test_who_gives_up_leaves_no_warmed_worker(served: Served) -> None:
    asker = Asker(served.environ, served.environ["WANDB_API_KEY"], workers=WorkerShelf())
    asker.warm()
    worker = asker._worker
    assert worker is not None
    asker.give_up()
    assert not psutil.pid_exists(worker.process_id)


def test_a_second_question_before_the_first_answer_is_refused(served: Served) -> None:
    asker = Asker(served.environ, served.environ["WANDB_API_KEY"], workers=served.workers)
    asker.ask(OF_TEAM[:1])
    with pytest.raises(RuntimeError, match="before the answer"):
        asker.ask(OF_TEAM[1:2])
    assert set(asker.answer().runs) == set(OF_TEAM[:1])


class NoWorkers(WorkerShelf):
    """Nobody may ask anything."""

    def take(self, environ: Mapping[str, str], key: str = "") -> WorkerProcess:  # noqa: ARG002 - the shelf's own
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
