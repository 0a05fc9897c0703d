"""`ckpt-catalog`: list, show, validate, coverage, problems, index."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from catalog import collector, listing
from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from catalog.records import printable
from catalog.selection import FIELDS, GROUPS, NUMERIC_FIELDS, Selection, SelectionError, parse_condition
from catalog.store import CatalogCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catalog.records import CheckpointCatalog, CheckpointCatalogEntry
    from catalog.validator import ValidationReport

PASSED, FOUND_FAULTS, USAGE = 0, 1, 2
NOTHING_MATCHED = 1
_USUAL_COLUMNS: Final = 80


class UsageError(Exception):
    """A call that cannot be carried out; its text names the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 faults found or nothing matched, 2 the call was wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    if options.verbose:
        _tell_everything()
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        with collector.Paused():
            return command(options)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PASSED
    except (UsageError, SelectionError, ValueError, OSError) as error:
        _tell(f"ckpt-catalog: {printable(str(error))}")
        return USAGE


def _tell(text: str, end: str = "\n") -> None:
    """Say something beside the answer, which is worth as much where nobody can hear this."""
    with contextlib.suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def _tell_everything() -> None:
    import logging  # warnings are told without a word from here

    class Printable(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return printable(super().format(record))

    heard = logging.StreamHandler()
    heard.setFormatter(Printable("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[heard])


class _Formatter(argparse.HelpFormatter):
    """The usual help, as wide as the terminal; argparse makes one for each argument that it is told of.

    Its own asks `shutil` for the width, which loads every compression that Python has.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """The width of the terminal, as `shutil.get_terminal_size` finds it."""
    try:
        told = int(os.environ.get("COLUMNS", "0"))
    except ValueError:
        told = 0
    if told > 0:
        return told
    try:
        return os.get_terminal_size(1).columns or _USUAL_COLUMNS
    except (ValueError, OSError):  # closed, or no terminal
        return _USUAL_COLUMNS


class _Command(argparse.ArgumentParser):
    """A parser of one command, which refuses what it does not know: its own usage tells what there is."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as inherited
        """Parse a command's arguments, all of them."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(
                f"unrecognized arguments: {' '.join(left)}; `{self.prog} --help` explains those there are"
            )
        return found, left


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """What parses `arguments`; where they begin with a command, it has no other."""
    parser = argparse.ArgumentParser(
        prog="ckpt-catalog",
        description="List the checkpoints of Hydra and Lightning trees.",
        formatter_class=_Formatter,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="tell what was read, and how long it took")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Command)
    named = {one: _COMMANDS[one] for one in arguments[:1] if one in _COMMANDS}
    # To lay out the others takes as long as to list what is remembered.
    for name, (fill, purpose) in (named or _COMMANDS).items():
        command = commands.add_parser(name, help=purpose, description=purpose, formatter_class=_Formatter)
        fill(command)
    return parser


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_list)
    _add_tree(parser)
    parser.add_argument("--experiment", metavar="PATTERN", help="experiments that match, as in '*dbnet*'")
    parser.add_argument("--arch", metavar="NAME", help="checkpoints of this architecture")
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help="as in 'hmean>0.9'")
    parser.add_argument("--best", choices=NUMERIC_FIELDS, help="only the best by this metric")
    parser.add_argument("--per", choices=tuple(GROUPS), help="the best of each of these instead of all")
    parser.add_argument("--sort", metavar="FIELD", help="by this field; --sort=-FIELD for descending")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_show)
    parser.add_argument("--outputs", dest="outputs_dir", default="outputs", help="the tree (default: outputs)")
    _add_options(parser)
    parser.add_argument(
        "checkpoint", help="its path, below the outputs directory or in full; the end is enough"
    )


def _add_coverage(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_coverage)
    _add_tree(parser)


def _add_problems(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_problems)
    _add_tree(parser)


def _add_validate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_validate)
    parser.add_argument("paths", nargs="+", type=Path, help="sidecars, or folders that are searched for them")
    parser.add_argument("--json", action="store_true", help="for programs")


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_index)
    parser.add_argument("action", choices=("show", "clear"))


def _add_tree(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("outputs_dir", nargs="?", default="outputs", help="the tree (default: outputs)")
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--no-cache", action="store_true", help="remember nothing, believe nothing remembered")
    parser.add_argument("--no-wandb", action="store_true", help="never ask W&B, nor its local run folders")
    parser.add_argument(
        "--config-name", action="append", metavar="NAME", help="a config's file name; may be repeated"
    )


_COMMANDS: Final[Mapping[str, tuple[Callable[[argparse.ArgumentParser], None], str]]] = {
    "list": (_add_list, "list the checkpoints of a tree"),
    "show": (_add_show, "tell every field of one checkpoint, with its source"),
    "coverage": (_add_coverage, "tell how many checkpoints have metadata, and which lack it"),
    "problems": (_add_problems, "tell what is damaged or left out, and how to mend it"),
    "validate": (_add_validate, "hold sidecars to schema V1"),
    "index": (_add_index, "tell where answers are remembered, or forget them"),
}


def _build(options: argparse.Namespace) -> CheckpointCatalog:
    outputs_dir = Path(options.outputs_dir)
    if not options.outputs_dir:
        raise UsageError("expected the folder that holds your experiments, found an empty name")
    if not outputs_dir.exists():
        raise UsageError(f"{outputs_dir}: no such directory; name the folder that holds your experiments")
    builder = CheckpointCatalogBuilder(
        outputs_dir,
        use_cache=not options.no_cache,
        use_wandb_fallback=not options.no_wandb,
        config_filenames=options.config_name or DEFAULT_CONFIG_FILENAMES,
        collaborators=Collaborators(progress=_progress if sys.stderr.isatty() else None),
    )
    return builder.build_catalog()


def _progress(done: int, total: int) -> None:
    """One line that is written over; small trees are done before anybody could read it."""
    if done % 500 == 0 and total > 1000:
        _tell(f"\r{done} of {total} checkpoints read\033[K", end="")
    if done == total and total > 1000:
        _tell("\r\033[K", end="")


def _list(options: argparse.Namespace) -> int:
    selection = _selection(options)
    catalog = _build(options)
    entries = selection.apply(catalog.entries)
    if options.json:
        for piece in listing.catalog_json(catalog, entries):
            print(piece, end="")
        print()
        return PASSED if entries or selection == Selection() else NOTHING_MATCHED
    if entries:
        print(listing.table(entries, catalog.outputs_dir))
    _tell(listing.summary(catalog, len(entries)))
    if not (catalog.entries or catalog.skipped or catalog.problems):
        hint = "no name there ends in .ckpt; name the folder that holds your experiments"
        _tell(printable(f"{catalog.outputs_dir}: {hint}"))
    if catalog.problems or catalog.skipped:
        _tell(f"`ckpt-catalog problems {_quoted(catalog.outputs_dir)}` tells what and why")
    return PASSED if entries or selection == Selection() else NOTHING_MATCHED


def _quoted(path: Path) -> str:
    """A path as a shell reads it, and safe to print."""
    import shlex  # most trees have nothing to mend

    return printable(shlex.quote(str(path)))


def _selection(options: argparse.Namespace) -> Selection:
    if options.per and not options.best:
        raise UsageError("--per: expected --best METRIC beside it, as in '--best hmean --per experiment'")
    if options.sort and options.sort.removeprefix("-") not in FIELDS:
        raise UsageError(f"--sort: expected one of {', '.join(FIELDS)}, found {options.sort!r}")
    if options.limit is not None and options.limit < 0:
        raise UsageError(f"--limit: expected 0 or more, found {options.limit}")
    return Selection(
        experiment=options.experiment,
        architecture=options.arch,
        conditions=tuple(parse_condition(text) for text in options.where),
        best=options.best,
        per=options.per,
        sort=options.sort,
        limit=options.limit,
    )


def _show(options: argparse.Namespace) -> int:
    catalog = _build(options)
    entry = _the_one(catalog, options.checkpoint)
    print(listing.as_json(entry) if options.json else listing.details(entry))
    return PASSED


def _the_one(catalog: CheckpointCatalog, wanted: str) -> CheckpointCatalogEntry:
    """The entry that a person means. Raises `UsageError` where there is none, or more than one."""
    tail = Path(wanted).parts
    whole = os.path.abspath(wanted)
    exact = [entry for entry in catalog if os.path.abspath(entry.checkpoint_path) == whole]
    found = exact or [entry for entry in catalog if entry.checkpoint_path.parts[-len(tail) :] == tail]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(str(entry.checkpoint_path) for entry in found[:3])
        raise UsageError(
            f"{wanted}: expected one checkpoint, found {len(found)} ({some}); give more of the path"
        )

    def is_meant(path: Path) -> bool:
        return path.parts[-len(tail) :] == tail or os.path.abspath(path) == whole

    for skipped in catalog.skipped:
        if is_meant(skipped.checkpoint_path):
            raise UsageError(f"{skipped.checkpoint_path}: it is not listed, because {skipped.reason}")
    # What is no file, as a link that leads nowhere, is neither listed nor left out.
    told = [str(problem) for problem in catalog.problems if is_meant(problem.path)]
    if told:
        raise UsageError(" | ".join(told))
    raise UsageError(f"{wanted}: no such checkpoint below {catalog.outputs_dir}; 'ckpt-catalog list' shows all")


def _coverage(options: argparse.Namespace) -> int:
    catalog = _build(options)
    print(listing.as_json(listing.coverage(catalog)) if options.json else listing.coverage_text(catalog))
    return PASSED


def _problems(options: argparse.Namespace) -> int:
    catalog = _build(options)
    if options.json:
        print(listing.as_json({"problems": catalog.problems, "skipped": catalog.skipped}))
    else:
        for problem in catalog.problems:
            print(problem)
        for skipped in catalog.skipped:
            print(printable(f"{skipped.checkpoint_path}: left out, because {skipped.reason}"))
        _tell(f"{len(catalog.problems)} problems, {len(catalog.skipped)} left out")
    return FOUND_FAULTS if catalog.problems else PASSED


def _validate(options: argparse.Namespace) -> int:
    from catalog.validator import MetadataValidator

    validator = MetadataValidator()
    reports: list[ValidationReport] = []
    for path in options.paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        reports += validator.validate_directory(path) if path.is_dir() else [validator.validate_file(path)]
    if not reports:
        raise UsageError(f"no sidecar found below {', '.join(map(str, options.paths))}")
    as_json = options.json
    print(listing.as_json(listing.validation(reports)) if as_json else listing.validation_text(reports))
    return PASSED if all(report.is_valid for report in reports) else FOUND_FAULTS


def _index(options: argparse.Namespace) -> int:
    cache = CatalogCache()
    if options.action == "clear":
        left = cache.clear()
        if left:
            told = f"expected to delete it, found: {left[0].strerror}; remove it by hand"
            raise UsageError(f"{left[0].filename}: {told}")
    files = cache.files()
    size_bytes = sum(one.stat().st_size for one in files)
    print(printable(f"{cache.index_dir}: {len(files)} trees remembered, {size_bytes} bytes"))
    return PASSED
