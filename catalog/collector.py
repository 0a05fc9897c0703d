"""Python's cyclic garbage collector, kept out of the way while many objects are made at once."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Paused:
    """Collects no cycles inside its block: building a catalog and reading a pickle make objects, no cycles.

    Without it the collector walks all of them, and the whole process at last, each time their number has
    grown by a quarter: a third of a first load of 10,000 checkpoints. Where two threads pause at the same
    time, the first to end switches it on again.
    """

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_enabled:
            gc.enable()
