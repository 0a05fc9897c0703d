"""Checkpoints for tests: real ones made unreal, and pickles in an archive that torch would read."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GENUINE = sorted((Path(__file__).parent / "data").glob("*/*.ckpt"))
"""What Lightning wrote, in versions from 1.2 on: `tests/data/<version>/<kind>.ckpt`."""


def genuine_id(path: Path) -> str:
    """Version and kind of a genuine checkpoint, to name a test after."""
    return f"{path.parent.name}-{path.stem}"


def saved(content: object, **options: Any) -> bytes:
    """What `torch.save` writes."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def rewritten(
    archive: bytes,
    changes: Mapping[str, bytes | None] | None = None,
    *,
    first: Sequence[tuple[str, bytes]] = (),
    last: Sequence[tuple[str, bytes]] = (),
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """An archive written anew: records of `archive/` changed or (`None`) left out, whole names put around."""
    changes = changes or {}
    with zipfile.ZipFile(io.BytesIO(archive)) as reader:
        own = [(info.filename, changes.get(info.filename[8:], reader.read(info))) for info in reader.infolist()]
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as writer:
        warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
        for name, data in [*first, *own, *last]:
            if data is not None:
                writer.writestr(name, data)
    return file.getvalue()


def with_pickle(pickled: bytes) -> bytes:
    """An archive whose `data.pkl` is `pickled`."""
    return rewritten(saved({"epoch": 1}), {"data.pkl": pickled})


def written(path: Path, data: bytes) -> Path:
    """The path, with the data in it."""
    path.write_bytes(data)
    return path
