"""What asking W&B takes and sends, measured: V2 beside asking for one run after the other.

Every cell is measured against a server on loopback, in a process of its own. The runs of a tree stand in one
project, so that one request for runs serves them all.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import yaml

from bench.arms import isolated
from bench.asking_cell import AskingCell
from bench.scenario import CONFIG_FILENAMES
from bench.subject import Subject
from bench.whole_process import time_process
from bench.worker import Call, Worker
from fixtures.generate import temporary_tree
from fixtures.spec import TreeSpec
from fixtures.wandb_server_process import SeparateWandbServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fixtures.runs import Run

NEW: Final = "catalog.subjects:v2_wandb"
AGAIN: Final = "catalog.subjects:v2_wandb_index"
ONCE: Final = "catalog.legacy_wandb:ask_at_once"
OLD: Final = "catalog.legacy_wandb:ask_for_each"
START: Final = "catalog.legacy_wandb:start_client"
READING: Final = "catalog.subjects:v2"

LATENCIES_MS: Final = (0, 20, 100)

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

_SETTLING_S: Final = 3.5
_TIMEOUT_S: Final = 120.0
_TOLD_CHARS: Final = 500
_SCRIPT: Final = """
import importlib, pathlib, sys
module, _, name = sys.argv[1].partition(":")
subject = getattr(importlib.import_module(module), name)
print(len(list(subject(pathlib.Path(sys.argv[2]), tuple(sys.argv[3:])))))
"""


class Effort(NamedTuple):
    """How many calls are timed of V2, and how many of asking one by one, which latency makes long."""

    new: int
    old: int


@dataclass(frozen=True, slots=True)
class Efforts:
    """How much is measured of whole processes and within one, without latency and behind it."""

    whole: Effort
    warm: Effort
    delayed: Effort

    def of(self, latency_ms: int, *, is_whole_process: bool) -> Effort:
        """The effort for one cell."""
        return self.delayed if latency_ms else self.whole if is_whole_process else self.warm


THOROUGH: Final = Efforts(whole=Effort(5, 3), warm=Effort(50, 50), delayed=Effort(3, 1))
BRIEF: Final = Efforts(whole=Effort(2, 2), warm=Effort(5, 5), delayed=Effort(2, 1))


class Asked(NamedTuple):
    """How long a call took, and the operations that it sent, by name."""

    elapsed_ns: float
    operations: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tree, its runs, and a folder for homes."""

    root: Path
    runs: tuple[Run, ...]
    checkpoints: int
    home: Path

    @contextmanager
    def callers(
        self, targets: Iterable[str], latency_ms: int, *, is_whole_process: bool
    ) -> Iterator[Callable[[str], Asked]]:
        """How each of the targets is called, behind so much latency, while the context is open.

        In new interpreters, timed from their start to their end, all with the same home; or in processes that
        have called before, and so have imported and started everything. A call raises `ValueError` where not
        all checkpoints are listed, and what `bench.worker` raises.
        """
        with (
            tempfile.TemporaryDirectory(prefix="home-", dir=self.home) as name,
            SeparateWandbServer(self.runs) as server,
            ExitStack() as stack,
        ):
            home = Path(name)
            environment = isolated(home) | server.environment(home) | {"WANDB_SILENT": "true"}
            workers = {} if is_whole_process else self._workers(targets, environment, stack)
            server.delay(latency_ms / 1000)

            def ask(target: str) -> Asked:
                server.take_operations()
                if is_whole_process:
                    elapsed_ns = self._run(target, environment)
                else:
                    elapsed_ns = self._call(workers[target], target)
                return Asked(elapsed_ns, server.take_operations())

            yield ask

    def _workers(
        self, targets: Iterable[str], environment: Mapping[str, str], stack: ExitStack
    ) -> dict[str, Worker]:
        workers = {}
        for target in targets:
            subject = Subject(target, target, environment=environment)
            workers[target] = stack.enter_context(Worker.start(subject, hash_seed=0))
            self._call(workers[target], target)
        return workers

    def _call(self, worker: Worker, target: str) -> float:
        sample = worker.call(Call(self.root, CONFIG_FILENAMES))
        self._check(target, sample.count)
        return sample.elapsed_ns

    def _run(self, target: str, environment: Mapping[str, str]) -> float:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        search_path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        with tempfile.TemporaryFile(dir=self.home) as printed, tempfile.TemporaryFile(dir=self.home) as told:
            ended = time_process(
                [sys.executable, "-P", "-c", _SCRIPT, target, str(self.root), *CONFIG_FILENAMES],
                environment={**inherited, **environment, "PYTHONPATH": search_path},
                folder=self.home,
                timeout_s=_TIMEOUT_S,
                stdout=printed,
                stderr=told,
            )
            if ended.code:
                last_words = _read(told).rpartition("\n")[2]
                raise ValueError(f"{target}: expected exit code 0, found {ended.code}; it wrote: {last_words}")
            self._check(target, int(_read(printed).rpartition("\n")[2]))
        return ended.elapsed_ns

    def _check(self, target: str, count: int) -> None:
        if count != self.checkpoints:
            raise ValueError(f"{target}: expected {self.checkpoints} checkpoints, found {count}")


@contextmanager
def placed(spec: TreeSpec, parent: Path) -> Iterator[Place]:
    """A tree of `spec` below `parent` that has settled, all its runs in one project; removed in the end."""
    with temporary_tree(spec, parent=parent) as tree, tempfile.TemporaryDirectory(dir=parent) as home:
        runs = _in_one_project(tree.root, tree.plan.runs)
        time.sleep(_SETTLING_S)  # nothing that has just been written is remembered yet
        yield Place(root=tree.root, runs=runs, checkpoints=len(tree.expected.entries), home=Path(home))


def cells(
    spec: TreeSpec, parent: Path, *, latencies_ms: Iterable[int] = LATENCIES_MS, efforts: Efforts = THOROUGH
) -> Iterator[AskingCell]:
    """Measure each latency, as whole processes and in one that has called before.

    Raises `ValueError` where not all checkpoints are listed, and what `bench.worker` raises.
    """
    with placed(spec, parent) as place:
        for latency_ms in latencies_ms:
            for is_whole_process in (True, False):
                effort = efforts.of(latency_ms, is_whole_process=is_whole_process)
                yield cell_of(place, latency_ms, effort, is_whole_process=is_whole_process)


def cell_of(place: Place, latency_ms: int, effort: Effort, *, is_whole_process: bool) -> AskingCell:
    """Measure one cell. Raises as `cells` does."""
    least = START if is_whole_process else READING
    wanted = {OLD: effort.old, ONCE: effort.new, NEW: effort.new, least: effort.new}
    with place.callers(wanted, latency_ms, is_whole_process=is_whole_process) as ask:
        if is_whole_process:
            ask(
                least
            )  # the first process in a new home makes it up, and reads the client's files from the disk
        found = _in_turn(wanted, ask)
    # From an index of its own, which the first of the two calls writes.
    with place.callers([AGAIN], latency_ms, is_whole_process=is_whole_process) as ask:
        _, again = ask(AGAIN), ask(AGAIN)
    return AskingCell(
        checkpoints=place.checkpoints,
        runs=len(place.runs),
        latency_ms=latency_ms,
        is_whole_process=is_whole_process,
        new_ns=_times_ns(found[NEW]),
        once_ns=_times_ns(found[ONCE]),
        old_ns=_times_ns(found[OLD]),
        least_ns=_times_ns(found[least]),
        operations=found[NEW][-1].operations,
        old_operations=found[OLD][-1].operations,
        again=sum(again.operations.values()),
    )


def _in_turn(wanted: Mapping[str, int], ask: Callable[[str], Asked]) -> dict[str, list[Asked]]:
    """Call each target as often as wanted, in turns there and back, so that a slow minute is everybody's."""
    found: dict[str, list[Asked]] = {target: [] for target in wanted}
    for number in range(max(wanted.values())):
        turn = [one for one, count in wanted.items() if number < count]
        for target in turn if number % 2 else turn[::-1]:
            found[target].append(ask(target))
    return found


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()[-_TOLD_CHARS:]


def _times_ns(calls: Iterable[Asked]) -> tuple[float, ...]:
    return tuple(one.elapsed_ns for one in calls)


def _in_one_project(root: Path, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Make all runs, and the Hydra configs that name them, speak of one project."""
    for path in root.rglob(".hydra/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["logger"]["wandb"] |= {"entity": runs[0].entity, "project": runs[0].project}
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return tuple(replace(run, entity=runs[0].entity, project=runs[0].project) for run in runs)
