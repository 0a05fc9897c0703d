"""The command line of `ckpt-bench run`: what is a subject, what the tree, and what is shown."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench import engine, environment
from bench.history_command import keep
from bench.history_entries import run_entry
from bench.run import Ground, Limits, grounds, run, run_sections
from bench.subject import SubjectError, parse_subject
from bench.subject_options import HELP, OWN, add_subject_options, subjects_of
from bench.trees import grow
from bench.verdict import worst
from fixtures.spec import PROFILES, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.report.sections import Section
    from bench.subject import Subject

DESCRIPTION = """\
Run any number of catalogs on one tree in alternation, compare their answers, and show their times as ratios
to the first one's. A subject whose answer is wrong is shown with the first difference, and has no time.
With one subject alone, v2 stands before it. Without a tree, one is generated, and its own answer is the judge.
"""


def add_run_command(
    parser: argparse.ArgumentParser, *, seed: Callable[[str], int], seconds: Callable[[str], float]
) -> None:
    """Add the arguments of `run`; how seeds and seconds are read is the caller's."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "subjects", nargs="+", metavar="SUBJECT", help=f"{HELP}; the last may be a folder: the tree"
    )
    add_subject_options(parser, is_named=False)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="smoke", help="which trees to generate")
    parser.add_argument("--seed", type=seed, default=0, help="draws other trees and orders (default: 0)")
    for name, default_s, what in (("--budget", 30.0, "tree"), ("--timeout", 60.0, "call")):
        told = f"seconds a {what} (default: {default_s:g})"
        parser.add_argument(name, type=seconds, default=default_s, metavar="S", help=told)
    parser.add_argument(
        "--history", type=Path, metavar="FILE", help="add the ratios to this history (default: none)"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run_command(
    options: argparse.Namespace,
    *,
    trees_dir: Callable[[], Path],
    show: Callable[[Sequence[Section]], None],
    say: Callable[[str], None],
) -> int:
    """Run it and return the exit code. Raises SubjectError for a request that makes no sense."""
    tree, options.subjects = tree_and_subjects(options.subjects)
    started_at = datetime.now(UTC)
    limits = Limits(options.budget, options.timeout, options.seed)
    results = []
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-bench-home-")))
        subjects = _with_reference(subjects_of(options))
        one_run = partial(
            run, subjects, limits=limits, measure=engine.measure, environment=environment.collect, home=home
        )
        specs = profile(options.profile, seed=options.seed)
        drawn: Iterator[Ground] = grounds(specs, trees_dir(), grow) if tree is None else iter([tree])
        results = [one_run(ground) for ground in drawn]
    code = int(worst(one.exit_code for one in results))
    begun = started_at.isoformat(timespec="seconds")
    keep(options.history, partial(run_entry, results, begun, code, options.seed, Path.cwd()), say)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(results), indent=1).decode())  # noqa: T201 - a command line
    else:
        show(run_sections(results))
    return code


def tree_and_subjects(texts: list[str]) -> tuple[Ground | None, list[str]]:
    """The tree that stands last, if one does, and the subjects. Raises SubjectError for neither."""
    *before, last = texts
    return (None, texts) if _is_subject(last) else (_tree(last), before)


def _is_subject(text: str) -> bool:
    """Whether this is written as a subject is; a folder of the same name is written ./name."""
    if text in OWN:
        return True
    if Path(text).is_dir():
        return False
    try:
        parse_subject(text)
    except SubjectError:
        return ":" in text
    return True


def _tree(text: str) -> Ground:
    if not Path(text).is_dir():
        remedy = (
            f"name an outputs folder, or a subject: module:callable, 'cmd:program {{dir}}', {', '.join(OWN)}"
        )
        raise SubjectError(text, "a subject, or a tree as the last argument", "neither", remedy)
    return Ground(text, Path(text).absolute())


def _with_reference(subjects: tuple[Subject, ...]) -> tuple[Subject, ...]:
    """V2 before a subject that is alone; legacy would load, and so run, whatever stands in the tree."""
    if not subjects:
        raise SubjectError("ckpt-bench run", "a subject", "a tree alone", "name a subject before the tree")
    return (OWN["v2"], *subjects) if len(subjects) == 1 and subjects[0].name != "v2" else subjects
