"""`ckpt-bench compat`: where implementations stray from the contract and from each other, and their speed.

Named cases, edits between calls, drawn trees; then the speed on trees on which they agree. The tree's own
answer is a witness beside every implementation, so that two that are wrong alike do not pass.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.arms import isolated
from bench.case import ONE, case_of
from bench.cases import named_cases
from bench.differences import KnownDifferences
from bench.drawn_edits import BATCH, Reducing, drawn_edits
from bench.edits import edited_cases
from bench.explanation import explanation
from bench.race import race
from bench.saved_failure import SWITCH, save
from bench.search import search
from bench.subject import Subject
from bench.trial import TIMEOUT_S, Finding, Raised, Trial, Witness
from bench.verdict import ExitCode
from bench.zone import time_zone
from fixtures.draw import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bench.case import Case
    from bench.differences import Declared
    from bench.equality import Listing

TREES: Final = 1_000
DEEP_TREES: Final = 10_000
EDITED_TREES: Final = 40
DEEP_EDITED_TREES: Final = 1_000
BUDGET_S: Final = 60.0
SPEED_BUDGET_S: Final = 40.0

WITNESSES: Final = {"legacy": "catalog.subjects:legacy", "v2": "catalog.subjects:v2"}
"""Who is asked besides about a tree on which somebody strays."""

_MOST_EXPLAINED: Final = 6
_MOST_REDUCED: Final = 2
_MOST_NAMED: Final = 12
_ROOM_BYTES: Final = 2**30
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is compared, and how much of it; `output` keeps what failed. Budgets in seconds."""

    reference: Subject
    candidates: tuple[Subject, ...]
    output: Path
    known: tuple[Declared, ...] = ()
    trees: int = TREES
    edited_trees: int = EDITED_TREES
    budget_s: float = BUDGET_S
    speed_budget_s: float = SPEED_BUDGET_S
    seed: int = 0


def both_ways(candidates: Iterable[Subject]) -> tuple[Subject, ...]:
    """Each candidate twice: with the switch that rolls back to legacy left on V2, and turned off."""
    found = []
    for one in candidates:
        found.append(one)
        environment = {**one.environment, SWITCH: "0"}
        found.append(msgspec.structs.replace(one, name=f"{one.name} ({SWITCH}=0)", environment=environment))
    return tuple(found)


def compat(
    request: Request,
    say: Callable[[str], None],
    *,
    rest: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> ExitCode:
    """Examine everybody, tell what was found, and return the exit code.

    Raises SubjectError where a subject cannot be had.
    """
    with ExitStack() as stack:
        stack.enter_context(time_zone())
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-compat-", dir=roomy_folder()))
        )
        witnesses = [_witness(one, folder) for one in (request.reference, *request.candidates)]
        known = KnownDifferences(request.known)
        trial = stack.enter_context(Trial(witnesses, known, folder))
        trial.introduce(case_of("tidy", "Fields", draw(ONE)))
        absent = list(_absent(witnesses, trial))
        for line in absent or [_form(one) for one in witnesses]:
            say(line)
        if absent:
            return ExitCode.NOTHING_MEASURED
        findings = list(_findings(trial, request, say, rest, clock))
        chosen = smallest_of_each(findings)[:_MOST_EXPLAINED]
        for finding in chosen:
            _tell(finding, witnesses, folder, request.output, say)
        if len(findings) > len(chosen):
            say(_others_named([one.case.name for one in findings if one not in chosen]))
        for line in known.lines(name for one in witnesses for name in one.names):
            say(f"known difference: {line}")
        code = ExitCode.OUTPUTS_DIFFER if findings else ExitCode.PASS
        for one in witnesses:
            one.close()
        for line in _hung(trial):
            say(line)
        if request.speed_budget_s > 0 and not trial.hung and _is_refused(witnesses, request, folder, say):
            code = ExitCode.OUTPUTS_DIFFER
        say("they agree" if code is ExitCode.PASS else "they do not agree")
        return code


def _is_refused(
    witnesses: Sequence[Witness], request: Request, folder: Path, say: Callable[[str], None]
) -> bool:
    """Tell the speed of everybody beside the first; whether any of it was refused for a wrong answer."""
    laps = list(
        race(witnesses[0], witnesses[1:], folder=folder, budget_s=request.speed_budget_s, seed=request.seed)
    )
    for lap in laps:
        say(f"speed, {lap.line}")
    return any(lap.is_refused for lap in laps)


def roomy_folder() -> Path | None:
    """A folder in memory where the system has one with room to spare; None for the usual temporary one."""
    is_roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return _MEMORY if is_roomy else None


def _witness(subject: Subject, folder: Path) -> Witness:
    """A subject that finds nothing of its user's, and remembers what it will in a folder of its own."""
    home = folder / f"home-{len(list(folder.glob('home-*')))}"
    home.mkdir()
    index = home / "index"
    own = {**isolated(home), "CKPT_CATALOG_INDEX_DIR": str(index), **subject.environment}
    return Witness(msgspec.structs.replace(subject, environment=own), index=index)


def _absent(witnesses: Sequence[Witness], trial: Trial) -> Iterator[str]:
    """Those that fail on a tidy tree: a comparison would tell nothing more about them."""
    finding = trial.examine(case_of("tidy", "Fields", draw(ONE)))
    told = {} if finding is None else finding.told
    for one in witnesses:
        if one.name in told and isinstance(answer := told[one.name].answer, Raised):
            yield f"{one.name}: expected an answer about a tidy tree, found {answer.text}; mend it first"


def _hung(trial: Trial) -> Iterator[str]:
    for one in trial.hung:
        yield (
            f"{one.name}: expected an answer within {TIMEOUT_S:g} s, found none {one.hangs} times; nothing "
            "more is compared, nor its speed measured; mend it first"
        )


def _form(witness: Witness) -> str:
    kind = "the old API's records" if witness.has_old_records else "the contract's records"
    untold = f"; not told, so not compared: {', '.join(witness.untold)}" if witness.untold else ""
    return f"{witness.name}: {witness.subject.target}: {kind}, {len(witness.fields)} fields compared{untold}"


def _findings(
    trial: Trial,
    request: Request,
    say: Callable[[str], None],
    rest: Callable[[float], None],
    clock: Callable[[], float],
) -> Iterator[Finding]:
    begun_s = clock()
    cases = list(named_cases())
    examined = list(_examined(trial, cases))
    found = [finding for finding in examined if finding is not None]
    yield from found
    some = "" if len(examined) == len(cases) else f" of {len(cases)}"
    say(f"{len(examined)}{some} named cases in {clock() - begun_s:.1f} s: {_count(found)}")
    if trial.hung:
        return
    begun_s = clock()
    edited = list(edited_cases())
    found = list(trial.examine_edited(edited, rest))
    yield from found
    say(f"{len(edited)} edits, each undone again, in {clock() - begun_s:.1f} s: {_count(found)}")
    if trial.hung:
        return
    yield from _edited_at_random(trial, request, say, rest, clock)
    if trial.hung:
        return
    searched = search(
        trial.examine, count=request.trees, budget_s=request.budget_s, seed=request.seed, clock=clock
    )
    if searched.finding is not None:
        yield searched.finding
    say(
        f"{searched.trees} drawn trees in {searched.elapsed_s:.1f} s ({searched.trees_per_s:.1f} trees/s, seed "
        f"{request.seed}): {_count([searched.finding] if searched.finding else [])}"
    )


def _examined(trial: Trial, cases: Iterable[Case]) -> Iterator[Finding | None]:
    """What each case shows, as long as everybody answers."""
    for case in cases:
        if trial.hung:
            return
        yield trial.examine(case)


def _edited_at_random(
    trial: Trial,
    request: Request,
    say: Callable[[str], None],
    rest: Callable[[float], None],
    clock: Callable[[], float],
) -> Iterator[Finding]:
    """Drawn trees under drawn edits; of each kind that fails the smallest, reduced."""
    begun_s = clock()
    drawn = list(drawn_edits(request.edited_trees, request.seed))
    found = [
        one
        for begun in range(0, len(drawn), BATCH)
        for one in trial.examine_edited(drawn[begun : begun + BATCH], rest)
    ]
    say(f"{len(drawn)} drawn trees, each edited twice, in {clock() - begun_s:.1f} s: {_count(found)}")
    reducing = Reducing(lambda cases: trial.examine_edited(cases, rest), clock)
    chosen = smallest_of_each(found)[:_MOST_REDUCED]
    yield from (reducing.reduced(one) for one in chosen)
    yield from (one for one in found if one not in chosen)


def smallest_of_each(findings: Sequence[Finding]) -> list[Finding]:
    """The smallest finding of each kind, a drawn one before others: who strays, and in which fields."""
    found: dict[frozenset[tuple[str, str]], Finding] = {}
    for one in sorted(findings, key=_size):
        found.setdefault(one.signature, one)
    return sorted(found.values(), key=lambda one: not one.case.name.startswith("drawn"))


def _size(finding: Finding) -> tuple[bool, int, int]:
    case = finding.case
    return not case.name.startswith("drawn"), case.checkpoints, len(case.plans[0].nodes)


def _others_named(names: Sequence[str]) -> str:
    some = ", ".join(names[:_MOST_NAMED])
    rest = f", and {len(names) - _MOST_NAMED} others" if len(names) > _MOST_NAMED else ""
    return f"{len(names)} more on which somebody strays: {some}{rest}"


def _count(findings: Sequence[object]) -> str:
    return f"{len(findings)} on which somebody strays" if findings else "no mismatch"


def _tell(
    finding: Finding, witnesses: Sequence[Witness], folder: Path, output: Path, say: Callable[[str], None]
) -> None:
    lines = explanation(finding, _others(finding, witnesses, folder))
    kept = save(finding, witnesses, lines, output)
    for line in lines:
        say(line)
    say(f"  kept in {kept}; python {kept / 'repeat.py'} asks again")


def _others(finding: Finding, witnesses: Sequence[Witness], folder: Path) -> Mapping[str, Listing | Raised]:
    """What legacy and V2 say of the same state, where they do not take part."""
    targets = {one.subject.target for one in witnesses}
    missing = {name: target for name, target in WITNESSES.items() if target not in targets}
    case = finding.case
    state = case if not finding.state else case_of(case.name, case.rule, case.plans[finding.state])
    asked = [_witness(Subject(name, target), folder) for name, target in missing.items()]
    below = Path(tempfile.mkdtemp(dir=folder))
    with Trial(asked, KnownDifferences(()), below) as trial:
        return trial.answers(state)
