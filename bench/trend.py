"""One scenario over commits: which results may be compared, in which order, and where they changed. Pure.

Results are compared only where scenario, tree, subject and reference are the same. Another machine, interpreter
or set of libraries is left out and told, or mixed if that was asked for, and told.
"""

from __future__ import annotations

from collections import Counter
from math import exp, fsum, log
from typing import TYPE_CHECKING

import msgspec

from bench.changes import LEAST_COMMITS, Changes, find_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from bench.history import Entry, Ratio

    Taken = tuple[Entry, Ratio]


class NoTrend(Exception):  # noqa: N818 - the name says what is the matter
    """Nothing can be shown: what was expected, what was found, what mends it."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One commit: the geometric mean of its results' ratios. `is_other`: not the newest result's conditions."""

    commit: str
    time_s: int | None
    ratio: float
    results: int
    is_other: bool = False


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A series of commits with its changes; `notes` tell what was left out or mixed, and why."""

    scenario: str
    subject: str
    tree: str
    reference: str
    machine: str
    runtime: str
    libraries: str
    least_change: float
    points: tuple[Point, ...]
    changes: Changes
    notes: tuple[str, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a trend is asked for; `reference` and `tree` are parts of a text, None is the newest result's."""

    scenario: str
    reference: str | None = None
    tree: str | None = None
    is_mixed: bool = False
    is_dirty_wanted: bool = False
    least_change: float = 0.01


def trend(
    entries: Sequence[Entry],
    wanted: Wanted,
    *,
    on_branch: Collection[str] | None = None,
    find: Callable[..., Changes] = find_changes,
) -> Trend:
    """The trend of one scenario; commits outside `on_branch`, where that is known, are left out.

    Raises NoTrend where no result is left, and what `find` raises.
    """
    notes: list[str] = []
    taken = _named(entries, wanted)
    taken = _clean(taken, wanted, on_branch, notes)
    newest_entry, newest = taken[-1]
    taken = _left(
        taken, lambda one: _series(one[1]) == _series(newest), "another reference, tree or subject", notes
    )
    conditions = _conditions(newest_entry)
    others = [one for one in taken if _conditions(one[0]) != conditions]
    if others and wanted.is_mixed:
        notes.append(
            f"MIXED: {_told_conditions(others, newest_entry)}; a change may be theirs and not the code's"
        )
    elif others:
        taken = [one for one in taken if _conditions(one[0]) == conditions]
        notes.append(f"left out: {_told_conditions(others, newest_entry)}; --mix takes them in")
    points = _points(_ordered(taken, notes), conditions)
    if len(points) < LEAST_COMMITS:
        notes.append(f"changes are looked for from {LEAST_COMMITS} commits on; there are {len(points)}")
    return Trend(
        scenario=newest.scenario,
        subject=newest.subject,
        tree=newest.tree,
        reference=newest.reference,
        machine=newest_entry.machine,
        runtime=newest_entry.runtime,
        libraries=newest_entry.libraries,
        least_change=wanted.least_change,
        points=points,
        changes=find([one.ratio for one in points], least_change=wanted.least_change),
        notes=tuple(notes),
    )


def _named(entries: Sequence[Entry], wanted: Wanted) -> list[Taken]:
    """Every result of the scenario, and of the reference and tree if these are named."""
    taken = [(entry, one) for entry in entries for one in entry.ratios if one.scenario == wanted.scenario]
    if not taken:
        known = sorted({one.scenario for entry in entries for one in entry.ratios})
        raise NoTrend(
            f"{wanted.scenario}: expected results of this scenario, found {', '.join(known) or 'none at all'}; "
            "`ckpt-bench history` lists them"
        )
    for name, asked in (("reference", wanted.reference), ("tree", wanted.tree)):
        found = sorted({getattr(one, name) for _, one in taken})
        taken = [one for one in taken if asked is None or asked in getattr(one[1], name)]
        if not taken:
            raise NoTrend(f"{wanted.scenario}: expected a {name} with {asked!r}, found {'; '.join(found)}")
    return taken


def _clean(
    taken: list[Taken], wanted: Wanted, on_branch: Collection[str] | None, notes: list[str]
) -> list[Taken]:
    """Those that speak of a commit of this branch, and of nothing besides."""
    taken = _left(taken, lambda one: one[0].commit.name is not None, "no known commit", notes)
    if not wanted.is_dirty_wanted:
        told = "a working tree with changes of its own (--dirty takes them in)"
        taken = _left(taken, lambda one: not one[0].commit.is_dirty, told, notes)
    if on_branch is not None:
        taken = _left(
            taken, lambda one: one[0].commit.name in on_branch, "commits that HEAD does not contain", notes
        )
    if not taken:
        raise NoTrend(f"{wanted.scenario}: expected results of commits, found none: {'; '.join(notes)}")
    return taken


def _left(taken: list[Taken], is_kept: Callable[[Taken], bool], told: str, notes: list[str]) -> list[Taken]:
    kept = [one for one in taken if is_kept(one)]
    if len(kept) < len(taken):
        notes.append(f"left out: {_counted(len(taken) - len(kept))} of {told}")
    return kept


def _counted(results: int) -> str:
    return f"{results} result{'' if results == 1 else 's'}"


def _series(one: Ratio) -> tuple[str, str, str]:
    return one.tree, one.subject, one.reference


def _conditions(entry: Entry) -> tuple[str, str, str]:
    return entry.machine, entry.runtime, entry.libraries


def _told_conditions(others: Iterable[Taken], newest: Entry) -> str:
    """How many results were made elsewhere, and in what their conditions differ from the newest one's."""
    names = ("machine", "interpreter", "dependency versions")
    counts = Counter(
        tuple(
            name
            for name, ours, theirs in zip(names, _conditions(newest), _conditions(entry), strict=True)
            if ours != theirs
        )
        for entry, _ in others
    )
    return ", ".join(f"{_counted(count)} of another {' and '.join(kind)}" for kind, count in counts.items())


def _ordered(taken: list[Taken], notes: list[str]) -> list[Taken]:
    """By ancestry where all commits know it, else by the time of the commit."""
    if all(entry.commit.ancestors is not None for entry, _ in taken):
        return sorted(taken, key=lambda one: (one[0].commit.ancestors or 0, one[0].commit.time_s or 0))
    notes.append("ordered by commit time: the ancestry of some was not known (a shallow clone?)")
    return sorted(taken, key=lambda one: one[0].commit.time_s or 0)


def _points(taken: list[Taken], conditions: tuple[str, str, str]) -> tuple[Point, ...]:
    commits: dict[str, list[Taken]] = {}
    for one in taken:
        commits.setdefault(one[0].commit.name or "", []).append(one)
    return tuple(
        Point(
            commit=name,
            time_s=results[0][0].commit.time_s,
            ratio=exp(fsum(log(one.value.estimate) for _, one in results) / len(results)),
            results=len(results),
            is_other=any(_conditions(entry) != conditions for entry, _ in results),
        )
        for name, results in commits.items()
    )
