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

    One by one: `Api().run()` for each checkpoint, once for the config and once for the summary. At once: the
    same answers, all runs asked for in one question. A whole build reads the checkpoints and asks for
    histories besides, and is held to the same. Where starting the client and one round trip alone take more
    than a tenth of asking one by one, `LEAST_SPEEDUP` is out of reach for any way: the figure says so, and is
    shown only. Times are the best of several calls, since other work on the machine only ever lengthens them,
    and that of four processes more than others.
    """
    where = f"{'whole process' if cell.is_whole_process else 'in process'}, {cell.latency_ms} ms of latency"
    if cell.is_whole_process:
        yield _time_of_process(cell, where)
    is_out_of_reach = cell.is_whole_process and cell.possible_speedup < LEAST_SPEEDUP
    limit = None if is_out_of_reach else LEAST_SPEEDUP
    yield _speedup(
        cell,
        f"asking W&B for config and summary, {where}: times as fast as one by one",
        cell.once_ns,
        limit=limit,
        remark=_out_of_reach(cell) if is_out_of_reach else "",
    )
    yield _speedup(
        cell,
        f"a whole build that asks W&B, {where}: times as fast as asking one by one",
        cell.new_ns,
        limit=limit,
        remark="" if cell.is_whole_process else _without_asking(cell),
    )


def _speedup(
    cell: AskingCell, title: str, times_ns: Sequence[float], *, limit: float | None, remark: str
) -> Figure:
    speedup = min(cell.old_ns) / min(times_ns)
    return Figure(
        name="wandb",
        title=title,
        checkpoints=cell.checkpoints,
        measured=f"{times(speedup)} ({duration(min(times_ns))})",
        floor=f"{duration(min(cell.old_ns))} (one by one, {sum(cell.old_operations.values())} operations)",
        value=exactly(speedup),
        limit=limit,
        is_least=True,
        calls=f"best of {len(times_ns)} beside best of {len(cell.old_ns)}",
        remark=remark,
        samples=cell,
    )


def _out_of_reach(cell: AskingCell) -> str:
    return (
        f"{LEAST_SPEEDUP:g}x is out of reach, because starting the client takes "
        f"{duration(min(cell.least_ns))}, and an answer {cell.latency_ms} ms: asking that cost nothing beside "
        f"that would be {times(cell.possible_speedup)} as fast as asking one by one"
    )


def _without_asking(cell: AskingCell) -> str:
    return (
        f"a build that does not ask takes {duration(min(cell.least_ns))}; asking one by one reads no "
        "checkpoint, and asks for no history"
    )


def _time_of_process(cell: AskingCell, where: str) -> Figure:
    new_ns, least_ns = min(cell.new_ns), min(cell.least_ns)
    return Figure(
        name="wandb",
        title=f"asking W&B, {where}: time",
        checkpoints=cell.checkpoints,
        measured=duration(new_ns),
        floor=f"{duration(least_ns)} (starting the client)",
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
