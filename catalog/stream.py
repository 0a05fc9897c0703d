"""The file format that torch wrote before 1.6: five pickles one after the other, then the storages.

Source: `torch.serialization._legacy_load`. The pickles are a magic number, a protocol number, facts of the
writing system, the object, and the keys of the storages in the order in which their data follows, each
preceded by its number of elements in eight bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalog.inert import StorageType
from catalog.opcodes import Loaded, is_stop, load_pickle, scan
from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from catalog.inert import StandIns
    from catalog.refusal import Limits
    from catalog.window import Window

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_CHUNK_BYTES: Final = 48 * 1024
_TAR_MARK: Final = (257, b"ustar")
_COUNT_BYTES: Final = 8
_PARTS: Final = 6


class Stream(NamedTuple):
    """An old file's object, and where the data of each of its storages starts. Numbers are little-endian."""

    value: Any
    stand_ins: StandIns
    storage_offsets: dict[Any, int]


class _Pickles:
    """The pickles at a file's begin, read as far as they go."""

    def __init__(self, window: Window, limits: Limits) -> None:
        self._window = window
        self._limits = limits
        self._data = window.load(0, min(_CHUNK_BYTES, window.size_bytes))
        self.position = 0

    def next(self) -> Loaded:
        """The next pickle. Raises `HeaderError` where it is damaged or cut off."""
        stop = scan(self._data, self.position)
        while not is_stop(self._data, stop) and self._read_more():
            stop = scan(self._data, stop)
        loaded = load_pickle(self._data, self._limits, self.position, stop)
        self.position = loaded.end
        return loaded

    def starts_with(self, mark: bytes, offset: int) -> bool:
        return self._data.startswith(mark, offset)

    def _read_more(self) -> bool:
        read = len(self._data)
        size_bytes = min(_CHUNK_BYTES, self._window.size_bytes - read, self._limits.pickle_bytes - read)
        if size_bytes <= 0:
            return False
        self._data += self._window.load(read, size_bytes)
        return True


def read_stream(window: Window, limits: Limits) -> Stream:
    """Read an old file as far as its storages. Raises `HeaderError`."""
    pickles = _Pickles(window, limits)
    if pickles.starts_with(_TAR_MARK[1], _TAR_MARK[0]):
        raise HeaderError(
            "a file of torch 0.2 or newer", "a tar archive as torch 0.1 wrote", "save it with a newer torch"
        )
    _expect(pickles.next().value, _MAGIC, "torch's magic number")
    _expect(pickles.next().value, _PROTOCOL, f"protocol {_PROTOCOL}")
    pickles.next()  # facts of the writing system, of which torch.load believes none
    loaded = pickles.next()
    keys = pickles.next().value
    offsets = _storage_offsets(keys, loaded.stand_ins, pickles.position, window.size_bytes)
    return Stream(loaded.value, loaded.stand_ins, offsets)


def _expect(value: object, expected: int, name: str) -> None:
    if type(value) is not int or value != expected:
        raise HeaderError(name, f"a {type(value).__name__}")


def _storage_offsets(keys: object, stand_ins: StandIns, position: int, size_bytes: int) -> dict[Any, int]:
    """Where the data of each storage starts, the counts before them stepped over."""
    sizes: dict[Any, int] = {}
    for persistent_id in stand_ins.persistent_ids:
        if persistent_id[0] != "module":
            key, size_bytes_of_key = _key_and_size(persistent_id)
            sizes.setdefault(key, size_bytes_of_key)
    if not isinstance(keys, list):
        raise HeaderError("a list of storages", f"a {type(keys).__name__}")
    offsets: dict[Any, int] = {}
    for key in keys:
        if not isinstance(key, str) or key not in sizes:
            raise HeaderError("data of storages that the object names", "data of another one")
        offsets[key] = position + _COUNT_BYTES
        position += _COUNT_BYTES + sizes[key]
    if position > size_bytes:
        raise HeaderError(f"storages up to byte {position}", f"a file of {size_bytes} bytes")
    return offsets


def _key_and_size(persistent_id: object) -> tuple[str, int]:
    """A storage's key and its size in bytes."""
    if isinstance(persistent_id, tuple) and len(persistent_id) == _PARTS:
        mark, kind, key, _, count, _ = persistent_id
        # torch writes untyped storages into this format, and then cannot read them.
        is_known = mark == "storage" and isinstance(kind, StorageType) and kind.is_typed
        if is_known and isinstance(key, str) and type(count) is int and count >= 0:
            return key, count * kind.element.size_bytes
    raise HeaderError("storages of known types and sizes", "another one")
