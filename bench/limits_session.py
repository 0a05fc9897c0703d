"""What the rows of the limits session share: the effort of each, the trees, and what was found already."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from bench.limits_process import ProcessError
from bench.scenario import CONFIG_FILENAMES, REMEMBERED

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.limits_process import Processes

READ_FLOOR: Final = "bench.limits_floor:read_sidecars"
FIRST: Final = "catalog.subjects:v2_first"
STAT_FLOOR: Final = "bench.limits_floor:stat_again"

GROWING: Final = 1_000
"""From so many checkpoints up the cost of a first load is that of its checkpoints."""


class OutputsDiffer(Exception):  # noqa: N818 - the name says what is the matter
    """An answer that was timed is wrong, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: fresh processes, rounds in each, and untimed rounds before those."""

    processes: int
    rounds: int = 1
    warmups: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The effort of each row; tables are by the smallest size that an effort is for.

    `settle_s` is how long the trees are left alone before they are read.
    """

    first_load: Mapping[int, Effort] = field(
        default_factory=lambda: {
            0: Effort(12, 20, 2),
            1_000: Effort(60, 1, 1),
            3_000: Effort(16, 1, 1),
            10_000: Effort(16, 1, 1),
            30_000: Effort(12, 1, 1),
            100_000: Effort(20, 1, 1),
        }
    )
    remembered: Mapping[int, Effort] = field(
        default_factory=lambda: {
            0: Effort(12, 30, 2),
            1_000: Effort(8, 15, 1),
            10_000: Effort(6, 8, 1),
            100_000: Effort(6, 2),
        }
    )
    new_process: Mapping[int, Effort] = field(
        default_factory=lambda: {0: Effort(200), 1_000: Effort(60), 10_000: Effort(16), 100_000: Effort(6)}
    )
    memory: Mapping[int, Effort] = field(default_factory=lambda: {0: Effort(5), 100_000: Effort(3)})
    commands: Effort = Effort(60)
    change: Effort = Effort(16, 24)
    writing: Effort = Effort(8, 3)
    settle_s: float = 3.3


@dataclass(slots=True)
class Session:
    """What rows work with: a folder to write in, the trees by size, the processes, the dice; and what they
    have found already.
    """

    folder: Path
    trees: Mapping[int, Path]
    processes: Processes
    rng: random.Random
    plan: Plan = field(default_factory=Plan)
    _first_loads: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _failed: dict[int, Exception] = field(default_factory=dict)
    _answers: dict[int, str] = field(default_factory=dict)
    _written: set[int] = field(default_factory=set)

    def job(self, do: str, checkpoints: int, targets: Mapping[str, str], **options: Any) -> dict[str, Any]:
        """A job of `bench.limits_host`."""
        return {
            "do": do,
            "outputs_dir": str(self.trees[checkpoints]),
            "config_filenames": CONFIG_FILENAMES,
            "targets": targets,
            "seed": self.rng.randrange(1 << 32),
            **options,
        }

    def alternate(
        self,
        checkpoints: int,
        candidate: str,
        floor: str,
        effort: Effort,
        *,
        unprepared: bool = False,
        warmup_on: int | None = None,
    ) -> list[dict[str, Any]]:
        """Candidate and floor in alternation, one reply a process. Raises `ProcessError`, `OutputsDiffer`.

        Processes warm up on the same tree, or on that of `warmup_on` checkpoints.
        """
        warmup_dir = self.trees[checkpoints if warmup_on is None else warmup_on]
        replies = []
        for _ in range(effort.processes):
            job = self.job(
                "alternate",
                checkpoints,
                {"candidate": candidate, "floor": floor},
                rounds=effort.rounds,
                warmups=effort.warmups,
                warmup_dir=str(warmup_dir),
                unprepared=["candidate"] if unprepared else [],
            )
            replies.append(self.processes.run(job))
            self._compare(checkpoints, replies[-1])
        return replies

    def first_loads(self, checkpoints: int) -> list[dict[str, Any]]:
        """First loads beside their floor, measured once a session: those that tell how the cost grows in turns.

        Their processes follow each other in random order, so that a machine which is slower for a minute is not
        so for one size alone. They import what they need on the smallest tree, and load their own only once:
        none finds memory at hand that an earlier load of it has left.
        """
        if checkpoints not in self._first_loads and checkpoints not in self._failed:
            is_growing = checkpoints >= GROWING
            self._measure_first_loads(
                [one for one in self.trees if one >= GROWING] if is_growing else [checkpoints]
            )
        if checkpoints in self._failed:
            raise self._failed[checkpoints]
        return self._first_loads[checkpoints]

    def _measure_first_loads(self, sizes: Sequence[int]) -> None:
        efforts = {size: effort_for(self.plan.first_load, size) for size in sizes}
        turns = [size for size, effort in efforts.items() for _ in range(effort.processes)]
        self.rng.shuffle(turns)
        replies: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
        for size in turns:
            if size in self._failed:
                continue
            try:
                replies[size] += self.alternate(
                    size, FIRST, READ_FLOOR, replace(efforts[size], processes=1), warmup_on=min(self.trees)
                )
            except (ProcessError, OutputsDiffer) as error:
                self._failed[size] = error  # of this size alone
        self._first_loads |= replies

    def write_index(self, checkpoints: int) -> None:
        """Let the catalog remember a tree in its index file, once a session. Raises `ProcessError`."""
        if checkpoints not in self._written:
            self.processes.run(self.job("trace", checkpoints, {"candidate": REMEMBERED.target}))
            self._written.add(checkpoints)

    def _compare(self, checkpoints: int, reply: Mapping[str, Any]) -> None:
        """Hold a candidate's answers against the tree and against each other. Raises `OutputsDiffer`."""
        if reply["counts"]["candidate"] != [checkpoints]:
            found = reply["counts"]["candidate"]
            raise OutputsDiffer(f"expected {checkpoints} checkpoints listed, found {found}")
        for digest in reply["digests"]["candidate"]:
            if self._answers.setdefault(checkpoints, digest) != digest:
                raise OutputsDiffer("expected the answer of the first load of this session, found another")


def effort_for(table: Mapping[int, Effort], checkpoints: int) -> Effort:
    """The effort for a tree of this size."""
    return table[max(smallest for smallest in table if smallest <= checkpoints)]
