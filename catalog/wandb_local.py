"""Facts of W&B runs from their own folders: what the client wrote there, with no network and no key."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.run_records import RunRecord


@dataclass(frozen=True, slots=True)
class LocalRun:
    """One local run: its id, its folder, when it was started (local wall clock), whether W&B was offline."""

    run_id: str
    folder: str
    started_at: dt.datetime
    is_offline: bool


def find_local_runs(folders: Iterable[str]) -> tuple[LocalRun, ...]:
    """The runs below the `wandb` folders of `folders`, or in `folders` themselves; unreadable ones have none."""
    raise NotImplementedError


def match_local_run(runs: Iterable[LocalRun], *, run_id: str | None, experiment_name: str) -> LocalRun | None:
    """The run of an experiment: by id, else by the time stamps in both names."""
    raise NotImplementedError


def read_local_run(run: LocalRun) -> RunRecord:
    """What a local run's files tell; a missing or half-written file tells nothing. Raises nothing."""
    raise NotImplementedError
