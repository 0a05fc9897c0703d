"""Facts of a config: where it stands, what it says, and which of its callbacks monitors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.contract import SILENT, accept_text
from catalog.documents import DocumentError, read_document
from catalog.layout import (
    DEFAULT_CONFIG_FILENAMES,
    HYDRA_CONFIG,
    OWN_CONFIG_SUFFIXES,
    check_config_filenames,
    folders_above,
    hydra_folders,
    stem_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_MODEL_CHECKPOINT = "ModelCheckpoint"


def candidates(folder: str, stem: str, config_filenames: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The (folder, file name) pairs where a checkpoint's config may stand, first choice first.

    Folders are paths below the outputs directory, `""` for itself; none leads above it.
    """
    for suffix in OWN_CONFIG_SUFFIXES:
        yield folder, stem + suffix
    yield from shared_candidates(folder, config_filenames)


def shared_candidates(folder: str, config_filenames: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Those of the candidates that all checkpoints of a folder share."""
    for above in hydra_folders(folder):
        yield above, HYDRA_CONFIG[1]
    for holder in (folder, *folders_above(folder)[:1]):
        for name in config_filenames:
            yield holder, name


def chosen_callback(config: Mapping[Any, Any]) -> object:
    """Monitor and mode, as they stand, of the callback that the contract chooses; `None` without one.

    What stands there in place of callbacks is handed on, for the table to judge.
    """
    callbacks = config.get("callbacks")
    if isinstance(callbacks, dict):
        callbacks = list(callbacks.values())
    if not isinstance(callbacks, list):
        return callbacks
    mappings = [one for one in callbacks if isinstance(one, dict)]
    chosen = next(filter(_is_model_checkpoint, mappings), None) or next(filter(_has_monitor, mappings), None)
    return None if chosen is None else {"monitor": chosen.get("monitor"), "mode": chosen.get("mode")}


def _is_model_checkpoint(callback: Mapping[Any, Any]) -> bool:
    target = callback.get("_target_")
    return isinstance(target, str) and target.rpartition(".")[2] == _MODEL_CHECKPOINT


def _has_monitor(callback: Mapping[Any, Any]) -> bool:
    return isinstance(accept_text(callback.get("monitor", SILENT)), str)


def resolve_config_path(
    checkpoint_path: Path | str,
    outputs_dir: Path | str,
    config_filenames: Iterable[str] = DEFAULT_CONFIG_FILENAMES,
    *,
    is_file: Callable[[Path], bool] = Path.is_file,
) -> Path | None:
    """The config of one checkpoint, found as the catalog finds it, or `None`.

    Raises `ValueError` where the checkpoint does not stand below `outputs_dir`.
    """
    outputs_dir = Path(outputs_dir)
    below = Path(checkpoint_path).relative_to(outputs_dir)
    folder = "" if below.parent == Path() else below.parent.as_posix()
    for holder, name in candidates(folder, stem_of(below.name), check_config_filenames(config_filenames)):
        path = outputs_dir / holder / name
        if is_file(path) and not (path.parent.name == HYDRA_CONFIG[0] and path.parent.is_symlink()):
            return path
    return None


def load_config(path: Path | str) -> dict[str, Any]:
    """The mapping in a config file (JSON by its suffix, else YAML); an empty file is an empty mapping.

    Raises `DocumentError` where it cannot be read or is no mapping.
    """
    value = read_document(str(path))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DocumentError("a mapping", f"a {type(value).__name__}")
    return value
