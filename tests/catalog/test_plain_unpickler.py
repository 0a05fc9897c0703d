from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from catalog.inert import StandIns
from catalog.plain_unpickler import OverBudgetError, PlainUnpickler
from catalog.refusal import Limits

if TYPE_CHECKING:
    from collections.abc import Callable


def read(data: bytes, limits: Limits) -> object:
    return PlainUnpickler(data, StandIns(limits.globals), limits).load()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read_as_pickle_reads_them(protocol: int) -> None:
    value = {"a": [1, 2.5, None, True, "é" * 300, b"\xff" * 300, (1, (2, (3,)))], 5: 2**100, "set": 1}
    if protocol < 3:  # bytes are pickled as a call of _codecs.encode then
        value |= {"a": [1, "é"]}
    assert read(pickle.dumps(value, protocol), Limits()) == value


@pytest.mark.parametrize(
    ("limits", "make"),
    [
        (Limits(operations=50), lambda n: pickle.dumps([[]] * n)),
        (Limits(tuple_depth=50), lambda n: b"\x80\x02)" + b"\x85" * n + b"."),
    ],
    ids=["operations", "tuple depth"],
)
def test_a_limit_is_kept_to_the_last_one(limits: Limits, make: Callable[[int], bytes]) -> None:
    most = next(n for n in range(100) if _is_refused(make(n + 1), limits))
    assert most >= 20
    read(make(most), limits)


def _is_refused(data: bytes, limits: Limits) -> bool:
    try:
        read(data, limits)
    except OverBudgetError:
        return True
    return False


def test_extension_codes_are_refused_even_where_the_process_knows_them() -> None:
    import copyreg

    copyreg.add_extension("builtins", "exec", 77)
    try:
        with pytest.raises(OverBudgetError, match="77"):
            read(b"\x80\x02\x82\x4d.", Limits())
    finally:
        copyreg.remove_extension("builtins", "exec", 77)


def test_a_frame_may_end_within_an_operation_but_not_behind_the_file() -> None:
    assert read(b"\x80\x04\x95" + (1).to_bytes(8, "little") + b"K\x05.", Limits()) == 5
    with pytest.raises(EOFError):
        read(b"\x80\x04\x95" + (4).to_bytes(8, "little") + b"K\x05.", Limits())
