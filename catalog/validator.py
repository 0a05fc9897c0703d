"""Holds sidecars to schema V1 and tells every place where one breaks it, not only the first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from catalog.schema import (
    CheckpointMetadataV1,
    MetadataError,
    normalised,
    read_mapping,
    schema_errors,
)

SIDECAR_ENDINGS = (".metadata.yaml", ".metadata.json")


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one sidecar (`errors`), and what is odd about it (`warnings`)."""

    path: Path | None
    errors: tuple[MetadataError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether the sidecar keeps the schema, odd or not."""
        return not self.errors


class MetadataValidator:
    """Validates sidecars as mappings, as files, or as all that stand below a folder.

    `read` turns a path into a mapping and raises `MetadataError` where it cannot.
    """

    def __init__(self, read: Callable[[Path], Mapping[Any, Any]] = read_mapping) -> None:
        self._read = read

    def validate_metadata(self, metadata: Mapping[Any, Any], path: Path | None = None) -> ValidationReport:
        """Hold a mapping to the schema; `path` is named in what is found."""
        errors = tuple(schema_errors(normalised(metadata), path))
        strangers = _unknown_keys(CheckpointMetadataV1, metadata, "")
        warnings = tuple(f"{key}: the schema has no such key" for key in strangers)
        return ValidationReport(path=path, errors=errors, warnings=warnings)

    def validate_file(self, path: Path) -> ValidationReport:
        """Hold a file to the schema, and to the limits of metadata files."""
        path = Path(path)
        alone = () if _has_checkpoint(path) else ("no checkpoint beside it",)
        try:
            metadata = self._read(path)
        except MetadataError as error:
            return ValidationReport(path=path, errors=(error,), warnings=alone)
        report = self.validate_metadata(metadata, path)
        return msgspec.structs.replace(report, warnings=report.warnings + alone)

    def validate_directory(self, root: Path) -> list[ValidationReport]:
        """Hold every sidecar below a folder to the schema, in the order of their paths.

        Folder symlinks are not followed. Raises `OSError` where `root` itself cannot be listed; a folder
        below it that cannot be is an error in a report of its own.
        """
        os.listdir(root)
        locked: list[OSError] = []
        found = [
            Path(folder, name)
            for folder, _, names in os.walk(root, onerror=locked.append)
            for name in names
            if name.endswith(SIDECAR_ENDINGS)
        ]
        reports = [self.validate_file(path) for path in sorted(found)]
        return reports + [_locked_report(error) for error in locked]


def _locked_report(error: OSError) -> ValidationReport:
    path = Path(os.fsdecode(error.filename))
    found = MetadataError(
        path, "", "a folder that can be read", str(error.strerror), "grant the right to read it"
    )
    return ValidationReport(path=path, errors=(found,))


def _unknown_keys(kind: type[msgspec.Struct], metadata: Mapping[Any, Any], prefix: str) -> Iterator[str]:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in metadata.items():
        below = fields.get(key)
        if key not in fields:
            yield f"{prefix}{key}"
        elif isinstance(below, type) and issubclass(below, msgspec.Struct) and isinstance(value, Mapping):
            yield from _unknown_keys(below, value, f"{prefix}{key}.")


def _has_checkpoint(sidecar: Path) -> bool:
    """Whether a checkpoint stands there that has this file among the names of its sidecar."""
    for ending in SIDECAR_ENDINGS:
        if sidecar.name.endswith(ending):
            name = sidecar.name.removesuffix(ending)
            is_whole_name = ending == ".metadata.yaml" and name.endswith(".ckpt")
            names = [f"{name}.ckpt", name] if is_whole_name else [f"{name}.ckpt"]
            return any((sidecar.parent / one).exists() for one in names)
    return True
