"""Which entries a person asked for: conditions, the best of each group, order, number."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.records import CheckpointCatalogEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELDS = tuple(CheckpointCatalogEntry.__struct_fields__)
NUMERIC_FIELDS = ("epochs", "hmean", "precision", "recall", "score")
GROUPS = {"experiment": "exp_name", "architecture": "architecture", "backbone": "backbone"}

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
# `str` of what the table shows as yes and no, and JSON as true and false
_TRUTHS = {"yes": "True", "true": "True", "no": "False", "false": "False"}
_CONDITION = re.compile(r"\s*(\w+)\s*(>=|<=|!=|==|=|>|<)\s*(.+?)\s*")


class SelectionError(ValueError):
    """A condition that cannot be understood; says what would be."""


class Condition(msgspec.Struct, frozen=True):
    """`field operator value`; a field that is not told fulfils none."""

    field: str
    compare: Callable[[Any, Any], bool]
    value: str | float

    def holds(self, entry: CheckpointCatalogEntry) -> bool:
        """Whether an entry fulfils it."""
        found = getattr(entry, self.field)
        if found is None:
            return False
        return self.compare(found if self.field in NUMERIC_FIELDS else str(found), self.value)


def parse_condition(text: str) -> Condition:
    """`hmean>0.9` and the like. Raises `SelectionError`."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise SelectionError(f"{text!r}: expected FIELD OPERATOR VALUE, as in 'hmean>0.9'")
    name, sign, value = match.groups()
    if name not in FIELDS:
        raise SelectionError(f"{text!r}: expected one of {', '.join(FIELDS)}, found {name!r}")
    if name not in NUMERIC_FIELDS:
        plain = value.strip("'\"")
        if name == "has_metadata":
            if plain.lower() not in _TRUTHS:
                raise SelectionError(f"{text!r}: expected yes or no for {name}, found {value!r}")
            plain = _TRUTHS[plain.lower()]
        return Condition(name, _OPERATORS[sign], plain)
    from catalog.contract import accept_number  # most lists are asked for without a condition

    accepted = accept_number(value)
    if not isinstance(accepted, float):
        raise SelectionError(f"{text!r}: expected a finite number for {name}, found {value!r}")
    return Condition(name, _OPERATORS[sign], accepted)


class Selection(msgspec.Struct, frozen=True):
    """What to keep of a catalog; `best` and `sort` name a field, `per` a key of `GROUPS`."""

    experiment: str | None = None
    architecture: str | None = None
    conditions: Sequence[Condition] = ()
    best: str | None = None
    per: str | None = None
    sort: str | None = None
    limit: int | None = None

    def apply(self, entries: Iterable[CheckpointCatalogEntry]) -> list[CheckpointCatalogEntry]:
        """The selected entries: filtered, then the best kept, then sorted, then cut."""
        is_filtering = self.experiment is not None or self.architecture is not None or self.conditions
        kept = list(filter(self._matches, entries) if is_filtering else entries)
        if self.best is not None:
            kept = _best(kept, self.best, GROUPS[self.per] if self.per else None)
        if self.sort is not None:
            kept = _sorted(kept, self.sort)
        return kept if self.limit is None else kept[: self.limit]

    def _matches(self, entry: CheckpointCatalogEntry) -> bool:
        return (
            (self.experiment is None or fnmatch.fnmatchcase(entry.exp_name, self.experiment))
            and (self.architecture is None or entry.architecture == self.architecture)
            and all(condition.holds(entry) for condition in self.conditions)
        )


def _best(
    entries: Iterable[CheckpointCatalogEntry], metric: str, group: str | None
) -> list[CheckpointCatalogEntry]:
    """The best entry of each group by a metric; entries that do not tell it are no candidates."""
    found: dict[object, CheckpointCatalogEntry] = {}
    for entry in entries:
        name = getattr(entry, group) if group else None
        if getattr(entry, metric) is None:
            continue
        if name not in found or _merit(entry, metric) > _merit(found[name], metric):
            found[name] = entry
    return list(found.values())


def _merit(entry: CheckpointCatalogEntry, metric: str) -> float:
    """Higher is better; a score is better when lower if its monitor is minimised."""
    value = float(getattr(entry, metric))
    return -value if metric == "score" and entry.monitor_mode == "min" else value


def _sorted(entries: Iterable[CheckpointCatalogEntry], order: str) -> list[CheckpointCatalogEntry]:
    """By a field, ascending, or descending for `-field`; what is not told comes last."""
    name = order.removeprefix("-")
    told = []
    untold = []
    for entry in entries:
        value = getattr(entry, name)
        if value is None:
            untold.append(entry)
        else:
            told.append((value if name in NUMERIC_FIELDS else str(value), entry))
    told.sort(key=operator.itemgetter(0), reverse=order.startswith("-"))
    return [entry for _, entry in told] + untold
