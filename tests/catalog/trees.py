"""Small handmade trees for the tests of the catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

SIDECAR: dict[str, Any] = {
    "schema_version": "1.0",
    "checkpoint_path": "outputs/exp/checkpoints/best.ckpt",
    "exp_name": "told-experiment",
    "created_at": "2025-10-19T08:07:06",
    "training": {"epoch": 7, "global_step": 700, "training_phase": "training"},
    "model": {
        "architecture": "dbnet",
        "encoder": {"model_name": "resnet18", "pretrained": True, "frozen": False},
        "decoder": {"name": "fpn"},
        "head": {"name": "db"},
        "loss": {"name": "db_loss"},
    },
    "metrics": {"precision": 0.9, "recall": 0.8, "hmean": 0.85, "additional_metrics": {"val/hmean": 0.86}},
    "checkpointing": {"monitor": "val/hmean", "mode": "max", "save_top_k": 1, "save_last": True},
}
HYDRA: dict[str, Any] = {
    "model": {"architecture": "craft", "encoder": {"model_name": "resnet50"}},
    "trainer": {"max_epochs": 300},
    "callbacks": {
        "early": {
            "_target_": "lightning.pytorch.callbacks.EarlyStopping",
            "monitor": "val/loss",
            "mode": "min",
        },
        "model": {
            "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
            "monitor": "val/recall",
            "mode": "max",
        },
    },
}


def write(path: Path, content: object) -> Path:
    """Write text as it stands and any other value as YAML, or as JSON by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content)
    else:
        path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content))
    return path


def without(document: dict[str, Any], *dotted: str) -> dict[str, Any]:
    """A deep copy of a document without some of its keys."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for key in dotted:
        *above, last = key.split(".")
        holder = copy
        for step in above:
            holder = holder[step]
        del holder[last]
    return copy


def changed(document: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A deep copy of a document with other values; `training__epoch` is the key `training.epoch`."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for key, value in values.items():
        *above, last = key.split("__")
        holder = copy
        for step in above:
            holder = holder[step]
        holder[last] = value
    return copy
