"""The limits session: every figure that the catalog must keep, as a ratio beside its floor, in one run."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench import environment
from bench.arms import isolated
from bench.limits_process import Processes
from bench.limits_report import Form, render
from bench.limits_result import Figure, Limits, exit_code, in_words
from bench.limits_rows import ROWS, SIZES, Row
from bench.limits_session import Plan, Session
from bench.limits_trees import grow
from bench.result import save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

OUTPUT: Final = ".ckpt-bench"
RESULT: Final = "limits.json"
_PROJECT: Final = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: rows by name, sizes, a seed; where trees are written and whether they are kept."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    seed: int
    output: Path
    is_kept: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Make `parser` that of this session."""
    names = [row.name for row in ROWS]
    parser.description = (
        "Hold the catalog against the floor of the system: ratios, exponent, opened files, command line, "
        "memory, asking W&B. Takes about half an hour. "
        "Ends with 0 where every limit is met, 1 where one is missed."
    )
    parser.set_defaults(command=run)
    for option, read, metavar, known in (
        ("--sizes", _sizes, "N,N", map(str, SIZES)),
        ("--only", _names, "ROW,ROW", names),
    ):
        told = f"some of {','.join(known)} (default: all); may be repeated"
        parser.add_argument(option, type=read, action="extend", default=[], metavar=metavar, help=told)
    parser.add_argument("--seed", type=int, default=0, help="draws other trees and orders (default: 0)")
    parser.add_argument("--keep", action="store_true", help="keep the generated trees")
    parser.add_argument("--output", type=Path, default=Path(OUTPUT), metavar="DIR", help=f"default: {OUTPUT}")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print the result as JSON")
    formats.add_argument("--markdown", action="store_true", help="print the report as Markdown")


def run(options: argparse.Namespace) -> int:
    """Measure what the command line asks for, write the result, print it; the exit code is the verdict."""
    output = options.output
    output.mkdir(parents=True, exist_ok=True)
    (output / ".gitignore").write_text("*\n", encoding="utf-8")
    result = measure(request_of(options), partial(save, path=output / RESULT))
    form: Form = "json" if options.json else "markdown" if options.markdown else "terminal"
    sys.stdout.write(render(result, form))
    _say(f"Everything that was measured: {output / RESULT}")
    return result.exit_code


def request_of(options: argparse.Namespace) -> Request:
    """What the command line asks for: everything of which nothing is chosen."""
    names = tuple(options.only) or tuple(row.name for row in ROWS)
    sizes = tuple(sorted({*options.sizes})) or SIZES
    return Request(names, sizes, options.seed, options.output.resolve(), options.keep)


def measure(
    request: Request,
    keep_result: Callable[[Limits], None],
    plan: Plan | None = None,
    rows: Sequence[Row] = ROWS,
) -> Limits:
    """Write the trees, measure the rows on them, one after the other, and remove the trees.

    Raises `DiskSpaceError` where the disk has too little space.
    """
    begun_s, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    plan = plan or Plan()
    chosen = [row for row in rows if row.name in request.names]
    pairs = [(row, one) for row in chosen for one in row.sizes if _is_measured(row, one, request.sizes)]
    sizes = {size for row, one in pairs for size in (one, *row.needs) if size is not None}
    sizes |= {SIZES[0]} if sizes else set()  # what first loads of larger ones warm up on
    _say(f"writing trees of {', '.join(f'{size:,}' for size in sorted(sizes))} checkpoints")
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="ckpt-limits-home-") as home,
        grow(sorted(sizes), request.output, seed=request.seed, keep=request.is_kept) as trees,
    ):
        time.sleep(plan.settle_s)  # nothing that has just been written is remembered yet
        conditions = environment.collect(request.output, project=_PROJECT)
        processes = Processes(Path(home), isolated(Path(home)))
        session = Session(request.output, trees, processes, random.Random(request.seed), plan)
        for row, size in pairs:
            for figure in row.figures(session, size):
                figures.append(figure)
                _say(f"{time.monotonic() - begun_s:5.0f} s  {_in_a_line(figure)}")
        left_out = _left_out(rows, pairs)
        result = Limits(
            started_at=started_at,
            elapsed_s=time.monotonic() - begun_s,
            seed=request.seed,
            environment=msgspec.to_builtins(conditions),
            figures=tuple(figures),
            left_out=left_out,
            exit_code=int(exit_code(figures)),
            verdict=in_words(figures, left_out),
        )
        keep_result(result)  # before the trees are removed, which takes a while
    return result


def _is_measured(row: Row, size: int | None, sizes: Iterable[int]) -> bool:
    needed = {one for one in (size, *row.needs) if one in SIZES}
    return needed <= set(sizes)


def _left_out(rows: Iterable[Row], pairs: Sequence[tuple[Row, int | None]]) -> tuple[str, ...]:
    """Every figure that was not measured, by its row and size."""
    return tuple(
        row.name if size is None else f"{row.name} at {size:,}"
        for row in rows
        for size in row.sizes
        if (row, size) not in pairs
    )


def _in_a_line(figure: Figure) -> str:
    verdict = figure.verdict.value if figure.verdict else "shown"
    size = "" if figure.checkpoints is None else f" at {figure.checkpoints:,}"
    return f"{figure.title}{size}: {figure.measured or figure.remark}, {verdict}"


def _sizes(text: str) -> tuple[int, ...]:
    try:
        chosen = {int(one) for one in text.split(",")}
    except ValueError:
        chosen = {0}
    if not chosen <= set(SIZES):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(map(str, SIZES))}, found {text}")
    return tuple(chosen)


def _names(text: str) -> tuple[str, ...]:
    known = [row.name for row in ROWS]
    unknown = [one for one in text.split(",") if one not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, found {','.join(unknown)}")
    return tuple(text.split(","))


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
