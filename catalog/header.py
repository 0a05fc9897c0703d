"""What a checkpoint file says, read without its tensors, without torch, and without running anything in it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from catalog.archive import LOCAL_SIGNATURE, read_archive
from catalog.elements import torch_number
from catalog.inert import StorageType, element_type
from catalog.opcodes import load_pickle
from catalog.plain import mapping_of, plain_value
from catalog.refusal import DEFAULT_LIMITS, HeaderError, Limits
from catalog.stream import read_stream
from catalog.window import open_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from catalog.archive import Archive
    from catalog.elements import Number
    from catalog.inert import AnyTensorInfo, DType, StandIns
    from catalog.window import Identity, Window

    ScalarReader = Callable[[AnyTensorInfo], Number | None]

__all__ = ["DEFAULT_LIMITS", "Header", "HeaderError", "Limits", "open_header", "read_header"]

# The records that torch writes between `data.pkl` and the first storage are shorter than this.
_NEIGHBOUR_BYTES: Final = 1024
_VERSION: Final = re.compile(rb"\s*\+?0*([1-9]|10)(?![0-9])")
_OPTIONAL_MARKS: Final = frozenset({".format_version", ".data/serialization_id"})
_BYTE_ORDERS: Final = {b"little": True, b"big": False}


@dataclass(frozen=True, slots=True)
class _Storages:
    """Where storages' data stands: `locate` gives the file offset of a storage by its key."""

    identity: Identity
    is_little_endian: bool
    locate: Callable[[Window, Any], int]

    def scalar(self, window: Window, tensor: AnyTensorInfo) -> Number | None:
        """The value of a 0-dim tensor, read through `window`. Raises `HeaderError`."""
        place = _element_place(tensor)
        if place is None:
            return None
        key, offset_bytes, element = place
        data = window.read(self.locate(window, key) + offset_bytes, element.size_bytes)
        return torch_number(element.name, data, is_little_endian=self.is_little_endian)


@dataclass(frozen=True, slots=True)
class Header:
    """What one checkpoint says.

    `content` is its top-level mapping; tensors in it are `TensorInfo`, objects of classes that are not
    known `Opaque`. `globals_seen` are the names that its pickle asked for, `module name`. `bytes_read`
    counts what was read of the file.
    """

    path: str
    content: Mapping[Any, Any]
    globals_seen: tuple[str, ...]
    bytes_read: int
    limits: Limits
    _storages: _Storages = field(repr=False)

    def scalar(self, tensor: AnyTensorInfo) -> Number | None:
        """The value of a tensor without dimensions, `None` for one that has some or holds no plain number.

        Opens the file again and reads 1 to 8 bytes. Raises `HeaderError` where they are damaged, or the file
        is no longer the one that was read.
        """
        with _naming(self.path), open_window(self.path) as window:
            if window.identity != self._storages.identity:
                raise HeaderError("the file that was read before", "another one", "list the tree again")
            return self._storages.scalar(window, tensor)

    def plain(self, value: object) -> object:
        """A value of `content` with OmegaConf's nodes and numpy's scalars made plain. Raises `HeaderError`."""
        return plain_value(value, self.limits)


def read_header(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Read a checkpoint of `torch.save`, in its zip format or the one before 1.6.

    Raises `HeaderError` for whatever cannot be read, is damaged as far as this reads it, or goes beyond
    `limits`. Nothing that the file names is imported or run, whatever its bytes.
    """
    with open_header(path, limits=limits) as (header, _):
        return header


@contextmanager
def open_header(
    path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[Header, ScalarReader]]:
    """Read a checkpoint as `read_header` does, and keep it open: its header, and what reads its scalars.

    The reader is `Header.scalar` without opening the file again. Raises `HeaderError` as both do.
    """
    name = os.fspath(path)
    with _naming(name), open_window(name) as window:
        if not window.size_bytes:
            raise HeaderError("a checkpoint of torch.save", "an empty file")
        is_zip = window.read(0, min(len(LOCAL_SIGNATURE), window.size_bytes)) == LOCAL_SIGNATURE
        value, stand_ins, storages = (_read_zip if is_zip else _read_old)(window, limits)
        content = mapping_of(value)
        if content is None:
            raise HeaderError("a mapping", f"a {type(value).__name__}")
        header = Header(name, content, tuple(stand_ins.globals_seen), window.bytes_read, limits, storages)
        yield header, partial(storages.scalar, window)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except HeaderError as error:
        error.path = path
        raise


def _read_zip(window: Window, limits: Limits) -> tuple[Any, StandIns, _Storages]:
    archive = read_archive(window, limits)
    record = archive.records.get("data.pkl")
    if record is not None and record[2] <= limits.pickle_bytes:
        archive.load_with_neighbours("data.pkl", _NEIGHBOUR_BYTES)
    if "constants.pkl" in archive.records:
        raise HeaderError("a checkpoint of torch.save", "a TorchScript archive")
    is_little_endian = _check_marks(archive)
    if record is not None and record[2] > limits.pickle_bytes:
        raise HeaderError(f"a pickle of at most {limits.pickle_bytes} bytes", f"one of {record[2]}")
    loaded = load_pickle(archive.read("data.pkl"), limits)
    _check_storages(archive, loaded.stand_ins)

    def locate(window: Window, key: Any) -> int:
        return archive.reopened(window).data_offset(f"data/{key}")

    return loaded.value, loaded.stand_ins, _Storages(window.identity, is_little_endian, locate)


def _check_marks(archive: Archive) -> bool:
    """Check the records that say how to read the others, as torch does; whether numbers are little-endian."""
    for name in _OPTIONAL_MARKS & archive.records.keys():
        archive.read(name)
    version = archive.read("version")
    if _VERSION.match(version) is None:
        raise HeaderError("a file format version from 1 to 10", repr(version[:20]))
    if ".storage_alignment" in archive.records:
        alignment = archive.read(".storage_alignment")
        try:
            int(alignment)
        except ValueError as error:
            raise HeaderError("a whole number as storage alignment", repr(alignment[:20])) from error
    byte_order = archive.read("byteorder") if "byteorder" in archive.records else b"little"
    if byte_order not in _BYTE_ORDERS:
        raise HeaderError("byte order little or big", repr(byte_order[:20]))
    return _BYTE_ORDERS[byte_order]


def _check_storages(archive: Archive, stand_ins: StandIns) -> None:
    """Check that each storage that the pickle names is there at its full length."""
    records = archive.records
    key: Any = None
    try:
        for mark, kind, key, _, count in stand_ins.persistent_ids:
            if mark != "storage" or records["data/" + key][2] != count * kind.element.size_bytes:
                break
        else:
            return
    except KeyError as error:
        raise HeaderError(f"a record 'data/{key}'", "none in the archive's directory") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise HeaderError("persistent ids of storages", "something else") from error
    raise HeaderError(f"as many bytes in 'data/{key}' as the pickle says", "more or fewer")


def _read_old(window: Window, limits: Limits) -> tuple[Any, StandIns, _Storages]:
    stream = read_stream(window, limits)
    offsets = stream.storage_offsets

    def locate(_: Window, key: Any) -> int:
        if key not in offsets:
            raise HeaderError(f"the data of storage {key!r}", "none")
        return offsets[key]

    return stream.value, stream.stand_ins, _Storages(window.identity, True, locate)


def _element_place(tensor: AnyTensorInfo) -> tuple[str, int, DType] | None:
    """(Storage key, offset in bytes, type) of the element of a tensor without dimensions, or `None`."""
    element = element_type(tensor)
    storage = tensor.storage
    if element is None or tensor.shape != () or tensor.metadata:
        return None
    if not isinstance(storage, tuple) or not isinstance(storage[1], StorageType):
        return None
    offset = tensor.offset
    if len(storage) > 5 and storage[5] is not None:  # a view, as the old format has them
        offset += storage[5][1]
    size_bytes = element.size_bytes
    if (
        type(offset) is not int
        or not 0 <= (offset + 1) * size_bytes <= storage[4] * storage[1].element.size_bytes
    ):
        return None
    return storage[2], offset * size_bytes, element
