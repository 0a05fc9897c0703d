"""Whether a catalog that was timed looks at its tree: what comes between two calls must be seen.

Timed calls all see one tree. A catalog that hands out what it kept would give the right answers there, in no
time.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bench.verdict_file import Cause
from bench.worker import (
    ClockError,
    SubjectError,
    SubjectRaised,
    UnusableAnswer,
    Worker,
    WorkerCrashed,
    WorkerError,
    WorkerHung,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.subject import Subject
    from bench.worker import Call, Sample, StartWorker

_NAME = "epoch=7-came-later.ckpt"
_METRIC = re.compile(rb"^  hmean: 0\.[0-9]", re.MULTILINE)
_TIMEOUT_S = 60.0
_CAUSES = {
    WorkerCrashed: Cause.CRASHED,
    WorkerHung: Cause.HUNG,
    SubjectRaised: Cause.RAISED,
    UnusableAnswer: Cause.NO_ANSWER,
    SubjectError: Cause.NOT_FOUND,
    ClockError: Cause.CLOCK,
}


class _Seen(NamedTuple):
    """What a subject answered before a change, with it, and after it was taken back."""

    before: Sample
    between: Sample
    after: Sample


def look_again(subject: Subject, call: Call, *, start: StartWorker = Worker.start) -> tuple[Cause, str] | None:
    """What speaks against a subject: that it does not see a checkpoint come and go, or a metric change.

    The tree, in which every checkpoint is listed, is left as it was. Raises `OSError` where it cannot be
    written.
    """
    checkpoint = min(call.outputs_dir.rglob("*.ckpt"), default=None)
    if checkpoint is None:
        return None
    sidecars = sorted(call.outputs_dir.rglob("*.metadata.yaml"))
    sidecar = next((path for path in sidecars if _METRIC.search(path.read_bytes())), None)
    try:
        with start(subject, hash_seed=0, timeout_s=_TIMEOUT_S) as worker:
            worker.prepare(call)

            def answer() -> Sample:
                return worker.call(call)

            told = _unlisted(_seen(answer, checkpoint.with_name(_NAME), _copied, checkpoint))
            if not told and sidecar is not None:
                told = _untold(_seen(answer, sidecar, _with_another_metric, sidecar), sidecar)
    except (WorkerError, SubjectError, ClockError) as error:
        return _CAUSES.get(type(error), Cause.CRASHED), str(error)
    return (Cause.CHANGE_UNSEEN, told) if told else None


def _seen(
    answer: Callable[[], Sample], path: Path, change: Callable[[Path, Path], None], source: Path
) -> _Seen:
    before = answer()
    with _left_as_it_was(path):
        change(source, path)
        between = answer()
    return _Seen(before, between, answer())


def _copied(checkpoint: Path, added: Path) -> None:
    shutil.copyfile(checkpoint, added)


def _with_another_metric(_: Path, sidecar: Path) -> None:
    """Change one digit, so that the size stays."""
    data = sidecar.read_bytes()
    found = _METRIC.search(data)
    if found is not None:
        digit = b"8" if found[0].endswith(b"7") else b"7"
        sidecar.write_bytes(data[: found.end() - 1] + digit + data[found.end() :])


@contextmanager
def _left_as_it_was(path: Path) -> Iterator[None]:
    """Give a file, or its absence, and the times of its folder back in the end."""
    data = path.read_bytes() if path.exists() else None
    stood = [(one, os.stat(one)) for one in (path, path.parent) if one.exists()]
    try:
        yield
    finally:
        if data is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(data)
        for one, status in stood:
            os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))


def _unlisted(seen: _Seen) -> str:
    counts = [one.count for one in seen]
    expected = [counts[0], counts[0] + 1, counts[0]]
    if counts == expected:
        return ""
    return (
        f"expected {expected[0]} checkpoints, then {expected[1]} after one had come, then {expected[2]} again, "
        f"found {counts[0]}, {counts[1]} and {counts[2]}: it does not look at the tree in each call"
    )


def _untold(seen: _Seen, sidecar: Path) -> str:
    before, between, after = (one.digest for one in seen)
    if between != before == after:
        return ""
    found = "the same answer" if between == before else "another answer after it was taken back"
    return (
        f"expected another answer after {sidecar.name} had changed, and then the first again, found {found}: "
        "it does not look at the files in each call"
    )
