"""The least that the system asks for what a catalog of sidecars needs: each one read, or stat-ed again.

`bench.floor` stands beside whole scenarios, and looks at checkpoints and configs too. These two touch
sidecars and folders alone, by the shortest way that Python has: no time is measured against more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Names = tuple[str, ...]

SIDECAR_SUFFIX = ".metadata.yaml"

_READ_BYTES = 1 << 16  # a larger buffer takes longer to get than a sidecar to read
_known: dict[str, list[str]] = {}


def read_sidecars(outputs_dir: Path, config_filenames: Names) -> list[str]:  # noqa: ARG001 - a subject's signature
    """List the tree, open and read each sidecar, parse nothing."""
    sidecars: list[str] = []
    _walk(os.fspath(outputs_dir), sidecars.append)
    for path in sidecars:
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, _READ_BYTES)
        os.close(descriptor)
    return sidecars


def stat_again(outputs_dir: Path, config_filenames: Names) -> list[str]:  # noqa: ARG001 - a subject's signature
    """Stat each sidecar and folder that `prepare` found."""
    known = _known[os.fspath(outputs_dir)]
    for path in known:
        os.stat(path)
    return known


def _collect(outputs_dir: Path, config_filenames: Names) -> None:  # noqa: ARG001 - a subject's signature
    root = os.fspath(outputs_dir)
    if root not in _known:
        paths: list[str] = []
        paths += _walk(root, paths.append)
        _known[root] = paths


stat_again.prepare = _collect  # type: ignore[attr-defined]  # a function's own attribute


def _walk(root: str, found: Callable[[str], None]) -> list[str]:
    """Tell `found` of each sidecar below `root`; return the folders, `root` among them."""
    folders = [root]
    for folder in folders:
        with os.scandir(folder) as items:
            for item in items:
                if item.name.endswith(SIDECAR_SUFFIX):
                    found(item.path)
                elif item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
    return folders
