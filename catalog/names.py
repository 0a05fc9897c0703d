"""Facts that a checkpoint's path tells: experiment, architecture, encoder, epoch, step."""

from __future__ import annotations

import re
from pathlib import Path

from catalog.contract import ARCHITECTURES, ENCODERS, MAX_WHOLE
from catalog.layout import stem_of

_SEPARATORS = re.compile(r"[\W_]+")
_EPOCH = re.compile(r"epoch[=_-]([0-9]+)", re.IGNORECASE)
_STEP = re.compile(r"(?<![a-z])step=([0-9]+)", re.IGNORECASE)
_SENTINEL_EPOCHS = (("best", 999), ("last", 998))


def facts(path_below: str, outputs_dir: str) -> dict[str, object]:
    """What a path tells: `exp_name` always; `architecture`, `backbone`, `epoch`, `sentinel_epoch` if told.

    `path_below` is `/`-separated and relative to `outputs_dir`, which is only looked at where no folder
    below it gives the experiment its name.
    """
    folders, _, file_name = path_below.rpartition("/")
    told: dict[str, object] = {"exp_name": experiment_of(folders) or Path(outputs_dir).resolve().name}
    lowered = path_below.lower()
    tokens = set(_SEPARATORS.split(lowered))
    told["architecture"] = next((name for name in ARCHITECTURES if name in tokens), None)
    told["backbone"] = next((name for name in ENCODERS if name in lowered), None)
    told["epoch"] = epoch_of(file_name)
    stem = stem_of(file_name).lower()
    told["sentinel_epoch"] = next((epoch for begin, epoch in _SENTINEL_EPOCHS if stem.startswith(begin)), None)
    return told


def experiment_of(folders: str) -> str | None:
    """The experiment's name by the folders that enclose a checkpoint, or `None` where none is left."""
    parts = folders.split("/") if folders else []
    for index in range(len(parts) - 1, 0, -1):
        if parts[index] == "checkpoints":
            return parts[index - 1]
    return parts[-1] if parts else None


def epoch_of(file_name: str) -> int | None:
    """The first `epoch=N`, `epoch-N` or `epoch_N` in a file name, where N can be an epoch."""
    return _whole(_EPOCH.search(file_name))


def step_of(file_name: str) -> int | None:
    """The first `step=N` in a file name that is no end of a longer word, where N can be a step.

    A wrong step would hide what the epoch tells, and `step_30` is a setting as often as a moment.
    """
    return _whole(_STEP.search(file_name))


def _whole(found: re.Match[str] | None) -> int | None:
    digits = found[1].lstrip("0") if found else None
    if digits is None or len(digits) > len(str(MAX_WHOLE)):
        return None
    whole = int(digits or "0")
    return whole if whole <= MAX_WHOLE else None
