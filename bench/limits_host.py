"""The program inside a process of the limits session: several subjects take turns in it.

`bench.subject_host` holds one subject a process; a floor that is to be the least of the *same* process must
run beside what is held against it. A job comes as JSON on standard input, its reply goes as JSON to standard
output; what subjects print goes to standard error. It imports the standard library and `bench.subject_host`.
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.subject_host import digest_of, plain_answer, resolve, timed_call

if TYPE_CHECKING:
    from collections.abc import Callable

BEGIN, END = "ckpt-bench:begin", "ckpt-bench:end"
"""Names that no file has: an attempt to open them marks a place in a trace of system calls."""

_METRIC = re.compile(rb"^  hmean: ([0-9.]+)", re.MULTILINE)

Times = dict[str, int]


class Contestants:
    """The subjects of a job by name; a job's `unprepared` ones run as the process finds them."""

    def __init__(self, job: dict[str, Any], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._subjects = {name: resolve(target) for name, target in job["targets"].items()}
        self._unprepared = frozenset(job.get("unprepared", ()))
        self._outputs_dir = Path(job["outputs_dir"])
        self._config_filenames = tuple(job["config_filenames"])
        self._rng = random.Random(job["seed"])
        self._clock = clock
        self.digests: dict[str, set[str]] = {name: set() for name in self._subjects}
        self.counts: dict[str, set[int]] = {name: set() for name in self._subjects}
        gc.collect()
        gc.freeze()  # modules: a collection before each timed call need not walk them

    def shuffled(self) -> list[str]:
        """Their names in random order."""
        return self._rng.sample(list(self._subjects), len(self._subjects))

    def prepare(self, name: str) -> None:
        """Run what a subject wants to be run before it is timed."""
        preparation = getattr(self._subjects[name], "prepare", None)
        if preparation is not None and name not in self._unprepared:
            preparation(self._outputs_dir, self._config_filenames)

    def time_ns(self, name: str, *, is_compared: bool = False, below: Path | None = None) -> int:
        """One timed call; where wished for, its answer, or that for one folder, is kept as a digest."""
        timed = timed_call(
            self._subjects[name],
            self._outputs_dir,
            self._config_filenames,
            clock=self._clock,
            is_reading_fields=False,  # a floor has none, and reading them is the caller's own work
        )
        self.counts[name].add(len(timed.records))
        if is_compared:
            records = (
                timed.records if below is None else [one for one in timed.records if _is_below(one, below)]
            )
            self.digests[name].add(digest_of(plain_answer(timed.answer, records)))
        return timed.elapsed_ns

    def call(self, name: str) -> None:
        """One call that nobody times."""
        self._subjects[name](self._outputs_dir, self._config_filenames)


def _is_below(record: Any, folder: Path) -> bool:
    return str(record.checkpoint_path).startswith(f"{folder}{os.sep}")


def alternate(job: dict[str, Any]) -> dict[str, Any]:
    """All subjects take turns, in random order each of `rounds`, each prepared before its call.

    `warmups` untimed rounds come first, on the tree at `warmup_dir`. The answers of the last round are compared
    by digest.
    """
    if job["warmups"]:
        warming = Contestants({**job, "outputs_dir": job["warmup_dir"], "seed": job["seed"] + 1})
        for _ in range(job["warmups"]):
            _take_turns(warming)
    contestants = Contestants(job)
    rounds = [
        _take_turns(contestants, is_compared=number == job["rounds"] - 1) for number in range(job["rounds"])
    ]
    return {
        "rounds": rounds,
        "counts": {name: sorted(counts) for name, counts in contestants.counts.items()},
        "digests": {name: sorted(digests) for name, digests in contestants.digests.items()},
    }


def _take_turns(contestants: Contestants, *, is_compared: bool = False) -> Times:
    times: Times = {}
    for name in contestants.shuffled():
        contestants.prepare(name)
        times[name] = contestants.time_ns(name, is_compared=is_compared)
    return times


def change(job: dict[str, Any]) -> dict[str, Any]:
    """Time all subjects after one sidecar was rewritten, and at once with nothing changed, `rounds` times.

    It is rewritten in place or, where the job is `replacing`, as a whole by a rename. Both times lie within a
    second: a machine that is slower in the next takes as long for both. By the clock of the subjects the
    sidecar must have settled, or what is unchanged would be read again. `seen` counts, for each subject, the
    answers that differed from the ones before the change.
    """
    contestants = Contestants(job)
    sidecar = min(Path(job["outputs_dir"]).rglob("*.metadata.yaml"))
    for name in contestants.shuffled():
        contestants.prepare(name)
        contestants.time_ns(name, is_compared=True, below=sidecar.parent)
    changed: list[Times] = []
    unchanged: list[Times] = []
    for _ in range(job["rounds"]):
        _rewrite(sidecar, is_replacing=job["replacing"])
        order = contestants.shuffled()
        changed.append(
            {name: contestants.time_ns(name, is_compared=True, below=sidecar.parent) for name in order}
        )
        unchanged.append({name: contestants.time_ns(name) for name in order})
    return {
        "changed": changed,
        "unchanged": unchanged,
        "seen": {name: len(digests) - 1 for name, digests in contestants.digests.items()},
    }


def trace(job: dict[str, Any]) -> dict[str, Any]:
    """One call of the only subject between two marks."""
    contestants = Contestants(job)
    (name,) = contestants.shuffled()
    contestants.prepare(name)
    _mark(BEGIN)
    contestants.call(name)
    _mark(END)
    return {}


JOBS = {"alternate": alternate, "change": change, "trace": trace}


def _rewrite(sidecar: Path, *, is_replacing: bool) -> None:
    """Give a sidecar the next metric, none of the 10,000 before. Raises `ValueError` where it has none."""
    content, count = _METRIC.subn(_next_metric, sidecar.read_bytes())
    if count != 1:
        raise ValueError(f"{sidecar}: expected one hmean, found {count}; choose another sidecar")
    written = sidecar.with_suffix(".part") if is_replacing else sidecar
    written.write_bytes(content)
    written.replace(sidecar)


def _next_metric(found: re.Match[bytes]) -> bytes:
    return b"  hmean: 0.%04d" % ((round(float(found[1]) * 10_000) + 1) % 10_000)


def _mark(name: str) -> None:
    try:
        os.close(os.open(name, os.O_RDONLY))
    except FileNotFoundError:
        return


def main() -> None:
    """Run the job on standard input."""
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a subject prints must not stand in the reply
    job = json.load(sys.stdin)
    with replies:
        json.dump(JOBS[job.pop("do")](job), replies)


if __name__ == "__main__":
    main()
