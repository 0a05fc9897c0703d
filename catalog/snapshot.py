"""A memory as the bytes of an index file: versioned, checksummed, with paths below the outputs directory.

Its outline comes first, and is all that is read while nothing has changed.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from catalog.columns import Columns, columns_of, entries_of
from catalog.filesystem import Signature
from catalog.index import Memory
from catalog.keys import Key
from catalog.outline import Outline, outline_of
from catalog.records import Answer, Kind, Problem, SkippedCheckpoint
from catalog.scan import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

READER_VERSION: Final = 10
"""Raised with every change of what a build answers or of how it is stored; older files are then rebuilt."""

_MAGIC: Final = b"ckpt-catalog index\n"
_HEAD_BYTES: Final = len(_MAGIC) + 4 + 4
_NO_NAMES: Final = frozenset({"", ".", ".."})
_NOTHING: Final = -1
"""The number of no entry, nothing left out."""

_Number = Annotated[int, msgspec.Meta(ge=0)]
_NumberOrNothing = Annotated[int, msgspec.Meta(ge=_NOTHING)]


class SnapshotError(ValueError):
    """Bytes that are no snapshot of the wanted memory; its text says what they are instead."""


class _Snapshot(msgspec.Struct, array_like=True):
    """What a file holds: an outline (`told` for what else than entries it tells), and the memory."""

    key: Key
    folders: list[str]
    dependencies: list[str]
    signatures: list[Signature | None]
    links: dict[str, Kind]
    expires_ns: int | None
    entries: Columns
    told: msgspec.Raw
    memory: msgspec.Raw


class _Stored(msgspec.Struct, array_like=True):
    """An answer: its entry and what it leaves out by their numbers in the outline, dependencies by theirs."""

    path: str
    entry: _NumberOrNothing
    skipped: _NumberOrNothing
    problems: tuple[Problem, ...]
    kind: Kind
    dependencies: tuple[_Number, ...]
    expires_ns: int | None


_Told = tuple[list[SkippedCheckpoint], list[Problem]]
_Rest = tuple[list[Folder], list[_Stored]]
"""A memory's folders and answers."""

_NOTHING_TOLD: Final = msgspec.msgpack.encode(([], []))
_decode_snapshot = msgspec.msgpack.Decoder(_Snapshot).decode


_Unreadable = (msgspec.MsgspecError, LookupError, ValueError, RecursionError)
"""What reading bytes raises that no snapshot has, whatever their checksum."""


class Snapshot(msgspec.Struct, frozen=True):
    """What was read of a file: the outline, and on request all of the memory."""

    outline: Outline
    _rest: bytes
    _prefix: str

    def memory(self) -> Memory:
        """The memory itself. Raises `SnapshotError`."""
        try:
            return _memory(self._rest, self.outline, self._prefix)
        except _Unreadable as error:
            raise SnapshotError(f"it cannot be read ({error})") from error


def encode(key: Key, memory: Memory, outline: Outline) -> bytes:
    """The bytes of an index file. Raises `OverflowError` for a time stamp that 64 bits do not hold."""
    try:
        payload = _Writer(key, memory, outline).payload()
    except UnicodeEncodeError:
        memory = _without_undecodable_names(memory)
        payload = _Writer(key, memory, outline_of(memory)).payload()
    return b"".join(
        (_MAGIC, READER_VERSION.to_bytes(4, "big"), zlib.crc32(payload).to_bytes(4, "big"), payload)
    )


def decode(data: bytes, key: Key) -> Snapshot:
    """What an index file's bytes hold. Raises `SnapshotError`."""
    if not data.startswith(_MAGIC):
        raise SnapshotError("it is no index of this program")
    version = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 4], "big")
    if version != READER_VERSION:
        raise SnapshotError(f"it was written by reader version {version}, and this is {READER_VERSION}")
    payload = memoryview(data)[_HEAD_BYTES:]
    if zlib.crc32(payload) != int.from_bytes(data[_HEAD_BYTES - 4 : _HEAD_BYTES], "big"):
        raise SnapshotError("its checksum does not hold")
    try:
        found = _decode_snapshot(payload)
        if found.key != key:
            raise SnapshotError("it was written for another tree or other options")
        # Nothing else of the file is kept: its columns are entries now.
        return Snapshot(_outline(found), bytes(found.memory), _prefix(key))
    except SnapshotError:
        raise
    except _Unreadable as error:
        raise SnapshotError(f"it cannot be read ({error})") from error


class _Writer:
    """One snapshot while it is put together."""

    def __init__(self, key: Key, memory: Memory, outline: Outline) -> None:
        self._key = key
        self._memory = memory
        self._outline = outline
        self._prefix = _prefix(key)
        self._dependencies = {path: number for number, path in enumerate(outline.dependencies)}
        self._encode = msgspec.msgpack.Encoder(enc_hook=self._text).encode

    def payload(self) -> bytes:
        """Everything but the head. Raises `UnicodeEncodeError`, `OverflowError`."""
        outline = self._outline
        told: _Told = (outline.skipped, outline.problems)
        rest: _Rest = (list(self._memory.folders.values()), self._answers())
        return self._encode(
            _Snapshot(
                self._key,
                outline.folders,
                outline.dependencies,
                outline.signatures,
                outline.links,
                outline.expires_ns,
                columns_of(outline.entries, self._text),
                msgspec.Raw(self._encode(told)),
                msgspec.Raw(self._encode(rest)),
            )
        )

    def _answers(self) -> list[_Stored]:
        """The answers in their order, which is that of entries and of what is left out too."""
        stored = []
        entries = skipped = 0
        for path, answer in self._memory.answers.items():
            entry, left_out = _NOTHING, _NOTHING
            if answer.entry is not None:
                entry, entries = entries, entries + 1
            if answer.skipped is not None:
                left_out, skipped = skipped, skipped + 1
            dependencies = tuple(map(self._dependencies.__getitem__, answer.dependencies))
            stored.append(
                _Stored(
                    path,
                    entry,
                    left_out,
                    answer.problems,
                    answer.kind,
                    dependencies,
                    answer.expires_ns,
                )
            )
        return stored

    def _text(self, path: Path) -> str:
        """A path below the outputs directory, empty for itself; one elsewhere is absolute, and stays so."""
        text = str(path)
        return "" if f"{text}/" == self._prefix else text.removeprefix(self._prefix)


def _outline(found: _Snapshot) -> Outline:
    """Raises what `_Unreadable` names."""
    key = found.key
    if len(found.signatures) != len(found.folders) + len(found.dependencies):
        raise ValueError(f"{len(found.signatures)} signatures of another number of paths")
    skipped: list[SkippedCheckpoint] = []
    problems: list[Problem] = []
    if bytes(found.told) != _NOTHING_TOLD:
        skipped, problems = msgspec.msgpack.decode(found.told, type=_Told, dec_hook=_path_below(_prefix(key)))
    return Outline(
        found.folders,
        found.dependencies,
        found.signatures,
        found.links,
        found.expires_ns,
        entries_of(found.entries, Path(key.root)),
        skipped,
        problems,
    )


def _memory(rest: bytes, outline: Outline, prefix: str) -> Memory:
    """Raises what `_Unreadable` names."""
    listed, stored = msgspec.msgpack.decode(rest, type=_Rest, dec_hook=_path_below(prefix))
    folders = {one.path: one for one in listed}
    if list(folders) != outline.folders:
        raise ValueError("other folders than in its outline")
    if any(name in _NO_NAMES or "/" in name for one in listed for name in one.folders):
        raise ValueError("a folder by a name that no folder has")
    paths = outline.dependencies
    answers: dict[str, Answer] = {}
    for one in stored:
        above, _, name = one.path.rpartition("/")
        folder = folders[above]
        if folder.checkpoints.get(name) != one.kind or folder.below(name) != one.path:
            raise ValueError(f"an answer for {one.path!r}, which is none of its checkpoints")
        answers[one.path] = Answer(
            one.path,
            None if one.entry == _NOTHING else outline.entries[one.entry],
            None if one.skipped == _NOTHING else outline.skipped[one.skipped],
            one.problems,
            one.kind,
            tuple([paths[number] for number in one.dependencies]),
            one.expires_ns,
        )
    if not len(answers) == len(stored) == sum(len(one.checkpoints) for one in listed):
        raise ValueError("a checkpoint without an answer, or with two")
    signatures = outline.signatures[len(folders) :]
    return Memory(folders, dict(zip(paths, signatures, strict=True)), answers)


def _path_below(prefix: str) -> Callable[[type, Any], Path]:
    def made(_: type, text: Any) -> Path:
        if not isinstance(text, str):
            raise TypeError("a path that is no text")
        return Path(text if text[:1] == os.sep else prefix + text)

    return made


def _prefix(key: Key) -> str:
    """What precedes a path below the outputs directory in the paths of its entries."""
    root = key.root
    return "" if root == "." else root if root.endswith("/") else f"{root}/"


def _without_undecodable_names(memory: Memory) -> Memory:
    """A memory without what a name keeps from being stored; its folders vouch for nothing and are listed anew.

    The names of files that can be stored stay: that one of them is gone must show.
    """
    unstorable = {path for path, one in memory.folders.items() if not _is_storable(one)}
    unstorable |= {path.rpartition("/")[0] for path, one in memory.answers.items() if not _is_storable(one)}
    answers = {
        path: answer for path, answer in memory.answers.items() if path.rpartition("/")[0] not in unstorable
    }
    folders = {
        path: Folder(path, None, (), {}, frozenset(filter(_is_storable, one.files)), {})
        if path in unstorable
        else one
        for path, one in memory.folders.items()
        if _is_storable(path)
    }
    wanted = {path for one in answers.values() for path in one.dependencies}
    dependencies = {path: one for path, one in memory.dependencies.items() if path in wanted}
    return Memory(folders=folders, dependencies=dependencies, answers=answers)


def _is_storable(value: object) -> bool:
    try:
        msgspec.msgpack.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        return False
    return True
