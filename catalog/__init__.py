"""The reference checkpoint catalog: what stands in a tree of Hydra and Lightning checkpoints.

Names are loaded when they are first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "builder": ("CheckpointCatalogBuilder", "Collaborators", "build_catalog"),
    "records": ("CheckpointCatalog", "CheckpointCatalogEntry", "Problem", "SkippedCheckpoint"),
    "schema": (
        "CheckpointMetadataV1",
        "CheckpointingConfig",
        "DecoderInfo",
        "EncoderInfo",
        "HeadInfo",
        "LossInfo",
        "MetadataError",
        "MetricsInfo",
        "ModelInfo",
        "TrainingInfo",
        "load_metadata",
        "load_metadata_batch",
        "save_metadata",
    ),
    "validator": ("MetadataValidator",),
    "config": ("load_config", "resolve_config_path"),
    "info": ("CatalogOptions", "CheckpointInfo"),
    "adapter": ("build_lightweight_catalog",),
    "store": ("CatalogCache", "clear_global_cache"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list of str, computed from the table above


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return __all__
