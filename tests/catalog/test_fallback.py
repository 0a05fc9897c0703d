"""Which run a checkpoint belongs to, what it then tells, and what the answer depends on."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from catalog import checkpoint, cli, wandb_local, wandb_runs
from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.filesystem import SETTLING_NS, FileSystem
from catalog.run_records import EXPIRES_NS, INTERRUPTED_EXPIRES_NS
from catalog.store import CatalogCache
from catalog.wandb_local import LocalRun, read_local_run, run_places
from fixtures.runs import Run
from fixtures.wandb_faults import Fault
from fixtures.wandb_schema import Schema
from fixtures.wandb_server import WandbServer
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write
from tests.checkpoint_files import saved

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from catalog.records import CheckpointCatalog, CheckpointCatalogEntry, Problem
    from catalog.run_records import RunRecord

ROWS = tuple(
    {"epoch": epoch, "trainer/global_step": 10 * epoch - 1, "val/hmean": epoch / 100} for epoch in range(1, 10)
)
RUN = Run(
    entity="team",
    project="ocr",
    run_id="abcd1234",
    config={"model": {"architecture": "pan", "encoder": {"model_name": "resnet34"}}},
    summary={"epoch": 9, "val/hmean": 0.09, "val/recall": 0.5, "val/precision": 0.25},
    history=ROWS,
)


def in_a_while(later_ns: int = 0) -> FileSystem:
    """A clock that runs ahead, so that what was just written has settled."""
    import time

    return FileSystem(now_ns=lambda: time.time_ns() + 2 * SETTLING_NS + later_ns)


class Place:
    """A tree whose checkpoints lack metrics, and a catalog over it that remembers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = CatalogCache(root / "index")

    def add(self, experiment: str, epoch: int, **values: Any) -> None:
        folder = self.root / "outputs" / experiment / "checkpoints"
        write(folder / f"epoch={epoch}.ckpt", b"x")
        document = changed(without(SIDECAR, "metrics"), training__epoch=epoch, training__global_step=10 * epoch)
        write(folder / f"epoch={epoch}.metadata.yaml", document | values)

    def build(
        self, *, use_wandb: bool = True, later_ns: int = 0, deadline_s: float = 60.0
    ) -> CheckpointCatalog:
        files = in_a_while(later_ns)
        collaborators = Collaborators(files=files, cache=self.cache, wandb_deadline_s=deadline_s)
        outputs = self.root / "outputs"
        return CheckpointCatalogBuilder(outputs, True, use_wandb, collaborators=collaborators).build_catalog()

    def problems(self) -> list[Problem]:
        """What is said of runs; that the checkpoints here are none is not the question."""
        return [problem for problem in self.build().problems if problem.source == "wandb"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer([RUN]) as running:
        put(running.environment(tmp_path / "home"), monkeypatch)
        yield running


def put(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_checkpoints_of_one_run_get_their_own_epochs_metrics_by_few_requests(
    place: Place, server: WandbServer
) -> None:
    for epoch in (2, 5):
        place.add("one", epoch, wandb_run_id="team/ocr/abcd1234")
    catalog = place.build()
    assert [(entry.hmean, entry.provenance["hmean"]) for entry in catalog] == [
        (0.02, "wandb-history"),
        (0.05, "wandb-history"),
    ]
    assert [entry.provenance["recall"] for entry in catalog] == ["wandb-summary", "wandb-summary"]
    assert server.operations["Runs"] == 1
    assert server.operations["Run"] == 0
    asked = server.operations.total()
    assert place.build().entries == catalog.entries
    assert server.operations.total() == asked, "a finished run is not asked again"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a build does, in turn."""
    done: list[str] = []

    def note(owner: object, name: str, step: str) -> None:
        plain = getattr(owner, name)

        def noting(*args: Any, **options: Any) -> object:
            done.append(step)
            return plain(*args, **options)

        monkeypatch.setattr(owner, name, noting)

    note(checkpoint, "read_checkpoint", "read")
    note(wandb_runs.Asker, "ask", "asked")
    return done


def test_the_server_is_asked_as_soon_as_nothing_that_is_left_to_read_can_change_the_question(
    place: Place, server: WandbServer, steps: list[str]
) -> None:
    logger = {"wandb": {"id": "abcd1234", "entity": "team", "project": "ocr"}}
    for experiment in ("one", "two"):
        write(place.root / "outputs" / experiment / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
        for epoch in (2, 5):
            content = saved({"epoch": epoch, "global_step": 10 * epoch})
            write(place.root / "outputs" / experiment / "checkpoints" / f"epoch={epoch}.ckpt", content)
    assert [entry.hmean for entry in place.build()] == [0.02, 0.02, 0.05, 0.05]
    assert steps == ["read", "read", "asked", "read", "read"]
    assert server.operations["Runs"] == server.operations["RunSampledHistory"] == 1


def test_an_interruption_while_checkpoints_are_read_leaves_no_process(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fault = Fault.SILENT
    asking: list[int] = []
    plain = wandb_runs.Asker.warm

    def warm(asker: wandb_runs.Asker) -> None:
        plain(asker)
        assert asker._worker is not None
        asking.append(asker._worker.process_id)

    monkeypatch.setattr(wandb_runs.Asker, "warm", warm)
    for epoch in (2, 5):
        place.add("one", epoch, wandb_run_id="team/ocr/abcd1234")

    def interrupt(done: int, _: int) -> None:
        if done and asking:
            raise KeyboardInterrupt

    collaborators = Collaborators(cache=place.cache, progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        CheckpointCatalogBuilder(place.root / "outputs", collaborators=collaborators).build_catalog()
    assert not psutil.pid_exists(asking[0])


def test_what_was_looked_at_only_to_ask_ahead_is_not_remembered(place: Place, server: WandbServer) -> None:
    logger = {"wandb": {"id": "abcd1234", "entity": "team", "project": "ocr"}}
    for experiment, metrics in (("one", {}), ("two", {"cleval_metrics": {"hmean": 0.5}})):
        write(place.root / "outputs" / experiment / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
        for epoch in (2, 5):
            content = saved({"epoch": epoch, "global_step": 10 * epoch, **metrics})
            write(place.root / "outputs" / experiment / "checkpoints" / f"epoch={epoch}.ckpt", content)
    place.build()
    (remembered,) = place.cache._memories.values()
    memory = remembered.memory
    assert set(memory.dependencies) == {path for one in memory.answers.values() for path in one.dependencies}
    assert server.operations["Runs"] == 1


def test_a_checkpoint_that_may_name_another_run_is_waited_for(
    place: Place, server: WandbServer, steps: list[str]
) -> None:
    place.add("one", 2, wandb_run_id="team/ocr/abcd1234")
    place.add("one", 5, wandb_run_id="team/ocr/gone0000")
    assert [entry.hmean for entry in place.build()] == [0.02, None]
    assert steps == ["read", "read", "asked"]
    assert server.operations["Runs"] == 1


def test_a_history_that_one_checkpoint_alone_needs_is_asked_for_whichever_is_read_first(
    place: Place, server: WandbServer
) -> None:
    logger = {"wandb": {"id": "abcd1234", "entity": "team", "project": "ocr"}}
    write(place.root / "outputs" / "one" / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
    write(place.root / "outputs" / "one" / "checkpoints" / "early.ckpt", b"x")
    content = saved({"epoch": 5, "global_step": 50})
    write(place.root / "outputs" / "one" / "checkpoints" / "later.ckpt", content)
    assert {entry.checkpoint_path.name: entry.hmean for entry in place.build()} == {
        "early.ckpt": 0.09,
        "later.ckpt": 0.05,
    }
    assert server.operations["Runs"] == server.operations["RunSampledHistory"] == 1


def test_a_run_of_the_hydra_config_counts_and_is_made_whole_by_what_stands_beside_it(
    place: Place, server: WandbServer
) -> None:
    place.add("one", 3)
    logger = {"wandb": {"id": "abcd1234", "entity": "team", "project": "ocr"}}
    write(place.root / "outputs" / "one" / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
    assert [entry.hmean for entry in place.build()] == [0.03]
    assert server.operations["Runs"] == 1


@pytest.mark.usefixtures("server")
def test_a_bare_id_is_a_problem_that_says_what_to_set(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.add("one", 3, wandb_run_id="abcd1234")
    (problem,) = place.problems()
    assert "WANDB_ENTITY" in str(problem)
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_PROJECT", "ocr")
    assert place.problems() == []
    assert [entry.hmean for entry in place.build()] == [0.03]


def test_a_run_that_had_not_finished_is_asked_again_after_a_minute(place: Place, server: WandbServer) -> None:
    running = replace(RUN, state="running", summary={"val/hmean": 0.5}, history=())
    server.schema = Schema((running,))
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    assert [entry.hmean for entry in place.build()] == [0.5]
    server.schema = Schema((replace(running, state="finished", summary={"val/hmean": 0.6}),))
    for later_ns, hmean in ((0, 0.5), (EXPIRES_NS, 0.6), (100 * EXPIRES_NS, 0.6)):
        assert [entry.hmean for entry in place.build(later_ns=later_ns)] == [hmean]
    assert server.operations["Runs"] == 2


def test_a_run_that_crashed_may_go_on_and_is_asked_again_after_an_hour(
    place: Place, server: WandbServer
) -> None:
    server.schema = Schema((replace(RUN, state="crashed", summary={"val/hmean": 0.5}, history=()),))
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    assert [entry.hmean for entry in place.build()] == [0.5]
    server.schema = Schema((replace(RUN, summary={"val/hmean": 0.6}, history=()),))
    for later_ns, hmean in ((2 * EXPIRES_NS, 0.5), (INTERRUPTED_EXPIRES_NS, 0.6)):
        assert [entry.hmean for entry in place.build(later_ns=later_ns)] == [hmean]


def test_a_history_that_came_too_late_is_a_problem_and_asked_for_again(
    place: Place, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    place.add("warm", 1, wandb_run_id="team/ocr/abcd1234", training=None)
    place.build()  # the client has introduced itself
    server.operations.clear()
    server.answered_first, server.fault = 1, Fault.SILENT
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    late = place.build(deadline_s=3.0)
    assert own(late).provenance["hmean"] == "wandb-summary"
    assert "wandb" in {problem.source for problem in late.problems}
    assert "no answer within 3 s" in caplog.text
    server.fault = None
    again = place.build(later_ns=EXPIRES_NS)
    assert (own(again).hmean, own(again).provenance["hmean"]) == (0.03, "wandb-history")


def own(catalog: CheckpointCatalog) -> CheckpointCatalogEntry:
    """The entry of the checkpoint that knows its epoch."""
    return next(entry for entry in catalog if entry.exp_name == SIDECAR["exp_name"] and entry.epochs == 3)


def test_a_checkpoint_that_tells_neither_epoch_nor_step_is_told_the_runs_summary_alone(
    place: Place, server: WandbServer
) -> None:
    folder = place.root / "outputs" / "one" / "checkpoints"
    write(folder / "best.ckpt", b"x")
    untold = without(SIDECAR, "metrics", "training")
    write(folder / "best.metadata.yaml", untold | {"wandb_run_id": "team/ocr/abcd1234"})
    (entry,) = place.build().entries
    assert (entry.hmean, entry.provenance["hmean"]) == (0.09, "wandb-summary")
    assert server.operations == {"Viewer": 1, "Runs": 1}


def test_checkpoints_whose_names_alone_tell_their_moment_get_their_own_values(
    place: Place, server: WandbServer
) -> None:
    logger = {"wandb": {"id": "abcd1234", "entity": "team", "project": "ocr"}}
    experiment = place.root / "outputs" / "one"
    write(experiment / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
    for epoch in (2, 5):
        (experiment / "checkpoints" / f"epoch={epoch}-step={10 * epoch}.ckpt").mkdir(parents=True)
    write(experiment / "checkpoints" / "epoch=7-step=70.ckpt", b"damaged")
    assert [(entry.hmean, entry.provenance["hmean"]) for entry in place.build()] == [
        (0.02, "wandb-history"),
        (0.05, "wandb-history"),
        (0.07, "wandb-history"),
    ]
    assert server.operations["RunSampledHistory"] == 1


def test_numbers_that_are_none_are_told_in_one_line_for_all_runs_that_lack_something_by_them(
    place: Place, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    spoiled = {"val/hmean": math.nan, "val/recall": "Infinity", "val/precision": 0.25}
    runs = [replace(RUN, run_id=name, summary=spoiled, history=()) for name in ("one00000", "two00000")]
    server.schema = Schema((*runs, RUN))
    for run in runs:
        place.add(run.run_id, 3, wandb_run_id=f"team/ocr/{run.run_id}")
    place.add("local", 3, wandb_run_id="team/ocr/local000")
    files = place.root / "outputs" / "wandb" / "offline-run-20250131_101010-local000" / "files"
    write(files / "wandb-summary.json", '{"val/hmean": NaN, "val/recall": 0.5, "val/precision": 0.5}')
    place.add("sound", 3, wandb_run_id="team/ocr/abcd1234")
    told = {entry.checkpoint_path.parts[-3]: (entry.hmean, entry.recall) for entry in place.build()}
    assert told == {
        "local": (None, 0.5),
        "one00000": (None, None),
        "two00000": (None, None),
        "sound": (0.03, 0.5),
    }
    (line,) = [record.getMessage() for record in caplog.records if "NaN" in record.getMessage()]
    assert "for 3 checkpoints: val/hmean, val/recall (log finite values" in line


def test_a_number_that_is_none_is_no_loss_where_another_source_tells_its_field(
    place: Place, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.schema = Schema((replace(RUN, summary={**RUN.summary, "val/hmean": math.nan}),))
    place.add("history", 3, wandb_run_id="team/ocr/abcd1234")
    place.add("sidecar", 50, wandb_run_id="team/ocr/abcd1234", metrics={"hmean": 0.75})
    assert [entry.hmean for entry in place.build()] == [0.03, 0.75]
    assert place.problems() == []
    assert not caplog.records


def near_run(place: Place, name: str, summary: dict[str, float]) -> None:
    """A checkpoint that names no run, and a run's folder that was made two seconds after the experiment's."""
    experiment = "tag-dbnet-resnet18_training_20250101_101010"
    place.add(experiment, 3)
    write(place.root / "outputs" / experiment / "wandb" / name / "files" / "wandb-summary.json", summary)


def test_a_run_that_only_its_folder_names_is_asked_for_what_the_folder_leaves_untold(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    near_run(place, "run-20250101_101012-abcd1234", {"val/recall": 0.75})
    (problem,) = place.problems()
    assert "WANDB_ENTITY and WANDB_PROJECT" in str(problem)
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_PROJECT", "ocr")
    (entry,) = place.build().entries
    assert (entry.hmean, entry.recall, entry.precision) == (0.03, 0.75, 0.25)
    assert entry.provenance["hmean"] == "wandb-history"
    assert server.operations["Runs"] == 1


def test_a_run_that_was_kept_offline_is_not_asked_for_by_its_folders_name(
    place: Place, server: WandbServer
) -> None:
    near_run(place, "offline-run-20250101_101012-abcd1234", {"val/recall": 0.75})
    assert place.problems() == []
    assert [entry.recall for entry in place.build()] == [0.75]
    assert server.operations.total() == 0


def test_a_bare_id_is_made_whole_by_the_settings_file(place: Place, server: WandbServer) -> None:
    place.add("one", 3, wandb_run_id="abcd1234")
    assert len(place.problems()) == 1
    settings = Path(os.environ["WANDB_CONFIG_DIR"]) / "settings"
    write(settings, b"[default]\nentity = team\nproject = ocr\n")
    assert [entry.hmean for entry in place.build()] == [0.03]
    assert server.operations["Runs"] == 1


def test_a_settings_file_that_comes_to_say_something_else_is_noticed(place: Place, server: WandbServer) -> None:
    server.schema = Schema((RUN, replace(RUN, project="second", history=(), summary={"val/hmean": 0.7})))
    place.add("one", 3, wandb_run_id="abcd1234")
    settings = Path(os.environ["WANDB_CONFIG_DIR"]) / "settings"
    for project, hmean in (("ocr", 0.03), ("second", 0.7)):
        write(settings, f"[default]\nentity = team\nproject = {project}\n")
        assert [entry.hmean for entry in place.build()] == [hmean]


def test_a_name_that_hydra_has_still_to_fill_in_is_none(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.add("one", 3, wandb_run_id="abcd1234")
    place.add("two", 3)
    logger = {"wandb": {"id": "${run_id}", "entity": "${team}", "project": "${project_name}"}}
    for experiment in ("one", "two"):
        write(place.root / "outputs" / experiment / ".hydra" / "config.yaml", HYDRA | {"logger": logger})
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_PROJECT", "ocr")
    told = {entry.checkpoint_path.parts[-3]: entry.hmean for entry in place.build()}
    assert told == {"one": 0.03, "two": None}
    assert server.operations["Runs"] == 1


def test_a_checkpoint_in_a_folder_of_its_own_finds_the_runs_of_its_experiment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    experiment = "tag-dbnet-resnet18_training_20250101_101010"
    near_run(place, "run-20250101_101012-abcd1234", {"val/recall": 0.75})
    folder = place.root / "outputs" / experiment / "checkpoints"
    (folder / "deeper").mkdir()
    for path in list(folder.glob("epoch=3.*")):
        path.rename(folder / "deeper" / path.name)
    assert [entry.recall for entry in place.build()] == [0.75]


def test_a_local_summary_without_its_log_does_not_speak_for_a_checkpoint_whose_history_the_server_has(
    place: Place, server: WandbServer
) -> None:
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234", model={"architecture": "pan", "encoder": "x"})
    name = "run-20250101_101012-abcd1234"
    last = {f"val/{metric}": 0.9 for metric in ("hmean", "precision", "recall")}
    write(place.root / "outputs" / "wandb" / name / "files" / "wandb-summary.json", last)
    (entry,) = place.build().entries
    assert (entry.hmean, entry.provenance["hmean"]) == (0.03, "wandb-history")
    assert (entry.recall, entry.provenance["recall"]) == (0.9, "wandb-summary")
    assert server.operations["Runs"] == 1


@pytest.mark.parametrize("outputs", ["tag_2025-01-01_10-10-10", "2025-01-01/10-10-10", "2025-01-01"])
def test_an_experiment_is_known_by_its_time_where_its_folder_or_its_dates_is_the_outputs_directory(
    outputs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    experiment = tmp_path / outputs / ("10-10-10" if outputs == "2025-01-01" else "")
    write(experiment / "checkpoints" / "epoch=3.ckpt", b"x")
    files = experiment / "wandb" / "run-20250101_101012-abcd1234" / "files"
    write(files / "wandb-summary.json", {"val/hmean": 0.5})
    monkeypatch.chdir(tmp_path)
    for given in (tmp_path / outputs, Path(outputs)):
        catalog = CheckpointCatalogBuilder(given, use_cache=False).build_catalog()
        assert [entry.hmean for entry in catalog] == [0.5]


def test_a_run_beside_a_link_to_the_outputs_is_found_from_below_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    Place(tmp_path / "big").add("one", 3, wandb_run_id="team/ocr/abcd1234")
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "outputs").symlink_to(tmp_path / "big" / "outputs")
    (tmp_path / "alias").symlink_to(tmp_path / "project")
    files = tmp_path / "project" / "wandb" / "run-20250101_101012-abcd1234" / "files"
    write(files / "wandb-summary.json", {"val/hmean": 0.5})
    monkeypatch.chdir(tmp_path / "project" / "notebooks")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "alias" / "notebooks" / ".."))
    for given in ("../outputs", str(tmp_path / "alias" / "outputs")):
        catalog = CheckpointCatalogBuilder(given, use_cache=False).build_catalog()
        assert [entry.hmean for entry in catalog] == [0.5]
        places = run_places(given, str(tmp_path), os.environ["WANDB_DIR"])
        assert len({os.path.realpath(place) for place in places}) == len(places)


@pytest.mark.parametrize("place_of_runs", ["real", "real/outputs", "real/outputs/one", "chosen"])
@pytest.mark.parametrize("given", ["real/outputs", "link/../outputs"])
def test_a_run_is_found_at_each_place_where_runs_are_kept(
    place_of_runs: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "chosen"))
    (tmp_path / "real" / "deeper").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deeper")
    Place(tmp_path / "real").add("one", 3, wandb_run_id="team/ocr/abcd1234")
    files = tmp_path / place_of_runs / "wandb" / "run-20250101_101012-abcd1234" / "files"
    write(files / "wandb-summary.json", {"val/hmean": 0.5})
    catalog = CheckpointCatalogBuilder(f"{tmp_path}/{given}", use_cache=False).build_catalog()
    assert [entry.hmean for entry in catalog] == [0.5]


def test_nothing_is_asked_when_switched_off_or_when_nothing_is_missing(
    place: Place, server: WandbServer
) -> None:
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    place.add("two", 3, wandb_run_id="team/ocr/abcd1234", metrics=SIDECAR["metrics"])
    assert [entry.hmean for entry in place.build(use_wandb=False)] == [None, 0.85]
    (place.root / "outputs" / "one" / "checkpoints" / "epoch=3.ckpt").unlink()
    assert [entry.hmean for entry in place.build()] == [0.85]
    assert server.operations.total() == 0


def test_a_missing_run_is_a_problem_and_its_checkpoint_is_listed(place: Place, server: WandbServer) -> None:
    place.add("one", 3, wandb_run_id="team/ocr/gone0000")
    catalog = place.build()
    assert [entry.hmean for entry in catalog] == [None]
    assert "wandb" in {problem.source for problem in catalog.problems}
    assert server.operations["Runs"] == 1


def test_without_a_key_a_key_that_appears_is_noticed(
    place: Place, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    key = os.environ["WANDB_API_KEY"]
    monkeypatch.delenv("WANDB_API_KEY")
    assert [entry.hmean for entry in place.build()] == [None]
    assert server.operations.total() == 0
    host = server.url.removeprefix("http://")
    credentials = os.environ.get("NETRC") or os.path.join(os.environ["HOME"], ".netrc")
    write(Path(credentials), f"machine {host}\nlogin user\npassword {key}\n")
    assert place.build().entries[0].hmean == 0.03


def test_a_local_run_answers_without_a_key_and_one_that_appears_is_noticed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    experiment = "tag-dbnet-resnet18_training_20250101_101010"
    place.add(experiment, 3)
    assert [entry.hmean for entry in place.build()] == [None]
    files = place.root / "outputs" / experiment / "wandb" / "run-20250101_101012-abcd1234" / "files"
    write(files / "wandb-summary.json", {"val/hmean": 0.5})
    (entry,) = place.build().entries
    assert (entry.hmean, entry.provenance["hmean"], entry.has_metadata) == (0.5, "wandb-summary", True)
    write(files / "wandb-summary.json", {"val/hmean": 0.6})
    assert place.build().entries[0].hmean == 0.6


def test_a_runs_own_folder_is_read_once_for_all_its_checkpoints(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for epoch in (1, 2, 3):
        place.add("one", epoch, wandb_run_id="team/ocr/abcd1234")
    name = "run-20250101_101012-abcd1234"
    write(place.root / "outputs" / "wandb" / name / "files" / "wandb-summary.json", {"val/recall": 0.75})
    read: list[str] = []

    def count(run: LocalRun, *, with_history: bool, absent: Container[str]) -> RunRecord:
        read.append(run.run_id)
        return read_local_run(run, with_history=with_history, absent=absent)

    monkeypatch.setattr(wandb_local, "read_local_run", count)
    assert [entry.recall for entry in place.build()] == [0.75] * 3
    assert read == ["abcd1234"]


def test_a_start_that_one_experiment_alone_knows_of_tells_nothing_of_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for experiment in ("one", "two"):
        place.add(experiment, 3, wandb_run_id="team/ocr/abcd1234")
    files = "wandb/run-20250101_101012-abcd1234/files/wandb-summary.json"
    write(place.root / "outputs" / files, {"val/recall": 0.75})
    write(place.root / "outputs" / "one" / files, {"val/precision": 0.25})
    told = {entry.checkpoint_path.parts[-3]: (entry.precision, entry.recall) for entry in place.build()}
    assert told == {"one": (0.25, 0.75), "two": (None, 0.75)}


def test_what_came_where_nothing_had_stood_is_not_believed_when_it_is_gone_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234")
    files = place.root / "outputs" / "wandb" / "run-20250101_101012-abcd1234" / "files"
    files.mkdir(parents=True)
    late = files / "wandb-summary.json"

    def stat(path: str) -> os.stat_result:
        is_there = os.path.exists(path)
        if path == str(late) and not is_there:
            write(late, {"val/recall": 0.75})  # between its signature, of nothing, and its reading
            raise FileNotFoundError(path)
        return os.stat(path)

    collaborators = Collaborators(files=msgspec.structs.replace(in_a_while(), stat=stat), cache=place.cache)
    CheckpointCatalogBuilder(place.root / "outputs", collaborators=collaborators).build_catalog()
    late.unlink()
    assert [entry.recall for entry in place.build()] == [None]


def test_control_characters_of_a_server_reach_no_terminal(
    place: Place, server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    steering = "pan\x1b[2J\x9b31m\u202e"
    server.schema = Schema((replace(RUN, config={"model": {"architecture": steering}}),))
    place.add("one", 3, wandb_run_id="team/ocr/abcd1234", model=None)
    assert [entry.architecture for entry in place.build()] == [steering]
    assert cli.main(["list", str(place.root / "outputs")]) == 0
    shown = capsys.readouterr().out
    assert r"pan\u001b[2J\u009b31m\u202e" in shown
    assert all(line.isprintable() for line in shown.splitlines())
