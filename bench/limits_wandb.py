"""What asking W&B costs: how many operations, how long, and that beside asking for one run after the other.

Every cell is measured against a server on loopback. The runs of a tree stand in one project, so that one
request for runs serves them all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from bench.arms import isolated
from bench.figures import duration, times
from bench.limits_figures import MS, exactly
from bench.limits_result import Figure
from bench.scenario import CONFIG_FILENAMES
from bench.subject import Subject
from bench.worker import Call, Worker
from fixtures.generate import temporary_tree
from fixtures.spec import TreeSpec
from fixtures.wandb_server import WandbServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fixtures.runs import Run

NEW: Final = "catalog.subjects:v2_wandb"
AGAIN: Final = "catalog.subjects:v2_wandb_index"
OLD: Final = "catalog.legacy_wandb:ask_for_each"
START: Final = "catalog.legacy_wandb:start_client"
READING: Final = "catalog.subjects:v2"

LATENCIES_MS: Final = (0, 20, 100)
MOST_OPERATIONS: Final = 3
LEAST_SPEEDUP: Final = 10.0
LIMIT_MS: Final = 1_500.0
ROUND_TRIPS: Final = 8
"""A whole process may take `LIMIT_MS` and this many times the latency."""

SPECS: Final = {
    experiments * each: TreeSpec(
        experiments=experiments,
        checkpoints_per_experiment=each,
        checkpoint_bytes=64_000,
        sidecar_share=0.0,
        metrics_share=0.0,
        wandb_share=1.0,
    )
    for experiments, each in ((7, 2), (10, 5))
}
"""Trees by their checkpoints, which have neither sidecars nor metrics; each experiment has a run."""

_HISTORY: Final = frozenset({"RunSampledHistory", "RunHistoryKeys", "RunParquetHistory", "HistoryPage"})
_SETTLING_S: Final = 3.5
_SCRIPT: Final = """
import importlib, pathlib, sys
module, _, name = sys.argv[1].partition(":")
subject = getattr(importlib.import_module(module), name)
print(len(list(subject(pathlib.Path(sys.argv[2]), tuple(sys.argv[3:])))))
"""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many calls are timed of V2, and how many of asking one by one, which latency makes long."""

    new: int
    old: int


WHOLE_PROCESS: Final = Effort(5, 3)
IN_PROCESS: Final = Effort(20, 20)
BEHIND_LATENCY: Final = Effort(3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was measured in one setting: times in ns, and the operations of one call by name.

    `again` counts what a second build sent. `least_ns` is what takes no asking: in a whole process starting
    the client, which neither way of asking can do without; in process a build that does not ask, which reads
    what asking one by one never looks at.
    """

    checkpoints: int
    runs: int
    latency_ms: int
    is_whole_process: bool
    new_ns: Sequence[float]
    old_ns: Sequence[float]
    least_ns: Sequence[float]
    operations: Mapping[str, int]
    old_operations: Mapping[str, int]
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
        return sum(count for name, count in self.operations.items() if name not in _HISTORY)

    @property
    def histories(self) -> int:
        """The operations that asked for a history."""
        return sum(count for name, count in self.operations.items() if name in _HISTORY)


@dataclass(slots=True)
class _Timed:
    """The times of a subject in ns, and the operations that its last call sent."""

    times_ns: list[float]
    operations: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tree, its runs, the latency of their server, and a folder for homes."""

    root: Path
    runs: tuple[Run, ...]
    checkpoints: int
    latency_s: float
    home: Path

    def in_process(self, calls: Mapping[str, int]) -> Mapping[str, _Timed]:
        """Time calls in processes that have called before, and so have imported and started everything."""
        call = Call(self.root, CONFIG_FILENAMES)
        with ExitStack() as stack:
            server, environment = stack.enter_context(self._server())
            workers = {
                target: stack.enter_context(
                    Worker.start(Subject(target, target, environment=environment), hash_seed=0)
                )
                for target in calls
            }
            for worker in workers.values():
                worker.call(call)

            def time_once(target: str) -> float:
                sample = workers[target].call(call)
                self._check(target, sample.count)
                return sample.elapsed_ns

            return self._in_turn(server, calls, time_once)

    def whole_process(self, calls: Mapping[str, int]) -> Mapping[str, _Timed]:
        """Time new interpreters from their start to their end, all with the same home."""
        with self._server() as (server, environment):
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
            search_path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)

            def time_once(target: str) -> float:
                begun_ns = time.perf_counter_ns()
                done = subprocess.run(
                    [sys.executable, "-P", "-c", _SCRIPT, target, str(self.root), *CONFIG_FILENAMES],
                    env={**inherited, **environment, "PYTHONPATH": search_path},
                    cwd=self.home,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
                elapsed_ns = time.perf_counter_ns() - begun_ns
                if done.returncode:
                    told = done.stderr.decode(errors="replace").strip()[-2_000:]
                    raise ValueError(f"{target}: expected exit code 0, found {done.returncode}: {told}")
                self._check(target, int(done.stdout.split()[-1]))
                return elapsed_ns

            return self._in_turn(server, calls, time_once)

    def _in_turn(
        self, server: WandbServer, calls: Mapping[str, int], time_once: Callable[[str], float]
    ) -> Mapping[str, _Timed]:
        """Time each target as often as asked for, all in turn, so that a slow minute is everybody's."""
        server.latency_s = self.latency_s
        found = {target: _Timed([], {}) for target in calls}
        for number in range(max(calls.values())):
            for target in (one for one, count in calls.items() if number < count):
                server.operations.clear()
                found[target].times_ns.append(time_once(target))
                found[target].operations = dict(server.operations)
        return found

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


def figures(checkpoints: int, parent: Path) -> Iterator[Figure]:
    """The figures for one of the trees of `SPECS`, written below `parent`. Raises what `cells` raises."""
    measured = []
    for cell in cells(SPECS[checkpoints], LATENCIES_MS, parent=parent):
        measured.append(cell)
        yield from times_of(cell)
    yield from operations_of(measured)


def cells(
    spec: TreeSpec,
    latencies_ms: Iterable[int],
    *,
    parent: Path,
    whole: Effort = WHOLE_PROCESS,
    warm: Effort = IN_PROCESS,
) -> Iterator[Cell]:
    """Measure each latency, as whole processes and in one that has called before.

    `whole` and `warm` are what is done without latency; behind it `BEHIND_LATENCY` must do. Raises `ValueError`
    where not all checkpoints are listed, and what `bench.worker` raises.
    """
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
            for is_whole_process, effort in ((True, whole), (False, warm)):
                yield _cell(place, BEHIND_LATENCY if latency_ms else effort, is_whole_process=is_whole_process)


def _cell(place: Place, effort: Effort, *, is_whole_process: bool) -> Cell:
    measure = place.whole_process if is_whole_process else place.in_process
    least = START if is_whole_process else READING
    found = measure({OLD: effort.old, NEW: effort.new, least: effort.new})
    again = measure({AGAIN: 2})[AGAIN]
    return Cell(
        checkpoints=place.checkpoints,
        runs=len(place.runs),
        latency_ms=round(place.latency_s * 1000),
        is_whole_process=is_whole_process,
        new_ns=found[NEW].times_ns,
        old_ns=found[OLD].times_ns,
        least_ns=found[least].times_ns,
        operations=found[NEW].operations,
        old_operations=found[OLD].operations,
        again=sum(again.operations.values()),
    )


def _in_one_project(root: Path, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Make all runs, and the Hydra configs that name them, speak of one project."""
    for path in root.rglob(".hydra/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["logger"]["wandb"] |= {"entity": runs[0].entity, "project": runs[0].project}
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return tuple(replace(run, entity=runs[0].entity, project=runs[0].project) for run in runs)


def times_of(cell: Cell) -> Iterator[Figure]:
    """How long asking takes beside starting the client, and beside asking one by one.

    One by one: `Api().run()` for each checkpoint, once for the config and once for the summary, and no catalog
    made of it. Where starting the client alone takes more than a tenth of that, `LEAST_SPEEDUP` is out of
    reach for any way of asking: the figure says so, and is shown only. Times are the best of several calls,
    since other work on the machine only ever lengthens them, and that of four processes more than others.
    """
    where = f"{'whole process' if cell.is_whole_process else 'in process'}, {cell.latency_ms} ms of latency"
    if cell.is_whole_process:
        yield _time_of_process(cell, where)
    is_out_of_reach = cell.is_whole_process and cell.best_speedup < LEAST_SPEEDUP
    yield Figure(
        name="wandb",
        title=f"asking W&B, {where}: times as fast as one by one",
        checkpoints=cell.checkpoints,
        measured=f"{times(cell.speedup)} ({duration(min(cell.new_ns))})",
        floor=f"{duration(min(cell.old_ns))} (one by one, {sum(cell.old_operations.values())} operations)",
        value=exactly(cell.speedup),
        limit=None if is_out_of_reach else LEAST_SPEEDUP,
        is_least=True,
        calls=f"best of {len(cell.new_ns)} beside best of {len(cell.old_ns)}",
        remark=_remark(cell, is_out_of_reach=is_out_of_reach),
        samples=cell,
    )


def _remark(cell: Cell, *, is_out_of_reach: bool) -> str:
    least = duration(min(cell.least_ns))
    if is_out_of_reach:
        return (
            f"{LEAST_SPEEDUP:g}x is out of reach, because importing the client and making one `Api()` alone "
            f"takes {least}: a catalog that cost nothing beside that would be "
            f"{times(cell.best_speedup)} as fast as asking one by one"
        )
    if cell.is_whole_process:
        return ""
    return (
        f"a build that does not ask takes {least}, which asking one by one leaves out: what asking adds to "
        f"that is {times(cell.asking_speedup)} as fast"
    )


def _time_of_process(cell: Cell, where: str) -> Figure:
    new_ns, least_ns = min(cell.new_ns), min(cell.least_ns)
    return Figure(
        name="wandb",
        title=f"asking W&B, {where}: time",
        checkpoints=cell.checkpoints,
        measured=duration(new_ns),
        floor=f"{duration(least_ns)} (importing the client, one `Api()`)",
        times_floor=new_ns / least_ns,
        value=exactly(new_ns / MS),
        unit="ms",
        limit=LIMIT_MS + ROUND_TRIPS * cell.latency_ms,
        calls=f"best of {len(cell.new_ns)} processes",
    )


def operations_of(measured: Sequence[Cell]) -> Iterator[Figure]:
    """What was sent, the most of all cells of one tree; a history may be asked for once a run."""
    runs = max(cell.runs for cell in measured)
    for what, count, limit, floor in (
        ("operations beside histories", max(cell.asked for cell in measured), MOST_OPERATIONS, "1 request"),
        ("histories", max(cell.histories for cell in measured), runs, f"{runs} runs"),
        ("operations of a second build", sum(cell.again for cell in measured), 0, "0"),
    ):
        yield Figure(
            name="wandb",
            title=f"asking W&B, {what}",
            checkpoints=measured[0].checkpoints,
            measured=f"{count}",
            floor=floor,
            value=exactly(count),
            unit="operations",
            limit=float(limit),
            calls=f"the most of {len(measured)} cells",
        )
