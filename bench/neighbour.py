"""A bursty neighbour: a process that burns one core for 0-300 ms at a time, with pauses as long."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST_S: Final = 0.3
"""The longest burst, and the longest pause; both are drawn evenly from 0 on."""

_BURN = """
import os, random, sys, time
seed, longest_s, core, parent = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if core >= 0:
    os.sched_setaffinity(0, {core})
draw = random.Random(seed)
while os.getppid() == parent:
    until_s = time.perf_counter() + draw.uniform(0.0, longest_s)
    while time.perf_counter() < until_s:
        pass
    time.sleep(draw.uniform(0.0, longest_s))
"""


@contextmanager
def bursty_neighbour(seed: int) -> Iterator[int]:
    """Keep one beside whatever is done in the context; yield its process id. It ends with this process, too."""
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1
    arguments = [str(seed), str(BURST_S), str(core), str(os.getpid())]
    process = subprocess.Popen([sys.executable, "-c", _BURN, *arguments], start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
