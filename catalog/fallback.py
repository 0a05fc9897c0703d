"""The last resort: which W&B run a checkpoint belongs to, and what that run tells about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.contract import WANDB_SOURCES, Source, accept_text, accept_whole
from catalog.evidence import Document
from catalog.merge import merge
from catalog.records import Problem
from catalog.run_ids import RunIdError, complete_run_id, is_told
from catalog.run_records import EXPIRES_NS, run_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.evidence import Evidence
    from catalog.run_ids import RunId
    from catalog.run_records import RunRecord
    from catalog.wandb_credentials import Access
    from catalog.wandb_local import LocalRun


class _Reference(NamedTuple):
    """Where a run is named: its id as written, what stands beside it, and the file it stands in."""

    run_id: str
    entity: object
    project: object
    path: str


@dataclass(slots=True)
class RunAsker:
    """Finds the runs of many checkpoints, asks for all of them at once, and fills each evidence's `runs`.

    `environ` tells entity, project, key and `WANDB_DIR`; `deadline_s` bounds the whole asking.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    deadline_s: float = 10.0
    _local: dict[str, tuple[LocalRun, ...]] = field(default_factory=dict)
    _matches: dict[tuple[str, str | None], LocalRun | None] = field(default_factory=dict)
    _local_records: dict[tuple[LocalRun, bool], RunRecord] = field(default_factory=dict)
    _access: Access | None = None

    def ask(self, wanting: Sequence[Evidence]) -> dict[str, int]:
        """Give each evidence what its run says; the answer maps the paths of those to ask again to a delay.

        The delay is in ns; it is set where a run was still running, or could not be reached. Raises nothing:
        what cannot be found is a problem of the evidence.
        """
        remote: dict[RunId, list[Evidence]] = {}
        for evidence in wanting:
            reference = _reference(evidence)
            run = self._local_run(evidence, reference)
            if run is not None:
                self._read_local_run(run, evidence)
                reference = reference or self._reference_of(run, evidence)
            if reference is not None and (run is None or self._lacks_something(run, evidence)):
                self._want(evidence, reference, remote)
        return self._fetch(remote) if remote else {}

    def _want(self, evidence: Evidence, reference: _Reference, remote: dict[RunId, list[Evidence]]) -> None:
        access = self._find_access()
        evidence.depend(access.settings_file)  # it may tell entity, project and address
        try:
            run_id = complete_run_id(
                reference.run_id, entity=reference.entity, project=reference.project, environ=access.environ
            )
        except RunIdError as error:
            _fail(evidence, reference.path, error.expected, error.found, error.remedy)
        else:
            remote.setdefault(run_id, []).append(evidence)
            if access.can_ask:
                return
        evidence.depend(*access.files)

    def _fetch(self, remote: Mapping[RunId, Sequence[Evidence]]) -> dict[str, int]:
        if not self._find_access().can_ask:
            return {}
        from catalog.wandb_runs import fetch_runs

        with_history = {run_id for run_id, asking in remote.items() if any(map(_has_moment, asking))}
        fetched = fetch_runs(
            remote.keys(), with_history=with_history, deadline_s=self.deadline_s, environ=self.environ
        )
        delays: dict[str, int] = {}
        for run_id, record in fetched.runs.items():
            for evidence in remote[run_id]:
                _fill(evidence, record)
                if record.expires_ns is not None:
                    delays[evidence.path] = record.expires_ns
        for failure in fetched.failures:
            for evidence in remote[failure.run_id]:
                _fail(evidence, evidence.path, f"the W&B run {failure.run_id}", failure.found, failure.remedy)
                delays[evidence.path] = EXPIRES_NS
        return delays

    def _local_run(self, evidence: Evidence, reference: _Reference | None) -> LocalRun | None:
        """The run's own folder, if there is one; the answer depends on which there are."""
        from catalog.wandb_local import match_local_run, wandb_folders

        experiment = _experiment_folder(evidence.folder)
        places = self._places(evidence, experiment)
        evidence.depend(*(folder for place in places for folder in wandb_folders(place)))
        run_id = reference.run_id.rpartition("/")[2] if reference else None
        if (experiment, run_id) not in self._matches:
            runs = [run for place in places for run in self._runs_at(place, evidence)]
            found = match_local_run(runs, run_id=run_id, experiment_name=experiment)
            self._matches[experiment, run_id] = found
        return self._matches[experiment, run_id]

    def _runs_at(self, place: str, evidence: Evidence) -> tuple[LocalRun, ...]:
        """The runs that stand at one place, looked for once: most places are those of many experiments."""
        from catalog.wandb_local import find_local_runs, wandb_folders

        if place not in self._local:
            folders = wandb_folders(place)
            absent = evidence.reader.absent(folders)
            self._local[place] = find_local_runs(folder for folder in folders if folder not in absent)
        return self._local[place]

    def _read_local_run(self, run: LocalRun, evidence: Evidence) -> None:
        """Take over what a run's own folder says; the answer then depends on its files."""
        from catalog.wandb_local import read_local_run

        evidence.depend(*run.files)
        # Not the folder alone: another experiment may know of other starts of the same run.
        key = (run, _has_moment(evidence))
        if key not in self._local_records:
            absent = evidence.reader.absent(run.files)
            self._local_records[key] = read_local_run(run, with_history=key[1], absent=absent)
        _fill(evidence, self._local_records[key])

    def _lacks_something(self, run: LocalRun, evidence: Evidence) -> bool:
        """Whether a run's own folder, half written perhaps, left something for the server to tell.

        So does one without its whole log, where a summary speaks for a checkpoint that has a moment of its own.
        """
        evidence.is_run_wanted = False
        answer = merge(evidence)
        if evidence.is_run_wanted:
            return True
        has_moment = _has_moment(evidence)
        if not has_moment or self._local_records[run, has_moment].is_history_whole:
            return False
        told = answer.entry.provenance.values() if answer.entry else ()
        return Source.WANDB_SUMMARY.value in told

    def _reference_of(self, run: LocalRun, evidence: Evidence) -> _Reference | None:
        """The run that a folder's name tells, where its server can be asked and need know of it."""
        if run.is_offline:
            return None
        access = self._find_access()
        if not access.can_ask:
            evidence.depend(*access.files)
            return None
        beside = _logger(evidence)
        return _Reference(run.run_id, beside.get("entity"), beside.get("project"), run.folder)

    def _find_access(self) -> Access:
        """How W&B can be asked, looked up once."""
        from catalog.wandb_credentials import find_access

        if self._access is None:
            self._access = find_access(self.environ)
        return self._access

    def _places(self, evidence: Evidence, experiment: str) -> tuple[str, ...]:
        """The folders that may hold a `wandb` folder: experiment, outputs, the one above, `WANDB_DIR`."""
        tree = evidence.reader.tree
        root = os.path.abspath(tree.root)
        own = os.path.abspath(tree.absolute(experiment))
        places = [own, root, os.path.dirname(root)]
        if chosen := self.environ.get("WANDB_DIR"):
            places.append(os.path.abspath(chosen))
        return tuple(dict.fromkeys(places))


def _experiment_folder(folder: str) -> str:
    """The folder that belongs to a checkpoint's experiment: above the nearest `checkpoints`, else its own."""
    above, found, _ = f"/{folder}/".rpartition("/checkpoints/")
    return above[1:] if found else folder


def _reference(evidence: Evidence) -> _Reference | None:
    """The run that the sidecar names, else the one of the Hydra config."""
    for document in _believed(evidence, Source.SIDECAR):
        run_id = accept_text(document.content.get("wandb_run_id"))
        if is_told(run_id):
            beside = _logger(evidence)
            return _Reference(run_id, beside.get("entity"), beside.get("project"), document.path)
    run_id = accept_text(_logger(evidence).get("id"))
    if is_told(run_id):
        logger = _logger(evidence)
        return _Reference(
            run_id, logger.get("entity"), logger.get("project"), evidence.hydra_config_path() or ""
        )
    return None


def _believed(evidence: Evidence, source: Source) -> Iterator[Document]:
    return (document for document in evidence.documents(source) if isinstance(document, Document))


def _logger(evidence: Evidence) -> Mapping[Any, Any]:
    """`logger.wandb` of the Hydra config."""
    wanted = evidence.hydra_config_path()
    for document in _believed(evidence, Source.CONFIG):
        if document.path == wanted:
            logger = document.content.get("logger")
            wandb = logger.get("wandb") if isinstance(logger, dict) else None
            return wandb if isinstance(wandb, dict) else {}
    return {}


def _moment(evidence: Evidence) -> tuple[int | None, int | None]:
    """The checkpoint's own epoch and global step, as far as the sidecar or the checkpoint tells them."""
    epoch = step = None
    for document in _believed(evidence, Source.SIDECAR):
        training = document.content.get("training")
        if isinstance(training, dict):
            epoch, step = _whole(training.get("epoch")), _whole(training.get("global_step"))
    if epoch is None or step is None:
        for document in _believed(evidence, Source.CHECKPOINT):
            epoch = _whole(document.content.get("epoch")) if epoch is None else epoch
            step = _whole(document.content.get("global_step")) if step is None else step
    return epoch, step


def _has_moment(evidence: Evidence) -> bool:
    return any(one is not None for one in _moment(evidence))


def _whole(value: object) -> int | None:
    accepted = accept_whole(value)
    return accepted if isinstance(accepted, int) else None


def _fill(evidence: Evidence, record: RunRecord) -> None:
    from catalog.config import chosen_callback

    epoch, global_step = _moment(evidence)
    history, summary, config = run_documents(record, epoch=epoch, global_step=global_step)
    chosen = {**config, "callbacks": chosen_callback(config)}
    told = {Source.WANDB_HISTORY: history, Source.WANDB_SUMMARY: summary, Source.WANDB_CONFIG: chosen}
    evidence.runs = {
        source: (*evidence.runs.get(source, ()), Document(evidence.path, content))
        for source, content in told.items()
    }


def _fail(evidence: Evidence, path: str, expected: str, found: str, remedy: str) -> None:
    problem = Problem(
        path=Path(evidence.reader.tree.absolute(path)),
        source="wandb",
        key="run",
        expected=expected,
        found=found,
        remedy=remedy,
    )
    evidence.runs = {source: (*evidence.runs.get(source, ()), problem) for source in WANDB_SOURCES}
