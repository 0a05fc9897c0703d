"""What was measured of asking W&B in one setting. Pure data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_HISTORY: Final = frozenset({"RunSampledHistory", "RunHistoryKeys", "RunParquetHistory", "HistoryPage"})


class AskingCell(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in one setting: times in ns, and the operations of one call by name.

    `old_ns` is asking for config and summary of one run after the other, `once_ns` the same of all at once, and
    `new_ns` a whole build, which reads every checkpoint and asks for histories besides. `operations` are the
    build's, `again` counts those of a second one. `least_ns` is what takes no asking: in a whole process
    starting the client, which neither way can do without; in process a build that does not ask.
    """

    checkpoints: int
    runs: int
    latency_ms: int
    is_whole_process: bool
    new_ns: tuple[float, ...]
    once_ns: tuple[float, ...]
    old_ns: tuple[float, ...]
    least_ns: tuple[float, ...]
    operations: dict[str, int]
    old_operations: dict[str, int]
    again: int

    @property
    def speedup(self) -> float:
        """How many times the best call of asking one by one takes of the best of asking at once."""
        return min(self.old_ns) / min(self.once_ns)

    @property
    def possible_ns(self) -> float:
        """The least that a whole process can take which asks: the client starts, and then needs one answer."""
        return min(self.least_ns) + 1e6 * self.latency_ms

    @property
    def possible_speedup(self) -> float:
        """What asking that takes no more than this would reach."""
        return min(self.old_ns) / self.possible_ns

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
