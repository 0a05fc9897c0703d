"""Their names and the contract's: where in a record, or in an answer, each value stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import SubjectError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTRACT_FIELDS = (
    "checkpoint_path", "config_path", "display_name", "architecture", "backbone", "exp_name", "epochs",
    "hmean", "precision", "recall", "created_timestamp", "monitor", "monitor_mode", "score", "has_metadata",
)  # fmt: skip
"""The fields of a record that are compared: all of the contract's but `provenance`."""

DISPLAY = "display_option"
"""The display text, where it stands in a record and is not what `to_display_option()` returns."""

RECORD_FIELDS = (*CONTRACT_FIELDS, DISPLAY)

ANSWER_FIELDS = ("records", "skipped", "problems")
"""What an answer tells: its records, where it is not itself their iterable, and the paths beside them."""

ABSENT = object()


class FieldMap:
    """Reads contract fields by their names, or by theirs where `theirs` (dotted) leads to `ours`.

    `first_steps` are the names that are read of a record itself for all of its fields. Raises SubjectError for
    a name that the contract has not.
    """

    def __init__(self, field_map: Mapping[str, str], target: str = "the map") -> None:
        known = (*RECORD_FIELDS, *ANSWER_FIELDS)
        self.mapped: dict[str, str] = {}
        for theirs, ours in field_map.items():
            if ours not in known:
                remedy = suggestion(ours, known, f"write one of {', '.join(known)}")
                raise SubjectError(target, "--map theirs=ours, ours a name of the contract", repr(ours), remedy)
            self.mapped[ours] = theirs
        self._steps = {name: tuple(self.mapped.get(name, name).split(".")) for name in known}
        self.first_steps = tuple(self._steps[name][0] for name in CONTRACT_FIELDS)

    def read(self, holder: object, name: str) -> Any:
        """The value of a contract field, or ABSENT. A step that is None on the way is a value that is None."""
        value: Any = holder
        for step in self._steps[name]:
            if value is None:
                return None
            value = _value(value, step)
            if value is ABSENT:
                return ABSENT
        return value


def _value(holder: object, name: str) -> Any:
    return holder.get(name, ABSENT) if isinstance(holder, Mapping) else getattr(holder, name, ABSENT)


def names_in(record: object, above: str = "") -> list[str]:
    """The names of a record's values, those of mappings and objects in it dotted: for messages and remedies."""
    found = []
    for name in _names_of(record):
        if isinstance(name, str) and not name.startswith("_"):
            found.append(above + name)
            value = _value(record, name)
            if not above and isinstance(value, Mapping):
                found.extend(names_in(value, f"{name}."))
    return found


def _names_of(record: object) -> Iterable[Any]:
    if isinstance(record, Mapping):
        return record
    for attribute in ("__struct_fields__", "_fields"):  # msgspec's structs, named tuples
        if hasattr(type(record), attribute):
            return tuple(getattr(type(record), attribute))
    return tuple(vars(record)) if hasattr(record, "__dict__") else getattr(type(record), "__slots__", ())
