from __future__ import annotations

import pickle
import pickletools
import struct
from collections import OrderedDict
from datetime import timedelta
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.inert import Opaque, TensorInfo
from catalog.opcodes import is_stop, load_pickle, scan
from catalog.refusal import DEFAULT_LIMITS, HeaderError, Limits
from tests.checkpoint_files import saved
from tests.stand_ins import shape_of

PLAIN = Limits(fast_pickle_bytes=0)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**600), 2**600)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | st.builds(timedelta, seconds=st.integers(0, 9))
    | st.sampled_from([PurePosixPath("a/b"), OrderedDict, frozenset({1, 2})])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=110) | st.integers() | st.tuples(st.integers()), inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4).map(OrderedDict)
        | st.lists(inner, max_size=3).map(lambda one: [one, one, {"again": one}])
    ),
    max_leaves=30,
)


def outcome(data: bytes, limits: Limits) -> object:
    """What reading gives, made comparable, or that it is refused."""
    try:
        loaded = load_pickle(data, limits)
    except HeaderError:
        return "refused"
    return loaded.end, shape_of(loaded.value), sorted(loaded.stand_ins.globals_seen)


@cache
def tensors_pickle(count: int) -> bytes:
    """The pickle of a checkpoint with that many tensors."""
    import io
    import zipfile

    import torch

    content = {f"encoder.layer{n}.weight": torch.zeros([1] * (n % 6)) for n in range(count)}
    with zipfile.ZipFile(io.BytesIO(saved(content))) as archive:
        return archive.read("archive/data.pkl")


@settings(max_examples=200, deadline=None)
@given(value=VALUES, protocol=st.integers(0, 5))
def test_fast_and_plain_way_give_the_same(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    fast = outcome(data, DEFAULT_LIMITS)
    assert fast == outcome(data, PLAIN)
    assert fast != "refused"


@settings(max_examples=400, deadline=None)
@given(
    value=VALUES,
    protocol=st.integers(2, 5),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_fast_and_plain_way_agree_on_damaged_pickles(
    value: object, protocol: int, edits: list[tuple[int, int]]
) -> None:
    data = bytearray(pickle.dumps(value, protocol))
    for position, byte in edits:
        data[position % len(data)] = byte
    assert outcome(bytes(data), DEFAULT_LIMITS) == outcome(bytes(data), PLAIN)


@settings(max_examples=150, deadline=None)
@given(
    count=st.sampled_from([2, 45]),  # the memo's first 256 entries have operations of their own
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3),
)
def test_fast_and_plain_way_agree_on_tensors_damaged_or_not(count: int, edits: list[tuple[int, int]]) -> None:
    data = bytearray(tensors_pickle(count))
    for position, byte in edits:
        data[position % len(data)] = byte
    fast = outcome(bytes(data), DEFAULT_LIMITS)
    assert fast == outcome(bytes(data), PLAIN)
    assert edits or fast != "refused"


@settings(max_examples=100, deadline=None)
@given(value=VALUES, protocol=st.integers(2, 5), tail=st.binary(max_size=20))
def test_the_scan_stops_where_the_pickle_stops_or_at_an_operation_before(
    value: object, protocol: int, tail: bytes
) -> None:
    data = pickle.dumps(value, protocol)
    starts = {position for _, _, position in pickletools.genops(data)}
    position = scan(data + tail, 0)
    assert position in starts
    assert not is_stop(data, position) or position == len(data) - 1


def test_the_scan_proves_what_torch_writes() -> None:
    for count in (1, 30, 300):
        data = tensors_pickle(count)
        assert scan(data, 0) == len(data) - 1


def test_the_scan_goes_on_where_it_was_cut_off() -> None:
    data = tensors_pickle(40)
    for cut in range(0, len(data), 97):
        assert scan(data, scan(data[:cut], 0)) == len(data) - 1


@pytest.mark.parametrize(
    "operation",
    [
        b"r" + struct.pack("<I", 2**31),
        b"r" + struct.pack("<I", 2**20),
        b"p123456789\n",
        b"\x82\x01",
        b"\x83\x01\x00",
        b"\x84\x01\x00\x00\x00",
        b"\x8b" + struct.pack("<i", 2**30),
        b"\x8d" + struct.pack("<Q", 2**40),
        b"\x8e" + struct.pack("<Q", 2**40),
        b"\x95" + struct.pack("<Q", 2**40),
        b"\x96" + struct.pack("<Q", 2**40),
        b"\x97",
        b"\x98",
        b"\x8f",
        b"I1\n",
        b"L1L\n",
        b"S'a'\n",
        b"ios\nsystem\n",
        b"o",
        b"Pid\n",
        b"X" + struct.pack("<I", 2**31) + b"short",
        b"\xff",
    ],
)
def test_operations_that_could_cost_more_than_their_bytes_are_not_proven(operation: bytes) -> None:
    assert scan(b"\x80\x02}" + operation + b".", 0) == 3


def test_a_tensor_becomes_a_description() -> None:
    loaded = load_pickle(tensors_pickle(4), DEFAULT_LIMITS)
    tensor: Any = loaded.value["encoder.layer3.weight"]
    assert isinstance(tensor, TensorInfo)
    assert (tensor.dtype, tensor.shape) == ("float32", (1, 1, 1))
    assert len(loaded.stand_ins.persistent_ids) == 4


def test_an_object_of_an_unknown_class_becomes_a_stand_in() -> None:
    for limits in (DEFAULT_LIMITS, PLAIN):
        value: Any = load_pickle(pickle.dumps(timedelta(seconds=3), 2), limits).value
        assert isinstance(value, Opaque)
        assert (value.global_name, value.arguments) == ("datetime timedelta", (0, 3, 0))


def test_text_of_python_2_is_read() -> None:
    data = b"\x80\x02}q\x00U\x05epochq\x01K\x03s."
    assert load_pickle(data, DEFAULT_LIMITS).value == {"epoch": 3}


def test_an_ordered_dict_that_python_2_made_from_pairs_is_read() -> None:
    data = b"\x80\x02ccollections\nOrderedDict\n]](U\x01aK\x01ea\x85R."
    assert load_pickle(data, DEFAULT_LIMITS).value == {"a": 1}


@pytest.mark.parametrize("data", [b"junk", b"", b"\x80\x02", b"X\x09\x00", b"(", b"J\x01"])
def test_a_pickle_that_is_cut_off_is_told_as_one(data: bytes) -> None:
    with pytest.raises(HeaderError, match="found one that ends too soon"):
        load_pickle(data, DEFAULT_LIMITS)
