"""The old way to ask W&B: checkpoint after checkpoint, once for the config and once for the summary.

It serves as a baseline alone: it finds the runs, asks for them, and makes no catalog of the answers. Beside it
the same with all runs asked for at once, so that the two differ in nothing but the asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog import canonical
from catalog.documents import parse_document

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
        records.append(_record(checkpoint, config, summary))
    return records


def ask_at_once(outputs_dir: Path, config_filenames: Names) -> list[dict[str, Any]]:  # noqa: ARG001 - a subject's
    """What `ask_for_each` answers, all runs asked for in one question. Raises `KeyError` for one untold."""
    from catalog.run_ids import RunId
    from catalog.wandb_runs import fetch_runs

    wanted = [(checkpoint, RunId(*run_path.split("/"))) for checkpoint, run_path in _runs(outputs_dir)]
    found = fetch_runs([run_id for _, run_id in wanted]).runs
    return [_record(checkpoint, found[run_id].config, found[run_id].summary) for checkpoint, run_id in wanted]


def _record(checkpoint: Path, config: Any, summary: Any) -> dict[str, Any]:
    return {
        "checkpoint_path": checkpoint,
        "architecture": config.get("model", {}).get("architecture_name"),
        "hmean": summary.get("val/hmean"),
    }


def start_client(outputs_dir: Path, config_filenames: Names) -> list[Path]:  # noqa: ARG001 - a subject's
    """Import the client and let it introduce itself, as fast as is known here; ask nothing."""
    from catalog.wandb_worker import open_client

    open_client()
    return [checkpoint for checkpoint, _ in _runs(outputs_dir)]


def _runs(outputs_dir: Path) -> Iterator[tuple[Path, str]]:
    """Each checkpoint that has a run, and that run's path; each config is read once."""
    known: dict[Path, str] = {}
    for checkpoint in sorted(outputs_dir.rglob("*.ckpt")):
        config = checkpoint.parent.parent / ".hydra" / "config.yaml"
        run_path = known.get(config)
        if run_path is None:
            run_path = known[config] = _run_path(config)
        if run_path:
            yield checkpoint, run_path


def _run_path(config: Path) -> str:
    """The run that a Hydra config names; empty where it names none."""
    data = config.read_bytes()
    document: Any = canonical.parse(data)
    if document is None:
        document = parse_document(str(config), data)
    logger = document["logger"].get("wandb")
    return f"{logger['entity']}/{logger['project']}/{logger['id']}" if logger else ""
