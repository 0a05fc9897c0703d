"""The entries of a catalog as columns, the form in which an index file keeps them.

Columns are read without a tuple for each row, and what many entries share is kept once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from catalog.paths_below import maker_below
from catalog.records import CheckpointCatalogEntry, MonitorMode, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_Value = TypeVar("_Value")
_Numbers = list[Annotated[int, msgspec.Meta(ge=0)]]
_Shared = tuple[list[_Value], _Numbers]
"""A column of which each value is kept once: the values, and which of them stands in each row."""

# Plain tuples: a program that lists a small tree would wait a millisecond for the types of named ones.
Columns = tuple[
    _Shared[str],  # the checkpoint's folder, below the outputs directory
    list[str],  # its name
    _Shared[str | None],  # config_path, below the outputs directory
    list[str],  # display_name
    _Shared[str],  # architecture
    _Shared[str],  # backbone
    _Shared[str],  # exp_name
    list[int],  # epochs
    _Shared[str],  # created_timestamp
    list[float | None],  # hmean
    list[float | None],  # precision
    list[float | None],  # recall
    _Shared[str | None],  # monitor
    _Shared[MonitorMode | None],  # monitor_mode
    list[float | None],  # score
    list[bool],  # has_metadata
    _Shared[dict[str, str]],  # provenance
]


def entries_of(columns: Columns, root: Path) -> list[CheckpointCatalogEntry]:
    """The entries, their paths below `root`. Raises `LookupError` or `ValueError` for columns of none."""
    rows = {len(column[1]) if isinstance(column, tuple) else len(column) for column in columns}
    if len(rows) != 1:
        raise ValueError("columns of several lengths")
    below = maker_below(root)
    folders, names, (configs, config_numbers), *others, (provenances, provenance_numbers) = columns
    config_paths = [None if path is None else below(*_split(path)) for path in configs]
    return list(
        map(
            CheckpointCatalogEntry,
            map(below, _column(folders), names),
            _column((config_paths, config_numbers)),
            *map(_column, others),
            _column(([Provenance(one) for one in provenances], provenance_numbers)),
        )
    )


def columns_of(entries: Sequence[CheckpointCatalogEntry], text: Callable[[Path], str]) -> Columns:
    """The columns of entries; `text` tells a path's text below the outputs directory."""
    places = [_split(text(one.checkpoint_path)) for one in entries]
    configs, config_numbers = _shared(one.config_path for one in entries)
    # Provenances are shared by identity: as mappings they have no hash.
    provenances = {id(one.provenance): one.provenance for one in entries}
    return (
        _shared(folder for folder, _ in places),
        [name for _, name in places],
        ([None if one is None else text(one) for one in configs], config_numbers),
        [one.display_name for one in entries],
        _shared(one.architecture for one in entries),
        _shared(one.backbone for one in entries),
        _shared(one.exp_name for one in entries),
        [one.epochs for one in entries],
        _shared(one.created_timestamp for one in entries),
        [one.hmean for one in entries],
        [one.precision for one in entries],
        [one.recall for one in entries],
        _shared(one.monitor for one in entries),
        _shared(one.monitor_mode for one in entries),
        [one.score for one in entries],
        [one.has_metadata for one in entries],
        ([one.to_dict() for one in provenances.values()], _shared(id(one.provenance) for one in entries)[1]),
    )


def _shared(values: Iterable[_Value]) -> _Shared[_Value]:
    numbers: dict[_Value, int] = {}
    rows = [numbers.setdefault(value, len(numbers)) for value in values]
    return list(numbers), rows


def _column(column: Any) -> Iterable[Any]:
    """The values of a column's rows. Raises `IndexError` for a number that leads nowhere."""
    if isinstance(column, list):
        return column
    values, numbers = column
    return map(values.__getitem__, numbers)


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name
