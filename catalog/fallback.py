"""The last resort: which W&B run a checkpoint belongs to, and what that run tells about it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.contract import WANDB_SOURCES, Source, accept_text
from catalog.evidence import Document
from catalog.records import Problem
from catalog.run_ids import RunIdError, complete_run_id, is_told, told_run_id
from catalog.run_records import EXPIRES_NS, RunTeller

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from catalog.evidence import Evidence
    from catalog.merge import Merging
    from catalog.records import Answer
    from catalog.run_ids import RunId
    from catalog.run_records import RunRecord
    from catalog.wandb_credentials import Access
    from catalog.wandb_local import LocalRun
    from catalog.wandb_runs import Asker


_Told = tuple[str | None, str | None, str]


class _Match(NamedTuple):
    """The local run of an experiment, if it has one, and the logs that were looked into to tell."""

    run: LocalRun | None
    compared: tuple[str, ...]


class _Reference(NamedTuple):
    """Where a run is named: its id as written, what stands beside it, and the file it stands in."""

    run_id: str
    entity: str | None
    project: str | None
    path: str

    @property
    def told(self) -> _Told:
        """Entity, project and bare id, as far as they are told."""
        return told_run_id(self.run_id, entity=self.entity, project=self.project)


@dataclass(slots=True)
class RunAsker:
    """Finds the runs of many checkpoints, asks for all of them at once, and fills each evidence's `runs`.

    `environ` tells entity, project, key and `WANDB_DIR`; `deadline_s` bounds the waiting for the answer.
    """

    deadline_s: float
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _run_ids: dict[_Reference, RunId] = field(default_factory=dict)
    _remote: dict[RunId, list[Evidence]] = field(default_factory=dict)
    _is_asked: bool = False
    _local: dict[str, tuple[LocalRun, ...]] = field(default_factory=dict)
    _experiments: dict[str, str] = field(default_factory=dict)
    _sites: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _matches: dict[tuple[str, _Told | None], _Match] = field(default_factory=dict)
    _local_tellers: dict[tuple[LocalRun, bool], RunTeller] = field(default_factory=dict)
    _not_finite: dict[str, frozenset[str]] = field(default_factory=dict)
    _access: Access | None = None
    _asker: Asker | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is something to ask a server for."""
        return self._asker is not None

    def want(self, merging: Merging) -> None:
        """Give a checkpoint that lacks something what its run's own folder says, else note what to ask for.

        Raises nothing: what cannot be found is a problem of the evidence.
        """
        evidence = merging.evidence
        reference = _reference(evidence)
        run = self._local_run(evidence, reference)
        if run is not None:
            self._read_local_run(run, evidence)
            merging.hear_run()
            reference = reference or self._reference_of(run, evidence)
        if reference is not None and (run is None or self._lacks_something(run, merging)):
            self._want_remote(evidence, reference)

    def ask_ahead(self, unread: Iterable[Evidence]) -> None:
        """Ask now if none of the `unread` checkpoints can change the question: they can be read meanwhile."""
        if self._asker is not None and all(map(self._is_foreseen, unread)):
            self._ask(self._asker)

    def answer(self) -> dict[str, int]:
        """Fill what the server says into each evidence; maps the paths of those to ask again to a delay.

        The delay is in ns; it is set where a run was still running, or could not be reached.
        """
        if self._asker is None:
            return {}
        if not self._is_asked:
            self._ask(self._asker)
        fetched = self._asker.answer(self.deadline_s)
        delays: dict[str, int] = {}
        for run_id, record in fetched.runs.items():
            run = _teller(record)
            for evidence in self._remote[run_id]:
                self._fill(evidence, run)
                if record.expires_ns is not None:
                    delays[evidence.path] = record.expires_ns
        for failure in fetched.failures:
            for evidence in self._remote[failure.run_id]:
                _fail(evidence, evidence.path, f"the W&B run {failure.run_id}", failure.found, failure.remedy)
                delays[evidence.path] = EXPIRES_NS
        return delays

    def warn(self, answers: Mapping[str, Answer]) -> None:
        """One line for all checkpoints that would have taken a NaN or an infinity from their runs, if any."""
        lost: list[set[str]] = []
        for path, keys in self._not_finite.items():
            # What is told elsewhere is no loss: the answer has problems of what the table came to.
            unusable = {problem.key for problem in answers[path].problems if problem.source == "wandb"}
            lost += [unusable & keys] if unusable & keys else []
        if lost:
            import logging

            logging.getLogger(__name__).warning(
                "W&B: NaN or infinity for %d checkpoints: %s (log finite values, or correct the run's summary)",
                len(lost),
                ", ".join(sorted(set().union(*lost))),
            )

    def give_up(self) -> None:
        """Leave nobody asking whom nobody hears."""
        if self._asker is not None:
            self._asker.give_up()

    def _is_foreseen(self, evidence: Evidence) -> bool:
        """Whether a checkpoint's run, if it has one, is asked for whatever is still to be read of it.

        Its sidecar would have to be read for that, and perhaps makes all else needless.
        """
        if evidence.has_sidecar():
            return False
        reference = _reference(evidence)
        run = self._local_run(evidence, reference)
        if reference is None and run is not None:
            reference = self._reference_of(run, evidence)
        if reference is None:
            return True
        try:
            asking = self._remote.get(self._complete(reference, evidence), ())
        except RunIdError:
            return True
        return any(map(_has_moment, asking))

    def _want_remote(self, evidence: Evidence, reference: _Reference) -> None:
        access = self._find_access(evidence)
        evidence.depend(access.settings_file)  # it may tell entity, project and address
        try:
            run_id = self._complete(reference, evidence)
        except RunIdError as error:
            _fail(evidence, reference.path, error.expected, error.found, error.remedy)
        else:
            if access.can_ask:
                self._remote.setdefault(run_id, []).append(evidence)
                self._warm(access)
                return
        evidence.depend(*access.files)

    def _complete(self, reference: _Reference, evidence: Evidence) -> RunId:
        """A reference made whole, once for all checkpoints of a run. Raises `RunIdError`."""
        known = self._run_ids.get(reference)
        if known is None:
            known = self._run_ids[reference] = complete_run_id(
                reference.run_id,
                entity=reference.entity,
                project=reference.project,
                environ=self._find_access(evidence).environ,
            )
        return known

    def _warm(self, access: Access) -> None:
        if self._asker is None:
            from catalog.wandb_runs import Asker

            self._asker = Asker(self.environ, access.key)
            self._asker.warm()

    def _ask(self, asker: Asker) -> None:
        with_history = {run_id for run_id, asking in self._remote.items() if any(map(_has_moment, asking))}
        asker.ask(self._remote.keys(), with_history=with_history)
        self._is_asked = True

    def _local_run(self, evidence: Evidence, reference: _Reference | None) -> LocalRun | None:
        """The run's own folder, if there is one; the answer depends on which there are."""
        from catalog.wandb_local import experiment_folder, run_places, wandb_folders

        root = evidence.reader.tree.root
        if evidence.folder not in self._experiments:
            self._experiments[evidence.folder] = experiment_folder(root, evidence.folder)
        experiment = self._experiments[evidence.folder]
        if experiment not in self._sites:
            self._sites[experiment] = wandb_folders(
                *run_places(root, experiment, self.environ.get("WANDB_DIR"))
            )
        sites = self._sites[experiment]
        evidence.depend(*sites)
        named = reference and reference.told
        if (experiment, named) not in self._matches:
            runs = [run for site in sites for run in self._runs_at(site, evidence)]
            self._matches[experiment, named] = _matched(runs, experiment, named, evidence)
        match = self._matches[experiment, named]
        evidence.depend(*match.compared)
        return match.run

    def _runs_at(self, site: str, evidence: Evidence) -> tuple[LocalRun, ...]:
        """The runs in one folder, looked for once: most such folders are those of many experiments."""
        from catalog.wandb_local import find_local_runs

        if site not in self._local:
            self._local[site] = () if evidence.reader.absent([site]) else find_local_runs([site])
        return self._local[site]

    def _read_local_run(self, run: LocalRun, evidence: Evidence) -> None:
        """Take over what a run's own folder says; the answer then depends on its files."""
        from catalog.wandb_local import read_local_run

        evidence.depend(*run.files)
        # Not the folder alone: another experiment may know of other starts of the same run.
        key = (run, _has_moment(evidence))
        if key not in self._local_tellers:
            absent = evidence.reader.absent(run.files)
            told = read_local_run(run, with_history=key[1], absent=absent)
            self._local_tellers[key] = _teller(told)
        self._fill(evidence, self._local_tellers[key])

    def _fill(self, evidence: Evidence, run: RunTeller) -> None:
        """Add what a run says to the evidence of one of its checkpoints."""
        told = run.about(*evidence.moment())
        documents = zip((Source.WANDB_HISTORY, Source.WANDB_SUMMARY, Source.WANDB_CONFIG), told, strict=True)
        evidence.runs = {
            source: (*evidence.runs.get(source, ()), Document(evidence.path, content))
            for source, content in documents
        }
        if keys := told.not_finite():
            self._not_finite[evidence.path] = keys

    def _lacks_something(self, run: LocalRun, merging: Merging) -> bool:
        """Whether a run's own folder, half written perhaps, left something for the server to tell.

        So does one without its whole log, where a summary speaks for a checkpoint that has a moment of its own.
        """
        if merging.is_run_wanted:
            return True
        has_moment = _has_moment(merging.evidence)
        if not has_moment or self._local_tellers[run, has_moment].record.is_history_whole:
            return False
        return merging.is_told_by(Source.WANDB_SUMMARY)

    def _reference_of(self, run: LocalRun, evidence: Evidence) -> _Reference | None:
        """The run that a folder's name tells, where its server can be asked and need know of it."""
        if run.is_offline:
            return None
        access = self._find_access(evidence)
        if not access.can_ask:
            evidence.depend(*access.files)
            return None
        return _named(run.run_id, _logger(evidence), run.folder)

    def _find_access(self, evidence: Evidence) -> Access:
        """How W&B can be asked, looked up once."""
        from catalog.wandb_credentials import access_files, find_access

        if self._access is None:
            self._access = find_access(self.environ, evidence.reader.sign(access_files(self.environ)))
        return self._access


def _matched(runs: Sequence[LocalRun], experiment: str, named: _Told | None, evidence: Evidence) -> _Match:
    """The run of an experiment; one that has the id and is another project's is none of it."""
    from catalog.wandb_local import is_of_another, match_local_run

    if named is None:
        return _Match(match_local_run(runs, run_id=None, experiment_name=experiment), ())
    entity, project, run_id = named
    own = [run for run in runs if run.run_id == run_id]
    compared = tuple(run.log_path for run in own) if entity or project else ()
    evidence.depend(*compared)  # before they are read
    absent = evidence.reader.absent(compared)
    own = [
        run
        for run in own
        if run.log_path in absent or run.log_path not in compared or not is_of_another(run, entity, project)
    ]
    return _Match(match_local_run(own, run_id=run_id, experiment_name=experiment), compared)


def _reference(evidence: Evidence) -> _Reference | None:
    """The run that the sidecar names, else the one of the Hydra config."""
    logger = _logger(evidence)
    for document in evidence.believed(Source.SIDECAR):
        run_id = accept_text(document.content.get("wandb_run_id"))
        if is_told(run_id):
            return _named(run_id, logger, document.path)
    run_id = accept_text(logger.get("id"))
    return _named(run_id, logger, evidence.hydra_config_path() or "") if is_told(run_id) else None


def _named(run_id: str, beside: Mapping[Any, Any], path: str) -> _Reference:
    entity, project = (value if is_told(value) else None for value in map(beside.get, ("entity", "project")))
    return _Reference(run_id, entity, project, path)


def _logger(evidence: Evidence) -> Mapping[Any, Any]:
    """`logger.wandb` of the Hydra config."""
    wanted = evidence.hydra_config_path()
    for document in evidence.believed(Source.CONFIG):
        if document.path == wanted:
            logger = document.content.get("logger")
            wandb = logger.get("wandb") if isinstance(logger, dict) else None
            return wandb if isinstance(wandb, dict) else {}
    return {}


def _has_moment(evidence: Evidence) -> bool:
    return evidence.moment() != (None, None)


def _teller(record: RunRecord) -> RunTeller:
    """What tells of a run, its config with the callback that the contract chooses in place of all of them."""
    from catalog.config import chosen_callback

    callback = chosen_callback(record.config)
    return RunTeller(replace(record, config={**record.config, "callbacks": callback}))


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
