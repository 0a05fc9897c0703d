"""A file system whose clock is coarse, and runs fast enough that settling takes milliseconds.

Real time stamps are stretched and then rounded down, as a file system with a coarse clock would keep
them. With a scale of 1,000 three seconds of settling pass in three real milliseconds.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.filesystem import FileSystem

if TYPE_CHECKING:
    from catalog.filesystem import Stat


@dataclass(frozen=True)
class CoarseStat:
    """What a file system with a coarse clock would answer."""

    st_mode: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int


@dataclass
class SimulatedClock:
    """Stretches time since its making by `scale`; keeps file times to `granularity_ns` of simulated time."""

    granularity_ns: int
    scale: int = 1_000
    begun_ns: int = field(default_factory=time.time_ns)

    def files(self) -> FileSystem:
        """The file system that a catalog is given."""
        return FileSystem(stat=self.stat, now_ns=lambda: self.stretched(time.time_ns()))

    def stretched(self, real_ns: int) -> int:
        """A real time as a simulated one; times from before the making, as set back by an edit, stay."""
        if real_ns < self.begun_ns:
            return real_ns
        return self.begun_ns + (real_ns - self.begun_ns) * self.scale

    def kept(self, real_ns: int) -> int:
        """What the file system remembers of a time."""
        simulated_ns = self.stretched(real_ns)
        return simulated_ns - simulated_ns % self.granularity_ns

    def stat(self, path: str) -> Stat:
        """`os.stat` with simulated times."""
        real = os.stat(path)
        return CoarseStat(
            real.st_mode, real.st_ino, real.st_size, self.kept(real.st_mtime_ns), self.kept(real.st_ctime_ns)
        )
