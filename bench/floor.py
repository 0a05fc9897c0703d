"""What the same files cost with nothing parsed: the least that any catalog could take.

Each callable is a subject as any catalog is: it takes the outputs directory and the configured names, and
returns one item for each checkpoint.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Names = tuple[str, ...]

HEAD_BYTES = 64 * 1024
"""Read at either end of a checkpoint without a sidecar: about where an archive keeps its directory and its
pickle. A file of an older form is read just so far."""

_READ_BYTES = 1 << 20
_remembered: dict[str, list[str]] = {}


def read_files(outputs_dir: Path, config_filenames: Names) -> list[str]:  # noqa: ARG001 - a subject's signature
    """List the tree; read each checkpoint's sidecar whole, or where none stands beside it, its own two ends.

    The Hydra config of a checkpoint without a sidecar is read too, once for all that share it.
    """
    checkpoints = []
    configs = set()
    for folder, names in _walk(os.fspath(outputs_dir)):
        for name in names:
            if name.endswith(".ckpt"):
                path = f"{folder}/{name}"
                sidecar = _sidecar(name, names)
                if sidecar:
                    _read_whole(f"{folder}/{sidecar}")
                else:
                    _read_ends(path)
                    configs.add(f"{os.path.dirname(folder)}/.hydra/config.yaml")
                checkpoints.append(path)
    for path in configs:
        _read_whole(path)
    return checkpoints


def stat_files(outputs_dir: Path, config_filenames: Names) -> list[str]:  # noqa: ARG001 - a subject's signature
    """Stat again every folder, checkpoint and sidecar that `prepare` found."""
    paths = _remembered[os.fspath(outputs_dir)]
    for path in paths:
        os.stat(path)
    return [path for path in paths if path.endswith(".ckpt")]


def _collect(outputs_dir: Path, config_filenames: Names) -> None:  # noqa: ARG001 - a subject's signature
    paths = []
    for folder, names in _walk(os.fspath(outputs_dir)):
        paths.append(folder)
        for name in names:
            if name.endswith(".ckpt"):
                paths.append(f"{folder}/{name}")
                sidecar = _sidecar(name, names)
                if sidecar:
                    paths.append(f"{folder}/{sidecar}")
    _remembered[os.fspath(outputs_dir)] = paths


stat_files.prepare = _collect  # type: ignore[attr-defined]  # a function's own attribute


def _walk(folder: str) -> Iterator[tuple[str, set[str]]]:
    """Every folder below, each with the names of the files (and links) in it; links are not followed."""
    names, below = set(), []
    with os.scandir(folder) as items:
        for item in items:
            if not item.is_dir(follow_symlinks=False) or item.name.endswith(".ckpt"):
                names.add(item.name)
            else:
                below.append(item.path)
    yield folder, names
    for path in below:
        yield from _walk(path)


def _sidecar(checkpoint: str, names: set[str]) -> str | None:
    stem = checkpoint.removesuffix(".ckpt")
    for name in (f"{stem}.metadata.yaml", f"{checkpoint}.metadata.yaml", f"{stem}.metadata.json"):
        if name in names:
            return name
    return None


def _read_whole(path: str) -> None:
    descriptor = _open(path)
    if descriptor is None:
        return
    try:
        while len(os.read(descriptor, _READ_BYTES)) == _READ_BYTES:
            pass
    finally:
        os.close(descriptor)


def _read_ends(path: str) -> None:
    descriptor = _open(path)
    if descriptor is None:
        return
    try:
        size_bytes = os.fstat(descriptor).st_size
        os.pread(descriptor, HEAD_BYTES, max(0, size_bytes - HEAD_BYTES))
        os.pread(descriptor, HEAD_BYTES, 0)
    finally:
        os.close(descriptor)


def _open(path: str) -> int | None:
    """A descriptor, or `None` for what is no file that can be read: a floor lists it all the same."""
    if not os.path.isfile(path):
        return None
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None
