"""A history and a trend laid out as titled tables and lines, the same for every format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.figures import NONE, printable
from bench.report.sections import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.changes import Change
    from bench.history import Entry
    from bench.trend import Point, Trend

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 20
_COMMIT_CHARACTERS = 12


def history_sections(entries: Sequence[Entry], place: str, note: str = "") -> tuple[Section, ...]:
    """The newest results, and how many there are of each scenario."""
    scenarios: dict[str, int] = {}
    for one in (ratio for entry in entries for ratio in entry.ratios):
        scenarios[one.scenario] = scenarios.get(one.scenario, 0) + 1
    counted = ", ".join(f"{printable(name)} ({count})" for name, count in scenarios.items())
    return (
        Section(
            "History",
            ("begun", "command", "commit", "reference", "results", "exit code"),
            tuple(_entry_row(one) for one in entries[-_SHOWN:]),
            (
                f"{_counted(len(entries), 'result')} in {printable(place)}"
                f"{f', the newest {_SHOWN} shown' if len(entries) > _SHOWN else ''}.",
                f"Scenarios: {counted or 'none yet; `ckpt-bench gate` and `ckpt-bench reproduce` add theirs'}.",
                *([note] if note else []),
            ),
            wordy=("reference",),
        ),
    )


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _entry_row(entry: Entry) -> tuple[tuple[str, ...], ...]:
    commit = entry.commit
    name = (commit.name or NONE)[:_COMMIT_CHARACTERS] + (" +" if commit.is_dirty else "")
    references = dict.fromkeys(printable(one.reference)[:60] for one in entry.ratios)
    return (
        (printable(entry.started_at),),
        (printable(entry.command),),
        (name,),
        tuple(references) or (NONE,),
        (str(len(entry.ratios)),),
        (NONE if entry.exit_code is None else str(entry.exit_code),),
    )


def trend_sections(trend: Trend) -> tuple[Section, ...]:
    """The series as a line of bars, its changes, its newest commits, and under which conditions."""
    return (_overview(trend), _changes(trend), _commits(trend), _conditions(trend))


def _overview(trend: Trend) -> Section:
    smallest = trend.changes.smallest_step
    ratios = [one.ratio for one in trend.points]
    seen = "" if smallest is None else f" A step of {100 * smallest:.2f} % shows ten commits later."
    return Section(
        f"{printable(trend.scenario)} over {_counted(len(trend.points), 'commit')}",
        lines=(
            _sparkline(ratios),
            f"time over that of {printable(trend.reference)}: {min(ratios):.4g} to {max(ratios):.4g}, now "
            f"{ratios[-1]:.4g}; higher is slower",
            f"Noise from commit to commit (sd): {100 * trend.changes.noise_sd:.2f} %.{seen}",
        ),
    )


def _sparkline(ratios: Sequence[float]) -> str:
    low, high = min(ratios), max(ratios)
    width = (high - low) or 1.0
    return "".join(_BARS[min(int((one - low) / width * len(_BARS)), len(_BARS) - 1)] for one in ratios)


def _changes(trend: Trend) -> Section:
    found = trend.changes.changes
    none = f"No change of {100 * trend.least_change:g} % or more." if not found else ""
    if trend.changes.smallest_step is None:
        none = "Not looked for: there are too few commits."
    return Section(
        "Changes",
        ("kind", "from", "to", "change", "95 % interval"),
        tuple(_change_row(one, trend.points) for one in found),
        (
            *([none] if none else []),
            "A step is first seen in the commit under to; a drift came bit by bit after the one under from. "
            "The interval takes the places as known.",
        ),
    )


def _change_row(change: Change, points: Sequence[Point]) -> tuple[tuple[str, ...], ...]:
    size = change.size
    low, high = (NONE if one is None else f"{100 * one:+.2f} %" for one in (size.low, size.high))
    end = _named(points[change.last]) + (", still going on" if change.is_open else "")
    return (
        (change.kind,),
        (_named(points[change.first - 1]),),
        (end,),
        (f"{100 * size.estimate:+.2f} % {'slower' if size.estimate > 0 else 'faster'}",),
        (f"{low} to {high}",),
    )


def _named(point: Point) -> str:
    return f"{point.commit[:_COMMIT_CHARACTERS]} {_day(point)}"


def _day(point: Point) -> str:
    return NONE if point.time_s is None else f"{datetime.fromtimestamp(point.time_s, UTC):%Y-%m-%d}"


def _commits(trend: Trend) -> Section:
    shown = trend.points[-_SHOWN:]
    return Section(
        f"The newest {len(shown)} commits" if len(shown) < len(trend.points) else "Commits",
        ("commit", "day", "x reference", "results"),
        tuple(
            (
                (one.commit[:_COMMIT_CHARACTERS] + (" *" if one.is_other else ""),),
                (_day(one),),
                (f"{one.ratio:.4g}",),
                (str(one.results),),
            )
            for one in shown
        ),
        ("* measured under other conditions than the newest",) if any(one.is_other for one in shown) else (),
    )


def _conditions(trend: Trend) -> Section:
    return Section("Where and how", lines=tuple(_told(trend)))


def _told(trend: Trend) -> Iterator[str]:
    yield from (printable(note) for note in trend.notes)
    for name in ("subject", "tree", "machine", "runtime", "libraries"):
        yield f"{name}: {printable(getattr(trend, name))}"
