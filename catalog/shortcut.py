"""The short way to an entry: a V1 sidecar that tells every field, so that no other source is asked.

The long way is `merge`, which gives the same entry; it is taken wherever this one answers `None`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from catalog import excerpt
from catalog.contract import (
    FIELDS,
    SCORE_METRICS,
    SILENT,
    UNUSABLE,
    Source,
    accept_loss,
    accept_moment,
)
from catalog.layout import stem_of
from catalog.merge import shared_provenance
from catalog.records import Answer, CheckpointCatalogEntry
from catalog.scalars import Unproven
from catalog.sidecar import SIDECAR_SUFFIX

if TYPE_CHECKING:
    from catalog.evidence import Reader
    from catalog.excerpt import Excerpt
    from catalog.records import Kind
    from catalog.scan import Folder

_BY_SIDECAR: Final = tuple((row.field, Source.SIDECAR.value) for row in FIELDS)
_ALL_TOLD = shared_provenance(_BY_SIDECAR)
_SCORE_TOLD = shared_provenance((*_BY_SIDECAR, ("score", Source.SIDECAR.value)))


def by_sidecar(reader: Reader, folder: Folder, file_name: str, kind: Kind) -> Answer | None:
    """The answer by the sidecar of first choice alone; `None` where there is none, or it does not tell all."""
    sidecar = stem_of(file_name) + SIDECAR_SUFFIX
    if sidecar not in folder.files or kind == "nothing":
        return None
    path = folder.below(sidecar)
    try:
        told = excerpt.read(reader.data(path))
    except OSError:
        return None
    entry = None if told is None else _entry(reader, folder.path, file_name, told)
    return None if entry is None else Answer(folder.below(file_name), entry, None, (), kind, (path,))


def _entry(reader: Reader, folder: str, file_name: str, told: Excerpt) -> CheckpointCatalogEntry | None:
    if not told.epoch:
        return None
    created = accept_moment(told.created_at)
    if not isinstance(created, str) or not (
        0.0 <= told.hmean <= 1.0 and 0.0 <= told.precision <= 1.0 and 0.0 <= told.recall <= 1.0
    ):
        return None
    try:
        score = _score(told)
    except Unproven:
        return None
    config_path = reader.config_path(folder, file_name)
    return CheckpointCatalogEntry(
        checkpoint_path=reader.path_below(folder, file_name),
        config_path=None if config_path is None else reader.absolute_path(config_path),
        display_name=stem_of(file_name),
        architecture=told.architecture,
        backbone=told.encoder,
        exp_name=told.exp_name,
        epochs=told.epoch,
        created_timestamp=created,
        hmean=told.hmean,
        precision=told.precision,
        recall=told.recall,
        monitor=told.monitor,
        monitor_mode=told.mode,  # type: ignore[arg-type]  # one of the two
        score=score,
        has_metadata=True,
        provenance=_ALL_TOLD if score is None else _SCORE_TOLD,
    )


def _score(told: Excerpt) -> float | None:
    """This checkpoint's value of its monitor. Raises `Unproven` where the long way must decide."""
    own = told.additional_metric(told.monitor)
    if own is not None:
        if not math.isfinite(own):
            raise Unproven
        return own
    metric, _ = SCORE_METRICS.get(told.monitor.rpartition("/")[2], (None, None))
    if metric is None:
        return None
    value = getattr(told, metric)
    if value is None or accept_loss(value) in (SILENT, UNUSABLE):
        raise Unproven
    return float(value)
