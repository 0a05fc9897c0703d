"""Read every checkpoint of a folder with little memory: `python -m tests.faults.read_hostile <folder>`.

Prints, as JSON, what became of each file (`read`, or the refusal), and the peak of memory in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from catalog.checkpoint import read_checkpoint
from catalog.header import HeaderError

_ADDRESS_SPACE_BYTES = 2 * 1024**3


def main(folder: Path) -> None:
    """Read all, and go on after a refusal."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
    outcomes = {}
    for path in sorted(folder.glob("*.ckpt")):
        try:
            read_checkpoint(path)
            outcomes[path.stem] = "read"
        except HeaderError as error:
            outcomes[path.stem] = f"expected {error.expected}, found {error.found}"
    sys.stdout.write(json.dumps({"outcomes": outcomes, "peak_bytes": _peak_bytes()}))


def _peak_bytes() -> int:
    """The most memory that this program held; `ru_maxrss` would count what its parent held before it."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
