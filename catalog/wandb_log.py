"""Reads the log `run-<id>.wandb` in which W&B's client keeps a run, without the client.

Offline the client (0.31) writes config, summary and history there and nowhere else, and the reader that
older packages had is gone. The file is LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md,
after a header of 7 bytes and with plain CRC-32 sums; each record is a protocol buffer of
`wandb_internal.proto`, and only the fields that tell something here are looked at.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from catalog.run_records import EPOCH_KEY, METRIC_GROUPS, STEP_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LOG_BYTES: Final = 64 * 1024 * 1024
MAX_RECORDS: Final = 500_000

_HEADER: Final = b":W&B\xe1\xbe\x00"
_BLOCK_BYTES: Final = 32768
_HEAD_BYTES: Final = 1 << 20
"""Where the record of the run stands, its whole config with it."""
_CHUNK_HEADER: Final = struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _LAST = 1, 2, 4
_UNWRITTEN: Final = (0, 0, 0)

# Field numbers of wandb_internal.proto: of Record, of RunRecord, and of the items in all of them.
_HISTORY, _SUMMARY, _CONFIG, _RUN = 2, 3, 5, 17
_RUN_ENTITY, _RUN_PROJECT, _RUN_CONFIG, _RUN_SUMMARY = 2, 3, 4, 5
_UPDATE, _REMOVE = 1, 2
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16

_HISTORY_KEYS: Final = frozenset({STEP_KEY, EPOCH_KEY}.union(*METRIC_GROUPS))
# Most items of most rows are others: they need not be taken apart to be passed over.
_MAY_BE_WANTED: Final = re.compile(b"|".join(re.escape(key.encode()) for key in sorted(_HISTORY_KEYS)))

Message = dict[int, list[bytes]]


@dataclass(slots=True)
class RunLog:
    """What a log tells: the run's config, its summary, and its history at the metrics' and steps' keys.

    `is_whole` is false where the file is larger than `MAX_LOG_BYTES`, holds more than `MAX_RECORDS`, or is
    damaged before its end, and the rest of it was not read.
    """

    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    is_whole: bool = True

    @property
    def last_summary(self) -> dict[str, Any]:
        """The summary, if it is known to be the last one."""
        return self.summary if self.is_whole else {}

    def add(self, record: bytes) -> None:
        """Take over one record. Raises `ValueError` where it is none."""
        message = _parse(record)
        for row in message.get(_HISTORY, ()):
            self._add_row(row)
        for update in message.get(_SUMMARY, ()):
            _apply(update, self.summary)
        for update in message.get(_CONFIG, ()):
            _apply(update, self.config)
        for run in map(_parse, message.get(_RUN, ())):
            for update in run.get(_RUN_CONFIG, ()):
                _apply(update, self.config)
            for update in run.get(_RUN_SUMMARY, ()):
                _apply(update, self.summary)

    def _add_row(self, row: bytes) -> None:
        logged = {
            path[0]: value
            for path, value in map(_item, filter(_MAY_BE_WANTED.search, _parse(row).get(_UPDATE, ())))
            if len(path) == 1 and path[0] in _HISTORY_KEYS
        }
        if logged:
            self.history.append(logged)


def read_run_log(path: str) -> RunLog:
    """What stands in a log up to its end, or to where it is damaged or half written. Raises `OSError`."""
    data = _read(path)
    log = RunLog(is_whole=len(data) <= MAX_LOG_BYTES)
    try:
        for number, record in enumerate(_records(data[:MAX_LOG_BYTES])):
            if number == MAX_RECORDS:
                log.is_whole = False
                break
            log.add(record)
    except (ValueError, RecursionError):
        log.is_whole = False  # what stands before the damage is sound, and may not be the last word
    log.config.pop("_wandb", None)
    return log


def read_run_place(path: str) -> tuple[str, str]:
    """The run's entity and project, as the begin of its log tells them; empty where it does not.

    Raises `OSError`.
    """
    try:
        for record in _records(_read(path, _HEAD_BYTES)):
            for run in map(_parse, _parse(record).get(_RUN, ())):
                return _text(run, _RUN_ENTITY), _text(run, _RUN_PROJECT)
    except ValueError:
        pass
    return "", ""


def _read(path: str, most_bytes: int = MAX_LOG_BYTES + 1) -> bytes:
    """The file's first bytes; none where it is no regular file."""
    # Without O_NONBLOCK a pipe would block for ever.
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return b""
        return stream.read(most_bytes)


def _records(data: bytes) -> Iterator[bytes]:
    """The records of a log, those put together that are spread over blocks. Raises `ValueError`."""
    if not data.startswith(_HEADER):
        raise ValueError("no log of W&B's client")
    parts: list[bytes] = []
    position = len(_HEADER)
    while position + _CHUNK_HEADER.size <= len(data):
        left = _BLOCK_BYTES - position % _BLOCK_BYTES
        if left < _CHUNK_HEADER.size:
            position += left
            continue
        checksum, length, kind = _CHUNK_HEADER.unpack_from(data, position)
        position += _CHUNK_HEADER.size
        if position + length > len(data) or (checksum, length, kind) == _UNWRITTEN:
            return  # a run that was killed leaves such an end
        part = data[position : position + length]
        position += length
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError("a damaged record")
        if kind in (_FULL, _FIRST):
            parts.clear()
        parts.append(part)
        if kind in (_FULL, _LAST):
            yield b"".join(parts)


def _apply(update: bytes, values: dict[str, Any]) -> None:
    """Set and remove what a record of changes says."""
    changes = _parse(update)
    for path, value in map(_item, changes.get(_UPDATE, ())):
        holder = _holder(values, path)
        holder[path[-1]] = value
    for path, _ in map(_item, changes.get(_REMOVE, ())):
        _holder(values, path).pop(path[-1], None)


def _holder(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The mapping that holds the last step of `path`, made on the way."""
    for step in path[:-1]:
        inner = values.get(step)
        if not isinstance(inner, dict):
            inner = values[step] = {}
        values = inner
    return values


def _item(data: bytes) -> tuple[list[str], Any]:
    """The path and the value of one changed key; the value of a removed one is `None`."""
    message = _parse(data)
    path = [step.decode() for step in message.get(_NESTED_KEY) or message.get(_KEY) or ()]
    if not path:
        raise ValueError("an item without a key")
    texts = message.get(_VALUE_JSON)
    return path, json.loads(texts[-1]) if texts else None


def _parse(data: bytes) -> Message:
    """The length-delimited fields of a message by number; the others tell nothing here.

    Encoding: https://protobuf.dev/programming-guides/encoding/. Raises `ValueError`.
    """
    message: Message = {}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == 2:
            length, position = _varint(data, position)
            message.setdefault(tag >> 3, []).append(data[position : position + length])
            position += length
        elif kind == 0:
            _, position = _varint(data, position)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
    if position != len(data):
        raise ValueError("a message that is cut short")
    return message


def _text(message: Message, number: int) -> str:
    """The last text of a field. Raises `UnicodeDecodeError`, which is a `ValueError`."""
    return message.get(number, [b""])[-1].decode()


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the position after it. Raises `ValueError`."""
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number that is cut short")
