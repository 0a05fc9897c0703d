"""A catalog as text: a table for people, JSON for programs. Computes nothing, prints nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.records import CheckpointCatalog, CheckpointCatalogEntry, Provenance, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from catalog.validator import ValidationReport

_PIECE = 64
"""So many usual entries as JSON stay below what glibc asks the system for anew each time (128 kB)."""

_COLUMNS = ("epochs", "hmean", "score", "created", "architecture", "backbone", "metadata", "checkpoint")


def as_json(value: object) -> str:
    """Any of the records as JSON; a path whose bytes are no UTF-8 shows them as escapes."""
    return _encoder()(value)


def _encoder() -> Callable[[object], str]:
    """`as_json` for one value after the other."""
    encode = msgspec.json.Encoder(enc_hook=_plain_once()).encode

    def encoded(value: object) -> str:
        try:
            return encode(value).decode()
        except UnicodeEncodeError:
            return msgspec.json.encode(_escaped(msgspec.to_builtins(value, enc_hook=_plain))).decode()

    return encoded


def _plain_once() -> Callable[[object], object]:
    """`_plain`, but each provenance is encoded once: thousands of entries share one."""
    encoded: dict[int, msgspec.Raw] = {}

    def plain(value: object) -> object:
        if type(value) is not Provenance:
            return str(value)
        known = encoded.get(id(value))
        if known is None:
            known = encoded[id(value)] = msgspec.Raw(msgspec.json.encode(value.to_dict()))
        return known

    return plain


def _plain(value: object) -> object:
    return value.to_dict() if type(value) is Provenance else str(value)


def _path_text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return _path_text(value)
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    if isinstance(value, dict):
        return {_path_text(key): _escaped(one) for key, one in value.items()}
    return value


def catalog_json(catalog: CheckpointCatalog, entries: Sequence[CheckpointCatalogEntry]) -> Iterator[str]:
    """The selected entries, and what the whole catalog left out or found damaged, piece by piece.

    Memory that is used again costs nothing; the whole text at once would be the largest thing here.
    """
    encode = _encoder()
    head = {
        "outputs_dir": catalog.outputs_dir,
        "total_count": catalog.total_count,
        "metadata_available_count": catalog.metadata_available_count,
        "catalog_build_time_seconds": catalog.catalog_build_time_seconds,
    }
    yield encode(head).removesuffix("}") + ',"entries":['
    for begin in range(0, len(entries), _PIECE):
        yield ("," if begin else "") + encode(entries[begin : begin + _PIECE])[1:-1]
    yield "]," + encode({"skipped": catalog.skipped, "problems": catalog.problems}).removeprefix("{")


def table(entries: Iterable[CheckpointCatalogEntry], outputs_dir: Path) -> str:
    """One line an entry under a heading; paths are below the outputs directory."""
    rows = [_COLUMNS, *(_row(entry, outputs_dir) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )


def _row(entry: CheckpointCatalogEntry, outputs_dir: Path) -> tuple[str, ...]:
    return (
        str(entry.epochs),
        "-" if entry.hmean is None else f"{entry.hmean:.4f}",
        "-" if entry.score is None else f"{entry.score:.4g}",
        entry.created_timestamp,
        printable(entry.architecture),
        printable(entry.backbone),
        "yes" if entry.has_metadata else "no",
        printable(str(entry.checkpoint_path.relative_to(outputs_dir))),
    )


def summary(catalog: CheckpointCatalog, shown: int) -> str:
    """What the table left unsaid: how many there are, were left out, or are damaged, and the time."""
    parts = [f"{shown} of {catalog.total_count} checkpoints shown"]
    if catalog.skipped:
        parts.append(f"{len(catalog.skipped)} left out")
    if catalog.problems:
        parts.append(f"{len(catalog.problems)} problems")
    parts.append(f"metadata coverage {catalog.metadata_coverage_percent:.1f} %")
    parts.append(f"built in {catalog.catalog_build_time_seconds * 1e3:.1f} ms")
    return ", ".join(parts)


def details(entry: CheckpointCatalogEntry) -> str:
    """Every field of an entry, each with the source that told it."""
    rows = []
    for name in CheckpointCatalogEntry.__struct_fields__:
        if name == "provenance":
            continue
        value = getattr(entry, name)
        text = "-" if value is None else printable(str(value))
        rows.append((name, text, entry.provenance.get(name, "")))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{name:<{widths[0]}}  {text:<{widths[1]}}  {source}".rstrip() for name, text, source in rows
    )


def coverage(catalog: CheckpointCatalog) -> dict[str, Any]:
    """How much of a catalog its metadata tells: counts, percent, sources, and who lacks a sidecar."""
    told = Counter(source for entry in catalog.entries for source in set(entry.provenance.values()))
    lacking = [entry.checkpoint_path for entry in catalog.entries if not entry.has_metadata]
    return {
        "outputs_dir": catalog.outputs_dir,
        "total_count": catalog.total_count,
        "metadata_available_count": catalog.metadata_available_count,
        "metadata_coverage_percent": catalog.metadata_coverage_percent,
        "entries_by_source": dict(sorted(told.items())),
        "without_metadata": lacking,
    }


def coverage_text(catalog: CheckpointCatalog) -> str:
    """The same for people."""
    told = coverage(catalog)
    counts = f"{told['metadata_available_count']} of {told['total_count']} listed checkpoints"
    lines = [f"{counts} have metadata ({told['metadata_coverage_percent']:.1f} %)"]
    lines += [
        f"  {source:<14} told something about {count}" for source, count in told["entries_by_source"].items()
    ]
    if told["without_metadata"]:
        lines.append("without metadata (save_metadata writes it):")
        lines += [f"  {printable(str(path))}" for path in told["without_metadata"]]
    return "\n".join(lines)


def validation(reports: Iterable[ValidationReport]) -> list[dict[str, Any]]:
    """What is wrong with each sidecar, as plain values."""
    return [
        {
            "path": report.path,
            "errors": [
                {"key": error.key, "expected": error.expected, "found": error.found, "remedy": error.remedy}
                for error in report.errors
            ],
            "warnings": report.warnings,
        }
        for report in reports
    ]


def validation_text(reports: Sequence[ValidationReport]) -> str:
    """The same for people: one line a fault, then the count."""
    lines = [printable(str(error)) for report in reports for error in report.errors]
    lines += [printable(f"{report.path}: {warning}") for report in reports for warning in report.warnings]
    faulty = sum(not report.is_valid for report in reports)
    return "\n".join([*lines, f"{len(reports)} sidecars, {faulty} of them break the schema"])
