"""`ckpt-bench gate`: its options, and what a gate works with in earnest."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench import engine, environment, pagecache
from bench.arms import serve_wandb
from bench.baseline import (
    Baseline,
    StoredBenchmark,
    harness_digest,
    load_baseline,
    machine_of,
    store,
)
from bench.family import Family
from bench.freshness import look_again
from bench.gate import gate
from bench.gate_case import CANDIDATE, REFERENCE
from bench.gate_collaborators import Collaborators
from bench.gate_instructions import change_of
from bench.gate_request import GateRequest, announcement, tree_of
from bench.instructions import wait_until_settled
from bench.profile import ProfileError, difference, profile_of
from bench.report import junit, markdown
from bench.report.gate import gate_sections
from bench.revision import commit_of, default_revision, implementation, revision, working_tree
from bench.subject_options import add_subject_options, subjects_of
from bench.targets import TargetsError, find_pyproject, read_targets
from bench.trees import grow
from bench.valgrind import find_cachegrind
from bench.verdict import DEFAULT_MARGIN
from bench.verdict_file import WORDS, Refusal, encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.gate_case import Case
    from bench.revision import Side
    from bench.subject import Subject
    from bench.verdict_file import GateResult

_IMPLEMENTATION = re.compile(r"(?:[^=:@]*=)?(?:cmd:|[A-Za-z_][\w.]*:[A-Za-z_])")

VERDICT = "verdict.json"
JUNIT = "junit.xml"
REPORT = "report.md"
SAMPLES = "samples.json"
BUDGET_S = 60.0
QUICK_BUDGET_S = 10.0


def add_options(
    parser: argparse.ArgumentParser, *, seconds: Callable[[str], float], seed: Callable[[str], int]
) -> None:
    """The options of the command, but for the formats that every command has; the caller reads numbers."""
    parser.description = (
        "Compare the working tree's catalog with a reference, in alternation. The exit code is the verdict."
    )
    codes = "\n".join(f"  {code:d}  {words}" for code, words in sorted(WORDS.items()))
    parser.epilog = f"exit codes:\n{codes}\n  130  interrupted; {VERDICT} says that it is not finished"
    reference = parser.add_mutually_exclusive_group()
    reference.add_argument(
        "--against",
        metavar="REFERENCE",
        action="append",
        default=[],
        help="a git revision, module:callable or 'cmd:program {dir}' (name=... names it), or a baseline.json; "
        "given several times it is one gate with one verdict (default: where the working tree left "
        "origin/main, or main; the commit before it where no code has been changed since)",
    )
    add_subject_options(parser, is_named=False)
    reference.add_argument("--save-baseline", type=Path, metavar="FILE", help="measure, and store a baseline")
    parser.add_argument(
        "-k", dest="pattern", default="", help="only benchmarks with this in their name, or a glob"
    )
    parser.add_argument(
        "--budget", type=seconds, metavar="S", help=f"seconds a benchmark (default: {BUDGET_S:g})"
    )
    parser.add_argument(
        "--margin", type=_margin, default=DEFAULT_MARGIN, help="a smaller change is none (default: 1%%)"
    )
    parser.add_argument("--quick", action="store_true", help=f"few files, warm only, {QUICK_BUDGET_S:g} s each")
    parser.add_argument(
        "--growth", action="store_true", help="compare how time grows over four sizes of trees, too"
    )
    parser.add_argument("--seed", type=seed, default=0, help="draws another tree and other orders (default: 0)")
    parser.add_argument(
        "--instructions",
        choices=("explain", "gate"),
        nargs="?",
        const="explain",
        default="",
        help="count instructions too, by valgrind: to explain (if nothing follows), or to gate by them",
    )


def run(options: argparse.Namespace, output: Path, say: Callable[[str], None]) -> GateResult:
    """Gate as the options say, with the verdict and its reports in `output`.

    Raises TargetsError where the current folder is in no project with targets, and SubjectError for a
    reference that cannot be had.
    """
    discard(output)
    subjects = subjects_among(options)
    project = _project(Path.cwd())
    request = GateRequest(
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        targets=read_targets(project / "pyproject.toml"),
        trees_dir=output,
        pattern=options.pattern,
        budget_s=options.budget or (QUICK_BUDGET_S if options.quick else BUDGET_S),
        margin=options.margin,
        seed=options.seed,
        is_quick=options.quick,
        is_growing=options.growth,
        instructions=options.instructions,
    )
    are_any_callables = [_kind(one) == "implementation" for one in options.against] or [False]
    for line in announcement(request, are_any_callables):
        say(line)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-gate-") as folder:
        return gate(request, _collaborators(options, subjects, request, project, output, Path(folder), say))


def subjects_among(options: argparse.Namespace) -> tuple[Subject, ...]:
    """The references that are implementations, with what the options say of them. Raises SubjectError."""
    options.subjects = [text for text in options.against if _kind(text) == "implementation"]
    return subjects_of(options)


def discard(output: Path) -> None:
    """Remove the verdict of an earlier gate, so that nobody takes it for this one's."""
    for name in (VERDICT, JUNIT, REPORT, SAMPLES):
        (output / name).unlink(missing_ok=True)


def discard_before(arguments: Sequence[str], default_output: Path) -> None:
    """`discard` for arguments that could not be read as a whole: whoever gates with them gets no verdict."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--output", type=Path, default=default_output)
    with suppress(argparse.ArgumentError, OSError):
        discard(parser.parse_known_args(arguments)[0].output)


def publish(result: GateResult, output: Path) -> None:
    """Write `verdict.json`, JUnit and Markdown: all, or none of them. Raises OSError where the disk refuses."""
    texts = {
        VERDICT: msgspec.json.format(msgspec.json.encode(result), indent=1).decode() + "\n",
        JUNIT: junit.render(result),
        REPORT: markdown.render_sections(gate_sections(result)),
    }
    try:
        for name, text in texts.items():
            (output / f"{name}.part").write_text(text, encoding="utf-8")
        for name in texts:
            os.replace(output / f"{name}.part", output / name)
    except OSError:
        with suppress(OSError):
            discard(output)
            for name in texts:
                (output / f"{name}.part").unlink(missing_ok=True)
        raise


def _collaborators(
    options: argparse.Namespace,
    subjects: Sequence[Subject],
    request: GateRequest,
    project: Path,
    output: Path,
    folder: Path,
    say: Callable[[str], None],
) -> Collaborators:
    look = partial(environment.collect, project=project)
    return Collaborators(
        sides=partial(_sides, options, subjects, project, folder),
        grow=grow,
        measure=engine.measure,
        weigh=engine.measure_resources,
        serve=serve_wandb,
        decide=Family,
        profile=_profile,
        count_instructions=partial(change_of, find=find_cachegrind, say=say),
        look_again=look_again,
        settle=wait_until_settled,
        environment=look,
        is_cold_possible=pagecache.cold_supported,
        monotonic_s=time.monotonic,
        publish=partial(publish, output=output),
        keep_samples=partial(_keep_samples, output / SAMPLES),
        keep_baseline=partial(_keep_baseline, options.save_baseline, request, look(output)),
        say=say,
        home=folder / "home",
    )


def _sides(
    options: argparse.Namespace, subjects: Sequence[Subject], project: Path, folder: Path
) -> tuple[Side, list[Side | Baseline]]:
    candidate = working_tree(project, folder / "candidate")
    if options.save_baseline:
        return candidate, []
    theirs = iter(subjects)
    references: list[Side | Baseline] = []
    for number, text in enumerate(options.against or [default_revision(project)]):
        match _kind(text):
            case "baseline":
                known = partial(_is_known, project)
                now = datetime.now(UTC)
                references.append(load_baseline(Path(text), candidate.runtime, now=now, is_known_commit=known))
            case "implementation":
                references.append(implementation(next(theirs), candidate))
            case _:
                # As long a name as the candidate's: no side is favoured by the length of its search path.
                references.append(revision(project, text, folder / f"against{number:02d}"))
    return candidate, references


def _kind(against: str) -> str:
    """What a reference is, by its form; `:/text` and `main@{10:00}` are names of revisions."""
    if _IMPLEMENTATION.match(against):
        return "implementation"
    return "baseline" if against.endswith(".json") else "revision"


def _is_known(project: Path, commit: str) -> bool:
    try:
        commit_of(project, commit)
    except Refusal:
        return False
    return True


def _keep_samples(path: Path, cases: Sequence[Case]) -> None:
    """Every sample of every benchmark, with hash seeds and orders; the answers are as long as the catalog."""
    kept = {
        case.name: encodable(msgspec.structs.replace(case.measurement, answers={}))
        for case in cases
        if case.measurement is not None
    }
    path.write_bytes(msgspec.json.encode(kept) + b"\n")


def _keep_baseline(
    path: Path, request: GateRequest, here: environment.Environment, candidate: Side, cases: Sequence[Case]
) -> None:
    store(
        Baseline(
            made_at=request.started_at,
            commit=candidate.commit or "",
            code=candidate.name,
            runtime=candidate.runtime,
            machine=machine_of(here),
            harness=harness_digest(),
            benchmarks=tuple(
                StoredBenchmark(
                    name=case.name,
                    target=case.scenario.candidate.target,
                    yardstick=case.scenario.floor.target,
                    tree=tree_of(request),
                    groups=case.own_groups(),
                )
                for case in cases
            ),
        ),
        path,
    )


def _profile(case: Case) -> str:
    """The functions whose own time grew, or why nobody can say."""
    subjects = {arm.name: arm.subject for arm in case.arms}
    try:
        candidate, reference = (
            profile_of(subjects[name], case.call, side.home if (side := case.sides.of(name)) else None)
            for name in (CANDIDATE, REFERENCE)
        )
    except ProfileError as error:
        return str(error)
    return "\n".join(difference(candidate, reference)) or "no function took more time in the profile"


def _project(start: Path) -> Path:
    """The folder of the project that is gated. Raises TargetsError where `start` is in none."""
    project = find_pyproject(start).parent
    if not start.resolve().is_relative_to(project):
        raise TargetsError(
            f"{start}: expected a project with [tool.ckpt-bench.targets] in its pyproject.toml here or above, "
            "found none; change into the clone that is to be gated"
        )
    return project


def _margin(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a share such as 0.01 or 1%, found {text}")
    return value
