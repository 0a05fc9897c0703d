"""The command line of `ckpt-bench selftest`, and what a self-test works with in earnest."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench import engine, environment
from bench.arms import serve_wandb
from bench.baseline import machine_of
from bench.mutants import MutantError
from bench.neighbour import bursty_neighbour
from bench.report import markdown
from bench.report.selftest import selftest_sections
from bench.result import save
from bench.revision import probe
from bench.selftest import Collaborators, selftest
from bench.selftest_gates import Ground
from bench.selftest_log import Header, Log, SelfTestError
from bench.selftest_mutants import look_for_mutants
from bench.selftest_plan import FULL_BUDGET_S, QUICK_BUDGET_S, SelfTestRequest, announcement
from bench.selftest_rates import assess
from bench.selftest_result import WORDS
from bench.trees import grow
from bench.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.selftest_log import Recorded
    from bench.selftest_result import SelfTestResult

RESULT: Final = "selftest.json"
REPORT: Final = "selftest.md"

DESCRIPTION = """\
Prove the gate where it runs: real gates of identical code, of real work of +3, +5 and +10 % added to it, and
of wrong answers; mutants of the catalog; and, from process groups recorded on the way, the rates of thousands
of resampled gates. Prints the rates with exact intervals, the noise, and what a gate took. The exit code is a
verdict.
"""
_CODES = "exit codes:\n" + "\n".join(f"  {code:d}  {words}" for code, words in sorted(WORDS.items()))


def add_selftest_command(
    parser: argparse.ArgumentParser, *, seed: Callable[[str], int], seconds: Callable[[str], float]
) -> None:
    """Add the arguments of `selftest`; how seeds are read is the caller's, a budget may be in minutes."""
    parser.description = DESCRIPTION
    parser.epilog = f"{_CODES}\n  130  interrupted; --resume goes on with what was measured"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--quick", action="store_true", help="some ten gates in 2 minutes: that it works, not its rates"
    )
    parser.add_argument(
        "--budget",
        type=partial(_budget, seconds),
        metavar="T",
        help="the whole time, divided among all, such as 40m, 2h or 900s; resumed parts count (default: "
        f"{FULL_BUDGET_S / 60:g}m)",
    )
    parser.add_argument(
        "--neighbour",
        action="store_true",
        help="everything also beside a process that burns bursts of 0-300 ms on one core",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the self-test whose files stand in the output folder"
    )
    parser.add_argument("--seed", type=seed, default=0, help="draws other trees and orders (default: 0)")


def selftest_command(
    options: argparse.Namespace,
    *,
    output: Callable[[], Path],
    show: Callable[[SelfTestResult], None],
    say: Callable[[str], None],
) -> int:
    """Run it and return the exit code; an earlier self-test's files are moved aside unless it is resumed."""
    request = SelfTestRequest(
        started_at=_now(),
        seed=options.seed,
        budget_s=options.budget or (QUICK_BUDGET_S if options.quick else FULL_BUDGET_S),
        is_quick=options.quick,
        has_neighbour=options.neighbour,
    )
    folder = output()
    try:
        result = run(request, folder, is_resumed=options.resume, say=say)
    except (SelfTestError, MutantError) as error:
        say(f"ckpt-bench: {error}")
        return int(ExitCode.USAGE)
    show(result)
    say(f"Everything that was measured: {folder / RESULT}")
    return result.exit_code


def run(
    request: SelfTestRequest, folder: Path, *, is_resumed: bool, say: Callable[[str], None]
) -> SelfTestResult:
    """Test the gate for real, with everything kept in `folder`. Raises SelfTestError, MutantError."""
    here = environment.collect(folder)
    header = Header(
        started_at=request.started_at,
        code=_code(),
        machine=machine_of(here),
        seed=request.seed,
        is_quick=request.is_quick,
    )
    log = Log.resumed(folder, header) if is_resumed else Log.begun(folder, header)
    for line in announcement(request):
        say(line)
    told = msgspec.to_builtins(here)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-bench-selftest-")))
        ground = Ground(
            trees={
                name: stack.enter_context(grow(spec, folder, keep=False))
                for name, spec in request.scenarios.items()
            },
            home=home,
            runtime=probe(sys.executable, ()),
            environment=here,
            measure=engine.measure,
            serve=serve_wandb,
            seed=request.seed,
            say=say,
            look_for_mutants=look_for_mutants,
        )
        collaborators = Collaborators(
            real=ground,
            log=log,
            neighbour=bursty_neighbour,
            assess=partial(_assessed, request, told),
            monotonic_s=time.monotonic,
            now=_now,
            publish=partial(publish, folder=folder),
            say=say,
        )
        return selftest(request, collaborators)


def publish(result: SelfTestResult, folder: Path) -> None:
    """Write the result and its report in Markdown."""
    save(result, folder / RESULT)
    (folder / REPORT).write_text(markdown.render_sections(selftest_sections(result)), encoding="utf-8")


def _assessed(
    request: SelfTestRequest, told: dict[str, object], recorded: Recorded, is_simulated: bool
) -> SelfTestResult:
    return assess(recorded, request, told, is_simulated=is_simulated)


def _code() -> str:
    """What tells this gate and this catalog from any other: parts of one self-test are of the same code."""
    packages = [find_spec(name) for name in ("bench", "catalog")]
    folders = [Path(one.origin).parent for one in packages if one is not None and one.origin is not None]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _budget(seconds: Callable[[str], float], text: str) -> float:
    """A time in seconds, minutes or hours; how seconds are read is the caller's."""
    for unit, factor in (("m", 60.0), ("h", 3600.0)):
        if text.endswith(unit):
            return factor * seconds(text.removesuffix(unit))
    return seconds(text)
