"""Single numbers out of the bytes that torch and numpy keep them in."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Number = float | int | bool

_TORCH_FORMATS: Final = {
    "float64": "d",
    "float32": "f",
    "float16": "e",
    "int64": "q",
    "int32": "i",
    "int16": "h",
    "int8": "b",
    "uint64": "Q",
    "uint32": "I",
    "uint16": "H",
    "uint8": "B",
    "bool": "?",
}
_NUMPY_FORMATS: Final = {
    "f8": "d",
    "f4": "f",
    "f2": "e",
    "i8": "q",
    "i4": "i",
    "i2": "h",
    "i1": "b",
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
    "b1": "?",
}


def torch_number(dtype: str, data: bytes, *, is_little_endian: bool) -> Number | None:
    """The value of one element of a torch dtype; `None` for a dtype that is no plain number."""
    if dtype == "bfloat16":  # the upper half of a float32
        dtype, data = "float32", b"\0\0" + data if is_little_endian else data + b"\0\0"
    return _unpack(_TORCH_FORMATS, dtype, data, is_little_endian=is_little_endian)


def numpy_scalar(dtype: str, data: bytes, *, is_little_endian: bool) -> Number | str | None:
    """The value of one element of a numpy dtype such as `f8` or `U5`; `None` for any other kind."""
    if dtype.startswith("U"):
        try:
            return data.decode("utf-32-le" if is_little_endian else "utf-32-be", "surrogatepass").rstrip("\0")
        except UnicodeDecodeError:
            return None
    return _unpack(_NUMPY_FORMATS, dtype, data, is_little_endian=is_little_endian)


def _unpack(formats: Mapping[str, str], dtype: str, data: bytes, *, is_little_endian: bool) -> Number | None:
    letter = formats.get(dtype)
    if letter is None:
        return None
    layout = ("<" if is_little_endian else ">") + letter
    if struct.calcsize(layout) != len(data):
        return None
    value: Number = struct.unpack(layout, data)[0]
    return value
