"""`ckpt-bench history` and `ckpt-bench trend`, and the keeping of what other commands measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.changes import LEAST_CHANGE, MissingLibrary
from bench.history import FILE, Entry, HistoryError, add, read
from bench.history_entries import ancestors_of_head, gate_entry, reproduce_entry
from bench.report.history import history_sections, trend_sections
from bench.result import load
from bench.trend import NoTrend, Wanted, trend
from bench.verdict import ExitCode
from bench.verdict_file import is_verdict, load_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.report.sections import Section

    Show = Callable[[Sequence[Section], argparse.Namespace], None]
    """Prints sections in the format that was asked for."""


def add_history_option(parser: argparse.ArgumentParser) -> None:
    """Where a command keeps its result, and whether it does."""
    group = parser.add_mutually_exclusive_group()
    told = f"the history to add the result to (default: {FILE} in the output folder)"
    group.add_argument("--history", type=Path, metavar="FILE", help=told)
    group.add_argument("--no-history", action="store_true", help="add the result to no history")


def history_path(options: argparse.Namespace, output: Path) -> Path | None:
    """Where a command's result is added, None for nowhere."""
    return None if options.no_history else options.history or output / FILE


def keep(path: Path | None, entry: Callable[[], Entry], say: Callable[[str], None]) -> None:
    """Add an entry to a history, if there is one. What goes wrong is a warning: no verdict depends on it."""
    if path is None:
        return
    try:
        add(path, [entry()])
    except (HistoryError, OSError, ValueError) as error:
        say(f"Warning: not added to the history: {error}")


def add_history_command(parser: argparse.ArgumentParser, output: Path, show: Show) -> None:
    """Add the arguments of `history`."""
    parser.description = "List the results that are kept, the newest last."
    _add_file(parser, output)
    parser.add_argument(
        "--add",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="add a verdict.json or result.json first, for example those of other machines; none counts twice",
    )
    parser.set_defaults(command=lambda options: _history(options, show))


def add_trend_command(parser: argparse.ArgumentParser, output: Path, show: Show) -> None:
    """Add the arguments of `trend`."""
    parser.description = (
        "Show one scenario over the commits of this branch, as ratios to a reference that was measured beside "
        "each of them, and where it changed."
    )
    parser.add_argument("scenario", metavar="SCENARIO")
    _add_file(parser, output)
    parser.add_argument(
        "--reference", metavar="TEXT", help="only ratios to the reference with this in its name"
    )
    parser.add_argument("--tree", metavar="TEXT", help="only the tree with this in its description")
    parser.add_argument(
        "--mix", action="store_true", help="take in other machines, interpreters and dependency versions"
    )
    parser.add_argument("--dirty", action="store_true", help="take in working trees with changes of their own")
    parser.add_argument(
        "--all-branches", action="store_true", help="take in commits that HEAD does not contain"
    )
    parser.add_argument(
        "--least",
        type=_share,
        default=LEAST_CHANGE,
        metavar="SHARE",
        help="a smaller change is none (default: 1%%)",
    )
    parser.set_defaults(command=lambda options: _trend(options, show))


def _add_file(parser: argparse.ArgumentParser, output: Path) -> None:
    default = output / FILE
    parser.add_argument("--history", type=Path, default=default, metavar="FILE", help=f"default: {default}")


def _share(text: str) -> float:
    value = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a share such as 0.01 or 1%, found {text}")
    return value


def _history(options: argparse.Namespace, show: Show) -> int:
    if options.add:
        new = add(options.history, [_stored(path) for path in options.add])
        entries = read(options.history)
        note = f"{new} of {len(options.add)} added; the others stood in it already."
    else:
        entries, note = read(options.history), ""
    if options.json:
        _print_json(entries)
    else:
        show(history_sections(entries, str(options.history), note), options)
    return int(ExitCode.PASS)


def _stored(path: Path) -> Entry:
    here = Path.cwd()
    return gate_entry(load_verdict(path), here) if is_verdict(path) else reproduce_entry(load(path), here)


def _trend(options: argparse.Namespace, show: Show) -> int:
    wanted = Wanted(
        scenario=options.scenario,
        reference=options.reference,
        tree=options.tree,
        is_mixed=options.mix,
        is_dirty_wanted=options.dirty,
        least_change=options.least,
    )
    if not options.history.exists():
        raise HistoryError(
            f"{options.history}: expected a history, found none; `ckpt-bench gate` and `ckpt-bench reproduce` "
            "begin one, or name another with --history"
        )
    branch = None if options.all_branches else ancestors_of_head(Path.cwd())
    found = trend(read(options.history), wanted, on_branch=branch)
    if options.json:
        _print_json(found)
    else:
        show(trend_sections(found), options)
    return int(ExitCode.PASS)


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())  # noqa: T201 - a command line


REFUSALS = (HistoryError, NoTrend, MissingLibrary)
"""What these commands raise where they have nothing to show."""
