"""Plain values out of stand-ins: numpy's scalars, OmegaConf's nodes, within a budget of visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from catalog.elements import numpy_scalar
from catalog.inert import Opaque
from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.refusal import Limits

_NUMPY_SCALARS: Final = frozenset({"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"})
_OMEGACONF: Final = "omegaconf."
_TUPLE_CONFIG: Final = "omegaconf.tupleconfig TupleConfig"

_BYTES: Final = frozenset({"builtins bytes", "__builtin__ bytes"})

# Mappings also where they are empty.
_DICTS: Final = frozenset(
    {
        "collections Counter",
        "collections defaultdict",
        "lightning.fabric.utilities.data AttributeDict",
        "lightning_fabric.utilities.data AttributeDict",
        "pytorch_lightning.utilities.parsing AttributeDict",
    }
)


_COLLECTIONS: Final[dict[str, Callable[[Any], object]]] = {
    "builtins set": set,
    "__builtin__ set": set,
    "builtins frozenset": frozenset,
    "__builtin__ frozenset": frozenset,
    "torch Size": tuple,
}


def mapping_of(value: object) -> dict[Any, Any] | None:
    """The mapping that a value is: a dict, or an object of an unknown class that was filled by key."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Opaque):
        return None
    if value.mapping or value.global_name not in _DICTS:
        return value.mapping or None
    first = value.arguments[0] if value.arguments else None  # a Counter is made from a dict
    return first if isinstance(first, dict) else {}


def plain_scalar(value: object) -> object:
    """A numpy scalar's value; anything else as it is."""
    if not isinstance(value, Opaque) or value.global_name not in _NUMPY_SCALARS or len(value.arguments) != 2:
        return value
    kind, data = value.arguments
    if isinstance(data, Opaque):
        data = _encoded(data)
    if not isinstance(kind, Opaque) or kind.global_name != "numpy dtype" or not isinstance(data, bytes):
        return value
    dtype, state = kind.arguments[:1], kind.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "<"
    if not dtype or not isinstance(dtype[0], str):
        return value
    scalar = numpy_scalar(dtype[0], data, is_little_endian=order != ">")
    return value if scalar is None else scalar


def _encoded(call: Opaque) -> bytes | None:
    """Bytes as protocol 2 pickles them: `_codecs.encode(text, "latin1")`, or `bytes()` for none."""
    if call.global_name in _BYTES and not call.arguments:
        return b""
    if call.global_name != "_codecs encode" or len(call.arguments) != 2 or call.arguments[1] != "latin1":
        return None
    text = call.arguments[0]
    try:
        return text.encode("latin1") if isinstance(text, str) else None
    except UnicodeEncodeError:
        return None


def plain_value(value: object, limits: Limits) -> object:
    """A value with OmegaConf's nodes, numpy's scalars, sets and bytes made plain; other objects stay stand-ins.

    Interpolations stay text. Raises `HeaderError` for more nodes, or deeper ones, than the limits allow.
    """
    return _Copy(limits).of(value, 0)


class _Copy:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes = 0

    def of(self, value: object, depth: int) -> object:
        self._nodes += 1
        if self._nodes > self._limits.nodes or depth > self._limits.node_depth:
            expected = f"at most {self._limits.nodes} nodes, {self._limits.node_depth} in each other"
            raise HeaderError(expected, "more")
        if isinstance(value, Opaque):
            return self._of_opaque(value, depth)
        if isinstance(value, dict):
            return {plain_scalar(key): self.of(one, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one, depth + 1) for one in value]
        return tuple(self.of(one, depth + 1) for one in value) if isinstance(value, tuple) else value

    def _of_opaque(self, value: Opaque, depth: int) -> object:
        if value.global_name.startswith(_OMEGACONF) and isinstance(value.state, dict):
            for name in ("_content", "_val"):  # of a container, of a leaf
                if name in value.state:
                    content = self.of(value.state[name], depth + 1)
                    if value.global_name == _TUPLE_CONFIG and isinstance(content, list):
                        return tuple(content)
                    return content
        mapping = mapping_of(value)
        if mapping is not None:
            return self.of(mapping, depth + 1)
        make = _COLLECTIONS.get(value.global_name)
        if make is not None and len(value.arguments) == 1 and isinstance(value.arguments[0], list | tuple):
            return self._made(make, value, depth)
        encoded = _encoded(value)
        return plain_scalar(value) if encoded is None else encoded

    def _made(self, make: Callable[[Any], object], value: Opaque, depth: int) -> object:
        try:
            return make(self.of(value.arguments[0], depth + 1))
        except TypeError:  # a member that cannot be hashed: no pickle of a set has one
            return value
