"""Whatever the server does: no exception, one warning, no key, within the deadline."""

from __future__ import annotations

import base64
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.run_ids import RunId
from catalog.wandb_process import WorkerShelf, shelf
from catalog.wandb_runs import FetchedRuns, fetch_runs
from fixtures.runs import Run
from fixtures.wandb_faults import Fault
from fixtures.wandb_schema import Limits
from fixtures.wandb_server import API_KEY, WandbServer
from tests.catalog import trees
from tests.wandb_clients import client_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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

SLACK_S = 0.5


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
    assert record.getMessage().isprintable()
    assert record.exc_info is None


@pytest.mark.parametrize(
    ("fault", "found", "remedy"),
    [
        (Fault.UNAUTHORIZED, "HTTP 401", "WANDB_API_KEY"),
        (Fault.FORBIDDEN, "HTTP 403", "access"),
        (Fault.NOT_FOUND, "HTTP 404", "WANDB_BASE_URL"),
        (Fault.BROKEN, "HTTP 500: internal server error", "later"),
        (Fault.BROKEN_JSON, "EOF", "WANDB_BASE_URL"),
        (Fault.ESCAPES, r"\u001b[2J\u009b31m\u202eno such page forged line", "WANDB_BASE_URL"),
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


KEEPS_WAITING = frozenset({Fault.SILENT, Fault.DRIPS, Fault.RATE_LIMITED, Fault.BOMB})


@pytest.mark.parametrize("fault", sorted(KEEPS_WAITING))
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


WHOLE_BUILD_REMEDIES = {
    **dict.fromkeys(KEEPS_WAITING, "build without W&B"),
    Fault.REFUSES: "check the network and WANDB_BASE_URL",
    Fault.UNAUTHORIZED: "set WANDB_API_KEY",
    Fault.FORBIDDEN: "ask for access",
    Fault.NOT_FOUND: "check WANDB_BASE_URL",
    Fault.ESCAPES: "check WANDB_BASE_URL",
    Fault.BROKEN: "try again later",
    Fault.BROKEN_JSON: "check the network and WANDB_BASE_URL",
    Fault.MISSING_RUN: "correct the run's id",
    Fault.NOT_FINITE: "log finite values",
}


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.REFUSES])
def test_whatever_the_server_does_the_checkpoint_is_listed_with_what_other_sources_tell(
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    served.server.answered_first, served.server.fault = 0, fault
    assert_listed_with_one_warning(served.server, fault, tmp_path, monkeypatch, caplog)


def test_a_server_that_refuses_connections_costs_a_build_nothing_but_what_it_would_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with WandbServer(RUNS, fault=Fault.REFUSES) as server:
        assert_listed_with_one_warning(server, Fault.REFUSES, tmp_path, monkeypatch, caplog)


def assert_listed_with_one_warning(
    server: WandbServer,
    fault: Fault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in server.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "outputs" / "one" / "checkpoints"
    trees.write(folder / "epoch=3.ckpt", b"x")
    trees.write(
        folder / "epoch=3.metadata.yaml",
        trees.without(trees.SIDECAR, "metrics") | {"wandb_run_id": "team/ocr/run0"},
    )
    deadline_s = 1.5 if fault in KEEPS_WAITING else 60.0
    builder = CheckpointCatalogBuilder(
        tmp_path / "outputs", False, collaborators=Collaborators(wandb_deadline_s=deadline_s)
    )
    # What is imported to read a tree is no part of asking.
    CheckpointCatalogBuilder(tmp_path / "outputs", False, False).build_catalog()
    begun_s = time.monotonic()
    catalog = builder.build_catalog()
    assert time.monotonic() - begun_s < deadline_s + SLACK_S
    shelf.clear()
    (entry,) = catalog
    assert entry.architecture == trees.SIDECAR["model"]["architecture"]
    assert entry.hmean == (0.5 if fault in {Fault.ENDLESS_PAGE, Fault.STRING_CONFIGS} else None)
    told = {problem.source for problem in catalog.problems if problem.source == "wandb"}
    assert bool(told) is (entry.hmean is None)
    if told:
        assert_one_warning(caplog, WHOLE_BUILD_REMEDIES[fault])
    assert bool(caplog.records) is bool(told)


def hidden_in_environment(server: WandbServer, home: Path, key: str) -> dict[str, str]:
    return client_environ(server, home) | {"WANDB_API_KEY": key}


def hidden_in_netrc(server: WandbServer, home: Path, key: str) -> dict[str, str]:
    environ = client_environ(server, home)
    write(Path(environ["NETRC"]), f"machine {server.url[7:]}\n  login user\n  password {key}\n")
    return without_key(environ)


def hidden_in_settings(server: WandbServer, home: Path, key: str) -> dict[str, str]:
    environ = client_environ(server, home)
    settings = f"[default]\napi_key = {key}\nbase_url = {server.url}\n"
    write(Path(environ["WANDB_CONFIG_DIR"]) / "settings", settings)
    return {name: value for name, value in without_key(environ).items() if name != "WANDB_BASE_URL"}


def without_key(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name != "WANDB_API_KEY"}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


PLACES_OF_A_KEY = [hidden_in_environment, hidden_in_netrc, hidden_in_settings]


@pytest.mark.parametrize("hide", PLACES_OF_A_KEY)
def test_a_key_is_honoured_wherever_the_client_finds_it(
    tmp_path: Path, hide: Callable[[WandbServer, Path, str], dict[str, str]]
) -> None:
    workers = WorkerShelf()
    with WandbServer(RUNS) as server:
        fetched = fetch_runs(IDS, environ=hide(server, tmp_path, API_KEY), workers=workers)
    workers.clear()
    assert list(fetched.runs) == IDS


@pytest.mark.parametrize("hide", PLACES_OF_A_KEY)
def test_a_key_that_the_server_repeats_is_shown_nowhere(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    hide: Callable[[WandbServer, Path, str], dict[str, str]],
) -> None:
    key = "secret" + "0" * 34
    sent = base64.b64encode(f"api:{key}".encode()).decode()
    workers = WorkerShelf()
    with WandbServer(RUNS) as server:
        environ = hide(server, tmp_path, key)
        before = set(tmp_path.rglob("*"))
        fetched = asked_in_time(IDS, environ, workers, deadline_s=10.0)
    workers.clear()
    assert "HTTP 401: " in fetched.failures[0].found
    assert fetched.failures[0].found.count("***") == 2
    left = set(tmp_path.rglob("*")) - before
    written = [path.read_text(errors="replace") for path in left if path.is_file()]
    shown = (caplog.text, repr(fetched), *capfd.readouterr(), *written)
    assert not any("secret" in text or sent in text for text in shown)
    assert_one_warning(caplog, "wandb login")
