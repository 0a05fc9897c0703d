from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from catalog.inert import Opaque, opaque_class
from catalog.opcodes import load_pickle
from catalog.plain import mapping_of, plain_scalar, plain_value
from catalog.refusal import DEFAULT_LIMITS, HeaderError, Limits


def stood_in(value: object, protocol: int = 2) -> Any:
    return load_pickle(pickle.dumps(value, protocol), DEFAULT_LIMITS).value


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize(
    "value", [{1, 2}, frozenset({1}), set(), b"", b"\xff\0", Counter("aab"), defaultdict(int)]
)
def test_values_that_are_made_by_calls_are_made_plain(value: Any, protocol: int) -> None:
    assert plain_value(stood_in([value], protocol), DEFAULT_LIMITS) == [value]


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize(
    "value", [np.float64(0.1), np.int16(-2), np.bool_(True), np.str_("né"), np.float32(0.1)]
)
def test_numpy_scalars_are_their_values(value: Any, protocol: int) -> None:
    told = plain_scalar(stood_in(value, protocol))
    assert told == value.item()
    assert type(told) is type(value.item())


@pytest.mark.parametrize("value", [np.ones(2), np.datetime64("2020-01-01"), np.complex64(1j), np.bytes_(b"x")])
def test_what_is_no_numpy_number_or_text_stays_a_stand_in(value: Any) -> None:
    assert isinstance(plain_scalar(stood_in(value)), Opaque)


def test_a_node_of_omegaconf_keeps_interpolations_as_text() -> None:
    config = OmegaConf.create({"a": "${oc.env:HOME}", "b": ["${a}", "???"]})
    assert plain_value(stood_in(config), DEFAULT_LIMITS) == {"a": "${oc.env:HOME}", "b": ["${a}", "???"]}


def test_a_mapping_is_a_dict_or_what_was_filled_by_key() -> None:
    filled = opaque_class("a B")()
    filled["k"] = 1
    assert mapping_of(filled) == {"k": 1}
    assert mapping_of({}) == {}
    assert mapping_of(stood_in(defaultdict(int))) == {}
    assert mapping_of(stood_in(Counter("aa"))) == {"a": 2}
    nothing: list[object] = [opaque_class("a B")(), [], None, "text", 5]
    assert [mapping_of(value) for value in nothing] == [None] * 5


def test_more_nodes_or_deeper_ones_than_the_limits_are_refused() -> None:
    assert plain_value([[1], [2]], Limits(nodes=5, node_depth=2)) == [[1], [2]]
    for limits in (Limits(nodes=4), Limits(node_depth=1)):
        with pytest.raises(HeaderError, match="nodes"):
            plain_value([[1], [2]], limits)


def test_a_set_of_what_cannot_be_hashed_stays_a_stand_in() -> None:
    made = opaque_class("builtins set")([[1]])
    assert plain_value(made, DEFAULT_LIMITS) is made
