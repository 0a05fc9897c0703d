"""How the header reader refuses a checkpoint, and the limits within which it reads one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_REMEDY: Final = "save the checkpoint anew, or delete it"


class HeaderError(ValueError):
    """A checkpoint whose header cannot be read; tells what was expected and found, and what mends it."""

    def __init__(self, expected: str, found: str, remedy: str = _REMEDY, *, path: str = "") -> None:
        super().__init__(expected, found, remedy)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, found {self.found}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one checkpoint may ask of its reader.

    `directory_bytes` and `records` bound a zip's directory. A pickle of at most `fast_pickle_bytes` and
    `fast_tuples` that is proven harmless goes to the C unpickler, any other of at most `pickle_bytes` and
    `operations` to the plain one. `tuple_depth` and `fast_tuples` bound what hashing a key recurses into, in
    C and unchecked: some 70 bytes of stack a tuple, of 8 MiB on Linux. `globals` counts distinct names;
    `nodes` and `node_depth` bound what a walk over the content visits.
    """

    directory_bytes: int = 32 * 1024 * 1024
    records: int = 200_000
    fast_pickle_bytes: int = 2 * 1024 * 1024
    fast_tuples: int = 40_000
    pickle_bytes: int = 16 * 1024 * 1024
    operations: int = 1_000_000
    tuple_depth: int = 10_000
    globals: int = 1_000
    nodes: int = 100_000
    node_depth: int = 100


DEFAULT_LIMITS: Final = Limits()
