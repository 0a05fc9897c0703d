from __future__ import annotations

import numpy as np
import pytest

from catalog.elements import numpy_scalar, torch_number


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1", "U5"])
def test_numpy_values_are_read_in_either_byte_order(kind: str, order: str) -> None:
    for value in (0, 1, 100):
        element = np.array(value).astype(order + kind)
        told = numpy_scalar(kind, element.tobytes(), is_little_endian=order == "<")
        assert told == element.item()
        assert type(told) is type(element.item())


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    assert torch_number("bfloat16", b"\xc0\x3f", is_little_endian=True) == 1.5
    assert torch_number("bfloat16", b"\x3f\xc0", is_little_endian=False) == 1.5


@pytest.mark.parametrize(("dtype", "size_bytes"), [("complex64", 8), ("float8_e5m2", 1), ("float32", 3)])
def test_what_is_no_plain_number_is_none(dtype: str, size_bytes: int) -> None:
    assert torch_number(dtype, b"\0" * size_bytes, is_little_endian=True) is None


@pytest.mark.parametrize(
    ("kind", "data"), [("O8", b"12345678"), ("f8", b"123"), ("U1", b"\0\0\x11\0"), ("S3", b"abc")]
)
def test_what_is_no_number_or_text_is_none(kind: str, data: bytes) -> None:
    assert numpy_scalar(kind, data, is_little_endian=True) is None
