"""What one call needs besides time: memory and reads, as the system tells them."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUS = "/proc/self/status"
_CLEAR_REFS = "/proc/self/clear_refs"
_INPUT_OUTPUT = "/proc/self/io"
_RESET_PEAK = "5"  # proc(5), clear_refs: the peak resident set size falls back to the current one


def _rss_bytes(key: str) -> int:
    with open(_STATUS, encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{key}:"))


def _reset_peak() -> bool:
    try:
        with open(_CLEAR_REFS, "w", encoding="ascii") as clear_refs:
            clear_refs.write(_RESET_PEAK)
    except OSError:
        return False
    return True


def memory_of(call: Callable[[], object]) -> dict[str, Any]:
    """Peak resident memory of the process during one call, the collector at work as everywhere.

    `method` is `VmHWM` where the system lets the peak be reset before the call, else `ru_maxrss`: the peak
    of the process's whole life.
    """
    gc.collect()
    if _reset_peak():
        before_bytes = _rss_bytes("VmRSS")
        call()
        return {"method": "VmHWM", "peak_bytes": _rss_bytes("VmHWM"), "before_bytes": before_bytes}
    import resource

    call()
    return _life_peak(resource.RUSAGE_SELF)


def memory_of_children(call: Callable[[], object]) -> dict[str, Any]:
    """Peak resident memory of the largest process that a command started, and of its start from this one."""
    import resource

    call()
    return _life_peak(resource.RUSAGE_CHILDREN)


def _life_peak(who: int) -> dict[str, Any]:
    import resource

    unit_bytes = 1 if sys.platform == "darwin" else 1024
    peak_bytes = resource.getrusage(who).ru_maxrss * unit_bytes
    return {"method": "ru_maxrss", "peak_bytes": peak_bytes, "before_bytes": None}


def _counters() -> dict[str, int]:
    with open(_INPUT_OUTPUT, encoding="ascii") as counters:
        pairs = (line.split(":") for line in counters)
        return {name: int(value) for name, value in pairs}


def input_output_of(call: Callable[[], object]) -> dict[str, int] | None:
    """What one call read: bytes asked for, bytes that came from a disk, and read calls. None if untold."""
    try:
        empty, begun = _counters(), _counters()
    except OSError:
        return None
    call()
    ended = _counters()
    names = {"rchar": "read_bytes", "read_bytes": "disk_read_bytes", "syscr": "read_calls"}
    # Reading the counters counts too; the two readings before the call tell how much.
    return {told: ended[name] - begun[name] - (begun[name] - empty[name]) for name, told in names.items()}
