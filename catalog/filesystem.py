"""The file system as the catalog uses it: signatures, listings, and the time they were taken at."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.records import Kind

Signature = tuple[int, int, int, int, int]
"""(mode with the file's type, inode, size in bytes, mtime in ns, ctime in ns); compared for equality."""

ABSENT: Signature = (0, 0, 0, 0, 0)
"""The signature of what is not there; an answer can depend on that too."""

SETTLING_NS = 3_000_000_000
"""How long after its last change a file may still change without its time stamps telling.

FAT keeps times to 2 s, the coarsest in use; Borg waits 3 s for the same reason.
"""


class Stat(Protocol):
    """What is read of an `os.stat_result`."""

    @property
    def st_mode(self) -> int: ...  # noqa: D102 - named as in os.stat_result
    @property
    def st_ino(self) -> int: ...  # noqa: D102
    @property
    def st_size(self) -> int: ...  # noqa: D102
    @property
    def st_mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def st_ctime_ns(self) -> int: ...  # noqa: D102


_signature_of: Callable[[Stat], Signature] = attrgetter(
    "st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"
)


class FileSystem(msgspec.Struct, frozen=True):
    """What decides whether an answer may be remembered: `stat`, and the clock in ns since 1970."""

    stat: Callable[[str], Stat] = os.stat
    now_ns: Callable[[], int] = time.time_ns

    def signature(self, path: str) -> Signature:
        """The signature of what `path` leads to, symlinks followed; `ABSENT` where that is nothing."""
        try:
            return _signature_of(self.stat(path))
        except (OSError, ValueError):
            return ABSENT

    def signatures(self, paths: Sequence[str]) -> list[Signature]:
        """The signatures of many paths, in their order."""
        found: list[Signature] = []
        left = iter(paths)
        while len(found) < len(paths):
            # What is absent ends the run of those before it, which are kept, and the next begins behind it.
            try:
                found.extend(map(_signature_of, map(self.stat, left)))
            except (OSError, ValueError):
                found.append(ABSENT)
        return found

    def kind(self, path: str) -> Kind:
        """What a path leads to, symlinks followed."""
        try:
            mode = self.stat(path).st_mode
        except (OSError, ValueError):
            return "nothing"
        if stat.S_ISREG(mode):
            return "file"
        return "folder" if stat.S_ISDIR(mode) else "nothing"


def is_settled(signature: Signature, taken_ns: int) -> bool:
    """Whether a later change must show: the last one lies far enough before the time of taking."""
    limit_ns = taken_ns - SETTLING_NS
    return signature[3] <= limit_ns and signature[4] <= limit_ns
