"""How much additional work makes a catalog slower by a given share, and what share it came to.

The work and the catalog are timed apart, call by call in fresh processes, so that a share of 3 % is known far
more exactly than two whole calls could tell. Run as a program it is the process that times:
`python -m bench.calibration TARGET FOLDER CALLS LINES...`.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from bench.injected import Laden
from bench.scenario import CONFIG_FILENAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FIRST_LINES: Final = 200
PROCESSES: Final = 3
TRIES: Final = 3
"""A file more or less to be opened makes the work jump, so that proportion alone does not hit."""

CALLS: Final = 60
_PATIENCE_S: Final = 120.0


class Timed(msgspec.Struct, frozen=True):
    """One process's medians: the time of the catalog's call, and the share of it that each work took."""

    call_ns: float
    shares: dict[int, float]


class Achieved(msgspec.Struct, frozen=True):
    """The share that an amount of work came to: its mean over processes, and the least and the largest."""

    change: float
    lines: int
    mean: float
    low: float
    high: float
    processes: int


class TimeWork(Protocol):
    """Times a catalog and additional work in a fresh process."""

    def __call__(self, lines: Sequence[int]) -> Timed:
        """Each number of lines in turn with a call of the catalog before it."""


def calibrated(changes: Iterable[float], time_work: TimeWork) -> dict[float, int]:
    """How many lines make the catalog slower by each change: the best of some tries, each by proportion."""
    first = time_work((FIRST_LINES,)).shares[FIRST_LINES]
    lines = {change: _scaled(FIRST_LINES, change / first) for change in changes}
    tried: dict[float, dict[int, float]] = {change: {} for change in lines}
    for _ in range(TRIES):
        shares = _mean_shares(tuple(lines.values()), time_work, PROCESSES)
        for change, count in lines.items():
            tried[change][count] = shares[count]
        lines = {change: _scaled(count, change / shares[count]) for change, count in lines.items()}
    return {change: _closest(shares, change) for change, shares in tried.items()}


def _scaled(lines: int, factor: float) -> int:
    return max(1, round(lines * factor))


def _closest(shares: Mapping[int, float], change: float) -> int:
    return min(shares, key=lambda count: abs(shares[count] - change))


def achieved(
    lines: Mapping[float, int], time_work: TimeWork, *, processes: int = PROCESSES
) -> tuple[Achieved, ...]:
    """What share each amount of work comes to, in so many fresh processes."""
    timed = [time_work(tuple(lines.values())) for _ in range(processes)]
    found = []
    for change, count in lines.items():
        shares = [one.shares[count] for one in timed]
        found.append(Achieved(change, count, fmean(shares), min(shares), max(shares), processes))
    return tuple(found)


def _mean_shares(lines: Sequence[int], time_work: TimeWork, processes: int) -> dict[int, float]:
    timed = [time_work(lines) for _ in range(processes)]
    return {count: fmean(one.shares[count] for one in timed) for count in lines}


@dataclass(frozen=True, slots=True)
class ProcessTimer:
    """Times in a process of its own, which finds nothing of its user's in its `environment`."""

    target: str
    outputs_dir: Path
    environment: Mapping[str, str]
    calls: int = CALLS

    def __call__(self, lines: Sequence[int]) -> Timed:
        """Start it and wait. Raises CalledProcessError or TimeoutExpired where it does not answer."""
        command = [sys.executable, "-m", "bench.calibration", self.target, str(self.outputs_dir)]
        done = subprocess.run(
            [*command, str(self.calls), *map(str, lines)],
            capture_output=True,
            check=True,
            timeout=_PATIENCE_S,
            env={**os.environ, **self.environment},
        )
        return msgspec.json.decode(done.stdout, type=Timed)


def time_calls(laden: Laden, outputs_dir: Path, calls: int, lines: Sequence[int]) -> Timed:
    """Time the catalog and the work in turn, the collector off as it is in a measurement.

    The first call imports and is not counted. Raises ValueError for fewer than 2 calls.
    """
    if calls < 2:
        raise ValueError(f"expected at least 2 calls, found {calls}; the first is not counted")
    call_ns: list[int] = []
    shares: dict[int, list[float]] = {count: [] for count in lines}
    for number in range(calls):
        for count in lines:
            laden.prepare(outputs_dir, CONFIG_FILENAMES)
            gc.collect()
            gc.disable()
            begun_ns = time.perf_counter_ns()
            answer = laden.catalog(outputs_dir, CONFIG_FILENAMES)
            between_ns = time.perf_counter_ns()
            laden.work(outputs_dir, count)
            ended_ns = time.perf_counter_ns()
            gc.enable()
            del answer
            if not number:
                gc.freeze()
                continue
            call_ns.append(between_ns - begun_ns)
            shares[count].append((ended_ns - between_ns) / (between_ns - begun_ns))
    return Timed(median(call_ns), {count: median(all_calls) for count, all_calls in shares.items()})


def main(arguments: Sequence[str]) -> None:
    """Time what the arguments say, and print it as JSON."""
    target, folder, calls, *lines = arguments
    timed = time_calls(Laden(target, 0), Path(folder), int(calls), [int(count) for count in lines])
    sys.stdout.write(msgspec.json.encode(timed).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
