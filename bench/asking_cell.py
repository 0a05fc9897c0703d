"""What was measured of asking W&B in one setting. Pure data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_HISTORY: Final = frozenset({"RunSampledHistory", "RunHistoryKeys", "RunParquetHistory", "HistoryPage"})


class AskingCell(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in one setting: times in ns, and the operations of one call by name.

    `again` counts what a second build sent. `least_ns` is what takes no asking: in a whole process starting
    the client, which neither way of asking can do without; in process a build that does not ask, which reads
    what asking one by one never looks at.
    """

    checkpoints: int
    runs: int
    latency_ms: int
    is_whole_process: bool
    new_ns: tuple[float, ...]
    old_ns: tuple[float, ...]
    least_ns: tuple[float, ...]
    operations: dict[str, int]
    old_operations: dict[str, int]
    again: int

    @property
    def speedup(self) -> float:
        """How many times the best call of the old way takes of the best of the new."""
        return min(self.old_ns) / min(self.new_ns)

    @property
    def best_speedup(self) -> float:
        """What asking in no time at all would reach."""
        return min(self.old_ns) / min(self.least_ns)

    @property
    def asking_speedup(self) -> float:
        """How many times the old way takes of what asking adds to a build."""
        return min(self.old_ns) / max(1.0, min(self.new_ns) - min(self.least_ns))

    @property
    def asked(self) -> int:
        """The operations of a call beside histories."""
        return counted(self.operations)[0]

    @property
    def histories(self) -> int:
        """The operations that asked for a history."""
        return counted(self.operations)[1]


def counted(operations: Mapping[str, int]) -> tuple[int, int]:
    """How many of some operations asked for something else than a history, and how many for histories."""
    histories = sum(count for name, count in operations.items() if name in _HISTORY)
    return sum(operations.values()) - histories, histories
