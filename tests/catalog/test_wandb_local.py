from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from catalog.builder import CheckpointCatalogBuilder
from catalog.wandb_local import (
    LocalRun,
    find_local_runs,
    is_of_another,
    match_local_run,
    read_local_run,
    wandb_folders,
)
from tests.catalog.trees import SIDECAR, changed, without, write
from tests.wandb_clients import without_wandb

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, sys, wandb
for run_id, is_killed in (("done0001", False), ("dead0001", True)):
    run = wandb.init(mode="offline", dir=sys.argv[1], project="ocr", id=run_id,
                     config={"model": {"architecture": "dbnet"}, "lr": 1e-3})
    for epoch in range(3):
        run.log({"epoch": epoch, "trainer/global_step": 10 * epoch, "val/hmean": epoch / 10})
    if not is_killed:
        run.finish()
os._exit(1)
"""
CONFIG = "wandb_version: 1\n_wandb:\n  value: {}\nmodel:\n  desc: null\n  value:\n    architecture: craft\n"


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the real client wrote two runs without a network; the second was killed."""
    place = tmp_path_factory.mktemp("offline")
    home = {
        name: str(place / "home") for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR")
    }
    quiet = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false", "WANDB_BASE_URL": "http://127.0.0.1:9"}
    client = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(place)],
        env=without_wandb() | home | quiet,
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
    )
    assert client.returncode == 1, client.stderr
    return place


def test_a_run_that_the_real_client_kept_offline_is_told_whole(offline: Path) -> None:
    run = match_local_run(find_local_runs(wandb_folders(str(offline))), run_id="done0001", experiment_name="")
    assert run is not None
    assert run.is_offline
    record = read_local_run(run, with_history=True)
    assert record.config == {"model": {"architecture": "dbnet"}, "lr": 1e-3}
    assert record.summary["val/hmean"] == 0.2
    assert [row["val/hmean"] for row in record.history] == [0.0, 0.1, 0.2]


def test_a_run_whose_client_was_killed_is_found_and_breaks_nothing(offline: Path) -> None:
    run = match_local_run(find_local_runs(wandb_folders(str(offline))), run_id="dead0001", experiment_name="")
    assert run is not None
    assert read_local_run(run, with_history=True).config in (
        {},
        {"model": {"architecture": "dbnet"}, "lr": 1e-3},
    )


def test_a_catalog_without_a_key_tells_each_checkpoint_its_own_values_of_that_run(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_ENTITY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_DIR", str(offline))
    folder = tmp_path / "outputs" / "one" / "checkpoints"
    for epoch in (1, 2):
        sidecar = changed(
            without(SIDECAR, "metrics"), training__epoch=epoch, training__global_step=10 * epoch + 1
        )
        write(folder / f"epoch={epoch}.ckpt", b"x")
        write(
            folder / f"epoch={epoch}.metadata.yaml",
            without(sidecar, "model") | {"wandb_run_id": "team/ocr/done0001"},
        )
    catalog = CheckpointCatalogBuilder(tmp_path / "outputs", use_cache=False).build_catalog()
    assert [(one.hmean, one.provenance["hmean"], one.architecture) for one in catalog] == [
        (0.1, "wandb-history", "dbnet"),
        (0.2, "wandb-history", "dbnet"),
    ]


def test_a_run_of_another_project_is_told_apart_by_its_own_log(offline: Path, tmp_path: Path) -> None:
    run = match_local_run(find_local_runs(wandb_folders(str(offline))), run_id="done0001", experiment_name="")
    assert run is not None
    assert is_of_another(run, None, "other")
    assert not is_of_another(run, "team", "ocr"), "offline, the client knows of no entity"
    assert not is_of_another(run, None, None)
    nowhere = LocalRun("done0001", str(tmp_path), dt.datetime(2025, 1, 31), is_offline=False)  # noqa: DTZ001 - wall clock
    assert not is_of_another(nowhere, "team", "ocr")


@pytest.mark.parametrize(("run_id", "told"), [("team/ocr/done0001", 0.2), ("team/other/done0001", None)])
def test_a_local_run_answers_for_its_own_project_alone(
    run_id: str, told: float | None, offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_DIR", str(offline))
    folder = tmp_path / "outputs" / "one" / "checkpoints"
    sidecar = changed(without(SIDECAR, "metrics"), training__epoch=2, training__global_step=21)
    write(folder / "best.ckpt", b"x")
    write(folder / "best.metadata.yaml", sidecar | {"wandb_run_id": run_id})
    catalog = CheckpointCatalogBuilder(tmp_path / "outputs", use_cache=False).build_catalog()
    assert [entry.hmean for entry in catalog] == [told]


def test_the_time_in_the_folders_name_is_when_the_run_was_started(offline: Path) -> None:
    runs = find_local_runs(wandb_folders(str(offline)))
    now = dt.datetime.now()  # noqa: DTZ005 - the client writes local time
    assert {run.run_id for run in runs} == {"done0001", "dead0001"}
    assert all(abs(now - run.started_at) < dt.timedelta(hours=1) for run in runs)


def make_run(
    place: Path, name: str, *, config: str | None = CONFIG, summary: str | None = '{"epoch": 7}'
) -> Path:
    """A local run as older clients leave it."""
    files = place / "wandb" / name / "files"
    files.mkdir(parents=True)
    for file_name, text in (("config.yaml", config), ("wandb-summary.json", summary)):
        if text is not None:
            (files / file_name).write_text(text)
    (files / "wandb-metadata.json").write_text("{")
    return files


def only(place: Path) -> LocalRun:
    (run,) = find_local_runs(wandb_folders(str(place)))
    return run


def test_config_and_summary_are_read_from_files(tmp_path: Path) -> None:
    make_run(tmp_path, "run-20250131_235959-abc123")
    record = read_local_run(only(tmp_path))
    assert record.config == {"model": {"architecture": "craft"}}
    assert record.summary == {"epoch": 7}
    assert record.expires_ns is None
    assert not read_local_run(only(tmp_path), with_history=True).is_history_whole, "there is no log"


@pytest.mark.parametrize("config", [None, "", "model: {", "- a list", "\x00"])
def test_a_damaged_config_costs_the_config_alone(tmp_path: Path, config: str | None) -> None:
    make_run(tmp_path, "run-20250131_235959-abc123", config=config)
    record = read_local_run(only(tmp_path))
    assert record.config == {}
    assert record.summary == {"epoch": 7}


@pytest.mark.parametrize("summary", [None, "", '{"epoch": ', "[]", "null"])
def test_a_damaged_summary_costs_the_summary_alone(tmp_path: Path, summary: str | None) -> None:
    make_run(tmp_path, "run-20250131_235959-abc123", summary=summary)
    record = read_local_run(only(tmp_path))
    assert record.summary == {}
    assert record.config == {"model": {"architecture": "craft"}}


def test_a_run_that_was_resumed_is_told_from_all_its_folders(tmp_path: Path) -> None:
    make_run(tmp_path, "run-20250131_100000-abc123", summary=json.dumps({"epoch": 1, "val/hmean": 0.5}))
    make_run(tmp_path, "run-20250201_100000-abc123", config=None, summary=json.dumps({"epoch": 2}))
    run = match_local_run(find_local_runs(wandb_folders(str(tmp_path))), run_id="abc123", experiment_name="")
    assert run is not None
    record = read_local_run(run)
    assert record.config == {"model": {"architecture": "craft"}}
    assert record.summary == {"epoch": 2, "val/hmean": 0.5}
    assert len(run.files) == 6


def test_links_files_and_other_names_are_no_runs(tmp_path: Path) -> None:
    target = make_run(tmp_path, "offline-run-20250131_235959-a-b_c").parent
    (tmp_path / "wandb" / "latest-run").symlink_to(target)
    (tmp_path / "wandb" / "run-20250131_235958-linked").symlink_to(target)
    (tmp_path / "wandb" / "run-20250131_235957-file").touch()
    (tmp_path / "wandb" / "run-20259931_235957-never").mkdir()
    assert only(tmp_path).run_id == "a-b_c"


def test_places_without_runs_have_none(tmp_path: Path) -> None:
    (tmp_path / "wandb").touch()
    assert find_local_runs((*wandb_folders(str(tmp_path)), *wandb_folders(str(tmp_path / "missing")))) == ()


def test_a_place_that_is_named_twice_is_listed_once(tmp_path: Path) -> None:
    make_run(tmp_path, "run-20250131_235959-abc123")
    assert len(find_local_runs(wandb_folders(str(tmp_path)) * 2)) == 1


def started(run_id: str, seconds: int) -> LocalRun:
    moment = dt.datetime(2025, 1, 31, 12, 0, 0) + dt.timedelta(seconds=seconds)  # noqa: DTZ001 - local time
    return LocalRun(run_id, f"/wandb/{run_id}-{seconds}", moment, is_offline=False)


@pytest.mark.parametrize(
    "experiment", ["2025-01-31/12-00-00", "20250131_120000", "dbnet_2025-01-31_12-00-00", "20250131-120000_x"]
)
@pytest.mark.parametrize("seconds", [-5, 0, 5])
def test_the_one_run_that_was_started_within_five_seconds_is_the_experiments(
    experiment: str, seconds: int
) -> None:
    runs = [started("far", 6), started("near", seconds), started("farther", -60)]
    found = match_local_run(runs, run_id=None, experiment_name=experiment)
    assert found is not None
    assert found.run_id == "near"


def test_two_runs_that_near_are_none() -> None:
    runs = [started("one", 1), started("two", 2)]
    assert match_local_run(runs, run_id=None, experiment_name="20250131_120000") is None


@pytest.mark.parametrize("experiment", ["dbnet", "20251331_120000", "120250131_120000", ""])
def test_an_experiment_without_a_time_in_its_name_matches_no_run(experiment: str) -> None:
    assert match_local_run([started("one", 0)], run_id=None, experiment_name=experiment) is None


@pytest.mark.parametrize("experiment", ["2025-01-31/12-00-00/1", "exp_20250131_120000/fold0"])
def test_a_job_of_a_sweep_does_not_take_the_run_of_another_that_was_started_with_the_sweep(
    experiment: str,
) -> None:
    assert match_local_run([started("job0", 2)], run_id=None, experiment_name=experiment) is None


@pytest.mark.parametrize("experiment", ["2025-01-31/12-00-00/ocr/job0", "job0"])
def test_a_folder_that_is_named_by_a_run_is_that_runs(experiment: str) -> None:
    found = match_local_run([started("job0", 99), started("near", 1)], run_id=None, experiment_name=experiment)
    assert found is not None
    assert found.run_id == "job0"


@pytest.mark.parametrize("below", ["/lightning_logs/version_0", "/version_12"])
def test_what_other_loggers_put_below_an_experiment_is_left_out_of_its_name(below: str) -> None:
    name = f"2025-01-31/12-00-00{below}"
    found = match_local_run([started("near", 1)], run_id=None, experiment_name=name)
    assert found is not None


def test_a_known_id_is_never_replaced_by_a_near_run() -> None:
    runs = [started("one", 0)]
    assert match_local_run(runs, run_id="other", experiment_name="20250131_120000") is None
