"""Which rule of the contract decides a field, in the contract's own words (`docs/contract.md`)."""

# ruff: noqa: E501 - quoted as the contract has it

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listed": "*Listed* are the checkpoints whose `epochs` is known and greater than 0.",
        "skipped": "One that is left out is kept in `skipped`, with the reason.",
        "problems": "A problem is noted only if its source was *asked*",
        "order": "Order: by (architecture, backbone, epochs, file name, path below the outputs directory), "
        "strings compared by code point.",
        "raises": "`NotADirectoryError` where it is something else than a directory, `PermissionError` where it "
        "may not be read; both name the path.",
        "answers": "Nothing inside the directory raises",
        "written": "A catalog never writes into the tree that it lists",
        "checkpoint_path": "as found, under the outputs directory as given",
        "config_path": "the first that is a file of: `<stem>.config.json`, `<stem>.config.yaml`, "
        "`<stem>.config.yml`, `<stem>.resolved.config.json` in the own folder; the Hydra config; the configured "
        "file names (default `config.yaml`, `hparams.yaml`) in the own folder, then in the one above.",
        "display_name": "the stem",
        "display_option": "`architecture · backbone [· exp_name]`",
        "architecture": "sidecar `model.architecture`; config `model.architectures`, `model.architecture`, "
        "`model.architecture_name`; W&B config, same keys; names",
        "backbone": "sidecar `model.encoder.model_name`; config `model.encoder.model_name`, "
        "`model.encoder.name`; W&B config, same keys; names: the first of the encoders below that occurs; "
        "checkpoint: shapes",
        "exp_name": "sidecar `exp_name`; names: the folder above the nearest enclosing folder named "
        "`checkpoints`; else",
        "epochs": "sidecar `training.epoch`; checkpoint `epoch`; names: the first `epoch=N`, `epoch-N` or "
        "`epoch_N` (any case) in the file name; W&B summary `epoch`; config `trainer.max_epochs`; names: a stem "
        "that begins with `best` is 999, with `last` 998",
        "hmean": "sidecar `metrics.<name>`; checkpoint `cleval_metrics.<name>`",
        "precision": "sidecar `metrics.<name>`; checkpoint `cleval_metrics.<name>`",
        "recall": "sidecar `metrics.<name>`; checkpoint `cleval_metrics.<name>`",
        "created_timestamp": "sidecar `created_at`: what `datetime.fromisoformat` reads, or a YAML datetime, its "
        "wall clock as written; a date is midnight; file: the mtime (of what a symlink points to) in local time",
        "monitor": "sidecar `checkpointing.monitor`; config: callbacks; checkpoint: callbacks",
        "monitor_mode": "sidecar `checkpointing.mode`; the same three",
        "score": "**Score** is this checkpoint's value of the entry's `monitor`; without a monitor, `None`.",
        "has_metadata": "a sidecar or a W&B run told at least one field",
    }
)
"""What is compared -> the sentence or the cell that decides it; `answers` is of a tree that nothing may refuse."""
