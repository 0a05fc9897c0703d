"""The table applied: what the sources of a checkpoint say, made into its entry."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.contract import (
    FIELDS,
    METADATA_SOURCES,
    NUMBER,
    OLDER_METRICS,
    SCORE_METRICS,
    SILENT,
    UNUSABLE,
    WANDB_SOURCES,
    Key,
    Place,
    Row,
    Rule,
    Source,
    accept_text,
)
from catalog.evidence import Document, Evidence, problem_source
from catalog.layout import stem_of
from catalog.records import UNKNOWN, Answer, CheckpointCatalogEntry, Problem, Provenance, SkippedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RUN_NAMES = frozenset(source.value for source in WANDB_SOURCES)
_REMEDY = "correct the value, or remove the key"


@dataclass(slots=True)
class _Findings:
    """The fields told so far, whom they were told by, and what was unusable on the way."""

    evidence: Evidence
    told: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    problems: dict[tuple[Path, str], Problem] = field(default_factory=dict)

    def ask(self, row: Row) -> bool:
        """Go through a row's places until one tells the field; whether a run was among those asked.

        `problems` are those of this row, from now on.
        """
        self.problems = {}
        is_run_asked = False
        for place in row.places:
            is_run_asked = is_run_asked or place.source in WANDB_SOURCES
            for document in self.documents(place.source):
                value = self._look(document, place, row.rule)
                if value is not SILENT:
                    self.tell(row.field, value, place.source)
                    return is_run_asked
        return is_run_asked

    def tell(self, name: str, value: object, source: Source) -> None:
        self.told[name] = value
        self.provenance[name] = source.value

    def documents(self, source: Source) -> Iterator[Document]:
        """What a source says, file by file; one that cannot be believed is noted when its turn comes."""
        for document in self.evidence.documents(source):
            if isinstance(document, Problem):
                self.problems[document.path, document.key] = document
            else:
                yield document

    def accept(self, rule: Rule, value: object, document: Document, source: Source, key: str) -> object:
        """The told value or `SILENT`; what is unusable is noted."""
        accepted = rule.accept(value)
        if accepted is UNUSABLE:
            self._note(document, source, key, rule.expected, value)
            return SILENT
        return accepted

    def _look(self, document: Document, place: Place, rule: Rule) -> object:
        if place.source is Source.NAMES:
            value = document.content.get(place.keys[0].dotted)
            return SILENT if value is None else value
        for key in place.keys:
            value, walked = _walk(document.content, key)
            if value is not None:
                expected = rule if walked == len(key.steps) else _MAPPING
                accepted = self.accept(expected, value, document, place.source, ".".join(key.steps[:walked]))
                if accepted is not SILENT:
                    return accepted
        return SILENT

    def _note(self, document: Document, source: Source, key: str, expected: str, value: object) -> None:
        path = Path(self.evidence.reader.tree.absolute(document.path))
        self.problems[path, key] = Problem(
            path=path,
            source=problem_source(source),
            key=key,
            expected=expected,
            found=_described(value),
            remedy=_REMEDY,
        )


def _refuse(value: object) -> object:
    return SILENT if accept_text(value) is SILENT else UNUSABLE


_MAPPING = Rule("a mapping", _refuse)


def _walk(content: Mapping[Any, Any], key: Key) -> tuple[object, int]:
    """The value under a dotted key, and how many steps led there; `None` where a step is absent."""
    value: object = content
    for walked, step in enumerate(key.steps):
        if not isinstance(value, dict):
            return value, walked
        value = value.get(step)
        if value is None:
            return None, walked
    return value, len(key.steps)


def _described(value: object) -> str:
    """A short description: a hostile container's `repr` could be of any size."""
    if isinstance(value, str):
        return repr(value[:60])
    if isinstance(value, int) and not isinstance(value, bool):
        return repr(value) if value.bit_length() < 256 else "a very large whole number"
    if isinstance(value, bool | float):
        return repr(value)
    return f"a {type(value).__name__}"


def merge(evidence: Evidence) -> Answer:
    """One checkpoint's answer, by the contract's table."""
    return Merging(evidence).answer()


class Merging:
    """The table applied to one checkpoint, as far as its files tell it; its run may be heard later."""

    __slots__ = ("_findings", "_problems", "_rows_of_run", "evidence")

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._findings = _Findings(evidence)
        self._problems: dict[str, dict[tuple[Path, str], Problem]] = {}
        self._rows_of_run = [row for row in FIELDS if self._ask(row)]

    @property
    def is_run_wanted(self) -> bool:
        """Whether a row came to the run, and learnt nothing."""
        told = self._findings.provenance
        return any(told.get(row.field) not in _RUN_NAMES for row in self._rows_of_run)

    def is_told_by(self, source: Source) -> bool:
        """Whether a source told any field."""
        return source.value in self._findings.provenance.values()

    def hear_run(self) -> None:
        """Ask again where the run may tell something by now: no other row's places come to it."""
        findings = self._findings
        for row in self._rows_of_run:
            self._ask(row)
        findings.provenance = {
            row.field: findings.provenance[row.field] for row in FIELDS if row.field in findings.provenance
        }

    def _ask(self, row: Row) -> bool:
        is_run_asked = self._findings.ask(row)
        # What was unusable before is perhaps not come to any more.
        self._problems[row.field] = self._findings.problems
        return is_run_asked

    def answer(self, *, expires_ns: int | None = None) -> Answer:
        """What becomes of the checkpoint; to be asked for once, in the end."""
        findings, evidence = self._findings, self.evidence
        findings.problems = {key: one for row in FIELDS for key, one in self._problems[row.field].items()}
        if "created_timestamp" not in findings.told:
            findings.tell("created_timestamp", _modified(findings), Source.FILE)
        _ask_score(findings)
        path = Path(evidence.reader.tree.absolute(evidence.path))
        problems = tuple(findings.problems.values())
        dependencies = tuple(dict.fromkeys(evidence.dependencies))
        epochs = findings.told.get("epochs")
        entry = skipped = None
        if not epochs:
            skipped = SkippedCheckpoint(path, "epochs is 0" if epochs == 0 else "no source tells its epochs")
        else:
            entry = _entry(findings, path)
        return Answer(evidence.path, entry, skipped, problems, evidence.kind, dependencies, expires_ns)


def _entry(findings: _Findings, path: Path) -> CheckpointCatalogEntry:
    evidence = findings.evidence
    told = findings.told
    config_path = evidence.config_path()
    return CheckpointCatalogEntry(
        checkpoint_path=path,
        config_path=None if config_path is None else evidence.reader.absolute_path(config_path),
        display_name=stem_of(evidence.file_name),
        architecture=told.pop("architecture", UNKNOWN),
        backbone=told.pop("backbone", UNKNOWN),
        has_metadata=not METADATA_SOURCES.isdisjoint(findings.provenance.values()),
        provenance=shared_provenance(tuple(findings.provenance.items())),
        **told,
    )


@lru_cache(maxsize=256)
def shared_provenance(told: tuple[tuple[str, str], ...]) -> Provenance:
    """The record of who told which field; most checkpoints of a tree share a few."""
    return Provenance(dict(told))


def _modified(findings: _Findings) -> str:
    """The checkpoint's mtime in local time; empty, and noted, outside the years 1 to 9999."""
    modified_ns = findings.evidence.signature()[3]
    try:
        when = time.localtime(modified_ns // 1_000_000_000)
    except (OverflowError, OSError, ValueError):
        when = None
    if when is None or not 0 < when.tm_year < 10_000:
        path = Path(findings.evidence.reader.tree.absolute(findings.evidence.path))
        findings.problems[path, "mtime"] = Problem(
            path=path,
            source="scan",
            key="mtime",
            expected="a modification time in the years 1 to 9999",
            found=f"{modified_ns} ns",
            remedy="touch the file",
        )
        return ""
    return f"{when.tm_year:04}{when.tm_mon:02}{when.tm_mday:02}_{when.tm_hour:02}{when.tm_min:02}"


def _ask_score(findings: _Findings) -> None:
    """This checkpoint's value of its monitor: by the sidecar, else by the checkpoint's own callbacks."""
    monitor = findings.told.get("monitor")
    if monitor is None:
        return
    for document in findings.documents(Source.SIDECAR):
        score = _sidecar_score(findings, document, monitor)
        if score is not SILENT:
            findings.tell("score", score, Source.SIDECAR)
            return
    if findings.provenance["monitor"] == Source.SIDECAR.value:
        return
    for document in findings.documents(Source.CHECKPOINT):
        callbacks = document.content.get("callbacks")
        if not isinstance(callbacks, dict):
            findings.accept(_MAPPING, callbacks, document, Source.CHECKPOINT, "callbacks")
        facts = findings.evidence.facts()
        for value in facts.score(monitor, findings.evidence.file_name) if facts else ():
            score = findings.accept(NUMBER, value, document, Source.CHECKPOINT, "callbacks: score")
            if score is not SILENT:
                findings.tell("score", score, Source.CHECKPOINT)
                return


def _sidecar_score(findings: _Findings, document: Document, monitor: str) -> object:
    metrics = document.content.get("metrics")
    if not isinstance(metrics, dict):
        return SILENT
    additional = metrics.get("additional_metrics")
    candidates: list[tuple[Rule, str, object]] = []
    if isinstance(additional, dict):
        candidates.append((NUMBER, f"metrics.additional_metrics.{monitor}", additional.get(monitor)))
    elif additional is not None:
        candidates.append((_MAPPING, "metrics.additional_metrics", additional))
    metric, rule = SCORE_METRICS.get(monitor.rpartition("/")[2], (None, NUMBER))
    if metric is not None:
        names = (metric, OLDER_METRICS[metric])
        candidates += [(rule, f"metrics.{name}", metrics.get(name)) for name in names]
    for rule, key, value in candidates:
        score = findings.accept(rule, value, document, Source.SIDECAR, key)
        if score is not SILENT:
            return score
    return SILENT
