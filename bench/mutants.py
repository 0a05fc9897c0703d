"""How strong the search of `bench.compat` is: seeded mutants of V2, and the case that catches each.

A mutant is a copy of the catalog package in a temporary folder, changed in one place, which stands first on
its subject's path. It is caught by the first case, edit or drawn tree on which it strays from the contract.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.arms import isolated
from bench.case import ONE, Case, case_of
from bench.cases import named_cases
from bench.compat import roomy_folder
from bench.differences import KnownDifferences
from bench.edits import edited_cases
from bench.hand_mutants import HAND_MUTANTS, REMEMBERED, V2, HandMutant
from bench.mutation import mutated, sites
from bench.search import search
from bench.subject import Subject, SubjectError
from bench.trial import Raised, Trial, Witness
from bench.zone import time_zone
from fixtures.draw import draw
from fixtures.generate import write_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MODULES: Final = ("merge", "contract", "names", "layout", "excerpt", "shortcut")
"""What decides about a value: by the long way, by the file's name, and by the short way of whole sidecars."""

TOOL_MUTANTS: Final = 120
TREES: Final = 1_000

_AT_ONCE: Final = 2


class MutantError(Exception):
    """A mutant that cannot be made: its text is not found, or not once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault by name, the sources that make it (module -> text), and the subject that shows it."""

    name: str
    sources: dict[str, str] = field(hash=False)
    target: str = V2
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: the case that caught it, `None` of a survivor.

    `is_stillborn`: it fails on a tidy tree of one checkpoint, so that it counts for nothing.
    """

    mutant: Mutant
    caught_by: str | None
    is_stillborn: bool = False


def hand_mutants(package: Path, chosen: Iterable[HandMutant] = HAND_MUTANTS) -> list[Mutant]:
    """The mutants written by hand, of the package at a path. Raises MutantError where a text is not found."""
    made = []
    for one in chosen:
        sources: dict[str, str] = {}
        for change in one.changes:
            text = sources.get(change.module) or (package / f"{change.module}.py").read_text(encoding="utf-8")
            if text.count(change.before) != 1:
                raise MutantError(
                    f"{one.name}: expected {change.before!r} once in {change.module}.py, found it "
                    f"{text.count(change.before)} times; bring bench/hand_mutants.py up to date"
                )
            sources[change.module] = text.replace(change.before, change.after)
        made.append(Mutant(one.name, sources, one.target, is_by_hand=True))
    return made


def tool_mutants(package: Path, count: int, seed: int, modules: Sequence[str] = MODULES) -> list[Mutant]:
    """Mutants drawn from all that the tool makes of some modules; all of them where `count` is larger."""
    texts = {module: (package / f"{module}.py").read_text(encoding="utf-8") for module in modules}
    everywhere = [(module, site) for module, text in texts.items() for site in sites(text)]
    random.Random(seed).shuffle(everywhere)
    made: dict[str, Mutant] = {}
    for module, site in everywhere:
        if len(made) == count:
            break
        one = mutated(texts[module], site)
        if one is not None:
            line = texts[module].splitlines()[one.line - 1].strip()
            name = f"{module}.py:{one.line}: {one.before} -> {one.after} in: {line[:80]}"
            made.setdefault(name, Mutant(name, {module: one.source}))
    return list(made.values())


def measure(
    mutants: Sequence[Mutant],
    package: Path,
    *,
    trees: int,
    cases: Iterable[Case] | None = None,
    seed: int = 0,
    rest: Callable[[float], None] = time.sleep,
    tell: Callable[[Fate], None] = lambda _: None,
) -> list[Fate]:
    """The fate of every mutant of the package at a path, by named cases, edits and `trees` drawn trees.

    `cases` are the named ones where all of them are too many.
    """
    with ExitStack() as stack:
        stack.enter_context(time_zone())
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-mutants-", dir=roomy_folder()))
        )
        standing = list(_standing(folder / "trees", named_cases() if cases is None else cases, trees, seed))

        def fate_of(number: int, mutant: Mutant) -> Fate:
            home = folder / f"mutant-{number}"
            try:
                return _fate(mutant, package, home, standing, rest)
            finally:
                shutil.rmtree(home, ignore_errors=True)

        fates = []
        # A thread waits for its mutant's process, so that two mutants take a processor each.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for fate in pool.map(fate_of, range(len(mutants)), mutants):
                tell(fate)
                fates.append(fate)
        return fates


def _standing(folder: Path, cases: Iterable[Case], trees: int, seed: int) -> Iterator[tuple[Case, Path]]:
    """Named cases and the drawn trees of a search, written once for all mutants."""
    drawn: list[Case] = []
    search(partial(_keep, drawn), count=trees, budget_s=float("inf"), seed=seed)
    for number, case in enumerate((*cases, *drawn)):
        root = folder / str(number) / "outputs"
        write_plan(case.plans[0], root)
        if case.damage is not None:
            case.damage(root)
        yield case, root


def _keep(drawn: list[Case], case: Case) -> None:
    drawn.append(case)


def _fate(
    mutant: Mutant,
    package: Path,
    home: Path,
    standing: Sequence[tuple[Case, Path]],
    rest: Callable[[float], None],
) -> Fate:
    shutil.copytree(package, home / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for module, text in mutant.sources.items():
        (home / package.name / f"{module}.py").write_text(text, encoding="utf-8")
    environment = {**isolated(home), "CKPT_CATALOG_INDEX_DIR": str(home / "index")}
    witness = Witness(Subject(mutant.name, mutant.target, search_path=(str(home),), environment=environment))
    with Trial([witness], KnownDifferences(()), home) as trial:
        try:
            tidy = trial.answers(case_of("tidy", "Fields", draw(ONE)))[mutant.name]
        except SubjectError as error:
            return Fate(mutant, f"its import: {error.found}", is_stillborn=True)
        if isinstance(tidy, Raised):
            return Fate(mutant, f"a tidy tree: {tidy.text}", is_stillborn=True)
        if mutant.target == REMEMBERED:
            found = next(trial.examine_edited(list(edited_cases()), rest), None)
            return Fate(mutant, found.case.name if found else None)
        for case, root in standing:
            if witness.differences(witness.ask(root), case, 0):
                return Fate(mutant, case.name)
    return Fate(mutant, None)


_BEYOND_TIME: Final = "only a time outside the years 1 to 9999 shows it, and few file systems hold it"

_LONG_WAY: Final = "says the same: a shortcut less, and the long way answers alike"
_SHORT_WAY: Final = "says the same: the short way is left more often, and the long way answers alike"
_NO_PROVENANCE: Final = "says the same: provenance is V2's alone, and not compared"
_NO_WANDB: Final = "W&B is not asked: it speaks of runs alone"
REASONS: Final = (
    ("*WANDB*", _NO_WANDB),
    ("*test/{name}*", _NO_WANDB),
    ("*is_run*", _NO_WANDB),
    ("merge.py:*reason = *", "says the same: the wording of a reason is not compared"),
    ("merge.py:*when.tm_year*", _BEYOND_TIME),
    ("merge.py:*except (OverflowError, OSError, ValueError)*", _BEYOND_TIME),
    ("merge.py:*document.key*", "says the same: the key of a memo"),
    ("merge.py:*'mtime'*", "says the same: the key of a memo"),
    ("contract.py:*type(value) is int*", _LONG_WAY),
    ("contract.py:*type(value) is float*", _LONG_WAY),
    ("contract.py:*value[4:5]*", _LONG_WAY),
    ("contract.py:*Row(*", "says the same: the order of the rows does not matter"),
    ("contract.py:*_metric(*", "says the same: the order of the rows does not matter"),
    ("*'hparams.yaml')*", "says the same: the names are an argument of every call"),
    ("contract.py:*__slots__*", "says the same: the order of the slots does not matter"),
    ("shortcut.py:*_BY_SIDECAR*", _NO_PROVENANCE),
    ("shortcut.py:*_SCORE_TOLD*", _NO_PROVENANCE),
    ("shortcut.py:*0.0 <= told.*<* 1.0*", _SHORT_WAY),
    ("shortcut.py:*value is None*", _SHORT_WAY),
    (
        "shortcut.py:*(SILENT, UNUSABLE) -> (UNUSABLE, SILENT)*",
        "says the same: the order of the two does not matter",
    ),
    ("shortcut.py:*folder.files*", _SHORT_WAY),
    ("excerpt.py:*_MEMO_CHARS*", "says the same: how much is remembered"),
    ("excerpt.py:*_DEEP*", _SHORT_WAY),
    ("excerpt.py:*_NO_KEY*", _SHORT_WAY),
    ("excerpt.py:*begin is None*", _SHORT_WAY),
    ("excerpt.py:*_KEY_ALONE*", _SHORT_WAY),
    ("excerpt.py:*raw[1:-1]*", _SHORT_WAY),
    ("excerpt.py:*first == *", _SHORT_WAY),
    ("excerpt.py:*not begin*", _SHORT_WAY),
    ("excerpt.py:*MAX_BYTES*", _SHORT_WAY),
    ("excerpt.py:*value == UNKNOWN*", _SHORT_WAY),
    ("excerpt.py:*not value*", _SHORT_WAY),
)
"""Patterns of survivors, and why no tree can catch them."""

UNEXPLAINED: Final = "no reason known"


def all_mutants(*, count: int = TOOL_MUTANTS, seed: int = 0) -> tuple[list[Mutant], Path]:
    """Those by hand and `count` by the tool, of the package that is installed; and where that stands.

    Raises MutantError where it is not, or has changed so that a mutant cannot be made.
    """
    found = find_spec("catalog")
    if found is None or found.origin is None:
        raise MutantError("catalog: expected the package of V2, found none; install ckpt-bench whole")
    package = Path(found.origin).parent
    return [*hand_mutants(package), *tool_mutants(package, count, seed)], package


def strength(
    say: Callable[[str], None], *, count: int = TOOL_MUTANTS, trees: int = TREES, seed: int = 0
) -> list[Fate]:
    """Measure all mutants by hand and `count` by the tool; tell each fate as it is known, then the counts."""
    mutants, package = all_mutants(count=count, seed=seed)
    fates = measure(mutants, package, trees=trees, seed=seed, tell=lambda fate: say(line_of(fate)))
    for line in counts(fates):
        say(line)
    return fates


def line_of(fate: Fate, reasons: Sequence[tuple[str, str]] = REASONS) -> str:
    """A mutant and the case that caught it, or why none can."""
    if fate.is_stillborn:
        return f"not counted, it fails at once on {fate.caught_by}: {fate.mutant.name}"
    if fate.caught_by is not None:
        return f"caught by {fate.caught_by}: {fate.mutant.name}"
    return f"survived: {fate.mutant.name}: {reason_of(fate, reasons) or UNEXPLAINED}"


def reason_of(fate: Fate, reasons: Sequence[tuple[str, str]] = REASONS) -> str | None:
    """Why no tree can catch a mutant of the tool; for one by hand, which changes an answer, there is none."""
    if fate.mutant.is_by_hand:
        return None
    return next((reason for pattern, reason in reasons if _matches(fate.mutant.name, pattern)), None)


def counts(fates: Sequence[Fate]) -> Iterator[str]:
    """How many were caught of those by hand, and of those by the tool."""
    for name, is_by_hand in (("by hand", True), ("by the tool", False)):
        some = [one for one in fates if one.mutant.is_by_hand is is_by_hand and not one.is_stillborn]
        yield f"{name}: {sum(one.caught_by is not None for one in some)} of {len(some)} caught"


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))
