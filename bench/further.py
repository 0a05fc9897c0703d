"""Further implementations in a reproduction: where they take part, what they are held to, what is said of them.

They are measured in the first loads of cached files, in the same alternation as legacy and V2. The rest (cold
files, a process's first call, what is remembered, W&B) asks for things that only this project's own know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.agreement import EXPECTED
from bench.equality import ENTRY_FIELDS
from bench.scenario import SETTINGS, UNTIDY, V2, Contestant
from bench.subject import SubjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.scenario import Setting
    from bench.subject import Subject

TAKEN = frozenset(one.name for setting in (*SETTINGS, UNTIDY) for one in setting.contestants) | {EXPECTED}
"""Names that a reproduction has already."""


def check_names(subjects: Sequence[Subject]) -> None:
    """Raises SubjectError for one that would stand for another."""
    for one in subjects:
        if one.name in TAKEN:
            remedy = "leave it out, or write mine=module:callable"
            raise SubjectError(one.name, "a name that no reproduction has", "one that it has", remedy)


def measured_too(subjects: Sequence[Subject], setting: Setting) -> Setting:
    """The setting with a row for each subject, if it is a first load of cached files."""
    if setting.is_cold or setting.is_first_call:
        return setting
    first_loads = [one for one in setting.scenarios if one.candidate == V2]
    rows = [
        replace(
            one,
            name=f"{one.name}:{subject.name}",
            title=f"{subject.name}: {one.title}",
            candidate=_contestant(subject),
            claim="",
        )
        for one in first_loads
        for subject in subjects
    ]
    return replace(setting, scenarios=(*setting.scenarios, *rows))


def compared_too(subjects: Sequence[Subject], setting: Setting) -> Setting:
    """The setting with the subjects' answers compared, and no time of theirs taken."""
    return replace(setting, besides=(*setting.besides, *map(_contestant, subjects)))


def left_out_of(subjects: Sequence[Subject]) -> str | None:
    """What is not measured of the subjects, and what each is not held to; `None` where there are none."""
    if not subjects:
        return None
    named = ", ".join(one.name for one in subjects)
    return "; ".join(
        (
            f"{named}: in V2's column of the rows that begin with the name; not measured: cold files, a first "
            "call, what is remembered, W&B, memory",
            *(told for one in subjects for told in _conditions(one)),
        )
    )


def _contestant(subject: Subject) -> Contestant:
    return Contestant(subject.name, subject.target, subject.fields, subject=subject)


def _conditions(subject: Subject) -> Iterator[str]:
    if subject.is_command:
        yield f"{subject.name} is a command: the start of its process is part of every call"
    if subject.fields != ENTRY_FIELDS:
        yield f"{subject.name} is held to these fields alone: {', '.join(subject.fields)}"
