"""The records of the old API, and the line of text that its users chose a checkpoint by. No input or output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from catalog.records import UNKNOWN, MonitorMode

if TYPE_CHECKING:
    from catalog.records import CheckpointCatalogEntry

_ARCHITECTURES = frozenset({"dbnet", "dbnetpp", "craft", "pan", "psenet"})
_ENCODER_FAMILIES = ("resnet", "mobilenet", "efficientnet", "vgg")
_STEP = re.compile(r"step[=_-]([0-9]+)", re.IGNORECASE | re.ASCII)
_CONCISE_LENGTH = 25


class CatalogOptions(msgspec.Struct, frozen=True):
    """What the old API lists, and the names that it takes for a config beside or above a checkpoint."""

    outputs_dir: Path
    hydra_config_filenames: tuple[str, ...] = ("config.yaml", "hparams.yaml")


class CheckpointInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One checkpoint as the old API showed it; each field is the catalog entry's field of that name."""

    checkpoint_path: Path
    config_path: Path | None
    display_name: str
    exp_name: str
    epochs: int
    created_timestamp: str
    hmean: float | None = None
    architecture: str = UNKNOWN
    backbone: str = UNKNOWN
    monitor: str | None = None
    monitor_mode: MonitorMode | None = None

    @classmethod
    def from_entry(cls, entry: CheckpointCatalogEntry) -> Self:
        """Take over the fields that both records have."""
        return cls(**{name: getattr(entry, name) for name in cls.__struct_fields__})

    @property
    def is_valid(self) -> bool:
        """Whether training got as far as one epoch."""
        return self.epochs > 0

    def short_label(self) -> str:
        """The name alone."""
        return self.display_name

    def to_display_option(self) -> str:
        """One line for a list of choices: what it is, then in brackets how far it came and how it did."""
        subjects: list[str] = []
        for part in (self.architecture, self.backbone, _concise(self.exp_name)):
            if _is_told(part) and part not in subjects:
                subjects.append(part)
        return f"{' · '.join(subjects) or self.display_name} ({' • '.join(self._details())})"

    def _details(self) -> list[str]:
        stem = self.checkpoint_path.name.removesuffix(".ckpt") or self.checkpoint_path.name
        details = [stem] if stem in ("best", "last") else []
        step = _STEP.search(stem)
        if self.epochs > 0:
            details.append(f"epoch {self.epochs}")
        elif step:
            details.append(f"step {step[1]}")
        elif stem not in details:
            details.append(stem)
        if self.hmean is not None:
            details.append(f"hmean {self.hmean:.3f}")
        if self.created_timestamp:
            details.append(self.created_timestamp)
        if self.monitor is not None and _is_told(self.monitor):
            mode = f" ({self.monitor_mode})" if self.monitor_mode else ""
            details.append(f"monitor {self.monitor}{mode}")
        return details


def _is_told(text: str) -> bool:
    return bool(text) and text != UNKNOWN


def _concise(exp_name: str) -> str:
    """What of an experiment's name tells it from others, in at most 25 characters."""
    tokens = re.split("[_-]", exp_name)
    lowered = exp_name.lower()
    kept = [token for token in tokens if token.lower() in _ARCHITECTURES][:1]
    kept += [token for token in tokens if any(family in token.lower() for family in _ENCODER_FAMILIES)][:1]
    if "polygon" in lowered:
        kept.append("poly")
    if "polygons" in lowered and "_add_" in lowered:
        kept.append("add")
    elif "polygons" in lowered and "_no_" in lowered:
        kept.append("no")
    kept = kept or [token for token in tokens if len(token) > 2 and not token.isdigit()][:3]
    concise = "-".join(kept) or exp_name
    return concise if len(concise) <= _CONCISE_LENGTH else concise[: _CONCISE_LENGTH - 3] + "..."
