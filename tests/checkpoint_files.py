"""Checkpoints for tests: real ones made unreal, and pickles in an archive that torch would read."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def saved(content: object, **options: Any) -> bytes:
    """What `torch.save` writes."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def rewritten(
    archive: bytes,
    change: Callable[[str, bytes], Iterable[tuple[str, bytes]]],
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """An archive written anew, `change` giving the records that stand for each one (its name, its data)."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as writer:
        warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
        with zipfile.ZipFile(io.BytesIO(archive)) as reader:
            for info in reader.infolist():
                for name, data in change(info.filename, reader.read(info)):
                    writer.writestr(name, data)
    return file.getvalue()


def with_pickle(pickled: bytes) -> bytes:
    """An archive whose `data.pkl` is `pickled`."""
    return rewritten(
        saved({"epoch": 1}), lambda name, data: [(name, pickled if name.endswith("data.pkl") else data)]
    )


def replaced(record: str, data: bytes) -> Callable[[str, bytes], list[tuple[str, bytes]]]:
    """A change that gives one record other data."""
    return lambda name, old: [(name, data if name.partition("/")[2] == record else old)]


def without(record: str) -> Callable[[str, bytes], list[tuple[str, bytes]]]:
    """A change that leaves one record out."""
    return lambda name, data: [] if name.partition("/")[2] == record else [(name, data)]


def written(path: Path, data: bytes) -> Path:
    """The path, with the data in it."""
    path.write_bytes(data)
    return path
