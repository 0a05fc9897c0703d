"""Whether a catalog that was timed looks at its tree: a checkpoint comes between two calls, and must be listed.

Timed calls all see one tree. A catalog that hands out what it kept would give the right answers there, in no
time.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from bench.worker import ClockError, SubjectError, Worker, WorkerError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.subject import Subject
    from bench.worker import Call, StartWorker

_NAME = "epoch=7-came-later.ckpt"
_TIMEOUT_S = 60.0


def look_again(subject: Subject, call: Call, *, start: StartWorker = Worker.start) -> str:
    """What speaks against a subject: that it does not see a checkpoint come, or go. Empty where nothing does.

    The tree, in which every checkpoint is listed, is left as it was. Raises `OSError` where it cannot be
    written.
    """
    checkpoint = min(call.outputs_dir.rglob("*.ckpt"), default=None)
    if checkpoint is None:
        return ""
    added = checkpoint.with_name(_NAME)
    times = os.stat(added.parent)
    try:
        with start(subject, hash_seed=0, timeout_s=_TIMEOUT_S) as worker:
            worker.prepare(call)
            counts = [worker.call(call).count]
            shutil.copyfile(checkpoint, added)
            counts.append(worker.call(call).count)
            added.unlink()
            counts.append(worker.call(call).count)
    except (WorkerError, SubjectError, ClockError) as error:
        return str(error)
    finally:
        _restored(added, times)
    expected = [counts[0], counts[0] + 1, counts[0]]
    if counts == expected:
        return ""
    return (
        f"expected {expected[0]} checkpoints, then {expected[1]} after one had come, then {expected[2]} again, "
        f"found {counts[0]}, {counts[1]} and {counts[2]}: it does not look at the tree in each call"
    )


def _restored(added: Path, times: os.stat_result) -> None:
    added.unlink(missing_ok=True)
    os.utime(added.parent, ns=(times.st_atime_ns, times.st_mtime_ns))
