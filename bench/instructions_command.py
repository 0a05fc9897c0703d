"""The command line of `ckpt-bench instructions`: any subjects on any tree, counted instead of timed."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from bench.arms import isolated
from bench.figures import NONE, printable
from bench.instructions import (
    TIMEOUT_S,
    UNSEEN,
    Counted,
    InstructionChange,
    compared,
    count_instructions,
    uncounted,
    wait_until_settled,
)
from bench.report.sections import Section
from bench.run_command import tree_and_subjects
from bench.scenario import CONFIG_FILENAMES
from bench.subject import SubjectError
from bench.subject_options import HELP, add_subject_options, subjects_of
from bench.trees import grow
from bench.valgrind import NotCounted, find_cachegrind
from bench.verdict import ExitCode
from bench.worker import Call
from fixtures.spec import PROFILES, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.subject import Subject

DESCRIPTION = """\
Count the instructions of one call of each subject by valgrind, and compare them with the first one's. Start-up,
imports and the first calls are subtracted. Counts hardly depend on the machine's load, and explain a time; they
do not stand for one. Answers are not compared: `ckpt-bench run` does that.
"""


class CountResult(msgspec.Struct, frozen=True, kw_only=True):
    """Every subject's counts, one a run, and how the median compares with the first subject's."""

    tree: str
    valgrind: str
    counts: dict[str, tuple[int, ...]]
    listed: dict[str, int]
    changes: dict[str, InstructionChange]

    @property
    def exit_code(self) -> ExitCode:
        """Whether everything that was asked for was counted, and lists equally much."""
        if len(self.counts) < len(self.changes):
            return ExitCode.NOTHING_MEASURED
        return ExitCode.PASS if len(set(self.listed.values())) == 1 else ExitCode.OUTPUTS_DIFFER


def add_instructions_command(
    parser: argparse.ArgumentParser, *, seed: Callable[[str], int], seconds: Callable[[str], float]
) -> None:
    """Add the arguments of `instructions`; how seeds and seconds are read is the caller's."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "subjects", nargs="+", metavar="SUBJECT", help=f"{HELP}; the last may be a folder: the tree"
    )
    add_subject_options(parser, is_named=False)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="smoke", help="which tree to generate")
    parser.add_argument("--seed", type=seed, default=0, help="draws another tree (default: 0)")
    parser.add_argument(
        "--runs", type=_runs, default=1, help="count so often, and show the spread (default: 1)"
    )
    told = f"seconds one call may take under valgrind (default: {TIMEOUT_S:g})"
    parser.add_argument("--timeout", type=seconds, default=TIMEOUT_S, metavar="S", help=told)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def instructions_command(
    options: argparse.Namespace,
    *,
    trees_dir: Callable[[], Path],
    show: Callable[[Sequence[Section]], None],
    say: Callable[[str], None],
) -> int:
    """Count and return the exit code. Raises SubjectError for a request that makes no sense."""
    tree, options.subjects = tree_and_subjects(options.subjects)
    if not options.subjects:
        raise SubjectError(
            "ckpt-bench instructions", "a subject", "a tree alone", "name a subject before the tree"
        )
    subjects = subjects_of(options)
    try:
        cachegrind = find_cachegrind()
    except NotCounted as error:
        say(f"ckpt-bench: {error}. {UNSEEN}")
        return int(ExitCode.NOTHING_MEASURED)
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-bench-home-")))
        if tree is None:
            spec = profile(options.profile, seed=options.seed)[0]
            grown = stack.enter_context(grow(spec, trees_dir(), keep=False))
            name, root = grown.name, grown.root
        else:
            name, root = tree.name, tree.root
        wait_until_settled(root)
        call = Call(root, CONFIG_FILENAMES)
        found: dict[str, list[Counted] | NotCounted] = {}
        for number, one in enumerate(subjects):
            say(f"{one.name}: counting")
            try:
                found[one.name] = [
                    count_instructions(
                        _at_home(one, home / str(number)), call, cachegrind, timeout_s=options.timeout
                    )
                    for _ in range(options.runs)
                ]
            except NotCounted as error:
                found[one.name] = error
    result = _result(name, cachegrind.version, subjects, found)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())  # noqa: T201 - a command line
    else:
        show(instruction_sections(result))
    return int(result.exit_code)


def _at_home(subject: Subject, home: Path) -> Subject:
    home.mkdir(parents=True, exist_ok=True)
    return replace(subject, environment={**isolated(home), **subject.environment})


def _result(
    tree: str, version: str, subjects: Sequence[Subject], found: dict[str, list[Counted] | NotCounted]
) -> CountResult:
    middles = {
        name: sorted(counts, key=lambda one: one.instructions)[len(counts) // 2]
        for name, counts in found.items()
        if isinstance(counts, list)
    }
    reference = middles.get(subjects[0].name)
    changes = {}
    for name, counts in found.items():
        if isinstance(counts, NotCounted):
            changes[name] = uncounted(counts)
        elif reference is None:
            changes[name] = uncounted(f"{name}: nothing to compare with, as {subjects[0].name} was not counted")
        else:
            changes[name] = compared(middles[name], reference)
    return CountResult(
        tree=tree,
        valgrind=version,
        counts={
            name: tuple(one.instructions for one in counts)
            for name, counts in found.items()
            if isinstance(counts, list)
        },
        listed={name: one.listed for name, one in middles.items()},
        changes=changes,
    )


def instruction_sections(result: CountResult) -> tuple[Section, ...]:
    """The counts as a table, then what they do not see."""
    first = next(iter(result.changes))
    differ = len(set(result.listed.values())) > 1
    return (
        Section(
            f"{printable(result.tree)}: instructions of a call",
            ("subject", "listed", "instructions", "each", "spread", "x first", "verdict"),
            tuple(_row(name, result, is_first=name == first) for name in result.changes),
            (
                *(line for one in result.changes.values() for line in printable_lines(one.told)),
                *(["They list different numbers of checkpoints: no count compares."] if differ else []),
                f"Counted by valgrind {result.valgrind} (cachegrind without its models), hash seed 0, bytecode "
                "cached, start-up and first calls subtracted; the median of five calls a run.",
                UNSEEN,
            ),
            wordy=("subject", "verdict"),
        ),
    )


def printable_lines(text: str) -> list[str]:
    """Somebody's text line by line, safe to print."""
    return [printable(line) for line in text.splitlines()]


def _row(name: str, result: CountResult, *, is_first: bool) -> tuple[tuple[str, ...], ...]:
    change = result.changes[name]
    counts = sorted(result.counts.get(name, ()))
    if not counts:
        return ((printable(name),), (NONE,), (NONE,), (NONE,), (NONE,), (NONE,), (change.verdict,))
    middle, listed = counts[len(counts) // 2], result.listed[name]
    spread = f"{100 * (counts[-1] - counts[0]) / counts[0]:.4f} %" if len(counts) > 1 else NONE
    ratio = NONE if change.ratio is None or is_first else f"{change.ratio:.4f}"
    return (
        (printable(name),),
        (str(listed),),
        (f"{middle:,}",),
        (f"{middle / listed:,.0f}" if listed else NONE,),
        (spread,),
        (ratio,),
        ("first" if is_first else change.verdict,),
    )


def _runs(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1 run, found {text}")
    return value
