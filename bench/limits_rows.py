"""The rows of the limits session: each measures one thing beside its floor on one tree and makes figures of it.

A row's `sizes` are the trees that it speaks of. Everything is warm: the trees have just been written, and
each floor reads or stats what is held against it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench import limits_change, limits_header, limits_wandb
from bench.asking import SPECS as ASKED_TREES
from bench.figures import duration, share, significant, size
from bench.limits_figures import MS, exactly, pairs, scaled, times, times_floor
from bench.limits_result import Figure, judged
from bench.limits_session import GROWING, READ_FLOOR, STAT_FLOOR, OutputsDiffer, Session, effort_for
from bench.result import Interval, TargetState
from bench.scenario import CONFIG_FILENAMES, REMEMBERED, V2
from bench.statistics import fit_exponent, median_interval, ratio
from bench.worker import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES: Final = (14, 50, 1_000, 10_000, 100_000)
BETWEEN: Final = (3_000, 30_000)
"""Further sizes for the fit of the exponent."""

FAST_PATH: Final = "catalog.subjects:fast_sidecars"
PROGRAM: Final = "ckpt-catalog"
PROGRAM_MODULE: Final = "catalog"
HEAVY: Final = frozenset({"torch", "wandb", "yaml"})

MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """One row by its name: what it says, the trees that it is measured on (`None`: it needs none), and how.

    `needs`: further trees that each of its figures needs.
    """

    name: str
    title: str
    sizes: tuple[int | None, ...]
    measure: Callable[[Session, Any], Iterator[Figure]]
    needs: tuple[int, ...] = ()

    def figures(self, session: Session, checkpoints: int | None) -> list[Figure]:
        """The judged figures for one tree; where it cannot be measured, one that says why."""
        try:
            return [judged(one) for one in self.measure(session, checkpoints)]
        except OutputsDiffer as error:
            verdict, told = TargetState.OUTPUTS_DIFFER, str(error)
        except Exception as error:  # noqa: BLE001 - a row that fails takes no other row with it
            verdict, told = TargetState.NOTHING_MEASURED, f"{type(error).__name__}: {error}"
        return [Figure(name=self.name, title=self.title, checkpoints=checkpoints, verdict=verdict, remark=told)]


def first_load(session: Session, checkpoints: int) -> Iterator[Figure]:
    """From nothing remembered, no index written, beside the same sidecars listed and read."""
    replies = session.first_loads(checkpoints)
    yield times_floor("first-load", "first load", checkpoints, replies, limit=10.0)


def growth(session: Session, checkpoints: int) -> Iterator[Figure]:
    """The exponent of the first load's cost, from `GROWING` checkpoints up to this tree."""
    sizes = [one for one in sorted(session.trees) if GROWING <= one <= checkpoints]
    fits = {}
    for name in ("candidate", "floor"):
        points = [(one, median(times([reply], name))) for one in sizes for reply in session.first_loads(one)]
        fits[name] = fit_exponent(*zip(*points, strict=True))
    fit = fits["candidate"]
    yield Figure(
        name="growth",
        title=f"first load, exponent of its cost from {sizes[0]:,} checkpoints up",
        checkpoints=checkpoints,
        measured=f"n^{fit.estimate:.3f}",
        floor=f"n^{fits['floor'].estimate:.3f}",
        value=Interval(estimate=fit.estimate, low=fit.low, high=fit.high),
        unit="",
        limit=1.05,
        calls=f"medians of {len(points)} processes at {len(sizes)} sizes",
    )


def remembered(session: Session, checkpoints: int) -> Iterator[Figure]:
    """A second build in the same process, beside the same sidecars and folders stat-ed there."""
    session.write_index(checkpoints)
    effort = effort_for(session.plan.remembered, checkpoints)
    replies = session.alternate(checkpoints, REMEMBERED.target, STAT_FLOOR, effort)
    yield times_floor("remembered", "remembered, same process", checkpoints, replies, limit=3.0)


def new_process(session: Session, checkpoints: int) -> Iterator[Figure]:
    """The first build of a new process from the index file, imports apart, beside stat-ing in that process."""
    session.write_index(checkpoints)
    effort = effort_for(session.plan.new_process, checkpoints)
    replies = session.alternate(checkpoints, REMEMBERED.target, STAT_FLOOR, effort, unprepared=True)
    yield times_floor("new-process", "remembered, new process", checkpoints, replies, limit=4.0)


def opens(session: Session, checkpoints: int) -> Iterator[Figure]:
    """The files that a remembered build opens, in the same process and in a new one."""
    session.write_index(checkpoints)
    for title, unprepared in (("same process", []), ("new process", ["candidate"])):
        job = session.job("trace", checkpoints, {"candidate": REMEMBERED.target}, unprepared=unprepared)
        seen = session.processes.opens(job, session.trees[checkpoints])
        count = len(seen.files) + len(seen.folders)
        yield Figure(
            name="opens",
            title=f"files and folders of the tree opened, remembered, {title}",
            checkpoints=checkpoints,
            measured=f"{count}",
            floor="0",
            value=exactly(count),
            unit="opens",
            limit=0.0,
            calls="1 traced call",
            remark=f"elsewhere: {len(seen.elsewhere)}" if seen.elsewhere else "",
            samples={"files": seen.files[:9], "folders": seen.folders[:9], "elsewhere": seen.elsewhere[:9]},
        )


def command(session: Session, checkpoints: int) -> Iterator[Figure]:
    """`list` as a whole process, beside bare interpreters; and what it imports."""
    session.write_index(checkpoints)
    program = _program()
    is_json = checkpoints > 50
    arguments = ["list", str(session.trees[checkpoints]), *(["--json"] if is_json else [])]
    commands = {
        "candidate": [*program, *arguments],
        "floor": [sys.executable, "-c", "pass"],
        "least": [sys.executable, "-I", "-S", "-c", "pass"],
    }
    session.processes.time_ns(commands["candidate"])  # remembers: the command's own options are another key
    rounds = []
    for _ in range(session.plan.commands.processes):
        order = session.rng.sample(list(commands), len(commands))
        rounds.append({name: session.processes.time_ns(commands[name]) for name in order})
    replies = [{"rounds": [one]} for one in rounds]
    middle = median_interval(times(replies, "candidate"))
    estimate = ratio(pairs(replies))
    least = duration(median(times(replies, "least")))
    title = f"`{PROGRAM} list{' --json' if is_json else ''}`, remembered, whole process"
    yield Figure(
        name="command",
        title=title,
        checkpoints=checkpoints,
        measured=duration(middle.median),
        floor=f"{duration(median(times(replies, 'floor')))} (python -c pass), {least} (python -I -S)",
        times_floor=estimate.estimate,
        value=scaled(middle.median, middle.low, middle.high, MS),
        unit="ms",
        limit=250.0 if is_json else 100.0,
        calls=f"{len(rounds)} processes each",
        samples=rounds,
    )
    in_module = program[1:] if program[0] == sys.executable else program
    imported = session.processes.imported_by([*in_module, *arguments])
    heavy = sorted(imported & HEAVY)
    yield Figure(
        name="command",
        title=f"{', '.join(sorted(HEAVY))} imported by it",
        checkpoints=checkpoints,
        measured=", ".join(heavy) or "none",
        floor="none",
        value=exactly(len(heavy)),
        unit="packages",
        limit=0.0,
        calls="1 process",
        samples=sorted(imported),
    )


def memory(session: Session, checkpoints: int) -> Iterator[Figure]:
    """Peak resident memory of a process that lists the tree, beside what it held before the call."""
    session.write_index(checkpoints)
    call = Call(session.trees[checkpoints], CONFIG_FILENAMES)
    effort = effort_for(session.plan.memory, checkpoints)
    for title, target in (("first load", V2.target), ("remembered", REMEMBERED.target)):
        found = [session.processes.memory(target, call, session.rng) for _ in range(effort.processes)]
        middle = median_interval([one.peak_bytes for one in found])
        before = [one.before_bytes for one in found if one.before_bytes is not None]
        yield Figure(
            name="memory",
            title=f"peak RSS of a process that lists, {title}",
            checkpoints=checkpoints,
            measured=size(middle.median),
            floor=f"{size(median(before))} (imports alone)" if before else "untold",
            times_floor=middle.median / median(before) if before else None,
            value=scaled(middle.median, middle.low, middle.high, MB),
            unit="MB",
            limit=100.0 if checkpoints <= 10_000 else 400.0,
            calls=f"{effort.processes} processes",
            remark=found[0].method,
            samples=[(one.peak_bytes, one.before_bytes) for one in found],
        )


def fast_path(session: Session, checkpoints: int) -> Iterator[Figure]:
    """The share of the sidecars that the fast reader takes; shown only."""
    targets = {"candidate": FAST_PATH, "floor": READ_FLOOR}
    reply = session.processes.run(session.job("alternate", checkpoints, targets, rounds=1, warmups=0))
    taken, sidecars = (reply["counts"][name][0] for name in ("candidate", "floor"))
    yield Figure(
        name="fast-path",
        title="sidecars that the fast reader takes",
        checkpoints=checkpoints,
        measured=f"{taken:,} of {sidecars:,} ({share(taken / sidecars)})",
        value=exactly(100 * taken / sidecars),
        unit="%",
        calls="1 process",
    )


def change(session: Session, checkpoints: int) -> Iterator[Figure]:
    """What one changed sidecar adds to a remembered build, and what writing the index adds to that."""
    yield from limits_change.figures(session, checkpoints)


def header(session: Session, _: None) -> Iterator[Figure]:
    """The header reader beside `torch.load`, and what it reads of a file beside what it may."""
    for row in limits_header.rows(session.folder):
        name = f"{row.name}, {row.state}"
        speedup = ratio([row.pairs_ms])
        yield Figure(
            name="header",
            title=f"header reader, {name}: times as fast as torch.load",
            checkpoints=None,
            measured=f"{row.reader_ms:.3g} ms",
            guards_ms=row.guards_ms,
            floor=f"torch.load {significant(row.torch_ms)} ms",
            value=Interval(estimate=speedup.estimate, low=speedup.low, high=speedup.high),
            limit=row.target,
            is_least=True,
            calls=f"1 process x {len(row.pairs_ms)} pairs",
            remark=f"{row.tensors} tensors",
            samples=row,
        )
        yield Figure(
            name="header",
            title=f"header reader, {name}: bytes read",
            checkpoints=None,
            measured=f"{row.bytes_read:,} bytes",
            floor=f"{row.allowed_bytes:,} bytes (directory, data.pkl, 64 kB)",
            value=exactly(row.bytes_read),
            unit="bytes",
            limit=float(row.allowed_bytes),
            calls="1 read",
        )


def wandb(session: Session, checkpoints: int) -> Iterator[Figure]:
    """What asking W&B takes and sends, on a tree of its own that has as many checkpoints."""
    yield from limits_wandb.figures(checkpoints, session.folder)


ROWS: Final = (
    Row("first-load", "first load", SIZES, first_load),
    Row("growth", "first load, exponent of its cost", (SIZES[-1],), growth, needs=(GROWING, *BETWEEN)),
    Row("remembered", "remembered, same process", SIZES, remembered),
    Row("new-process", "remembered, new process", SIZES, new_process),
    Row("opens", "files opened, remembered", SIZES, opens),
    Row("command", "command line, whole process", (50, 10_000), command),
    Row("memory", "peak RSS", (10_000, 100_000), memory),
    Row("fast-path", "sidecars that the fast reader takes", (10_000,), fast_path),
    Row("change", "one changed sidecar", (10_000,), change),
    Row("header", "header reader", (None,), header),
    Row("wandb", "asking W&B", tuple(ASKED_TREES), wandb),
)
"""In the order in which they are measured: `change` changes its tree, so that no row of that tree follows."""


def _program() -> list[str]:
    """The installed command beside this interpreter, else its module."""
    script = Path(sys.executable).with_name(PROGRAM)
    return [str(script)] if script.exists() else [sys.executable, "-m", PROGRAM_MODULE]
