"""Pickles read within limits: a scan that proves one harmless, and what then reads it.

CPython's C unpickler is fast, but can be driven to gigabytes by nine bytes (a huge memo index,
cpython#119204) and off the end of its stack (hashing tuples that nest deeply). So it is given only what
one regular expression has walked over, opcode by opcode; all else goes to the plain unpickler, which
counts. Both see nothing but stand-ins.
"""

from __future__ import annotations

import pickle
import re
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalog import collector
from catalog.inert import StandIns
from catalog.plain_unpickler import PlainUnpickler
from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from catalog.refusal import Limits

# Memo indexes below 2^20, so that the C unpickler's memo stays below 16 MB.
_PUT: Final = rb"r..[\x00-\x0f]\x00"
_SHORT_PUT: Final = rb"q."  # of the memo's first 256
_SHORTEST_COUNTED: Final = 96


def _counted(prefix: bytes, suffix: bytes, first: int, last: int) -> bytes:
    """A pattern for a length in one byte, `suffix`, and as many bytes: one alternative for each length."""
    return prefix + b"(?:" + b"|".join(rb"\x%02x%s.{%d}" % (n, suffix, n) for n in range(first, last)) + b")"


_TEXT: Final = _counted(b"X", rb"\x00\x00\x00", 0, _SHORTEST_COUNTED)
_NUMBER: Final = rb"(?:K.|M..|J....)"


def _tensor(put: bytes) -> bytes:
    """A pattern for a tensor as `torch.save` writes it, in one piece: most of a checkpoint's pickle."""
    numbers = (
        rb"(?:\((?:K.|M..|J....){4}t|",
        _NUMBER + rb"(?:\x85|",
        _NUMBER + rb"(?:\x86|",
        _NUMBER + rb"\x87)))",
    )
    sizes = rb"(?:\)|" + b"".join(numbers) + put + b")"
    key = _counted(b"X", rb"\x00\x00\x00", 1, 5) + put
    storage = rb"\(h.h." + key + rb"h." + _NUMBER + rb"t" + put + b"Q"
    return rb"h.\(" + storage + rb"K." + sizes + sizes + rb"[\x88\x89]h.\)R" + put + rb"t" + put + rb"R" + put


_COUNTS: Final = {b"X"[0]: 4, b"B"[0]: 4, b"C"[0]: 1, b"\x8c"[0]: 1}
"""Opcode -> width of the length that follows it, for those that may be longer than the pattern has them."""

_TUPLES: Final = b"t\x85\x86\x87"
_STOP: Final = b"."[0]


@cache
def _operations() -> re.Pattern[bytes]:
    """The pattern of proven operations; made at the first checkpoint, because that takes milliseconds."""
    return re.compile(
        rb"(?:"
        + b"|".join(
            (
                _tensor(_PUT),
                _tensor(_SHORT_PUT),
                _PUT,
                rb"[hKq].",
                rb"[)}\]RQNu(e\x85\x86\x87t\x88\x89bsa\x81\x93\x94]++",
                _TEXT,
                rb"j....",
                rb"M..",
                rb"J....",
                rb"G.{8}",
                rb"c[^\n]*+\n[^\n]*+\n",
                _counted(rb"\x8a", b"", 0, 17),
                _counted(rb"\x8c", b"", 0, _SHORTEST_COUNTED),
                rb"\x80[\x02-\x05]",
                rb"\x95...\x00{5}",
                rb"[01]",
            )
        )
        + rb")*+",
        re.DOTALL,
    )


def scan(data: bytes, position: int) -> int:
    """Where the operations that are proven harmless end: at STOP, at an unproven one, or at one cut off.

    `position` is that of an operation. A memo index is below 2^20, a length within the data.
    """
    match = _operations().match
    while True:
        position = match(data, position).end()  # type: ignore[union-attr]  # it matches nothing too
        width = _COUNTS.get(data[position]) if position < len(data) else None
        if width is None:
            return position
        end = position + 1 + width
        end += int.from_bytes(data[position + 1 : end], "little")
        if end > len(data):
            return position
        position = end


def is_stop(data: bytes, position: int) -> bool:
    """Whether STOP stands at `position`."""
    return position < len(data) and data[position] == _STOP


class Loaded(NamedTuple):
    """A pickle's value, where the byte after its STOP stands, and what stood in for the things it names."""

    value: Any
    end: int
    stand_ins: StandIns


class _Peekable:
    """Bytes as a file that can be peeked into: the C unpickler then works on them where they are."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def peek(self, _: int) -> bytes:
        return self._rest

    def read(self, size_bytes: int) -> bytes:
        taken, self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
        return taken

    def readline(self) -> bytes:
        return self.read(self._rest.find(b"\n") + 1)


class _FastUnpickler(pickle.Unpickler):
    """The C unpickler over stand-ins."""

    def __init__(self, data: bytes, stand_ins: StandIns) -> None:
        super().__init__(_Peekable(data), encoding="utf-8")
        self.persistent_load = stand_ins.persistent_load  # type: ignore[method-assign]  # the C type's own way in
        self._stand_ins = stand_ins

    def find_class(self, module: str, name: str) -> Any:
        return self._stand_ins.find_class(module, name)


def load_pickle(data: bytes, limits: Limits, position: int = 0, stop: int | None = None) -> Loaded:
    """Read the pickle that begins at `position`; `stop` is where `scan` ended, where it is known.

    Raises `HeaderError` for a pickle that is damaged, cut off or beyond the limits.
    """
    stop = scan(data, position) if stop is None else stop
    if is_stop(data, stop) and _is_small(data, position, stop, limits):
        stand_ins = StandIns(limits.globals)
        pickled = data[position : stop + 1]
        try:
            with collector.Paused():
                value = _FastUnpickler(pickled, stand_ins).load()
            return Loaded(value, stop + 1, stand_ins)
        except Exception:  # noqa: BLE001, S110 - whatever it was, the plain unpickler has the last word
            pass
    return _load_plainly(data[position:], position, limits)


def _is_small(data: bytes, position: int, stop: int, limits: Limits) -> bool:
    """Whether a proven pickle is one for the C unpickler: it neither fills memory nor nests tuples deeply."""
    size_bytes = stop - position
    if size_bytes > limits.fast_pickle_bytes:
        return False
    if size_bytes <= limits.fast_tuples:  # each takes a byte at least
        return True
    pickled = data[position:stop]
    return size_bytes - len(pickled.translate(None, _TUPLES)) <= limits.fast_tuples


def _load_plainly(pickled: bytes, position: int, limits: Limits) -> Loaded:
    if len(pickled) > limits.pickle_bytes:
        raise HeaderError(f"a pickle of at most {limits.pickle_bytes} bytes", f"one of {len(pickled)}")
    stand_ins = StandIns(limits.globals)
    unpickler = PlainUnpickler(pickled, stand_ins, limits)
    try:
        value = unpickler.load()
    except Exception as error:
        is_cut_off = isinstance(error, EOFError | struct.error)  # the latter in the midst of a number
        told = f"{type(error).__name__}: {str(error)[:100]}".removesuffix(": ")
        found = "one that ends too soon" if is_cut_off else told
        raise HeaderError("a pickle as torch.save writes it", found) from error
    return Loaded(value, position + unpickler.file.tell(), stand_ins)
