"""The plain way to read a pickle of stand-ins: any opcode that `torch.load` reads, each one counted."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pickle import _Unpickler as PythonUnpickler
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from catalog.inert import ORDERED_DICT

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.inert import StandIns
    from catalog.refusal import Limits

# What allocates by a number alone, or asks for what is not in the file.
_REFUSED: Final = (pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.PERSID)
_PYTHON_REDUCE: Final[Callable[[Any], None]] = PythonUnpickler.dispatch[pickle.REDUCE[0]]
_TUPLES: Final = (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)


class OverBudgetError(pickle.UnpicklingError):
    """A pickle asks for more than the limits allow, or for what no checkpoint needs."""


def _counted(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(unpickler: PlainUnpickler) -> None:
        unpickler.operations_left -= 1
        if unpickler.operations_left < 0:
            raise OverBudgetError("more operations than the limit")
        handler(unpickler)

    return run


def _measured(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(unpickler: PlainUnpickler) -> None:
        handler(unpickler)
        unpickler.measure_tuple(unpickler.stack[-1])

    return run


def _refuse(_: PlainUnpickler) -> NoReturn:
    raise OverBudgetError("an operation that no checkpoint needs")


def _reduce(unpickler: PlainUnpickler) -> None:
    arguments = unpickler.stack[-1]
    if unpickler.stack[-2] is unpickler.stand_ins.globals_seen.get(ORDERED_DICT) and arguments:
        unpickler.stack[-2:] = [unpickler.ordered_dict(*arguments)]
    else:
        _PYTHON_REDUCE(unpickler)


def _pass_frame(unpickler: PlainUnpickler) -> None:
    """Look only at whether a frame is there, as the C unpickler does: its end is no end of an operation."""
    size_bytes = int.from_bytes(unpickler.read(8), "little")
    if size_bytes > unpickler.bytes_left():
        raise EOFError("a frame that is cut off")


class PlainUnpickler(PythonUnpickler):
    """Python's own plain unpickler over stand-ins, within limits.

    Hashing a tuple recurses in C without a check, so the depth of every tuple is kept.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **{code: _counted(handler) for code, handler in PythonUnpickler.dispatch.items()},
        **{code[0]: _counted(_measured(PythonUnpickler.dispatch[code[0]])) for code in _TUPLES},
        **{code[0]: _refuse for code in _REFUSED},
        pickle.REDUCE[0]: _counted(_reduce),
        pickle.FRAME[0]: _counted(_pass_frame),
    }
    stack: list[Any]  # the base makes these anew in every load()
    read: Callable[[int], bytes]

    def __init__(self, data: bytes, stand_ins: StandIns, limits: Limits) -> None:
        self.file = io.BytesIO(data)
        self._size_bytes = len(data)
        super().__init__(self.file, encoding="utf-8")
        self.operations_left = limits.operations
        self._tuple_depth = limits.tuple_depth
        self._depths: dict[int, int] = {}
        self.stand_ins = stand_ins

    def find_class(self, module: str, name: str) -> object:
        """A stand-in; nothing is imported."""
        return self.stand_ins.find_class(module, name)

    def persistent_load(self, pid: object) -> object:
        """A storage stands for itself."""
        return self.stand_ins.persistent_load(pid)

    def get_extension(self, code: int) -> NoReturn:
        """Refuse what the process has registered for its own pickles."""
        raise OverBudgetError(f"extension code {code}")

    def bytes_left(self) -> int:
        """How many bytes there are behind the operation that is read."""
        return self._size_bytes - self.file.tell()

    def measure_tuple(self, made: tuple[object, ...]) -> None:
        """Keep a new tuple's depth. Raises `OverBudgetError` beyond the limit."""
        depth = 1 + max((self._depths.get(id(one), 0) for one in made if type(one) is tuple), default=0)
        if depth > self._tuple_depth:
            raise OverBudgetError("tuples that nest too deeply")
        self._depths[id(made)] = depth  # a stale id belongs to a tuple that is measured anew when made

    def ordered_dict(self, pairs: list[list[Any]]) -> OrderedDict[Any, Any]:
        """An OrderedDict made from pairs, as Python 2 pickled one; each pair counts as an operation."""
        self.operations_left -= len(pairs)
        if self.operations_left < 0:
            raise OverBudgetError("more operations than the limit")
        return OrderedDict(pairs)
