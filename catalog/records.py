"""What a catalog holds: entries, what was left out and why, what was damaged. No input or output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = "unknown"
"""What `architecture` and `backbone` say where no source tells them."""

_NOTHING_TOLD: Mapping[str, str] = {}

MonitorMode = Literal["min", "max"]
Kind = Literal["file", "folder", "nothing"]
"""What a name leads to: a regular file, a folder, or neither (a dangling link, a pipe, ...)."""

ProblemSource = Literal["scan", "sidecar", "checkpoint", "wandb", "config"]

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Escape what could steer a terminal: names and values in a tree are somebody else's text."""
    return _CONTROL_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Provenance(Mapping[str, str]):
    """Which source told each field. Read-only: the entries of many checkpoints share one, and so do builds."""

    __slots__ = ("_told",)

    def __init__(self, told: Mapping[str, str] = _NOTHING_TOLD) -> None:
        self._told = dict(told)

    def __getitem__(self, field: str) -> str:
        return self._told[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def __repr__(self) -> str:
        return f"Provenance({self._told!r})"

    def to_dict(self) -> dict[str, str]:
        """The same as a dictionary of the caller's own."""
        return self._told.copy()


class CheckpointCatalogEntry(msgspec.Struct, frozen=True, gc=False):
    """One listed checkpoint, as the contract's table of fields says.

    `epochs` counts as its source counts; metrics lie in [0, 1]; `created_timestamp` is `YYYYmmdd_HHMM`.
    `provenance` maps each told field to its source; legacy leaves it empty.
    """

    checkpoint_path: Path
    config_path: Path | None
    display_name: str
    architecture: str
    backbone: str
    exp_name: str
    epochs: int
    created_timestamp: str
    hmean: float | None = None
    precision: float | None = None
    recall: float | None = None
    monitor: str | None = None
    monitor_mode: MonitorMode | None = None
    score: float | None = None
    has_metadata: bool = False
    provenance: Provenance = Provenance()

    def to_display_option(self) -> str:
        """One line for a list of choices: what it is, then in brackets how it did."""
        parts = [self.architecture, self.backbone]
        if self.exp_name and self.exp_name != UNKNOWN:
            parts.append(self.exp_name if len(self.exp_name) <= 23 else self.exp_name[:20] + "...")
        details = [f"ep{self.epochs}"]
        for label, value in (("hmean", self.hmean), ("prec", self.precision), ("rec", self.recall)):
            if value is not None:
                details.append(f"{label} {value:.3f}")
        details.append(self.created_timestamp)
        return f"{' · '.join(parts)} ({' • '.join(details)})"


class SkippedCheckpoint(msgspec.Struct, frozen=True, gc=False):
    """A checkpoint that was found and left out, and why."""

    checkpoint_path: Path
    reason: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something damaged: where, what was expected there, what was found, and what mends it.

    `key` is the dotted key inside the file, empty where the whole file is meant.
    """

    path: Path
    source: ProblemSource
    key: str = ""
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        """Tell it in one line that is safe to print."""
        where = f"{self.path}: {self.key}" if self.key else f"{self.path}"
        return printable(f"{where}: expected {self.expected}, found {self.found}; {self.remedy}")


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What becomes of one checkpoint: an entry or the reason why it is left out, and the problems met.

    `kind` is what the checkpoint was, `dependencies` are the files that the answer depends on. `expires_ns`
    is the time (ns since 1970) after which a run that had not finished is asked again.
    """

    path: str
    entry: CheckpointCatalogEntry | None
    skipped: SkippedCheckpoint | None
    problems: tuple[Problem, ...]
    kind: Kind
    dependencies: tuple[str, ...]
    expires_ns: int | None = None


class CheckpointCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one outputs directory: entries in the contract's order, and what is not among them."""

    outputs_dir: Path
    entries: list[CheckpointCatalogEntry]
    skipped: list[SkippedCheckpoint] = msgspec.field(default_factory=list)
    problems: list[Problem] = msgspec.field(default_factory=list)
    catalog_build_time_seconds: float = 0.0

    def __iter__(self) -> Iterator[CheckpointCatalogEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def total_count(self) -> int:
        """How many checkpoints are listed."""
        return len(self.entries)

    @property
    def metadata_available_count(self) -> int:
        """How many of the listed ones a sidecar or a W&B run told something about."""
        return sum(entry.has_metadata for entry in self.entries)

    @property
    def metadata_coverage_percent(self) -> float:
        """`metadata_available_count` of `total_count` in percent; 0 for an empty catalog."""
        return 100.0 * self.metadata_available_count / len(self.entries) if self.entries else 0.0
