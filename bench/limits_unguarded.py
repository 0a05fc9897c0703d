"""The least that reading a checkpoint's header can be: a stand-in for the reader, without any guard.

It believes every byte: the directory is not walked, no operation of the pickle is looked at, no storage is
checked. What the product's reader takes beyond this is what its guards cost. For trusted files alone.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES = 32 * 1024
_END = struct.Struct("<4s8xII")
_ENTRY_BYTES = 46
_LOCAL_BYTES = 30
_FORMATS = {"FloatStorage": "<f", "DoubleStorage": "<d", "LongStorage": "<q"}


class _Peekable:
    """Bytes that the C unpickler may take at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def peek(self, _: int) -> bytes:
        return self._data

    def read(self, _: int) -> bytes:
        return self._data

    def readline(self) -> bytes:
        return self._data


class _Unpickler(pickle.Unpickler):
    """Storages become their persistent ids, tensors the arguments of their making, classes their names."""

    def __init__(self, data: bytes) -> None:
        super().__init__(_Peekable(data))

    def find_class(self, module: str, name: str) -> Any:  # noqa: ARG002 - the name tells enough
        """A stand-in for a global, by its name alone."""
        if name == "OrderedDict":
            return OrderedDict
        return name if name.endswith("Storage") else _arguments

    def persistent_load(self, pid: Any) -> Any:
        """A storage is its id."""
        return pid


def _arguments(*arguments: object) -> tuple[object, ...]:
    return arguments


def read_unguarded(path: Path) -> dict[str, Any]:
    """Epoch, step, metrics and the scores of the callbacks in a checkpoint of `bench.limits_header`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size_bytes = os.fstat(descriptor).st_size
        tail_offset = max(0, size_bytes - _TAIL_BYTES)
        tail = os.pread(descriptor, _TAIL_BYTES, tail_offset)
        _, directory_bytes, offset = _END.unpack_from(tail, tail.rfind(b"PK\5\6"))
        if offset >= tail_offset:
            directory = tail[offset - tail_offset :][:directory_bytes]
        else:
            directory = os.pread(descriptor, directory_bytes, offset)
        content = _Unpickler(_record(descriptor, directory, 0)).load()

        def number(value: Any) -> Any:
            return _scalar(descriptor, directory, value) if isinstance(value, tuple) else value

        states = content["callbacks"].values()
        return {
            "epoch": content["epoch"],
            "global_step": content["global_step"],
            "cleval_metrics": {name: number(value) for name, value in content["cleval_metrics"].items()},
            "scores": [
                [number(value) for value in (*state["best_k_models"].values(), state["current_score"])]
                for state in states
            ],
        }
    finally:
        os.close(descriptor)


def _record(descriptor: int, directory: bytes, entry: int) -> bytes:
    """The data of the record whose entry begins at byte `entry` of the directory."""
    size_bytes, start = struct.unpack_from("<I14xI", directory, entry + 24)
    name_bytes, extra_bytes = struct.unpack("<HH", os.pread(descriptor, 4, start + _LOCAL_BYTES - 4))
    return os.pread(descriptor, size_bytes, start + _LOCAL_BYTES + name_bytes + extra_bytes)


def _scalar(descriptor: int, directory: bytes, tensor: tuple[Any, ...]) -> Any:
    """The value of a tensor without dimensions that has a storage of its own."""
    _, kind, key, *_ = tensor[0]
    end_of_name = b"/data/%s" % key.encode()
    at = directory.find(end_of_name + b"PK")
    entry = directory.rfind(b"PK\1\2", 0, at)
    return struct.unpack(_FORMATS[kind], _record(descriptor, directory, entry))[0]
