"""`ckpt-bench`: measure what a catalog claims, and show what was measured."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import gate_cli, limits
from bench.compat_command import add_compat_command, compat_command
from bench.history_command import (
    REFUSALS,
    add_history_command,
    add_history_option,
    add_trend_command,
    history_path,
    keep,
)
from bench.history_entries import gate_entry
from bench.instructions_command import add_instructions_command, instructions_command
from bench.mixed_parser import MixedParser
from bench.outcome import WORDS
from bench.report import markdown, terminal
from bench.report.gate import gate_sections
from bench.report.selftest import selftest_sections
from bench.reproduce_command import RESULT, add_reproduce_command, reproduce_command
from bench.result import Result, ResultError, load
from bench.run_command import add_run_command, run_command
from bench.scenario import SCENARIOS, SETTINGS
from bench.selftest_command import add_selftest_command, selftest_command
from bench.selftest_result import is_selftest, load_selftest
from bench.subject import SubjectError
from bench.targets import TargetsError, find_pyproject, read_targets
from bench.verdict import ExitCode
from bench.verdict_file import is_verdict, load_verdict
from fixtures.space import DiskSpaceError
from fixtures.spec import PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import NoReturn

    from bench.report.sections import Section
    from bench.selftest_result import SelfTestResult
    from bench.verdict_file import GateResult

DEFAULT_OUTPUT = ".ckpt-bench"

_EXIT_CODES = "exit codes:\n" + "\n".join(f"  {code:d}  {words}" for code, words in sorted(WORDS.items()))
_MORE_EXIT_CODES = "\n  130  interrupted; what was generated is removed, result.json keeps what was measured"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: see `bench.verdict.ExitCode`, and 130 when interrupted."""
    options = _parsed(sys.argv[1:] if arguments is None else arguments)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        return int(options.command(options))
    except (TargetsError, ResultError, SubjectError) as error:
        return _complain(error, ExitCode.USAGE)
    except REFUSALS as error:
        return _complain(error, ExitCode.NOTHING_MEASURED)
    except DiskSpaceError as error:
        return _complain(error, ExitCode.NOTHING_MEASURED)
    except OSError as error:
        return _complain(
            f"{error.filename}: expected to read or write here, found {error.strerror}; "
            "make room or rights there, or choose another folder with --output",
            ExitCode.NOTHING_MEASURED,
        )
    except KeyboardInterrupt:
        return _complain("interrupted; what was generated is removed", 130)
    except Exception:  # noqa: BLE001 - Python would end with 1, which stands for a missed target
        traceback.print_exc()
        return _complain("a fault of the harness; nothing that it measured counts", ExitCode.NOTHING_MEASURED)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command. Arguments that make no sense end the program, and leave no earlier verdict."""
    try:
        return _parser().parse_args(arguments)
    except SystemExit as ended:
        if ended.code and arguments[:1] == ["gate"]:
            gate_cli.discard_before(arguments[1:], Path(DEFAULT_OUTPUT))
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ckpt-bench",
        description="Measure how fast checkpoint catalogs are, and whether they agree.",
        epilog=_EXIT_CODES + _MORE_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=MixedParser)
    _add_reproduce(commands.add_parser("reproduce", help="measure every claim about V2 on generated trees"))
    limits.add_arguments(commands.add_parser("limits", help="hold V2 against the floor of the system"))
    _add_run(commands.add_parser("run", help="measure any catalogs on any tree"))
    _add_gate(commands.add_parser("gate", help="compare the working tree with a revision, and judge"))
    _add_instructions(commands.add_parser("instructions", help="count any catalogs' instructions"))
    history = commands.add_parser("history", help="list the results that were kept")
    add_history_command(history, Path(DEFAULT_OUTPUT), _show_formats)
    _add_formats(history)
    trend = commands.add_parser("trend", help="show a scenario over commits, and where it changed")
    add_trend_command(trend, Path(DEFAULT_OUTPUT), _show_formats)
    _add_formats(trend)
    _add_compat(commands.add_parser("compat", help="search for trees on which catalogs disagree"))
    _add_selftest(commands.add_parser("selftest", help="prove the gate where it runs"))
    _add_report(commands.add_parser("report", help="show a stored result again"))
    listing = commands.add_parser("list", help="name profiles, scenarios, subjects and targets")
    listing.set_defaults(command=_list)
    return parser


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    add_reproduce_command(parser, seed=_seed, seconds=_seconds)
    parser.epilog = _EXIT_CODES + _MORE_EXIT_CODES
    parser.add_argument(
        "--output", type=Path, default=Path(DEFAULT_OUTPUT), metavar="DIR", help=f"default: {DEFAULT_OUTPUT}"
    )
    add_history_option(parser)
    _add_formats(parser)
    parser.set_defaults(command=_reproduce)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_run_command(parser, seed=_seed, seconds=_seconds)
    trees_dir = partial(_output_folder, Path(DEFAULT_OUTPUT))
    parser.set_defaults(command=partial(run_command, trees_dir=trees_dir, show=_show_sections, say=_say))


def _add_instructions(parser: argparse.ArgumentParser) -> None:
    add_instructions_command(parser, seed=_seed, seconds=_seconds)
    trees_dir = partial(_output_folder, Path(DEFAULT_OUTPUT))
    command = partial(instructions_command, trees_dir=trees_dir, show=_show_sections, say=_say)
    parser.set_defaults(command=command)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    gate_cli.add_options(parser, seconds=_seconds, seed=_seed)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(command=_gate)
    parser.add_argument(
        "--output", type=Path, default=Path(DEFAULT_OUTPUT), metavar="DIR", help=f"default: {DEFAULT_OUTPUT}"
    )
    add_history_option(parser)
    _add_formats(parser)


def _add_compat(parser: argparse.ArgumentParser) -> None:
    add_compat_command(parser, seed=_seed, seconds=_seconds)
    output = partial(_output_folder, Path(DEFAULT_OUTPUT))
    parser.set_defaults(command=partial(compat_command, output=output, say=print))


def _add_selftest(parser: argparse.ArgumentParser) -> None:
    add_selftest_command(parser, seed=_seed, seconds=_seconds)
    parser.add_argument(
        "--output", type=Path, default=Path(DEFAULT_OUTPUT), metavar="DIR", help=f"default: {DEFAULT_OUTPUT}"
    )
    _add_formats(parser)
    parser.set_defaults(command=_selftest)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_report)
    parser.add_argument("result", type=Path, help=f"a {RESULT}, {gate_cli.VERDICT} or selftest.json")
    _add_formats(parser)


def _add_formats(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print the result as JSON")
    formats.add_argument("--markdown", action="store_true", help="print the report as Markdown")


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a seed of at least 0, found {text}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text.removesuffix("s"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected seconds such as 90 or 90s, found {text!r}") from error
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found {text}")
    return value


def _output_folder(folder: Path) -> Path:
    """The folder for results, made where it is missing, and kept out of version control by its own file."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder.resolve()


def _reproduce(options: argparse.Namespace) -> int:
    output = partial(_output_folder, options.output)
    return reproduce_command(options, output=output, show=partial(_show, options=options), say=_say)


def _gate(options: argparse.Namespace) -> int:
    output = _output_folder(options.output)
    result = gate_cli.run(options, output, _say)
    keep(history_path(options, output), partial(gate_entry, result, Path.cwd()), _say)
    _show_gate(result, options)
    return result.exit_code


def _selftest(options: argparse.Namespace) -> int:
    output = partial(_output_folder, options.output)
    return selftest_command(options, output=output, show=partial(_show_selftest, options), say=_say)


def _show_selftest(options: argparse.Namespace, result: SelfTestResult) -> None:
    if options.json:
        _print(_json(result))
    elif options.markdown:
        _print(markdown.render_sections(selftest_sections(result)))
    else:
        _show_sections(selftest_sections(result))


def _show_gate(result: GateResult, options: argparse.Namespace) -> None:
    if options.json:
        _print(_json(result))
    else:
        _show_formats(gate_sections(result), options)


def _show_formats(chosen: Sequence[Section], options: argparse.Namespace) -> None:
    if options.markdown:
        _print(markdown.render_sections(chosen))
    else:
        _show_sections(chosen)


def _report(options: argparse.Namespace) -> int:
    if is_verdict(options.result):
        verdict = load_verdict(options.result)
        _show_gate(verdict, options)
        return verdict.exit_code
    if is_selftest(options.result):
        tested = load_selftest(options.result)
        _show_selftest(options, tested)
        return tested.exit_code
    result = load(options.result)
    _show(result, options)
    return int(ExitCode.NOTHING_MEASURED) if result.exit_code is None else result.exit_code


def _show(result: Result, options: argparse.Namespace) -> None:
    _print(_rendered(result, options))


def _show_sections(chosen: Sequence[Section]) -> None:
    width, is_colored = _terminal()
    _print(terminal.render_sections(chosen, width=width, is_colored=is_colored))


def _print(text: str) -> None:
    """Print a report; a reader that has seen enough (head, less) changes no verdict."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _rendered(result: Result, options: argparse.Namespace) -> str:
    if options.json:
        return _json(result)
    if options.markdown:
        return markdown.render(result)
    width, is_colored = _terminal()
    return terminal.render(result, width=width, is_colored=is_colored)


def _json(result: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(result), indent=1).decode()


def _terminal() -> tuple[int, bool]:
    """How wide the terminal is, and whether it takes color."""
    is_colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return shutil.get_terminal_size((120, 24)).columns, is_colored


def _list(_: argparse.Namespace) -> int:
    print("Profiles")
    for name, specs in PROFILES.items():
        sizes = ", ".join(f"{spec.checkpoints} x {spec.checkpoint_bytes / 1e6:.3g} MB" for spec in specs)
        print(f"  {name:18} {sizes}")
    print("Scenarios")
    for one in SCENARIOS.values():
        print(f"  {one.name:18} {one.title}: {one.candidate.name} against {one.reference.name}")
    print("Subjects")
    for name, target in {one.name: one.target for setting in SETTINGS for one in setting.contestants}.items():
        print(f"  {name:18} {target}")
    print("Targets")
    for limit in read_targets(find_pyproject(Path.cwd())):
        print(f"  {limit.name:18} {limit.scenario}: {limit.text}")
    return ExitCode.PASS


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _complain(error: object, code: int) -> int:
    _say(f"ckpt-bench: {error}")
    return int(code)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
