"""The old API over V2, and the switch that rolls back to the old implementation.

`CHECKPOINT_CATALOG_USE_V2` set to `0`, `false` or `no` (any case) selects legacy; it is read at each call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from catalog.info import CatalogOptions, CheckpointInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.records import CheckpointCatalog

SWITCH = "CHECKPOINT_CATALOG_USE_V2"
_OFF = frozenset({"0", "false", "no"})


def is_v2_on(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the switch leaves V2 on; it is on unless somebody turned it off."""
    return environment.get(SWITCH, "").strip().lower() not in _OFF


def build_lightweight_catalog(options: CatalogOptions) -> list[CheckpointInfo]:
    """The checkpoints of a tree as the old service listed them, in the contract's order.

    Raises what the catalog behind it raises: `NotADirectoryError`, `PermissionError`.
    """
    return [CheckpointInfo.from_entry(entry) for entry in _catalog(options)]


def _catalog(options: CatalogOptions) -> CheckpointCatalog:
    # Each implementation is imported when it is chosen: legacy alone needs torch.
    if is_v2_on():
        from catalog.builder import build_catalog

        return build_catalog(options.outputs_dir, config_filenames=options.hydra_config_filenames)
    from catalog.legacy import build_legacy_catalog

    return build_legacy_catalog(options.outputs_dir, options.hydra_config_filenames)
