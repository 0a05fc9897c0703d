"""A sidecar's facts: under which names it may stand, and when its document is believed."""

from __future__ import annotations

from typing import Any

from catalog.contract import SILENT, accept_text
from catalog.documents import DocumentError
from catalog.layout import stem_of

SIDECAR_SUFFIX = ".metadata.yaml"
_OLDER_SUFFIX = ".metadata.json"
_REMEDY = "write it anew with save_metadata, or delete it"


def sidecar_names(file_name: str) -> tuple[str, str, str]:
    """The names under which the sidecar of a checkpoint may stand beside it, first choice first."""
    stem = stem_of(file_name)
    return (stem + SIDECAR_SUFFIX, file_name + SIDECAR_SUFFIX, stem + _OLDER_SUFFIX)


def believe(value: object) -> dict[Any, Any]:
    """The facts of a sidecar's document, its encoder in the V1 form. The document itself stays untouched.

    Raises `DocumentError` where it is no mapping, or of a schema version that this reader does not know.
    """
    if not isinstance(value, dict):
        raise DocumentError(
            "a mapping", "an empty document" if value is None else type(value).__name__, _REMEDY
        )
    version = value.get("schema_version")
    if version != "1.0" and not _is_unversioned(version):
        raise DocumentError("schema_version '1.0'", repr(version)[:60], _REMEDY)
    model = value.get("model")
    if isinstance(model, dict) and not isinstance(model.get("encoder", model), dict):
        return {**value, "model": {**model, "encoder": {"model_name": model["encoder"]}}}
    return value


def _is_unversioned(version: object) -> bool:
    return (isinstance(version, float) and version == 1.0) or accept_text(version) is SILENT
