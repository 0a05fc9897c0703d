"""Values that may be stand-ins, or refer to themselves, made comparable; and compared with torch's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from catalog.inert import Opaque, RetypedTensorInfo, TensorInfo

if TYPE_CHECKING:
    from catalog.header import Header


def shape_of(value: object) -> list[object]:
    """A flat description that tells values, their types and what they share; cycles end it."""
    numbers: dict[int, int] = {}
    flat: list[object] = []
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        children = _children(one)
        if children is None:
            flat.append((type(one).__name__, getattr(one, "__name__", None) or repr(one)))
        elif id(one) in numbers:
            flat.append(("again", numbers[id(one)]))
        else:
            numbers[id(one)] = len(numbers)
            flat.append((type(one).__name__, getattr(one, "global_name", ""), len(children)))
            waiting.extend(reversed(children))
    return flat


def _children(value: object) -> list[object] | None:
    """What a container holds; `None` for a value without parts."""
    if isinstance(value, dict):
        items = [part for item in value.items() for part in item]
        return [*items, *vars(value).values()] if hasattr(value, "__dict__") else items
    if isinstance(value, Opaque):
        return [value.arguments, value.state, value.mapping, value.sequence]
    if isinstance(value, TensorInfo | RetypedTensorInfo):
        return [value.storage, value.offset, value.shape, value.stride, value.metadata]
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return list(value) if isinstance(value, list | tuple) else None


def same_as_torch(header: Header, told: Any, loaded: Any) -> bool:
    """Whether what a header tells is what `torch.load` loads: values, dtypes, shapes, names, order."""
    if isinstance(loaded, torch.Tensor):
        if f"torch.{told.dtype}" != str(loaded.dtype) or told.shape != tuple(loaded.shape):
            return False
        return loaded.dim() > 0 or loaded.is_complex() or _same(header.scalar(told), loaded.item())
    if isinstance(loaded, dict):
        pairs = zip(told.items(), loaded.items(), strict=False)
        return len(told) == len(loaded) and all(
            _same(key, own) and same_as_torch(header, value, one) for (key, value), (own, one) in pairs
        )
    if isinstance(loaded, list | tuple) and not isinstance(told, Opaque):
        pairs_of_items = zip(told, loaded, strict=True)
        return type(told) is type(loaded) and all(same_as_torch(header, a, b) for a, b in pairs_of_items)
    plain = header.plain(told)
    return _same(plain, loaded.item() if isinstance(loaded, np.generic) else loaded)


def _same(told: object, loaded: object) -> bool:
    if isinstance(told, float) and isinstance(loaded, float) and math.isnan(loaded):
        return math.isnan(told)
    return type(told) is type(loaded) and told == loaded
