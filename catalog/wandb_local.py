"""Facts of W&B runs from their own folders: what the client wrote there, with no network and no key."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from catalog.documents import DocumentError, read_document
from catalog.keys import absolute_path
from catalog.run_records import LOCAL, RunRecord, plain_config, plain_summary
from catalog.wandb_log import RunLog, read_run_log, read_run_place

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

NEAR_S: Final = 5.0

_RUN_FOLDER: Final = re.compile(r"(offline-)?run-(\d{8}_\d{6})-(.+)", re.ASCII)
_WANDB_FOLDERS: Final = ("wandb", ".wandb")
_VERSION: Final = re.compile(r"(/lightning_logs)?/version_\d+\Z", re.ASCII)
_STAMP: Final = re.compile(
    r"(?<!\d)(\d{4})[-_]?(\d\d)[-_]?(\d\d)[-_/T ]?(\d\d)[-_:]?(\d\d)[-_:]?(\d\d)(?!\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class LocalRun:
    """One local run: its id, its folder, when it was started (wall clock), whether W&B was offline then.

    A run that was resumed has a folder for each start; `earlier` holds those before this one.
    """

    run_id: str
    folder: str
    started_at: dt.datetime
    is_offline: bool
    earlier: tuple[LocalRun, ...] = ()

    @property
    def config_path(self) -> str:
        """Where the run's config may stand."""
        return os.path.join(self.folder, "files", "config.yaml")

    @property
    def summary_path(self) -> str:
        """Where the run's last summary may stand."""
        return os.path.join(self.folder, "files", "wandb-summary.json")

    @property
    def log_path(self) -> str:
        """Where the client's own log of the run may stand."""
        return os.path.join(self.folder, f"run-{self.run_id}.wandb")

    @property
    def files(self) -> tuple[str, ...]:
        """All files that an answer may come from, those of earlier starts too."""
        own = (self.config_path, self.summary_path, self.log_path)
        return sum((run.files for run in self.earlier), start=()) + own


def wandb_folders(*places: str) -> tuple[str, ...]:
    """Where the folders of runs may stand in some places."""
    return tuple(os.path.join(place, name) for place in places for name in _WANDB_FOLDERS)


def experiment_folder(outputs_dir: str, folder: str) -> str:
    """The absolute path of the experiment that a checkpoint in `folder` belongs to.

    It is the folder above the nearest `checkpoints` below the outputs directory, else the checkpoint's own.
    """
    above, found, _ = f"/{folder}/".rpartition("/checkpoints/")
    experiment = above[1:] if found else folder
    return os.path.join(absolute_path(outputs_dir), experiment) if experiment else absolute_path(outputs_dir)


def run_places(outputs_dir: str, experiment: str, wandb_dir: str | None) -> tuple[str, ...]:
    """The folders that may hold a `wandb` folder: experiment, outputs, the one above, `WANDB_DIR`."""
    root = absolute_path(outputs_dir)
    chosen = (absolute_path(wandb_dir),) if wandb_dir else ()
    places = (experiment, root, os.path.dirname(root), *chosen)
    if os.pardir in f"{outputs_dir}/{wandb_dir}".split("/"):  # links were followed: a place may have two names
        return tuple({os.path.realpath(place): place for place in reversed(places)}.values())[::-1]
    return tuple(dict.fromkeys(places))


def find_local_runs(folders: Iterable[str]) -> tuple[LocalRun, ...]:
    """The runs in some `wandb_folders`; a folder that is not there or refuses has none."""
    found = {run.folder: run for folder in folders for run in _runs_in(folder)}
    return tuple(sorted(found.values(), key=lambda run: (run.started_at, run.folder)))


def match_local_run(runs: Iterable[LocalRun], *, run_id: str | None, experiment_name: str) -> LocalRun | None:
    """The run of an experiment, named by its folder's path, of which its own name and the one above it count.

    By id where one is known, or is the folder's name, as W&B's own logger has it. Else by the time stamps in
    the two folders' names, which must lie within `NEAR_S` seconds of each other, and exactly one run that near.
    The folder's name is its own, a date alone above it included, and what Lightning's other loggers put below
    it left out: the jobs of a sweep, or the folds of an experiment, have no stamp in common with a run.
    """
    known = list(runs)
    if run_id is None:
        own_name = experiment_name.rpartition("/")[2]
        run_id = next((run.run_id for run in known if run.run_id == own_name), None)
    if run_id is None:
        experiment_name = _VERSION.sub("", experiment_name)
        started_at = _stamp_in(experiment_name, from_position=experiment_name.rfind("/") + 1)
        if started_at is None:
            return None
        near = {run.run_id for run in known if abs((run.started_at - started_at).total_seconds()) <= NEAR_S}
        if len(near) != 1:
            return None
        run_id = near.pop()
    starts = sorted(
        (run for run in known if run.run_id == run_id), key=lambda run: (run.started_at, run.folder)
    )
    return replace(starts[-1], earlier=tuple(starts[:-1])) if starts else None


def is_of_another(run: LocalRun, entity: str | None, project: str | None) -> bool:
    """Whether a run's own log tells another entity or project than is asked for; `None` asks for any."""
    try:
        own = read_run_place(run.log_path)
    except OSError:
        return False
    return any(
        asked and told and asked.strip().casefold() != told.strip().casefold()
        for asked, told in zip((entity, project), own, strict=True)
    )


def read_local_run(run: LocalRun, *, with_history: bool = False, absent: Container[str] = ()) -> RunRecord:
    """What a run's own files tell. Raises nothing: what is missing or half written tells nothing.

    The readable files come first; the client's log fills in what they lack, and alone holds the history.
    `absent` files are not looked for.
    """
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    history: list[Mapping[str, Any]] = []
    is_whole = True
    for start in (*run.earlier, run):
        told = _read_start(start, with_history, absent)
        config.update(told.config)
        summary.update(told.summary)
        history += told.history
        is_whole = is_whole and told.is_history_whole
    return RunRecord(
        state=LOCAL, config=config, summary=summary, history=tuple(history), is_history_whole=is_whole
    )


def _read_start(run: LocalRun, with_history: bool, absent: Container[str]) -> RunRecord:
    config = plain_config(None if run.config_path in absent else _read(run.config_path))
    summary = plain_summary(None if run.summary_path in absent else _read(run.summary_path))
    if config and summary and not with_history:
        return RunRecord(config=config, summary=summary)
    log = RunLog(is_whole=False) if run.log_path in absent else _read_log(run.log_path)
    return RunRecord(
        config=config or log.config,
        summary=summary or log.last_summary,
        history=tuple(log.history),
        is_history_whole=log.is_whole,
    )


def _runs_in(folder: str) -> Iterator[LocalRun]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in names:
        found = _RUN_FOLDER.fullmatch(name)
        started_at = _stamp_in(found[2]) if found else None
        if found and started_at:
            yield LocalRun(found[3], os.path.join(folder, name), started_at, found[1] is not None)


def _stamp_in(text: str, from_position: int = 0) -> dt.datetime | None:
    """The last date and time that ends behind a position: `20250131_235959`, `2025-01-31/23-59-59`."""
    moment = None
    for found in _STAMP.finditer(text):
        if found.end() <= from_position:
            continue
        try:
            # Both folders are named by local time.
            moment = dt.datetime.strptime("".join(found.groups()), "%Y%m%d%H%M%S")  # noqa: DTZ007
        except ValueError:
            continue
    return moment


def _read(path: str) -> object:
    try:
        return read_document(path)
    except DocumentError:
        return None


def _read_log(path: str) -> RunLog:
    try:
        return read_run_log(path)
    except OSError:
        return RunLog(is_whole=False)
