"""The limits of asking W&B: how many operations, how long, and how much faster than one run after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.asking import SPECS, cells
from bench.figures import duration, times
from bench.limits_figures import MS, exactly
from bench.limits_result import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.asking_cell import AskingCell

MOST_OPERATIONS: Final = 3
LEAST_SPEEDUP: Final = 10.0
LIMIT_MS: Final = 1_500.0
ROUND_TRIPS: Final = 8
"""A whole process may take `LIMIT_MS` and this many times the latency."""


def figures(checkpoints: int, parent: Path) -> Iterator[Figure]:
    """The figures for one of the trees of `SPECS`, written below `parent`. Raises what `cells` raises."""
    measured = []
    for cell in cells(SPECS[checkpoints], parent):
        measured.append(cell)
        yield from times_of(cell)
    yield from operations_of(measured)


def times_of(cell: AskingCell) -> Iterator[Figure]:
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


def _remark(cell: AskingCell, *, is_out_of_reach: bool) -> str:
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


def _time_of_process(cell: AskingCell, where: str) -> Figure:
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


def operations_of(measured: Sequence[AskingCell]) -> Iterator[Figure]:
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
