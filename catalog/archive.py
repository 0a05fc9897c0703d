"""The zip archive that `torch.save` writes: its directory, and single records. Nothing is inflated.

Layout: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7 to 4.3.16. Refused are archives that two readers could
understand differently, and what `torch.load` refuses of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from catalog.refusal import Limits
    from catalog.window import Window

LOCAL_SIGNATURE: Final = b"PK\3\4"

_TAIL_BYTES: Final = 32 * 1024
_MAX_COMMENT_BYTES: Final = 0xFFFF
_END: Final = struct.Struct("<4sHHHHIIH")
_LOCATOR: Final = struct.Struct("<4sIQI")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LAYOUT: Final = struct.Struct("<12s16xHHHHxxI")
_ENTRY_BYTES: Final = 46
_LOCAL: Final = struct.Struct("<4s22xHH")
_LOCAL_BYTES: Final = 30
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
        header = self._window.read(start, _LOCAL.size)
        signature, name_bytes, extra_bytes = _LOCAL.unpack(header)
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
    tail_offset = max(0, window.size_bytes - _TAIL_BYTES)
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
    prefix = _first_folder(entries)
    records: dict[str, Record] = {}
    position = 0
    try:
        while len(records) < count:
            before = len(records)
            position = _read_run(entries, position, prefix, records, count)
            if len(records) == before:
                raise HeaderError("one record of each name", "several of the same name")
    except struct.error as error:
        raise HeaderError(f"{count} records in the directory", "a directory cut short") from error
    except UnicodeDecodeError as error:
        raise HeaderError("names of records in UTF-8", "another one") from error
    names = "\n".join(records)
    if "\0" in names:
        raise HeaderError("names of records without NUL", "one with NUL, which ends it for some readers")
    # torch finds a record whatever the case of its name.
    if len(set(names.lower().split("\n"))) != count:
        raise HeaderError("one record of each name", "several of the same name")
    return prefix.decode(), records


def _first_folder(entries: bytes) -> bytes:
    name = entries[_ENTRY_BYTES : _ENTRY_BYTES + int.from_bytes(entries[28:30], "little")]
    folder, slash, _ = name.partition(b"/")
    if not slash:
        raise HeaderError("records in a folder", f"a record {name[:60]!r}" if name else "no record")
    return folder + slash


def _read_run(entries: bytes, position: int, prefix: bytes, records: dict[str, Record], count: int) -> int:
    """Take the records from `position` on that are laid out as the first of them; where they end.

    torch's names differ in length only where the number of digits does, so that runs are long and one
    compiled layout reads most entries.
    """
    kind, name_bytes, extra_bytes, comment_bytes, disk, attributes = _LAYOUT.unpack_from(entries, position)
    _check_kind(kind, disk, attributes)
    if name_bytes < len(prefix):
        raise HeaderError(f"records in {prefix!r}", "one elsewhere")
    more_bytes = extra_bytes + comment_bytes
    layout = struct.Struct(f"<12s8xII14sI{len(prefix)}s{name_bytes - len(prefix)}s{more_bytes}x")
    details = entries[position + 28 : position + 42]
    run = memoryview(entries)[position : position + (len(entries) - position) // layout.size * layout.size]
    for own_kind, packed, size, own_details, offset, folder, name in layout.iter_unpack(run):
        if own_kind != kind or own_details != details or len(records) == count:
            break
        if packed != size or folder != prefix:
            raise HeaderError(f"a record of one length in {prefix!r}", repr(folder + name))
        start, length = offset, size
        if size == _IN_ZIP64 or offset == _IN_ZIP64:
            extra = entries[position + _ENTRY_BYTES + name_bytes :][:extra_bytes]
            length, start = _wide_entry(extra, size, offset)
        records[str(name, "utf-8")] = (start, start + _LOCAL_BYTES + name_bytes + length, length)
        position += layout.size
    return position


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
