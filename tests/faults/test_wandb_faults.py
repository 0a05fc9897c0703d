"""Whatever the server does: no exception, one warning, no key, within the deadline."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from catalog.run_ids import RunId
from catalog.wandb_process import WorkerShelf
from catalog.wandb_runs import FetchedRuns, fetch_runs
from fixtures.runs import Run
from fixtures.wandb_faults import Fault
from fixtures.wandb_schema import Limits
from fixtures.wandb_server import WandbServer
from tests.wandb_clients import client_environ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

RUNS = [
    Run(
        entity="team",
        project="ocr",
        run_id=f"run{number}",
        config={"model": {"architecture": "dbnet"}},
        summary={"val/hmean": 0.5, "val/recall": 0.25},
    )
    for number in range(4)
]
IDS = [RunId(run.entity, run.project, run.run_id) for run in RUNS]

# The promise is half a second; the other half is for a machine that is busy with other things.
SLACK_S = 1.0


@dataclass(frozen=True)
class Served:
    """A server whose fault can be chosen, and a client that has already introduced itself to it."""

    server: WandbServer
    environ: Mapping[str, str]
    workers: WorkerShelf

    def fetch(self, fault: Fault, deadline_s: float, answered_first: int = 0) -> FetchedRuns:
        """Ask for all runs while the server shows a fault."""
        self.server.fault = None
        fetch_runs(IDS[:1], environ=self.environ, workers=self.workers)
        self.server.operations.clear()
        self.server.answered_first = answered_first
        self.server.fault = fault
        return asked_in_time(IDS, self.environ, self.workers, deadline_s)


def asked_in_time(
    ids: Sequence[RunId], environ: Mapping[str, str], workers: WorkerShelf, deadline_s: float
) -> FetchedRuns:
    begun_s = time.monotonic()
    fetched = fetch_runs(ids, deadline_s=deadline_s, environ=environ, workers=workers)
    assert time.monotonic() - begun_s < deadline_s + SLACK_S
    return fetched


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workers = WorkerShelf()
    with WandbServer(RUNS) as server:
        yield Served(server, client_environ(server, tmp_path_factory.mktemp("home")), workers)
        workers.clear()


def assert_one_warning(caplog: pytest.LogCaptureFixture, said: str) -> None:
    """One line that says what to do, and neither a traceback nor the key anywhere."""
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert said in record.getMessage()
    assert "\n" not in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize(
    ("fault", "found", "remedy"),
    [
        (Fault.UNAUTHORIZED, "HTTP 401", "WANDB_API_KEY"),
        (Fault.FORBIDDEN, "HTTP 403", "access"),
        (Fault.NOT_FOUND, "HTTP 404", "WANDB_BASE_URL"),
        (Fault.BROKEN, "HTTP 500: internal server error", "later"),
        (Fault.BROKEN_JSON, "EOF", "WANDB_BASE_URL"),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_its_remedy(
    served: Served, caplog: pytest.LogCaptureFixture, fault: Fault, found: str, remedy: str
) -> None:
    fetched = served.fetch(fault, deadline_s=10.0)
    assert not fetched.runs
    assert [failure.run_id for failure in fetched.failures] == IDS
    assert all(found in failure.found and remedy in failure.remedy for failure in fetched.failures)
    assert_one_warning(caplog, remedy)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DRIPS, Fault.RATE_LIMITED])
def test_a_server_that_keeps_one_waiting_is_left_at_the_deadline(
    served: Served, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    fetched = served.fetch(fault, deadline_s=0.6)
    assert not fetched.runs
    assert all("no answer within 0.6 s" in failure.found for failure in fetched.failures)
    assert [failure.run_id for failure in fetched.failures] == IDS
    assert_one_warning(caplog, "build without W&B")


def test_nobody_listening_is_told_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workers = WorkerShelf()
    with WandbServer(RUNS, fault=Fault.REFUSES) as server:
        fetched = asked_in_time(IDS, client_environ(server, tmp_path), workers, deadline_s=10.0)
    workers.clear()
    assert all("connection refused" in failure.found for failure in fetched.failures)
    assert_one_warning(caplog, "WANDB_BASE_URL")


def test_a_server_that_is_silent_from_the_start_is_left_at_the_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with WandbServer(RUNS, fault=Fault.SILENT) as server:
        fetched = asked_in_time(IDS, client_environ(server, tmp_path), WorkerShelf(), deadline_s=1.5)
    assert [failure.run_id for failure in fetched.failures] == IDS
    assert_one_warning(caplog, "network")


def test_what_arrived_before_the_deadline_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workers = WorkerShelf()
    with WandbServer(RUNS, limits=Limits(page_runs=1)) as server:
        environ = client_environ(server, tmp_path)
        fetch_runs(IDS[:1], environ=environ, workers=workers)
        server.operations.clear()
        server.answered_first = 2
        server.fault = Fault.SILENT
        fetched = asked_in_time(IDS, environ, workers, deadline_s=1.0)
    assert list(fetched.runs) == IDS[:2]
    assert [failure.run_id for failure in fetched.failures] == IDS[2:]
    assert_one_warning(caplog, "2 of 4 runs")


def test_a_missing_run_costs_nothing_but_itself(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    fetched = served.fetch(Fault.MISSING_RUN, deadline_s=10.0)
    assert list(fetched.runs) == IDS[1:]
    assert [(failure.run_id, failure.found) for failure in fetched.failures] == [(IDS[0], "no such run")]
    assert_one_warning(caplog, "correct the run's id")


def test_pages_that_never_end_are_followed_while_they_tell_something(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    gone = RunId("team", "ocr", "gone")
    served.server.fault = Fault.ENDLESS_PAGE
    served.server.operations.clear()
    fetched = asked_in_time([*IDS, gone], served.environ, served.workers, deadline_s=10.0)
    assert list(fetched.runs) == IDS
    assert served.server.operations["Runs"] <= 2
    assert_one_warning(caplog, "no such run")


def test_configs_that_are_text_are_read(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    fetched = served.fetch(Fault.STRING_CONFIGS, deadline_s=10.0)
    assert [record.config for record in fetched.runs.values()] == [{"model": {"architecture": "dbnet"}}] * 4
    assert not caplog.records


def test_numbers_that_are_none_come_through_as_they_are(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = served.fetch(Fault.NOT_FINITE, deadline_s=10.0)
    assert len(fetched.runs) == len(IDS)
    for record in fetched.runs.values():
        assert math.isnan(record.summary["val/hmean"])
        assert math.isinf(record.summary["val/recall"])
    assert not caplog.records


def test_a_key_that_the_server_repeats_is_shown_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    key = "secret" + "0" * 34
    workers = WorkerShelf()
    with WandbServer(RUNS) as server:
        environ = {**client_environ(server, tmp_path), "WANDB_API_KEY": key}
        fetched = asked_in_time(IDS, environ, workers, deadline_s=10.0)
    workers.clear()
    assert "HTTP 401: " in fetched.failures[0].found
    assert "***" in fetched.failures[0].found
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("secret" in text for text in (caplog.text, repr(fetched), *capfd.readouterr(), *written))
    assert_one_warning(caplog, "wandb login")
