"""What a checkpoint's pickle may become: values and stand-ins that do nothing. No torch, no imports by name.

An unpickler asks `resolve` for every global that a pickle names. Nothing it gives can import, call foreign
code, copy its arguments at length or be changed by the pickle, so a hostile file gains nothing by naming it.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

import msgspec

ORDERED_DICT: Final = "collections OrderedDict"


class DType(msgspec.Struct, frozen=True, eq=False):
    """A torch element type: its name without `torch.`, and its size in bytes."""

    name: str
    size_bytes: int


class TensorInfo(msgspec.Struct, frozen=True, eq=False):
    """A tensor without its data.

    `storage` is the persistent id (`"storage"`, element type, key, location, number of elements, and in
    the old format a view); `offset` and `stride` count elements. The fields stand in the order of the
    arguments of `torch._utils._rebuild_tensor_v2`, so that the unpickler makes one without running Python.
    """

    storage: Any
    offset: Any
    shape: Any
    stride: Any
    requires_grad: Any = False
    backward_hooks: Any = None
    metadata: Any = None

    @property
    def dtype(self) -> str:
        """The element type's name, such as `float32`; empty where the storage is no storage."""
        kind = element_type(self)
        return "" if kind is None else kind.name


class RetypedTensorInfo(msgspec.Struct, frozen=True, eq=False):
    """A tensor whose element type is not its storage's; arguments of `torch._utils._rebuild_tensor_v3`."""

    storage: Any
    offset: Any
    shape: Any
    stride: Any
    requires_grad: Any
    backward_hooks: Any
    kind: Any
    metadata: Any = None

    @property
    def dtype(self) -> str:
        """The element type's name, such as `uint16`; empty where it is none."""
        return self.kind.name if isinstance(self.kind, DType) else ""


AnyTensorInfo = TensorInfo | RetypedTensorInfo


def element_type(tensor: AnyTensorInfo) -> DType | None:
    """The element type of a tensor, `None` where the pickle gave it none."""
    if isinstance(tensor, RetypedTensorInfo):
        return tensor.kind if isinstance(tensor.kind, DType) else None
    storage = tensor.storage
    if isinstance(storage, tuple) and len(storage) >= 5 and isinstance(storage[1], StorageType):
        return storage[1].element
    return None


class StorageType(msgspec.Struct, frozen=True, eq=False):
    """The class of a storage, as a pickle names it (`torch FloatStorage`); untyped ones count bytes."""

    element: DType
    is_typed: bool = True


class _Sealed(type):
    """A class that a pickle cannot alter: BUILD on a class would set attributes for the whole process."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(f"{cls.__name__} takes no attributes")


class Opaque(metaclass=_Sealed):
    """An object of a class that is not known here: what its pickle gave it, and nothing that acts.

    `arguments` it was made with, `state` it was set to, `mapping` and `sequence` it was filled with.
    """

    __slots__ = ("arguments", "mapping", "sequence", "state")
    global_name: ClassVar[str] = ""

    arguments: tuple[object, ...]
    state: object
    mapping: dict[Any, object]
    sequence: list[object]

    def __new__(cls, *arguments: object, **keywords: object) -> Opaque:
        """Make one from whatever the pickle gives."""
        made = super().__new__(cls)
        made.arguments = (*arguments, keywords) if keywords else arguments
        made.state = None
        made.mapping = {}
        made.sequence = []
        return made

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.mapping[key] = value

    def append(self, item: object) -> None:
        """Take one item, as APPEND gives it."""
        self.sequence.append(item)

    def extend(self, items: list[object]) -> None:
        """Take several items, as APPENDS gives them."""
        self.sequence.extend(items)

    def add(self, item: object) -> None:
        """Take one item, as ADDITEMS gives it to what is no set."""
        self.sequence.append(item)


@lru_cache(maxsize=256)
def opaque_class(global_name: str) -> type[Opaque]:
    """The stand-in for a class or function that a pickle names, `module name`."""
    return cast("type[Opaque]", _Sealed("Opaque", (Opaque,), {"__slots__": (), "global_name": global_name}))


_ELEMENTS: Final = {
    name: DType(name, size_bytes)
    for size_bytes, names in {
        1: "uint8 int8 bool qint8 quint8 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
        "float8_e8m0fnu quint4x2 quint2x4 float4_e2m1fn_x2",
        2: "int16 uint16 float16 bfloat16",
        4: "int32 uint32 float32 qint32 complex32",
        8: "int64 uint64 float64 complex64",
        16: "complex128",
    }.items()
    for name in names.split()
}

_STORAGES: Final = {
    f"{prefix}Storage": StorageType(_ELEMENTS[name], prefix != "Untyped")
    for prefix, name in {
        "Double": "float64",
        "Float": "float32",
        "Half": "float16",
        "BFloat16": "bfloat16",
        "Long": "int64",
        "Int": "int32",
        "Short": "int16",
        "Char": "int8",
        "Byte": "uint8",
        "Untyped": "uint8",
        "Bool": "bool",
        "ComplexDouble": "complex128",
        "ComplexFloat": "complex64",
        "QInt8": "qint8",
        "QUInt8": "quint8",
        "QInt32": "qint32",
        "QUInt4x2": "quint4x2",
        "QUInt2x4": "quint2x4",
    }.items()
}


class _FirstArgument(msgspec.Struct, frozen=True, eq=False):
    """A call that gives back its first argument, as rebuilding a parameter from its tensor does."""

    def __call__(self, tensor: object, *_: object) -> object:
        return tensor


class _OfType(msgspec.Struct, frozen=True, eq=False):
    """`torch._tensor._rebuild_from_type_v2(function, type, arguments, state)`: a tensor with attributes."""

    def __call__(self, function: object, _: object, arguments: tuple[object, ...], *__: object) -> object:
        # The function is whatever the pickle named, so itself a stand-in.
        return function(*arguments) if callable(function) else Opaque(*arguments)


# `__call__` of the class stands for the class: a pickle could set attributes on a class, not on this.
_KNOWN: Final = MappingProxyType(
    {
        "torch._utils _rebuild_tensor": TensorInfo.__call__,
        "torch._utils _rebuild_tensor_v2": TensorInfo.__call__,
        "torch._utils _rebuild_tensor_v3": RetypedTensorInfo.__call__,
        "torch._utils _rebuild_parameter": _FirstArgument(),
        "torch._utils _rebuild_parameter_with_state": _FirstArgument(),
        "torch._tensor _rebuild_from_type_v2": _OfType(),
    }
)


class TooManyGlobalsError(ValueError):
    """A pickle names more globals than the limit allows."""


class StandIns:
    """What one pickle's globals and persistent ids become, and which there were.

    `globals_seen` maps `module name` to the stand-in.
    """

    def __init__(self, max_globals: int) -> None:
        self.globals_seen: dict[str, object] = {}
        self.persistent_ids: list[Any] = []
        self._max_globals = max_globals

    def find_class(self, module: str, name: str) -> object:
        """The stand-in for `module.name`. Raises `TooManyGlobalsError`."""
        global_name = f"{module} {name}"
        found = self.globals_seen.get(global_name)
        if found is None:
            if len(self.globals_seen) >= self._max_globals:
                raise TooManyGlobalsError(f"more than {self._max_globals} globals")
            found = self.globals_seen[global_name] = _stand_in(global_name, name)
        return found

    def persistent_load(self, persistent_id: Any) -> object:
        """A storage's persistent id stands for the storage; an old file's pickled module for its class."""
        self.persistent_ids.append(persistent_id)
        return persistent_id[1] if persistent_id[0] == "module" else persistent_id


def _stand_in(global_name: str, name: str) -> object:
    if "Storage" in name and name in _STORAGES:  # whatever the module, as torch does
        return _STORAGES[name]
    known = _KNOWN.get(global_name)
    if known is not None:
        return known
    if global_name == ORDERED_DICT:
        # Runs without Python code, takes no arguments that it would copy, and cannot be changed.
        return OrderedDict[Any, Any]().copy
    module = global_name[: -len(name) - 1]
    if module == "torch" and name in _ELEMENTS:
        return _ELEMENTS[name]
    return opaque_class(global_name)
