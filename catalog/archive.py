"""The zip archive that `torch.save` writes: its directory, and single records. Nothing is inflated.

Layout: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7 to 4.3.16. Refused are archives that two readers could
understand differently, and what `torch.load` refuses of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from catalog.directory import ENTRY_BYTES, Directories, check_overlaps
from catalog.refusal import HeaderError
from catalog.window import END_BYTES

if TYPE_CHECKING:
    from catalog.directory import Record
    from catalog.refusal import Limits
    from catalog.window import Window

LOCAL_SIGNATURE: Final = b"PK\3\4"

_MAX_COMMENT_BYTES: Final = 0xFFFF
_END: Final = struct.Struct("<4sHHHHIIH")
_LOCATOR: Final = struct.Struct("<4sIQI")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCAL: Final = struct.Struct("<4s22xHH")
_HEAD_BYTES: Final = 256
_END64_UNCOUNTED_BYTES: Final = 12  # its signature, and its own length


_directories: Final = Directories()


def forget() -> None:
    """Forget the forms of the directories that were read: the next one is read as the first of a process."""
    _directories.forget()


class _Directory(NamedTuple):
    offset: int
    size_bytes: int
    records: int


class Archive:
    """The records of an archive by name, the common first folder taken off (`data.pkl`, `data/0`)."""

    def __init__(self, window: Window, prefix: str, records: dict[str, Record]) -> None:
        self.prefix = prefix
        self.records = records
        self._window = window

    def reopened(self, window: Window) -> Archive:
        """The same archive, to be read through another window on the same file."""
        return Archive(window, self.prefix, self.records)

    def data_offset(self, name: str) -> int:
        """Where a record's data starts. Raises `HeaderError` where it is missing or its header is damaged."""
        start, _, _ = self._record(name)
        # With the header of a small record comes its data.
        size_bytes = max(_LOCAL.size, min(_HEAD_BYTES, self._window.size_bytes - start))
        signature, name_bytes, extra_bytes = _LOCAL.unpack_from(self._window.read(start, size_bytes))
        if signature != LOCAL_SIGNATURE:
            raise HeaderError(f"a record header for {name!r} at offset {start}", repr(signature))
        return int(start + _LOCAL.size + name_bytes + extra_bytes)

    def read(self, name: str) -> bytes:
        """A record's data. Raises `HeaderError` where it is missing or damaged."""
        return self._window.read(self.data_offset(name), self._record(name)[2])

    def load_with_neighbours(self, name: str, more_bytes: int) -> None:
        """Read a record and `more_bytes` around it in one go, so that what follows needs no reading."""
        start, end, _ = self._record(name)
        self._window.read(start, min(end + more_bytes, self._window.size_bytes) - start)

    def _record(self, name: str) -> Record:
        record = self.records.get(name)
        if record is None:
            raise HeaderError(f"a record {name!r}", "none in the archive's directory")
        return record


def read_archive(window: Window, limits: Limits) -> Archive:
    """The archive in a file, by its directory at the end. Raises `HeaderError`."""
    tail_offset = max(0, window.size_bytes - END_BYTES)
    tail = window.load(tail_offset, window.size_bytes - tail_offset)
    directory = _find_directory(window, tail_offset, tail)
    if directory.size_bytes > limits.directory_bytes or directory.records > limits.records:
        expected = f"a directory of at most {limits.directory_bytes} bytes and {limits.records} records"
        raise HeaderError(expected, f"{directory.size_bytes} bytes and {directory.records} records")
    entries = window.read(directory.offset, directory.size_bytes)
    prefix, records = _directories.read(entries, directory.records)
    check_overlaps(records, directory.offset)
    return Archive(window, prefix, records)


def _find_directory(window: Window, tail_offset: int, tail: bytes) -> _Directory:
    position = tail.rfind(b"PK\5\6")
    if position < 0 and tail_offset > 0:
        tail_offset = max(0, window.size_bytes - _END.size - _MAX_COMMENT_BYTES)
        tail = window.load(tail_offset, window.size_bytes - tail_offset)
        position = tail.rfind(b"PK\5\6")
    if position < 0 or position + _END.size > len(tail):
        raise HeaderError("the directory of a zip archive at the end", "none: the file was cut off")
    _, disk, first_disk, here, count, size_bytes, offset, _ = _END.unpack_from(tail, position)
    end = tail_offset + position
    wide = _read_end64(window, end)
    if wide is not None:
        end, disk, first_disk, here, count, size_bytes, offset = wide
    if disk or first_disk or here != count:
        raise HeaderError("an archive in one piece", f"piece {disk} with {here} of {count} records")
    if offset + size_bytes > end or count * ENTRY_BYTES > size_bytes:
        found = f"one of {size_bytes} bytes at {offset} for {count} records"
        raise HeaderError(f"a directory that ends before offset {end}", found)
    return _Directory(offset, size_bytes, count)


def _read_end64(window: Window, end: int) -> tuple[int, ...] | None:
    """(Own offset, disk, first disk, records here and in all, size, offset) of the zip64 end record.

    torch always writes one.
    """
    if end < _LOCATOR.size + _END64.size:
        return None
    signature, _, offset, disks = _LOCATOR.unpack(window.read(end - _LOCATOR.size, _LOCATOR.size))
    if signature != b"PK\6\7":
        return None
    record = window.read(offset, _END64.size)
    signature, record_bytes, *_, disk, first_disk, here, count, size_bytes, start = _END64.unpack(record)
    if signature != b"PK\6\6":
        return None
    if disks != 1 or record_bytes < _END64.size - _END64_UNCOUNTED_BYTES:
        raise HeaderError("an archive in one piece", f"{disks} pieces, or a damaged end record")
    return offset, disk, first_disk, here, count, size_bytes, start
