"""Schema V1 of a sidecar: its records, strict reading, atomic writing.

The catalog asks a sidecar for single values and believes what it can; here a whole document is held to
everything that the contract says of it.
"""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from catalog.documents import DocumentError, read_document
from catalog.records import MonitorMode, printable

logger = logging.getLogger(__name__)

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Params: TypeAlias = dict[Any, Any]


class TrainingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How far training had come; `epoch` counts from 0."""

    epoch: Count
    global_step: Count
    training_phase: Literal["training", "validation", "finetuning"] = "training"
    max_epochs: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None


class EncoderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The backbone."""

    model_name: str
    pretrained: bool = True
    frozen: bool = False


class DecoderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between backbone and head; channels are counts."""

    name: str
    in_channels: list[int] | None = None
    inner_channels: int | None = None
    output_channels: int | None = None
    params: Params | None = None


class HeadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction head."""

    name: str
    in_channels: int | None = None
    params: Params | None = None


class LossInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The loss that was trained with."""

    name: str
    params: Params | None = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The network in its parts."""

    architecture: str
    encoder: EncoderInfo
    decoder: DecoderInfo
    head: HeadInfo
    loss: LossInfo


class MetricsInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How well it did; shares in [0, 1], `additional_metrics` by the name under which they were logged."""

    precision: Share | None = None
    recall: Share | None = None
    hmean: Share | None = None
    validation_loss: Annotated[float, Meta(ge=0)] | None = None
    additional_metrics: dict[str, float] | None = None


class CheckpointingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What decided that this checkpoint was kept."""

    monitor: str
    mode: MonitorMode
    save_top_k: Annotated[int, Meta(ge=-1)] = 1
    save_last: bool = True


class CheckpointMetadataV1(msgspec.Struct, frozen=True, kw_only=True):
    """A whole sidecar; `created_at` is a date or a date and time in ISO 8601."""

    schema_version: Literal["1.0"] = "1.0"
    checkpoint_path: str
    exp_name: str
    created_at: str
    training: TrainingInfo
    model: ModelInfo
    metrics: MetricsInfo
    checkpointing: CheckpointingConfig
    hydra_config_path: str | None = None
    wandb_run_id: str | None = None


class MetadataError(ValueError):
    """Where a sidecar breaks the schema: file, dotted key (empty: the whole file), and what mends it."""

    def __init__(self, path: Path | None, key: str, expected: str, found: str, remedy: str = "mend it") -> None:
        place = ": ".join(part for part in (str(path or ""), key) if part) or "metadata"
        super().__init__(printable(f"{place}: expected {expected}, found {found}; {remedy}"))
        self.path = path
        self.key = key
        self.expected = expected
        self.found = found
        self.remedy = remedy


def load_metadata(checkpoint_path: Path) -> CheckpointMetadataV1 | None:
    """The sidecar of a checkpoint, `None` where there is none. Raises `MetadataError`."""
    sidecar = find_sidecar(Path(checkpoint_path))
    if sidecar is None:
        return None
    document = normalised(read_mapping(sidecar))
    for error in schema_errors(document, sidecar):
        raise error
    return msgspec.convert(document, CheckpointMetadataV1)


def load_metadata_batch(checkpoint_paths: Iterable[Path]) -> dict[Path, CheckpointMetadataV1 | None]:
    """The sidecars of many checkpoints; one that breaks the schema is `None` and a line at WARNING."""
    loaded: dict[Path, CheckpointMetadataV1 | None] = {}
    for path in checkpoint_paths:
        try:
            loaded[path] = load_metadata(path)
        except MetadataError as error:
            logger.warning("%s", error)
            loaded[path] = None
    return loaded


def save_metadata(metadata: CheckpointMetadataV1, checkpoint_path: Path) -> Path:
    """Write a checkpoint's sidecar, whole or not at all, and return its path.

    Keys that are `None` are left out; what stands in `params` is written as it is. Raises `MetadataError` for
    a record that breaks the schema or would not be read back the same, `OSError` where it cannot be written.
    """
    import yaml

    target = sidecar_paths(Path(checkpoint_path))[0]
    try:
        document = normalised(_plain(metadata))
        for error in schema_errors(document, target):
            raise error
        # Some line separators are read back as spaces unless they are escaped, as all else then is.
        texts = (yaml.safe_dump(document, sort_keys=False, allow_unicode=shown) for shown in (True, False))
        _write_atomically(target, texts, document)
    except (yaml.YAMLError, RecursionError) as error:
        raise MetadataError(target, "", "values that YAML can hold", str(error), "use plain values") from error
    return target


def sidecar_paths(checkpoint_path: Path) -> tuple[Path, Path, Path]:
    """Where the sidecar of a checkpoint may stand, in the contract's order."""
    name = checkpoint_path.name
    stem = name.removesuffix(".ckpt") or name
    first, second, third = f"{stem}.metadata.yaml", f"{name}.metadata.yaml", f"{stem}.metadata.json"
    folder = checkpoint_path.parent
    return folder / first, folder / second, folder / third


def find_sidecar(checkpoint_path: Path) -> Path | None:
    """The first sidecar that is a file."""
    return next((path for path in sidecar_paths(checkpoint_path) if path.is_file()), None)


def read_mapping(path: Path) -> Mapping[Any, Any]:
    """The mapping that a metadata file holds. Raises `MetadataError`."""
    try:
        document = read_document(str(path))
    except DocumentError as error:
        raise MetadataError(path, "", error.expected, error.found, error.remedy) from error
    if not isinstance(document, Mapping):
        raise MetadataError(path, "", "a mapping", _shown(document), "write it anew")
    return document


def normalised(document: Mapping[Any, Any]) -> dict[Any, Any]:
    """The document with the date or time that YAML made of an unquoted `created_at` as its ISO text."""
    moment = document.get("created_at")
    return {**document, "created_at": moment.isoformat()} if isinstance(moment, date) else dict(document)


def schema_errors(document: Mapping[Any, Any], path: Path | None = None) -> Iterator[MetadataError]:
    """Every place where a normalised document breaks the schema, in the schema's order."""
    if "schema_version" not in document:
        yield MetadataError(path, "schema_version", '"1.0"', "nothing", "add the key")
    yield from _struct_errors(CheckpointMetadataV1, document, "", path)


def _struct_errors(
    kind: type[msgspec.Struct], document: Mapping[Any, Any], prefix: str, path: Path | None
) -> Iterator[MetadataError]:
    for name in document:
        if not isinstance(name, str):
            yield MetadataError(path, prefix.rstrip("."), "keys that are text", _shown(name))
    for field in msgspec.structs.fields(kind):
        key = prefix + field.name
        if field.name not in document:
            if field.required:
                yield MetadataError(path, key, _expected(field.type), "nothing", "add the key")
            continue
        value = document[field.name]
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if isinstance(value, Mapping):
                yield from _struct_errors(field.type, value, f"{key}.", path)
            else:
                yield MetadataError(path, key, "a mapping", _shown(value))
        elif field.name == "additional_metrics" and isinstance(value, Mapping):
            for name, metric in value.items():
                yield from _value_errors(str, name, key, path)
                yield from _value_errors(float, metric, f"{key}.{name}", path)
        else:
            yield from _value_errors(field.type, value, key, path)


def _value_errors(kind: Any, value: object, key: str, path: Path | None) -> Iterator[MetadataError]:
    try:
        told = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield MetadataError(path, key, _expected(kind, str(error)), _shown(value))
        return
    if isinstance(told, float) and not math.isfinite(told):
        yield MetadataError(path, key, "a finite number", _shown(value), "leave the key out")
    elif isinstance(told, str) and not told.isascii() and _is_broken(told):
        yield MetadataError(path, key, "text in Unicode", "a lone surrogate", "write the text anew")
    elif key == "created_at" and not _is_iso(str(told)):
        yield MetadataError(path, key, "a date or time in ISO 8601", _shown(value))


def _expected(kind: Any, complaint: str = "") -> str:
    """What a type wants, in msgspec's words where it has complained of a value."""
    if msgspec.inspect.type_info(kind).__class__ is msgspec.inspect.LiteralType:
        return " or ".join(f'"{choice}"' for choice in kind.__args__)
    named = re.match("Expected `(.+?)`(?: ([<>].*?))?(?:,|$| - )", complaint)
    if named:
        return " ".join(part for part in named.groups() if part)
    plain = getattr(kind, "__origin__", kind)  # of an annotated type what it annotates
    if isinstance(plain, type):
        return "a mapping" if issubclass(plain, msgspec.Struct) else plain.__name__
    return "a value in range"


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)[:60]
    return f"a {type(value).__name__}"


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Mappings and lists alone, none of them shared, so that YAML needs no aliases."""
    if isinstance(value, msgspec.Struct):
        told = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: _plain(one) for name, one in told if one is not None}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _write_atomically(target: Path, texts: Iterable[str], document: Mapping[Any, Any]) -> None:
    """Put the first of the texts that is read back as the document in the place of `target`."""
    # Not by `tempfile`, whose files only their owner may read.
    temporary = target.with_name(f".metadata-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        for text in texts:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if _reads_back(temporary, document):
                os.replace(temporary, target)
                return
        raise MetadataError(target, "", "values that are read back the same", "others", "use plain values")
    finally:
        temporary.unlink(missing_ok=True)


def _reads_back(path: Path, document: Mapping[Any, Any]) -> bool:
    try:
        return read_mapping(path) == document
    except MetadataError:
        return False
