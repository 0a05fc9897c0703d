"""The command line of `ckpt-bench reproduce`, and what a reproduction works with in earnest."""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import engine, environment, pagecache
from bench.arms import serve_wandb
from bench.asking import BRIEF, cells
from bench.further import check_names
from bench.history_command import history_path, keep
from bench.history_entries import reproduce_entry
from bench.operations import count_operations
from bench.reproduce import Collaborators, reproduce
from bench.reproduce_request import Request, announcement
from bench.result import save
from bench.subject_options import HELP, add_subject_options, subjects_of
from bench.targets import find_pyproject, read_targets
from bench.trees import grow
from bench.verdict import ExitCode
from fixtures.spec import PROFILES, profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.result import Result

RESULT = "result.json"
BUDGET_S = 230.0
QUICK_BUDGET_S = 18.0

DESCRIPTION = """\
Generate trees, check that legacy, V2 and the adapter give the expected answer, and measure every
claim in alternation. The exit code is the verdict. Further implementations may be named: the same
is checked of them, and their first loads are measured in the same turns.
"""

_PROJECT = Path(__file__).parent.parent


def add_reproduce_command(
    parser: argparse.ArgumentParser, *, seed: Callable[[str], int], seconds: Callable[[str], float]
) -> None:
    """Add the arguments of `reproduce`; how seeds and seconds are read is the caller's."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"a further implementation: {HELP}")
    add_subject_options(parser, is_named=False)
    parser.add_argument("--profile", choices=sorted(PROFILES), help="which trees (default: small)")
    parser.add_argument("--quick", action="store_true", help="the smoke profile, in less than 30 s")
    parser.add_argument("--seed", type=seed, default=0, help="draws other trees and orders (default: 0)")
    parser.add_argument("--budget", type=seconds, metavar="S", help="seconds of measuring, such as 90 or 90s")
    parser.add_argument("--no-cold", action="store_true", help="leave out the rows with a cold page cache")
    parser.add_argument("--keep", action="store_true", help="keep the generated trees")


def reproduce_command(
    options: argparse.Namespace,
    *,
    output: Callable[[], Path],
    show: Callable[[Result], None],
    say: Callable[[str], None],
) -> int:
    """Run it and return the exit code. Raises SubjectError, TargetsError, and what generating a tree raises."""
    targets = read_targets(find_pyproject(Path.cwd()))
    further = subjects_of(options)
    check_names(further)
    folder = output()
    name = options.profile or ("smoke" if options.quick else "small")
    request = Request(
        profile=name,
        specs=profile(name, seed=options.seed),
        seed=options.seed,
        targets=targets,
        trees_dir=folder,
        budget_s=options.budget or (QUICK_BUDGET_S if options.quick else BUDGET_S),
        is_quick=options.quick,
        is_cold_wanted=not options.no_cold,
        is_kept=options.keep,
        further=further,
    )
    for line in announcement(request):
        say(line)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-home-") as home:
        result = reproduce(request, _collaborators(folder / RESULT, Path(home), say))
    keep(history_path(options, folder), partial(reproduce_entry, result, _PROJECT), say)
    show(result)
    say(f"Everything that was measured: {folder / RESULT}")
    return result.exit_code if result.exit_code is not None else int(ExitCode.NOTHING_MEASURED)


def _collaborators(result_path: Path, home: Path, say: Callable[[str], None]) -> Collaborators:
    return Collaborators(
        grow=grow,
        measure=engine.measure,
        weigh=engine.measure_resources,
        serve=serve_wandb,
        count=count_operations,
        ask=partial(cells, efforts=BRIEF),
        environment=partial(environment.collect, project=_PROJECT),
        is_cold_possible=pagecache.cold_supported,
        monotonic_s=time.monotonic,
        keep_result=partial(save, path=result_path),
        say=say,
        home=home,
    )
