"""A time zone for a while: one that is neither UTC nor whole hours from it, and knows summer time."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWFOUNDLAND: Final = "NST3:30NDT,M3.2.0,M11.1.0"
"""3:30 hours behind UTC, 2:30 in summer; in POSIX's own words, so that no zone file is needed."""


@contextmanager
def time_zone(name: str = NEWFOUNDLAND) -> Iterator[None]:
    """Let this process, and those that it starts, live in a time zone: a catalog that forgets it is seen."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
