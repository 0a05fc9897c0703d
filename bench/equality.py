"""Answers compared field by field, and the first difference told so that a person can act on it.

What is compared stands in the contract: every field but `provenance`, the order, the display text, and the
paths in `skipped` and `problems`. The wording of a reason and the build time are not.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.worker import Answer
    from fixtures.expected import Expected, ExpectedEntry

PATH = "checkpoint_path"
DISPLAY = "display_option"

INFO_FIELDS = (
    PATH,
    "config_path",
    "display_name",
    "architecture",
    "backbone",
    "exp_name",
    "epochs",
    "created_timestamp",
    "hmean",
    "monitor",
    "monitor_mode",
    DISPLAY,
)
"""What the old API's records have."""

ENTRY_FIELDS = (*INFO_FIELDS, "precision", "recall", "score", "has_metadata")
"""What the contract compares of an entry."""

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Listing:
    """An answer in the form in which any two compare: paths below the outputs directory, plain values.

    `skipped` and `problems` are `None` where the implementation does not tell them.
    """

    entries: tuple[Mapping[str, object], ...]
    skipped: frozenset[str] | None = None
    problems: frozenset[str] | None = None

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which two answers differ: about which path, in which field, and what each says."""

    path: str
    field: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two named answers compared: how many entries over which fields, and every difference."""

    left: str
    right: str
    entries: int
    fields: tuple[str, ...]
    differences: tuple[Difference, ...] = field(default=())

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    @property
    def first_difference(self) -> str:
        """The first difference in one line, and how many more there are; empty where there is none."""
        if not self.differences:
            return ""
        first = self.differences[0]
        more = f" (and {len(self.differences) - 1} more)" if len(self.differences) > 1 else ""
        says = f"{self.left} says {first.left}, {self.right} says {first.right}"
        return f"{first.path}: {first.field}: {says}{more}"


def listing_of(answer: Answer, outputs_dir: Path) -> Listing:
    """The listing of a worker's answer, its paths made relative to `outputs_dir`."""
    below = _below(str(outputs_dir))
    texts = zip(answer.records, answer.display_options, strict=True)
    return Listing(
        tuple(_plain_record(record, text, below) for record, text in texts),
        None if answer.skipped is None else frozenset(map(below, answer.skipped)),
        None if answer.problems is None else frozenset(map(below, answer.problems)),
    )


def listing_of_expected(expected: Expected, *, as_old_records: bool = False) -> Listing:
    """What the tree was generated to answer; with the old records' display text where those are meant."""
    return Listing(
        tuple(_expected_record(entry, as_old_records=as_old_records) for entry in expected.entries),
        frozenset(expected.skipped),
        frozenset(expected.problems),
    )


def compare(left: Listing, right: Listing, *, fields: Sequence[str] = ENTRY_FIELDS) -> tuple[Difference, ...]:
    """Every difference of two listings: paths first, then the order, then the fields, then what is left out.

    Numbers compare exactly, NaN equals NaN, a bool equals only a bool. A field that a record lacks differs
    from one that it has. `skipped` and `problems` are compared where both tell them.
    """
    return tuple(_differences(left, right, fields))


def against_expected(
    listing: Listing, expected: Expected, *, fields: Sequence[str] = ENTRY_FIELDS, as_old_records: bool = False
) -> tuple[Difference, ...]:
    """Every difference of a listing (left) from what the tree was generated to answer (right)."""
    return compare(listing, listing_of_expected(expected, as_old_records=as_old_records), fields=fields)


def _below(outputs_dir: str) -> Callable[[str], str]:
    prefix = outputs_dir.rstrip("/") + "/"

    def below(path: str) -> str:
        if path == outputs_dir:
            return "."
        return path.removeprefix(prefix)

    return below


def _plain_record(
    record: Mapping[str, object], text: str | None, below: Callable[[str], str]
) -> dict[str, object]:
    plain: dict[str, object] = dict(record) if text is None else {**record, DISPLAY: text}
    for name in (PATH, "config_path"):
        value = plain.get(name)
        if isinstance(value, str):
            plain[name] = below(value)
    return plain


def _expected_record(entry: ExpectedEntry, *, as_old_records: bool) -> dict[str, object]:
    record: dict[str, object] = {name: getattr(entry, name) for name in ENTRY_FIELDS}
    if as_old_records:
        record[DISPLAY] = entry.legacy_display_option
    return record


def _differences(left: Listing, right: Listing, fields: Sequence[str]) -> Iterator[Difference]:
    left_paths, right_paths = _paths(left), _paths(right)
    yield from _membership(left_paths, right_paths)
    if Counter(left_paths) == Counter(right_paths):
        yield from _order(left_paths, right_paths)
    right_by_path = dict(zip(right_paths, right.entries, strict=True))
    for path, record in zip(left_paths, left.entries, strict=True):
        if path in right_by_path:
            yield from _fields(path, record, right_by_path[path], fields)
    for name, ours, theirs in (
        ("skipped", left.skipped, right.skipped),
        ("problems", left.problems, right.problems),
    ):
        if ours is not None and theirs is not None:
            yield from _sets(name, ours, theirs)


def _paths(listing: Listing) -> list[str]:
    return [str(record.get(PATH, ABSENT)) for record in listing.entries]


def _membership(left: Sequence[str], right: Sequence[str]) -> Iterator[Difference]:
    ours, theirs = Counter(left), Counter(right)
    for path in sorted(ours.keys() | theirs.keys()):
        if ours[path] != theirs[path]:
            yield Difference(path, "listed", _times(ours[path]), _times(theirs[path]))


def _times(count: int) -> str:
    return {0: "not listed", 1: "listed"}.get(count, f"listed {count} times")


def _order(left: Sequence[str], right: Sequence[str]) -> Iterator[Difference]:
    for position, (ours, theirs) in enumerate(zip(left, right, strict=True)):
        if ours != theirs:
            yield Difference(ours, "order", f"{ours} at place {position}", f"{theirs} there")
            return


def _fields(
    path: str, left: Mapping[str, object], right: Mapping[str, object], fields: Sequence[str]
) -> Iterator[Difference]:
    for name in fields:
        if not _is_same(left.get(name, ABSENT), right.get(name, ABSENT)):
            yield Difference(path, name, _say(left.get(name, ABSENT)), _say(right.get(name, ABSENT)))


def _is_same(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right):
        return True
    return left == right


def _say(value: object) -> str:
    return ABSENT if value is ABSENT else repr(value)


def _sets(name: str, left: frozenset[str], right: frozenset[str]) -> Iterator[Difference]:
    for path in sorted(left ^ right):
        told, untold = f"told in {name}", f"not in {name}"
        yield Difference(path, name, told if path in left else untold, told if path in right else untold)
