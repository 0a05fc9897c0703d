"""What a catalog sends to W&B: the GraphQL operations of one call, counted by the server that answers them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from bench.worker import ClockError, SubjectError, Worker, WorkerError
from fixtures.wandb_server import WandbServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measurement import Arm
    from bench.result import Row
    from bench.scenario import Setting
    from bench.subject import Subject
    from bench.trees import Variant
    from bench.worker import Call
    from fixtures.runs import Run


class Count(Protocol):
    """Counts operations."""

    def __call__(self, subject: Subject, runs: Sequence[Run], call: Call) -> Mapping[str, int]:
        """The operations of one call by name; empty where the subject fails."""


def count_operations(subject: Subject, runs: Sequence[Run], call: Call) -> Mapping[str, int]:
    """The operations that the first call of a new process sends, by name; empty where the subject fails."""
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-home-") as home, WandbServer(runs) as server:
        environment = {**subject.environment, **server.environment(Path(home))}
        try:
            with Worker.start(replace(subject, environment=environment), hash_seed=0) as worker:
                worker.call(call)
        except (WorkerError, SubjectError, ClockError):
            return {}
        return dict(server.operations)


def with_operations(
    rows: tuple[Row, ...],
    setting: Setting,
    variant: Variant,
    arms: Sequence[Arm],
    call: Call,
    count: Count | None,
) -> tuple[Row, ...]:
    """The rows, those of a candidate that asks W&B with a remark on what it sends; counted once a setting."""
    names = {one.name: one.candidate.name for one in setting.scenarios if one.candidate.is_asking_wandb}
    subject = next((arm.subject for arm in arms if arm.name in names.values()), None)
    if subject is None or count is None:
        return rows
    remark = _remark(count(subject, variant.runs, call), variant)
    return tuple(
        replace(row, remarks=(*row.remarks, remark)) if row.scenario in names and row.candidate else row
        for row in rows
    )


def _remark(operations: Mapping[str, int], variant: Variant) -> str:
    projects = len({(run.entity, run.project) for run in variant.runs})
    asked = f"{variant.listed} checkpoints, {len(variant.runs)} runs in {projects} projects"
    if not operations:
        return f"a first call sent W&B nothing for {asked}"
    counted = ", ".join(f"{name} {count}" for name, count in sorted(operations.items()))
    return f"a first call sent W&B {sum(operations.values())} operations for {asked}: {counted}"
