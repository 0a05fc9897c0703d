"""A clock that only moves when it is told to, and a file system that keeps its times coarsely by it.

No test waits, and none depends on how busy the machine is. Every change of the tree happens at a moment
of simulated time, between two moments of the real file system's clock; a real time stamp is therefore
known by its interval. What `os.utime` sets far away from now stays as it was set.
"""

from __future__ import annotations

import bisect
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.filesystem import FileSystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from catalog.filesystem import Stat

GRANULARITIES_NS = {"4 ms": 4_000_000, "1 s": 1_000_000_000, "2 s": 2_000_000_000}
"""What file systems keep: a tick of older kernels, ext3 and HFS+, FAT."""

_HOUR_NS = 3600 * 10**9
_CALL_NS = 5_000
_BEGUN_NS = 1_750_000_000 * 10**9


@dataclass(frozen=True)
class CoarseStat:
    """What a file system with a coarse clock would answer."""

    st_mode: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int


@dataclass
class Interruption:
    """A change in the middle of a build: just before or just after so many of its looks at the tree."""

    looks: int
    is_before: bool
    change: Callable[[], object]


@dataclass
class SimulatedClock:
    """Simulated time for the tree below `root`; file times are kept to `granularity_ns` of it."""

    root: Path
    granularity_ns: int
    now_ns: int = _BEGUN_NS
    interruption: Interruption | None = None
    looks: int = 0
    _real_ns: list[int] = field(default_factory=list)
    _simulated_ns: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._probe = self.root / "clock"
        self._probe.touch()
        self.change(lambda: None)

    def files(self) -> FileSystem:
        """The file system that a catalog is given."""
        return FileSystem(stat=self.stat, now_ns=self.tell_ns)

    def advance(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.now_ns += round(seconds * 10**9)

    def change(self, make: Callable[[], object]) -> None:
        """Make a change of the tree: all that it touches gets this moment's time."""
        self._real_ns.append(self._tick_ns())
        self._simulated_ns.append(self.now_ns)
        make()

    def tell_ns(self) -> int:
        """The time; asking takes some."""
        self.now_ns += _CALL_NS
        return self.now_ns

    def stat(self, path: str) -> Stat:
        """`os.stat` with simulated times; an interruption that is due happens here."""
        self.now_ns += _CALL_NS
        self.looks += 1
        due = self._due()
        if due is not None and due.is_before:
            self.change(due.change)
        try:
            real = os.stat(path)
        finally:
            if due is not None and not due.is_before:
                self.change(due.change)
        return CoarseStat(
            real.st_mode,
            real.st_ino,
            real.st_size,
            self._kept_ns(real.st_mtime_ns),
            self._kept_ns(real.st_ctime_ns),
        )

    def _due(self) -> Interruption | None:
        if self.interruption is None:
            return None
        self.interruption.looks -= 1
        if self.interruption.looks > 0:
            return None
        due, self.interruption = self.interruption, None
        return due

    def _kept_ns(self, real_ns: int) -> int:
        """A real time stamp as the simulated file system keeps it."""
        interval = bisect.bisect_right(self._real_ns, real_ns) - 1
        if interval < 0 or real_ns > self._real_ns[-1] + _HOUR_NS:
            return real_ns - real_ns % self.granularity_ns
        simulated_ns = self._simulated_ns[interval]
        return simulated_ns - simulated_ns % self.granularity_ns

    def _tick_ns(self) -> int:
        """A time stamp that is later than that of every change so far, and no later than of any to come."""
        os.utime(self._probe)
        begun_ns = self._probe.stat().st_mtime_ns
        while (now_ns := self._probe.stat().st_mtime_ns) == begun_ns:
            os.utime(self._probe)
        return now_ns
