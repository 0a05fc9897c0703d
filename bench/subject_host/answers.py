"""An answer of anybody's as plain values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .errors import AnswerError, suggestion
from .field_map import ABSENT, ANSWER_FIELDS, CONTRACT_FIELDS, DISPLAY, RECORD_FIELDS, FieldMap, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_MAP = FieldMap({})
"""Every field by the contract's name for it."""

_WHERE = "what it returned"


def records_of(answer: object, field_map: FieldMap = NO_MAP) -> Iterable[Any]:
    """The records of an answer: itself, or what stands in it as `records`. Raises AnswerError for others."""
    held = field_map.read(answer, "records")
    is_held = held is not ABSENT and (isinstance(answer, Mapping) or "records" in field_map.mapped)
    records = held if is_held or not isinstance(answer, Iterable) else answer
    if isinstance(records, Iterable) and not isinstance(records, (str, bytes, Mapping)):
        return records
    remedy = "return a list of records, or an object or a mapping that has them as records"
    if callable(answer):
        remedy += "; if it makes the catalog, write () after its name: module:make()"
    found = f"{type(answer).__name__} {answer!r:.80}"
    if answer is not None and held is not ABSENT:
        found = f"records of type {type(held).__name__}"
    raise AnswerError(_WHERE, "records", found, remedy)


def digest_of(answer: dict[str, Any]) -> str:
    """What tells one plain answer from another: 1, 1.0 and True differ."""
    return sha256(repr(answer).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def plain_answer(answer: object, records: Sequence[object], field_map: FieldMap = NO_MAP) -> dict[str, Any]:
    """An answer as plain values: each record's contract fields and display text, and the paths beside them.

    `skipped` and `problems` are None where the answer does not tell them. `other_names` are those that the
    first record has besides. Raises AnswerError where the map leads to a name that nothing has.
    """
    _check_map(answer, records, field_map)
    return {
        "records": _plain_records(records, field_map),
        "display_options": [_display_option(record, field_map) for record in records],
        "skipped": _paths(answer, "skipped", field_map),
        "problems": _paths(answer, "problems", field_map),
        "other_names": _other_names(records, field_map),
    }


def _check_map(answer: object, records: Sequence[object], field_map: FieldMap) -> None:
    for ours, theirs in field_map.mapped.items():
        holders = [answer] if ours in ANSWER_FIELDS else records
        if holders and all(field_map.read(holder, ours) is ABSENT for holder in holders):
            names = names_in(holders[0])
            found = f"no such name in any record, but {', '.join(names) or 'no names at all'}"
            raise AnswerError(f"--map {theirs}={ours}", theirs, found, suggestion(theirs, names))


def _other_names(records: Sequence[object], field_map: FieldMap) -> list[str]:
    known = {*RECORD_FIELDS, *field_map.mapped.values(), "provenance"}
    return [name for name in names_in(records[0]) if name not in known] if records else []


def _plain_records(records: Sequence[object], field_map: FieldMap) -> list[dict[str, Any]]:
    """Each record's contract fields; what some records have is None in those that leave it out."""
    rows = [{name: field_map.read(record, name) for name in CONTRACT_FIELDS} for record in records]
    told = [name for name in CONTRACT_FIELDS if any(row[name] is not ABSENT for row in rows)]
    return [{name: None if row[name] is ABSENT else _plain(row[name]) for name in told} for row in rows]


def _display_option(record: object, field_map: FieldMap) -> str | None:
    text = field_map.read(record, DISPLAY)
    if text is not ABSENT:
        return None if text is None else str(text)
    method = getattr(record, "to_display_option", None)
    return None if method is None else str(method())


def _paths(answer: object, name: str, field_map: FieldMap) -> list[str] | None:
    items = field_map.read(answer, name)
    return None if items is ABSENT or items is None else [_path_of(item) for item in items]


def _path_of(item: object) -> str:
    """The path of something skipped or damaged: a path itself, or a record that has one."""
    for name in ("checkpoint_path", "path"):
        value = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
        if value is not None:
            return str(os.fspath(value))
    return str(item)


def _plain(value: object) -> object:
    """A value that JSON keeps apart from every other; a foreign type is told by name, so that it shows."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return f"<{type(value).__name__} {value!r}>"
