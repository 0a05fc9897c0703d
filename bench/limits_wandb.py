"""What asking W&B costs: how many operations, how long, and that beside asking for one run after the other.

`python -m bench.limits_wandb` measures every row against a server on loopback and ends with 1 where a limit
is missed. The runs of the trees stand in one project, so that one request for runs serves them all.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from bench.arms import isolated
from bench.figures import duration, times
from bench.report import terminal
from bench.report.sections import Section
from bench.scenario import CONFIG_FILENAMES
from bench.subject import Subject
from bench.worker import Call, Worker
from fixtures.generate import temporary_tree
from fixtures.spec import TreeSpec
from fixtures.wandb_server import WandbServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fixtures.runs import Run

NEW: Final = "catalog.subjects:v2_wandb"
AGAIN: Final = "catalog.subjects:v2_wandb_index"
OLD: Final = "catalog.legacy_wandb:ask_for_each"
START: Final = "catalog.legacy_wandb:start_client"

LATENCIES_MS: Final = (0, 20, 100)
MOST_OPERATIONS: Final = 3
LEAST_SPEEDUP: Final = 10.0
LIMIT_NS: Final = 1_500_000_000
ROUND_TRIPS: Final = 8
"""A whole process may take `LIMIT_NS` and this many times the latency."""

SPECS: Final = tuple(
    TreeSpec(
        experiments=experiments,
        checkpoints_per_experiment=each,
        checkpoint_bytes=64_000,
        sidecar_share=0.0,
        metrics_share=0.0,
        wandb_share=1.0,
    )
    for experiments, each in ((7, 2), (10, 5))
)
"""14 and 50 checkpoints without sidecars or metrics, each experiment with a run."""

_HISTORY: Final = frozenset({"RunSampledHistory", "RunHistoryKeys", "RunParquetHistory", "HistoryPage"})
_SETTLING_S: Final = 3.5
_SCRIPT: Final = """
import importlib, pathlib, sys
module, _, name = sys.argv[1].partition(":")
subject = getattr(importlib.import_module(module), name)
print(len(list(subject(pathlib.Path(sys.argv[2]), tuple(sys.argv[3:])))))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WandbRow:
    """One cell: the best of several times in ns, and the operations of one call by name.

    `again` counts what a second build sent. `start_ns` is what starting the client takes by itself, of a
    whole process only: neither way of asking can take less.
    """

    checkpoints: int
    runs: int
    latency_ms: int
    is_whole_process: bool
    new_ns: float
    old_ns: float
    start_ns: float | None
    operations: Mapping[str, int]
    old_operations: Mapping[str, int]
    again: int

    @property
    def speedup(self) -> float:
        """How many times the old way takes of the new."""
        return self.old_ns / self.new_ns

    @property
    def limit_ns(self) -> float | None:
        """What a whole process may take."""
        return LIMIT_NS + ROUND_TRIPS * self.latency_ms * 1e6 if self.is_whole_process else None

    @property
    def best_speedup(self) -> float | None:
        """What asking in no time at all would reach: the old way's time over that of starting the client."""
        return None if self.start_ns is None else self.old_ns / self.start_ns

    @property
    def is_speedup_possible(self) -> bool:
        """Whether starting the client leaves room for `LEAST_SPEEDUP`."""
        return self.best_speedup is None or self.best_speedup >= LEAST_SPEEDUP

    @property
    def missed(self) -> tuple[str, ...]:
        """The limits that were missed; a speed-up that starting the client alone forbids is none of them."""
        asked = sum(count for name, count in self.operations.items() if name not in _HISTORY)
        histories = sum(count for name, count in self.operations.items() if name in _HISTORY)
        return tuple(
            name
            for name, is_missed in (
                ("operations", asked > MOST_OPERATIONS or histories > self.runs),
                ("time", self.limit_ns is not None and self.new_ns > self.limit_ns),
                ("speed-up", self.speedup < LEAST_SPEEDUP and self.is_speedup_possible),
                ("second build", self.again > 0),
            )
            if is_missed
        )


class Seen(NamedTuple):
    """The best time of a subject in ns, and the operations that its last call sent."""

    best_ns: float
    operations: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tree, its runs, the latency of their server, and a folder for homes."""

    root: Path
    runs: tuple[Run, ...]
    checkpoints: int
    latency_s: float
    home: Path

    def in_process(self, target: str, calls: int) -> Seen:
        """Time calls in a process that has called before, and so has imported and started everything."""
        with self._server() as (server, environment):
            with Worker.start(Subject(target, target, environment=environment), hash_seed=0) as worker:
                call = Call(self.root, CONFIG_FILENAMES)
                worker.call(call)
                server.latency_s = self.latency_s
                times_ns = []
                for _ in range(calls):
                    server.operations.clear()
                    sample = worker.call(call)
                    self._check(target, sample.count)
                    times_ns.append(sample.elapsed_ns)
            return Seen(min(times_ns), dict(server.operations))

    def whole_process(self, target: str, calls: int) -> Seen:
        """Time new interpreters from their start to their end, all with the same home."""
        with self._server() as (server, environment):
            server.latency_s = self.latency_s
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
            search_path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
            times_ns = []
            for _ in range(calls):
                server.operations.clear()
                begun_ns = time.perf_counter_ns()
                done = subprocess.run(
                    [sys.executable, "-P", "-c", _SCRIPT, target, str(self.root), *CONFIG_FILENAMES],
                    env={**inherited, **environment, "PYTHONPATH": search_path},
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
                times_ns.append(time.perf_counter_ns() - begun_ns)
                if done.returncode:
                    told = done.stderr.decode(errors="replace").strip()[-2_000:]
                    raise ValueError(f"{target}: expected exit code 0, found {done.returncode}: {told}")
                self._check(target, int(done.stdout.split()[-1]))
            return Seen(min(times_ns), dict(server.operations))

    @contextmanager
    def _server(self) -> Iterator[tuple[WandbServer, Mapping[str, str]]]:
        """A server without latency, and the environment of a client in a home of its own."""
        with (
            tempfile.TemporaryDirectory(prefix="home-", dir=self.home) as name,
            WandbServer(self.runs) as server,
        ):
            home = Path(name)
            yield server, isolated(home) | server.environment(home) | {"WANDB_SILENT": "true"}

    def _check(self, target: str, count: int) -> None:
        if count != self.checkpoints:
            raise ValueError(f"{target}: expected {self.checkpoints} checkpoints, found {count}")


def rows(
    specs: Sequence[TreeSpec] = SPECS,
    latencies_ms: Sequence[int] = LATENCIES_MS,
    *,
    calls: int = 3,
    parent: Path | None = None,
) -> Iterator[WandbRow]:
    """Measure every cell: each tree, each latency, as whole processes and in one that has called before.

    `calls` of the new way count, and as many of the old as are done in about the same time, but one at least.
    Trees are written below `parent` (the system's temporary folder by default). Raises `ValueError` where not
    all checkpoints are listed, and what `bench.worker` raises.
    """
    for spec in specs:
        with temporary_tree(spec, parent=parent) as tree, tempfile.TemporaryDirectory(dir=parent) as home:
            runs = _in_one_project(tree.root, tree.plan.runs)
            time.sleep(_SETTLING_S)  # nothing that has just been written is remembered yet
            for latency_ms in latencies_ms:
                place = Place(
                    root=tree.root,
                    runs=runs,
                    checkpoints=len(tree.expected.entries),
                    latency_s=latency_ms / 1000,
                    home=Path(home),
                )
                for is_whole_process in (True, False):
                    yield _row(place, calls, is_whole_process=is_whole_process)


def _row(place: Place, calls: int, *, is_whole_process: bool) -> WandbRow:
    measure = place.whole_process if is_whole_process else place.in_process
    old = measure(OLD, 1 if place.latency_s else calls)
    new = measure(NEW, calls)
    return WandbRow(
        checkpoints=place.checkpoints,
        runs=len(place.runs),
        latency_ms=round(place.latency_s * 1000),
        is_whole_process=is_whole_process,
        new_ns=new.best_ns,
        old_ns=old.best_ns,
        start_ns=measure(START, calls).best_ns if is_whole_process else None,
        operations=new.operations,
        old_operations=old.operations,
        again=sum(measure(AGAIN, 2).operations.values()),
    )


def _in_one_project(root: Path, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Make all runs, and the Hydra configs that name them, speak of one project."""
    for path in root.rglob(".hydra/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["logger"]["wandb"] |= {"entity": runs[0].entity, "project": runs[0].project}
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return tuple(replace(run, entity=runs[0].entity, project=runs[0].project) for run in runs)


def section(measured: Sequence[WandbRow]) -> Section:
    """The rows as a table, with what they are measured against."""
    return Section(
        "Asking W&B",
        (
            "checkpoints",
            "latency",
            "measured",
            "operations",
            "second build",
            "V2",
            "limit",
            "one by one",
            "speed-up",
            "start alone",
            "verdict",
        ),
        tuple(_cells(row) for row in measured),
        (
            "A whole process: a new interpreter from its start to its end. In process: one that has called "
            "before, so that the client is imported and started; what was answered is forgotten. Times are the "
            "best of several calls, of the same run.",
            "One by one: `Api().run()` for each checkpoint, once for the config and once for the summary, and "
            f"no catalog made of it. The speed-up must be {LEAST_SPEEDUP:g} or more; it is out of reach where "
            "only starting the client (start alone: importing it and making one `Api()`) takes more than a "
            "tenth of asking one by one.",
            f"Operations: at most {MOST_OPERATIONS}, and one history for each run; a second build: none.",
            f"Measured on {os.cpu_count()} processors, Python {platform.python_version()}; load average of the "
            f"last 15 minutes: {os.getloadavg()[2]:.1f}. Other work on the machine lengthens every time.",
        ),
        wordy=("operations", "one by one", "verdict"),
    )


def _cells(row: WandbRow) -> tuple[tuple[str, ...], ...]:
    best = () if row.best_speedup is None else (f"at best {times(row.best_speedup)}",)
    return (
        (f"{row.checkpoints}", f"of {row.runs} runs"),
        (f"{row.latency_ms} ms",),
        ("whole process" if row.is_whole_process else "in process",),
        _counted(row.operations),
        (f"{row.again}",),
        (duration(row.new_ns),),
        (duration(row.limit_ns),),
        (duration(row.old_ns), f"{sum(row.old_operations.values())} operations"),
        (times(row.speedup),),
        (duration(row.start_ns), *best),
        _verdict(row),
    )


def _verdict(row: WandbRow) -> tuple[str, ...]:
    judged = f"missed: {', '.join(row.missed)}" if row.missed else "holds"
    is_out_of_reach = row.speedup < LEAST_SPEEDUP and not row.is_speedup_possible
    return (judged, "speed-up out of reach") if is_out_of_reach else (judged,)


def _counted(operations: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{name} {count}" for name, count in sorted(operations.items()))


def main() -> int:
    """Measure, print, and tell by the exit code whether every limit is met."""
    measured = []
    for row in rows():
        measured.append(row)
        sys.stderr.write(f"{' '.join(part for cell in _cells(row) for part in cell)}\n")
    sys.stdout.write(terminal.render_sections((section(measured),), width=180, is_colored=False))
    return int(any(row.missed for row in measured))


if __name__ == "__main__":
    sys.exit(main())
