from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from catalog.inert import Opaque, RetypedTensorInfo, StandIns, TensorInfo, TooManyGlobalsError, opaque_class

NAMES = [
    ("os", "system"),
    ("builtins", "getattr"),
    ("torch", "FloatStorage"),
    ("torch", "float32"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor_v3"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._tensor", "_rebuild_from_type_v2"),
    ("collections", "OrderedDict"),
]


def found(module: str, name: str) -> Any:
    return StandIns(10).find_class(module, name)


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_stand_in_takes_no_attributes(module: str, name: str) -> None:
    for attribute in ("x", "__call__", "__class__", "__dict__"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(found(module, name), attribute, 1)


def test_one_name_has_one_stand_in_and_is_noted() -> None:
    stand_ins = StandIns(10)
    assert stand_ins.find_class("a", "B") is stand_ins.find_class("a", "B")
    assert list(stand_ins.globals_seen) == ["a B"]


def test_more_names_than_the_limit_are_refused() -> None:
    stand_ins = StandIns(2)
    for name in "aba":
        stand_ins.find_class("m", name)
    with pytest.raises(TooManyGlobalsError):
        stand_ins.find_class("m", "c")


def test_an_unknown_object_keeps_what_it_is_given() -> None:
    made: Any = opaque_class("a.b C")(1, 2, three=3)
    made.__setstate__({"x": 1})
    made["k"] = "v"
    made.append(1)
    made.extend([2, 3])
    made.add(4)
    assert made.global_name == "a.b C"
    assert made.arguments == (1, 2, {"three": 3})
    assert (made.state, made.mapping, made.sequence) == ({"x": 1}, {"k": "v"}, [1, 2, 3, 4])


def test_the_maker_of_mappings_copies_nothing() -> None:
    make = found("collections", "OrderedDict")
    assert make() == OrderedDict()
    assert make() is not make()
    with pytest.raises(TypeError):
        make([("a", 1)])


def test_tensors_know_their_types() -> None:
    stand_ins = StandIns(10)
    storage = ("storage", stand_ins.find_class("torch.cuda", "HalfStorage"), "0", "cpu", 6)
    make: Any = stand_ins.find_class("torch._utils", "_rebuild_tensor_v2")
    tensor = make(storage, 0, (2, 3), (3, 1), False, None)
    assert isinstance(tensor, TensorInfo)
    assert (tensor.dtype, tensor.shape, tensor.stride) == ("float16", (2, 3), (3, 1))
    retype: Any = stand_ins.find_class("torch._utils", "_rebuild_tensor_v3")
    retyped = retype(storage, 0, (2,), (1,), False, None, stand_ins.find_class("torch", "uint16"))
    assert isinstance(retyped, RetypedTensorInfo)
    assert retyped.dtype == "uint16"
    assert make(5, 0, (), (), False, None).dtype == ""


def test_parameters_and_tensors_with_attributes_are_their_tensors() -> None:
    stand_ins = StandIns(10)
    make: Any = stand_ins.find_class("torch._utils", "_rebuild_tensor_v2")
    tensor = make("s", 0, (), (), False, None)
    assert found("torch._utils", "_rebuild_parameter")(tensor, True, None) is tensor
    rebuilt = found("torch._tensor", "_rebuild_from_type_v2")(make, None, ("s", 0, (4,), (1,)), {"x": 1})
    assert isinstance(rebuilt, TensorInfo)
    assert rebuilt.shape == (4,)
    assert isinstance(found("torch._tensor", "_rebuild_from_type_v2")(7, None, (1,), None), Opaque)


def test_a_pickled_module_stands_for_its_class_and_a_storage_for_itself() -> None:
    stand_ins = StandIns(10)
    storage = ("storage", None, "0", "cpu", 1)
    assert stand_ins.persistent_load(storage) is storage
    assert stand_ins.persistent_load(("module", "class", None, None)) == "class"
    assert len(stand_ins.persistent_ids) == 2
