"""The command line of `ckpt-bench compat`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bench.compat import (
    BUDGET_S,
    DEEP_EDITED_TREES,
    DEEP_TREES,
    EDITED_TREES,
    SPEED_BUDGET_S,
    TREES,
    Request,
    both_ways,
    compat,
)
from bench.differences import SHIPPED, DifferencesError, read_differences
from bench.subject import SubjectError
from bench.subject_options import HELP, add_subject_options, subjects_of
from bench.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

DESCRIPTION = """\
Search for trees on which two catalogs, or either and the contract, disagree: named cases, edits between two
calls, and drawn trees. What fails is shrunk, explained and kept. At the end both are timed where they agree.
"""
_FAILURES = "failures"


def add_compat_command(
    parser: argparse.ArgumentParser, *, seed: Callable[[str], int], seconds: Callable[[str], float]
) -> None:
    """Add the arguments of `compat`; how seeds and seconds are read is the caller's."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "subjects", nargs="+", metavar="SUBJECT", help=f"the reference, then every candidate: {HELP}"
    )
    add_subject_options(parser, is_named=False)
    parser.add_argument("--trees", type=_count, metavar="N", help=f"drawn trees (default: {TREES:,})")
    parser.add_argument(
        "--budget", type=seconds, metavar="S", help=f"seconds for drawn trees (default: {BUDGET_S:g})"
    )
    parser.add_argument("--deep", action="store_true", help=f"{DEEP_TREES:,} trees, and as long as they take")
    parser.add_argument("--seed", type=seed, default=0, help="draws other trees (default: 0)")
    parser.add_argument(
        "--known", type=Path, action="append", default=[], metavar="FILE", help="declared differences, in TOML"
    )
    parser.add_argument(
        "--both-ways",
        action="store_true",
        help="each candidate also with CHECKPOINT_CATALOG_USE_V2=0, the way back",
    )
    parser.add_argument("--no-speed", action="store_true", help="compare answers alone")


def compat_command(
    options: argparse.Namespace, *, output: Callable[[], Path], say: Callable[[str], None]
) -> int:
    """Run it and return the exit code. Raises SubjectError for a request that makes no sense."""
    subjects = subjects_of(options)
    if len(subjects) < 2:
        raise SubjectError("compat", "a reference and a candidate", f"{len(subjects)} subject", "name two")
    try:
        known = [one for path in (SHIPPED, *options.known) for one in read_differences(path)]
    except DifferencesError as error:
        say(f"ckpt-bench: {error}")
        return int(ExitCode.USAGE)
    candidates = both_ways(subjects[1:]) if options.both_ways else subjects[1:]
    request = Request(
        reference=subjects[0],
        candidates=candidates,
        output=output() / _FAILURES,
        known=tuple(known),
        edited_trees=DEEP_EDITED_TREES if options.deep else EDITED_TREES,
        trees=options.trees or (DEEP_TREES if options.deep else TREES),
        budget_s=options.budget or (math.inf if options.deep else BUDGET_S),
        speed_budget_s=0.0 if options.no_speed else SPEED_BUDGET_S,
        seed=options.seed,
    )
    return int(compat(request, say))


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a count of at least 1, found {text}")
    return value
