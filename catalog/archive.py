"""The zip archive that `torch.save` writes: its directory, and single records. Nothing is inflated.

Layout: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7 to 4.3.16. Refused are archives that two readers could
understand differently, and what `torch.load` refuses of them.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from catalog.refusal import HeaderError
from catalog.window import END_BYTES

if TYPE_CHECKING:
    from catalog.refusal import Limits
    from catalog.window import Window

LOCAL_SIGNATURE: Final = b"PK\3\4"

_MAX_COMMENT_BYTES: Final = 0xFFFF
_END: Final = struct.Struct("<4sHHHHIIH")
_LOCATOR: Final = struct.Struct("<4sIQI")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LAYOUT: Final = struct.Struct("<12s16xHHHHxxI")
_LAYOUT_PLACES: Final = (*range(28, 36), *range(38, 42), *range(4), *range(8, 12))
"""The bytes of an entry that `_LAYOUT` reads and the reader looks at; those that mostly differ come first."""
_ENTRY_BYTES: Final = 46
_LOCAL: Final = struct.Struct("<4s22xHH")
_LOCAL_BYTES: Final = 30
_HEAD_BYTES: Final = 256
_END64_UNCOUNTED_BYTES: Final = 12  # its signature, and its own length
_IN_ZIP64: Final = 0xFFFFFFFF
_ZIP64_EXTRA: Final = 1
_DOS_FOLDER: Final = 0x10
_OWN_PIECE: Final = (0, 1)
_UNREADABLE: Final = 0x2061  # encrypted in one of three ways, or a patch to other data


Record = tuple[int, int, int]
"""Where a record's local header starts, where the record ends at the earliest, and its data's length."""


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
    prefix, records = _read_entries(entries, directory.records)
    _check_overlaps(records, directory.offset)
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
    if offset + size_bytes > end or count * _ENTRY_BYTES > size_bytes:
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


def _read_entries(entries: bytes, count: int) -> tuple[str, dict[str, Record]]:
    """The first folder of all names, and the records by the rest of their names."""
    folder = _first_folder(entries)
    names: list[bytes] = []
    places: list[Record] = []
    position = 0
    try:
        while len(places) < count:
            position = _read_run(entries, position, folder, names, places, count)
    except struct.error as error:
        raise HeaderError(f"{count} records in the directory", "a directory cut short") from error
    return _decoded(folder), _by_name(names, places)


def _first_folder(entries: bytes) -> bytes:
    name = entries[_ENTRY_BYTES : _ENTRY_BYTES + int.from_bytes(entries[28:30], "little")]
    folder, slash, _ = name.partition(b"/")
    if not slash:
        raise HeaderError("records in a folder", f"a record {name[:60]!r}" if name else "no record")
    return folder + slash


def _by_name(names: list[bytes], places: list[Record]) -> dict[str, Record]:
    joined = _decoded(b"\0".join(names))
    records = dict(zip(joined.split("\0"), places, strict=False))
    if joined.count("\0") + 1 != len(names):
        raise HeaderError("names of records without NUL", "one with NUL, which ends it for some readers")
    # torch finds a record whatever the case of its name.
    lowered = joined.lower()
    if len(records if lowered == joined else set(lowered.split("\0"))) != len(names):
        raise HeaderError("one record of each name", "several of the same name")
    return records


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise HeaderError("names of records in UTF-8", "another one") from error


def _read_run(
    entries: bytes, position: int, folder: bytes, names: list[bytes], places: list[Record], count: int
) -> int:
    """Take the records from `position` on that are laid out as the first of them; where they end.

    torch's names differ in length only where the number of digits does, so that runs are long. One compiled
    layout reads a run, and what its entries must share is compared for all of them at once.
    """
    kind, name_bytes, extra_bytes, comment_bytes, disk, attributes = _LAYOUT.unpack_from(entries, position)
    _check_kind(kind, disk, attributes)
    if name_bytes < len(folder) or not entries.startswith(folder, position + _ENTRY_BYTES):
        raise HeaderError(f"records in {_decoded(folder)!r}", "one elsewhere")
    own_bytes = name_bytes - len(folder)
    layout = _entry_layout(len(folder), own_bytes, extra_bytes + comment_bytes)
    end = position + layout.size * _run_length(entries, position, folder, layout.size, count - len(places))
    run = layout.iter_unpack(memoryview(entries)[position:end])
    packed, lengths, starts, own_names = zip(*run, strict=True)
    if packed != lengths:
        raise HeaderError("records that are as long as they are packed", "one that is not")
    if _IN_ZIP64 in lengths or _IN_ZIP64 in starts:
        first_extra = position + _ENTRY_BYTES + name_bytes
        extras = [entries[at : at + extra_bytes] for at in range(first_extra, end, layout.size)]
        lengths, starts = zip(*map(_wide_entry, extras, lengths, starts), strict=True)
    header_bytes = _LOCAL_BYTES + name_bytes
    names += own_names
    places += [
        (start, start + header_bytes + length, length) for start, length in zip(starts, lengths, strict=True)
    ]
    return end


@lru_cache(maxsize=256)
def _entry_layout(folder_bytes: int, own_bytes: int, more_bytes: int) -> struct.Struct:
    """Packed and own length, offset, and the name behind the folder, of an entry with names of this length."""
    return struct.Struct(f"<20xII14xI{folder_bytes}x{own_bytes}s{more_bytes}x")


def _run_length(entries: bytes, position: int, folder: bytes, entry_bytes: int, most: int) -> int:
    """How many entries from `position` on agree with the first in layout, kind, attributes and folder.

    Each byte of these is compared for all entries at once.
    """
    length = min(most, (len(entries) - position) // entry_bytes)
    if not length:
        raise struct.error("an entry that is cut off")
    end = position + length * entry_bytes
    for place in (*_LAYOUT_PLACES, *range(_ENTRY_BYTES, _ENTRY_BYTES + len(folder))):
        if length == 1:
            break
        column = entries[position + place : end : entry_bytes]
        first = column[:1]
        if column != first * length:
            length -= len(column.lstrip(first))
            end = position + length * entry_bytes
    return length


def _check_kind(kind: bytes, disk: int, attributes: int) -> None:
    """Check an entry's first twelve bytes (signature, versions, flags, method), its piece and attributes."""
    signature, flags, method = struct.unpack("<4s4xHH", kind)
    if signature != b"PK\1\2":
        raise HeaderError("a directory of records", f"an entry that begins with {signature!r}")
    if attributes & _DOS_FOLDER:
        raise HeaderError("records", "a folder")
    if disk not in _OWN_PIECE:
        raise HeaderError("an archive in one piece", f"a record in piece {disk}")
    if flags & _UNREADABLE:
        raise HeaderError("records that are not encrypted", f"one with flags {flags:#x}")
    if method:
        raise HeaderError("records that are not compressed", f"one of method {method}")


def _wide_entry(extra: bytes, size_bytes: int, offset: int) -> tuple[int, int]:
    """Size and offset out of the zip64 extra field, where they do not fit into 32 bits.

    The field holds, of size, packed size and offset, those that the entry itself has no room for.
    """
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _ZIP64_EXTRA:
            wide = list(struct.unpack_from(f"<{length // 8}Q", extra, position + 4))
            if size_bytes == _IN_ZIP64 and len(wide) >= 2 and wide[0] == wide[1]:
                size_bytes = wide[0]
                del wide[:2]
            if offset == _IN_ZIP64 and wide:
                offset = wide[0]
            break
        position += 4 + length
    return size_bytes, offset


def _check_overlaps(records: dict[str, Record], directory_offset: int) -> None:
    """Refuse records that share bytes, as zip bombs and forged directories do."""
    end = 0
    in_order = sorted(records.values())
    if in_order[0][0] != 0:
        raise HeaderError("an archive from the file's first byte", f"one from {in_order[0][0]}")
    for start, own_end, _ in in_order:
        if start < end:
            raise HeaderError("records apart from each other", f"an overlap at {start}")
        end = own_end
    if end > directory_offset:
        raise HeaderError("records before the directory", f"one that ends at {end}")
