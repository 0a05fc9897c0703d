"""The old way to ask W&B: checkpoint after checkpoint, once for the config and once for the summary.

It serves as a baseline alone: it finds the runs, asks for them, and makes no catalog of the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.documents import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Names = tuple[str, ...]


def ask_for_each(outputs_dir: Path, config_filenames: Names) -> list[dict[str, Any]]:  # noqa: ARG001 - a subject's
    """Config and summary of each checkpoint's run, which its Hydra config names. Raises what the client raises.

    Such a checkpoint stands in `<experiment>/checkpoints`; one without a run is left out.
    """
    import wandb

    records = []
    for checkpoint, run_path in _runs(outputs_dir):
        config = wandb.Api().run(run_path).config
        summary = wandb.Api().run(run_path).summary
        records.append(
            {
                "checkpoint_path": checkpoint,
                "architecture": config.get("model", {}).get("architecture_name"),
                "hmean": summary.get("val/hmean"),  # type: ignore[no-untyped-call] # the package's own
            }
        )
    return records


def start_client(outputs_dir: Path, config_filenames: Names) -> list[Path]:  # noqa: ARG001 - a subject's
    """Import the client and let it introduce itself, which both ways of asking must; ask nothing."""
    import wandb

    wandb.Api()
    return [checkpoint for checkpoint, _ in _runs(outputs_dir)]


def _runs(outputs_dir: Path) -> Iterator[tuple[Path, str]]:
    for checkpoint in sorted(outputs_dir.rglob("*.ckpt")):
        config: Any = read_document(str(checkpoint.parent.parent / ".hydra" / "config.yaml"))
        logger = config["logger"].get("wandb")
        if logger:
            yield checkpoint, f"{logger['entity']}/{logger['project']}/{logger['id']}"
