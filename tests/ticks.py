"""The file system's clock, for tests that need a change to show."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def tick(near: Path) -> None:
    """Return after the clock of the file system that holds `near` has moved on, however coarse it is."""
    with tempfile.NamedTemporaryFile(dir=near.parent) as probe:
        begun_ns = os.fstat(probe.fileno()).st_mtime_ns
        while os.fstat(probe.fileno()).st_mtime_ns == begun_ns:
            os.utime(probe.fileno())
