"""The directory of a zip archive: its entries read and checked, those of one layout at once.

Layout: APPNOTE.TXT 6.3.10 of PKWARE, section 4.3.12.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from catalog.refusal import HeaderError

ENTRY_BYTES: Final = 46
"""Of an entry without its name and what follows that."""

_LAYOUT: Final = struct.Struct("<12s16xHHHHxxI")
_LAYOUT_PLACES: Final = (*range(28, 36), *range(38, 42), *range(4), *range(8, 12))
"""The bytes of an entry that `_LAYOUT` reads and the reader looks at; those that mostly differ come first."""
_LOCAL_BYTES: Final = 30
_IN_ZIP64: Final = 0xFFFFFFFF
_ZIP64_EXTRA: Final = 1
_DOS_FOLDER: Final = 0x10
_OWN_PIECE: Final = (0, 1)
_UNREADABLE: Final = 0x2061  # encrypted in one of three ways, or a patch to other data

_MOST_FORMS: Final = 16
_MOST_FORM_BYTES: Final = 1 << 17  # of a directory; its form takes some five times as much
_MOST_FOLDER_BYTES: Final = 256
_MOST_MET: Final = 256

Record = tuple[int, int, int]
"""Where a record's local header starts, where the record ends at the earliest, and its data's length."""

_Kind = tuple[int, int, bytes]
"""A directory's length, its number of entries, and their first folder."""


class _Run(NamedTuple):
    """Entries laid out alike: where they begin and end, and the lengths of a name and of what follows it."""

    position: int
    end: int
    name_bytes: int
    more_bytes: int


class _Form:
    """What the directories of checkpoints of one model share: all but times, checksums, lengths and offsets.

    It is taken from a directory that was read and found sound, and holds for one that agrees in every byte that
    was looked at and is no number.
    """

    def __init__(self, entries: bytes, runs: list[_Run], folder: str, names: list[str]) -> None:
        masks, layouts, header_bytes = [], [], []
        for run in runs:
            entry_bytes = ENTRY_BYTES + run.name_bytes + run.more_bytes
            count = (run.end - run.position) // entry_bytes
            mask = bytearray(entry_bytes)
            for place in (*_LAYOUT_PLACES, *range(ENTRY_BYTES, ENTRY_BYTES + run.name_bytes)):
                mask[place] = 0xFF
            masks.append(bytes(mask) * count)
            layouts.append(f"20xII14xI{run.name_bytes + run.more_bytes}x" * count)
            header_bytes += [_LOCAL_BYTES + run.name_bytes] * count
        self._folder = folder
        self._names = names
        self._header_bytes = header_bytes
        self._layout = struct.Struct("<" + "".join(layouts))
        self._mask = int.from_bytes(b"".join(masks), "little")
        self._shared = self._shared_by(entries)

    def _shared_by(self, entries: bytes) -> int:
        return int.from_bytes(entries[: self._layout.size], "little") & self._mask

    def read(self, entries: bytes) -> tuple[str, dict[str, Record]] | None:
        """What `Directories.read` tells of another directory, `None` where this does not show it."""
        if self._shared_by(entries) != self._shared:
            return None
        numbers = self._layout.unpack_from(entries)
        packed, lengths, starts = numbers[0::3], numbers[1::3], numbers[2::3]
        if packed != lengths or _IN_ZIP64 in lengths or _IN_ZIP64 in starts:
            return None
        rows = zip(starts, self._header_bytes, lengths, strict=True)
        places = [(start, start + header_bytes + length, length) for start, header_bytes, length in rows]
        return self._folder, dict(zip(self._names, places, strict=True))


class Directories:
    """Reads directories, and knows the forms of those that it met twice.

    To make a form takes half as long as it saves at each directory after that: many are met just once. None is
    given up for another; after many kinds everything is forgotten, and begins anew.
    """

    def __init__(self) -> None:
        self._met: set[_Kind] = set()
        self._forms: dict[_Kind, _Form] = {}

    @property
    def known(self) -> int:
        """How many forms are known."""
        return len(self._forms)

    def forget(self) -> None:
        """Know no form any more."""
        self._met.clear()
        self._forms.clear()

    def read(self, entries: bytes, count: int) -> tuple[str, dict[str, Record]]:
        """The first folder of all names, and the records by the rest of their names.

        Raises `HeaderError` for what two readers could understand differently, or `torch.load` refuses.
        """
        folder = _first_folder(entries)
        kind = (len(entries), count, folder)
        form = self._forms.get(kind)
        known = form.read(entries) if form else None
        if known:
            return known
        prefix, records, runs = _read_anew(entries, count, folder)
        if form is None and len(entries) <= _MOST_FORM_BYTES and len(folder) <= _MOST_FOLDER_BYTES:
            if len(self._met) >= _MOST_MET:
                self.forget()
            if kind in self._met and len(self._forms) < _MOST_FORMS:
                self._forms[kind] = _Form(entries, runs, prefix, list(records))
            self._met.add(kind)
        return prefix, records


def _read_anew(entries: bytes, count: int, folder: bytes) -> tuple[str, dict[str, Record], list[_Run]]:
    names: list[bytes] = []
    places: list[Record] = []
    runs: list[_Run] = []
    position = 0
    try:
        while len(places) < count:
            run = _read_run(entries, position, folder, names, places, count)
            if len(entries) <= _MOST_FORM_BYTES:
                runs.append(run)
            position = run.end
    except struct.error as error:
        raise HeaderError(f"{count} records in the directory", "a directory cut short") from error
    return _decoded(folder), _by_name(names, places), runs


def _first_folder(entries: bytes) -> bytes:
    name = entries[ENTRY_BYTES : ENTRY_BYTES + int.from_bytes(entries[28:30], "little")]
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
) -> _Run:
    """Take the records from `position` on that are laid out as the first of them.

    torch's names differ in length only where the number of digits does, so that runs are long. One compiled
    layout reads a run, and what its entries must share is compared for all of them at once.
    """
    kind, name_bytes, extra_bytes, comment_bytes, disk, attributes = _LAYOUT.unpack_from(entries, position)
    _check_kind(kind, disk, attributes)
    if name_bytes < len(folder) or not entries.startswith(folder, position + ENTRY_BYTES):
        raise HeaderError(f"records in {_decoded(folder)!r}", "one elsewhere")
    own_bytes = name_bytes - len(folder)
    layout = _entry_layout(len(folder), own_bytes, extra_bytes + comment_bytes)
    end = position + layout.size * _run_length(entries, position, folder, layout.size, count - len(places))
    run = layout.iter_unpack(memoryview(entries)[position:end])
    packed, lengths, starts, own_names = zip(*run, strict=True)
    if packed != lengths:
        raise HeaderError("records that are as long as they are packed", "one that is not")
    if _IN_ZIP64 in lengths or _IN_ZIP64 in starts:
        after_name = ENTRY_BYTES + name_bytes
        extras = [
            entries[at + after_name : at + after_name + extra_bytes] for at in range(position, end, layout.size)
        ]
        lengths, starts = zip(*map(_wide_entry, extras, lengths, starts), strict=True)
    header_bytes = _LOCAL_BYTES + name_bytes
    names += own_names
    places += [
        (start, start + header_bytes + length, length) for start, length in zip(starts, lengths, strict=True)
    ]
    return _Run(position, end, name_bytes, extra_bytes + comment_bytes)


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
    for place in (*_LAYOUT_PLACES, *range(ENTRY_BYTES, ENTRY_BYTES + len(folder))):
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


def check_overlaps(records: dict[str, Record], directory_offset: int) -> None:
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
