"""Known differences, declared in a file: listed, counted, and still checked.

A declaration is a TOML table `[[difference]]` of patterns (`fnmatch`) and a reason:

    [[difference]]
    subject = "legacy"                 # the subject's name or target
    field = "problems"                 # what differs, see `bench.contract_rules.RULES`
    case = "damage/checkpoint/*"       # the case; every one where it is left out; drawn trees are `drawn/*`
    found = "told in problems"         # what the subject says; anything where it is left out
    expected = "*"                     # what the contract says
    reason = "why this is known and let be"

A declaration covers single differences, never a tree: whatever else differs there is reported.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.equality import Difference

SHIPPED: Final = Path(__file__).with_name("known_differences.toml")
"""What is known of this repository's own implementations."""


class DifferencesError(Exception):
    """A file of declarations that cannot be read: its path, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration; every text but `reason` is a pattern."""

    subject: str
    field: str
    reason: str
    case: str = "*"
    path: str = "*"
    found: str = "*"
    expected: str = "*"

    def covers(self, names: Iterable[str], case: str, difference: Difference) -> bool:
        """Whether it speaks of this difference, of a subject of one of these names."""
        pairs = (
            (case, self.case),
            (difference.field, self.field),
            (difference.path, self.path),
            (difference.left, self.found),
            (difference.right, self.expected),
        )
        is_named = any(fnmatchcase(name, self.subject) for name in names)
        return is_named and all(fnmatchcase(text, pattern) for text, pattern in pairs)


class KnownDifferences:
    """The declarations of a run, and how often each occurred."""

    def __init__(self, declared: Sequence[Declared]) -> None:
        self.counts: dict[Declared, int] = dict.fromkeys(declared, 0)

    def undeclared(
        self, names: Sequence[str], case: str, differences: Iterable[Difference]
    ) -> tuple[Difference, ...]:
        """Those differences that nobody declared; the others are counted."""
        left = []
        for difference in differences:
            covering = [one for one in self.counts if one.covers(names, case, difference)]
            for one in covering:
                self.counts[one] += 1
            if not covering:
                left.append(difference)
        return tuple(left)

    def lines(self, names: Iterable[str]) -> list[str]:
        """Each declaration about these subjects, how often it occurred, and whether it is still needed."""
        taking_part = tuple(names)
        told = []
        for one, count in self.counts.items():
            if any(fnmatchcase(name, one.subject) for name in taking_part):
                times = f"{count} times" if count else "no longer occurs here: take it out of the file"
                told.append(f"{one.subject}: {one.field} in {one.case}: {times} ({one.reason})")
        return told


def read_differences(path: Path) -> tuple[Declared, ...]:
    """The declarations of a file. Raises DifferencesError where it is missing, no TOML, or says too little."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("difference", [])
        declared = tuple(Declared(**table) for table in tables)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise DifferencesError(
            f"{path}: expected [[difference]] tables with subject, field and reason, found {error}; "
            "correct the file"
        ) from error
    for one in declared:
        said = (one.subject, one.field, one.reason, one.case, one.path, one.found, one.expected)
        if not all(isinstance(text, str) and text for text in said):
            raise DifferencesError(f"{path}: expected texts, found {one}; write every value in quotes")
    return declared
