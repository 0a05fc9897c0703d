"""A memory as the bytes of an index file: versioned, checksummed, with paths below the outputs directory.

Nearly every answer is an entry that one file beside its checkpoint told. Such answers are stored as rows of
plain values, which are read without a call for each path; all others are stored as they are.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from catalog.filesystem import Signature
from catalog.index import Memory
from catalog.keys import Key
from catalog.layout import stem_of
from catalog.paths_below import maker_below
from catalog.records import Answer, CheckpointCatalogEntry, Kind, MonitorMode, Provenance
from catalog.scan import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

READER_VERSION: Final = 4
"""Raised with every change of what a build answers or of how it is stored; older files are then rebuilt."""

_MAGIC: Final = b"ckpt-catalog index\n"
_HEAD_BYTES: Final = len(_MAGIC) + 4 + 4
_NO_CONFIG: Final = -1


class SnapshotError(ValueError):
    """Bytes that are no snapshot of the wanted memory; its text says what they are instead."""


_Row = tuple[
    int,  # folder, by number
    str,  # the checkpoint's file name
    Kind,
    str,  # the file name of the one dependency, in the same folder
    Signature | None,
    int,  # config, by number
    int,  # provenance, by number
    str,  # architecture, and so on in the order of the entry's fields
    str,
    str,
    int,
    str,
    float | None,
    float | None,
    float | None,
    str | None,
    MonitorMode | None,
    float | None,
    bool,
]
"""An answer that one file beside the checkpoint told. Tuples are unpacked faster than records are read."""


class _Snapshot(msgspec.Struct, array_like=True):
    """What a file holds. `others` are answers by their position in the catalog, with their paths."""

    key: Key
    provenances: list[dict[str, str]] = []
    configs: list[str] = []
    folders: list[Folder] = []
    rows: list[_Row] = []
    dependencies: dict[str, Signature | None] = {}
    others: msgspec.Raw = msgspec.Raw(b"")


_Others = list[tuple[int, str, Answer]]
_NO_OTHERS: Final = msgspec.msgpack.encode([])
_decode_snapshot = msgspec.msgpack.Decoder(_Snapshot).decode


def encode(key: Key, memory: Memory) -> bytes:
    """The bytes of an index file. Raises `OverflowError` for a time stamp that 64 bits do not hold."""
    try:
        payload = _Writer(key, memory).payload()
    except UnicodeEncodeError:
        payload = _Writer(key, _without_undecodable_names(memory)).payload()
    return b"".join(
        (_MAGIC, READER_VERSION.to_bytes(4, "big"), zlib.crc32(payload).to_bytes(4, "big"), payload)
    )


def decode(data: bytes, key: Key) -> Memory:
    """The memory in an index file's bytes. Raises `SnapshotError`."""
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
        return _memory(found)
    except (msgspec.MsgspecError, IndexError) as error:
        raise SnapshotError(f"it cannot be read ({error})") from error


class _Writer:
    """One snapshot while it is put together."""

    def __init__(self, key: Key, memory: Memory) -> None:
        self._key = key
        self._memory = memory
        self._prefix_chars = len(_prefix(key))
        self._folders = {path: number for number, path in enumerate(memory.folders)}
        self._provenances: list[Provenance] = []
        self._numbers: dict[int, int] = {}  # by identity: entries share their provenances
        self._configs: dict[Path | None, int] = {None: _NO_CONFIG}
        self._encode = msgspec.msgpack.Encoder(enc_hook=self._plain).encode

    def payload(self) -> bytes:
        """Everything but the head. Raises `UnicodeEncodeError`, `OverflowError`."""
        rows: list[_Row] = []
        others: _Others = []
        dependencies = self._memory.dependencies.copy()
        for position, (path, answer) in enumerate(self._memory.answers.items()):
            row = self._row(path, answer)
            if row is None:
                others.append((position, path, answer))
            else:
                rows.append(row)
                dependencies.pop(answer.dependencies[0], None)
        whole = self._encode(others)
        return self._encode(
            _Snapshot(
                self._key,
                [one.to_dict() for one in self._provenances],
                [self._text(one) for one in self._configs if one is not None],
                list(self._memory.folders.values()),
                rows,
                dependencies,
                msgspec.Raw(whole),
            )
        )

    def _row(self, path: str, answer: Answer) -> _Row | None:
        """The answer as a row, if it is one that a row can hold."""
        entry, told_by = answer.entry, answer.dependencies
        above, _, name = path.rpartition("/")
        if entry is None or answer.problems or answer.expires_ns is not None or len(told_by) != 1:
            return None
        if entry.display_name != stem_of(name) or self._text(entry.checkpoint_path) != path:
            return None
        folder, _, file_name = told_by[0].rpartition("/")
        number = self._folders.get(above)
        if folder != above or number is None:
            return None
        return (
            number,
            name,
            answer.kind,
            file_name,
            self._memory.dependencies[told_by[0]],
            self._configs.setdefault(entry.config_path, len(self._configs) - 1),
            self._number(entry.provenance),
            entry.architecture,
            entry.backbone,
            entry.exp_name,
            entry.epochs,
            entry.created_timestamp,
            entry.hmean,
            entry.precision,
            entry.recall,
            entry.monitor,
            entry.monitor_mode,
            entry.score,
            entry.has_metadata,
        )

    def _number(self, provenance: Provenance) -> int:
        number = self._numbers.get(id(provenance))
        if number is None:
            number = self._numbers[id(provenance)] = len(self._provenances)
            self._provenances.append(provenance)
        return number

    def _text(self, path: Path) -> str:
        return str(path)[self._prefix_chars :]

    def _plain(self, value: Any) -> object:
        return value.to_dict() if type(value) is Provenance else self._text(value)


def _memory(found: _Snapshot) -> Memory:
    """Raises `MsgspecError`, and `IndexError` where a number leads nowhere."""
    provenances = [Provenance(one) for one in found.provenances]
    below = maker_below(Path(found.key.root))
    configs: list[Path | None] = [below(one) for one in found.configs]
    configs.append(None)  # what `_NO_CONFIG` leads to
    dependencies = found.dependencies
    answers: dict[str, Answer] = {}
    for (
        number,
        name,
        kind,
        witness,
        signature,
        config,
        provenance,
        architecture,
        backbone,
        exp_name,
        epochs,
        created_timestamp,
        hmean,
        precision,
        recall,
        monitor,
        monitor_mode,
        score,
        has_metadata,
    ) in found.rows:
        folder = found.folders[number]
        path = folder.below(name)
        told_by = folder.below(witness)
        entry = CheckpointCatalogEntry(
            checkpoint_path=below(path),
            config_path=configs[config],
            display_name=stem_of(name),
            architecture=architecture,
            backbone=backbone,
            exp_name=exp_name,
            epochs=epochs,
            created_timestamp=created_timestamp,
            hmean=hmean,
            precision=precision,
            recall=recall,
            monitor=monitor,
            monitor_mode=monitor_mode,
            score=score,
            has_metadata=has_metadata,
            provenance=provenances[provenance],
        )
        answers[path] = Answer(path, entry, None, (), kind, (told_by,))
        dependencies[told_by] = signature
    others: _Others = []
    if bytes(found.others) != _NO_OTHERS:
        others = msgspec.msgpack.decode(found.others, type=_Others, dec_hook=_reader_below(_prefix(found.key)))
    return Memory({one.path: one for one in found.folders}, dependencies, _in_place(answers, others))


def _in_place(answers: dict[str, Answer], others: _Others) -> dict[str, Answer]:
    """All answers in the catalog's order; `others` tell their positions."""
    if not others:
        return answers
    items = iter(answers.items())
    placed: dict[str, Answer] = {}
    for position, path, answer in others:
        while len(placed) < position:
            placed.update((next(items, (path, answer)),))
        placed[path] = answer
    placed.update(items)
    return placed


def _reader_below(prefix: str) -> Callable[[type, Any], object]:
    def rich(wanted: type, value: Any) -> object:
        return Provenance(value) if wanted is Provenance else Path(prefix + value)

    return rich


def _prefix(key: Key) -> str:
    """What precedes a path below the outputs directory in the paths of its entries."""
    root = key.root
    return "" if root == "." else root if root.endswith("/") else f"{root}/"


def _without_undecodable_names(memory: Memory) -> Memory:
    """A memory without what a name keeps from being stored; its folders vouch for nothing and are read anew."""
    unstorable = {path for path, one in memory.folders.items() if not _is_storable(one)}
    answers = {}
    for path, answer in memory.answers.items():
        above = path.rpartition("/")[0]
        if above not in unstorable and _is_storable(answer):
            answers[path] = answer
        else:
            unstorable.add(above)
    folders = {
        path: Folder(path, None, (), {}, frozenset(), {}) if path in unstorable else one
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
