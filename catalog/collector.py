"""Python's cyclic garbage collector, kept out of the way while many objects are made at once."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def paused() -> Iterator[None]:
    """Collect no cycles inside the block: building a catalog and reading a pickle make objects, no cycles.

    Without it the collector walks all of them, and the whole process at last, each time their number has
    grown by a quarter: a third of a first load of 10,000 checkpoints. Where two threads pause at the same
    time, the first to end switches it on again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
