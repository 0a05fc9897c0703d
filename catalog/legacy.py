"""The old catalog, whole, in one file: every checkpoint loaded, every file parsed anew.

Why it exists: it is the oracle that V2 is compared with, the measure of how much faster V2 is, and the
rollback behind `CHECKPOINT_CATALOG_USE_V2=0`. Who needs it: the harness, the equivalence tests, and whoever
rolls back. What it discards: provenance, W&B, memory between two calls, and care for time. It shares the
record types with V2 and nothing else; it is written from `docs/contract.md` alone.

It loads with `weights_only=False`, as the old service did, and so *executes* whatever a checkpoint's pickle
asks for. Never point it at a tree that you do not trust; that is one reason why V2 exists.
"""

from __future__ import annotations

import ast
import errno
import json
import logging
import math
import os
import re
import stat
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from catalog.records import (
    UNKNOWN,
    CheckpointCatalog,
    CheckpointCatalogEntry,
    MonitorMode,
    Problem,
    ProblemSource,
    SkippedCheckpoint,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Key = tuple[object, ...]

ARCHITECTURES = ("dbnetpp", "dbnet", "craft", "pan", "psenet")
ENCODERS = (
    *("mobilenetv3_small_050", "mobilenetv3_small_075", "mobilenetv3_large_100"),
    *("resnet18", "resnet34", "resnet50", "resnet101"),
    *("efficientnet_b0", "efficientnet_b3", "efficientnet_v2_s"),
)
METRICS = ("hmean", "precision", "recall")
MOST_BYTES = 8 * 2**20
MOST_NODES = 100_000
DEEPEST_NESTING = 64
MOST_PARTS_OF_A_NUMBER = 64
LARGEST_WHOLE_NUMBER = 2**63 - 1


def build_legacy_catalog(
    outputs_dir: Path, config_filenames: Sequence[str] = ("config.yaml", "hparams.yaml")
) -> CheckpointCatalog:
    """List a tree in the old way, one whole checkpoint after the other.

    Executes the pickles in the tree (see above). A missing `outputs_dir` gives an empty catalog; one that is
    no directory raises `NotADirectoryError`, one that may not be read `PermissionError`. What is damaged
    inside it becomes a problem.
    """
    started = time.perf_counter()
    outputs_dir = Path(outputs_dir)
    entries: list[CheckpointCatalogEntry] = []
    skipped: list[SkippedCheckpoint] = []
    problems: list[Problem] = []
    if _is_there(outputs_dir):
        for found in _walk(outputs_dir, problems):
            entry = _describe(found, config_filenames, problems)
            if isinstance(entry, CheckpointCatalogEntry):
                entries.append(entry)
            else:
                skipped.append(entry)
    else:
        logger.info("no outputs directory at %s: the catalog is empty", outputs_dir)
    return CheckpointCatalog(
        outputs_dir=outputs_dir,
        entries=sorted(entries, key=lambda entry: _rank(entry, outputs_dir)),
        skipped=skipped,
        problems=list(dict.fromkeys(problems)),  # checkpoints that share a damaged config all note it
        catalog_build_time_seconds=time.perf_counter() - started,
    )


def _rank(entry: CheckpointCatalogEntry, outputs_dir: Path) -> tuple[str, str, int, str, str]:
    path = entry.checkpoint_path
    return (
        *(entry.architecture, entry.backbone, entry.epochs),
        *(path.name, path.relative_to(outputs_dir).as_posix()),
    )


# Which checkpoints there are


@dataclass(frozen=True)
class _Checkpoint:
    """A checkpoint that was found; `folders` lead to it from the outputs directory."""

    outputs_dir: Path
    folders: tuple[str, ...]
    name: str
    is_folder: bool
    modified_ns: int

    @property
    def path(self) -> Path:
        return self.outputs_dir.joinpath(*self.folders, self.name)

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".ckpt") or self.name

    @property
    def lowered(self) -> str:
        return "/".join((*self.folders, self.name)).lower()

    def folder(self, above: int) -> Path | None:
        """The own folder (`above` 0) or the one that many above it; none above the outputs directory."""
        count = len(self.folders) - above
        return self.outputs_dir.joinpath(*self.folders[:count]) if count >= 0 else None


def _is_there(outputs_dir: Path) -> bool:
    try:
        mode = os.stat(outputs_dir).st_mode
        if stat.S_ISDIR(mode):
            os.listdir(outputs_dir)
            return True
    except PermissionError:
        wanted = "expected an outputs directory that may be read; grant the right or name another"
        raise PermissionError(errno.EACCES, wanted, str(outputs_dir)) from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
    wanted = "expected an outputs directory, found something else; name the folder that holds the runs"
    raise NotADirectoryError(errno.ENOTDIR, wanted, str(outputs_dir))


def _walk(outputs_dir: Path, problems: list[Problem]) -> Iterator[_Checkpoint]:
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        folders = waiting.pop()
        folder = outputs_dir.joinpath(*folders)
        try:
            children = list(os.scandir(folder))
        except OSError as error:
            problems.append(_problem(folder, "scan", (), "a folder that can be read", str(error)))
            continue
        for child in children:
            if child.name.endswith(".ckpt"):
                yield from _examine(outputs_dir, folders, child.name, problems)
            elif child.is_dir(follow_symlinks=False):
                waiting.append((*folders, child.name))


def _examine(
    outputs_dir: Path, folders: tuple[str, ...], name: str, problems: list[Problem]
) -> Iterator[_Checkpoint]:
    path = outputs_dir.joinpath(*folders, name)
    try:
        status = path.stat()
    except OSError as error:
        problems.append(_problem(path, "scan", (), "a file or a folder", str(error)))
        return
    is_folder = stat.S_ISDIR(status.st_mode)
    if is_folder or stat.S_ISREG(status.st_mode):
        yield _Checkpoint(outputs_dir, folders, name, is_folder, status.st_mtime_ns)
    else:
        problems.append(_problem(path, "scan", (), "a file or a folder", "something else"))


# What one checkpoint is


def _describe(
    found: _Checkpoint, config_filenames: Sequence[str], problems: list[Problem]
) -> CheckpointCatalogEntry | SkippedCheckpoint:
    """The contract's table of fields, row by row; `told` holds what the sidecar, first in every row, said."""
    sidecar = _read_sidecar(found, problems)
    hydra_config = _hydra_config(found)
    config_path = _config_path(found, hydra_config, config_filenames)
    configs = [_read_config(path, problems) for path in dict.fromkeys((config_path, hydra_config)) if path]
    checkpoint = _load(found, problems)

    told = _told_by_sidecar(sidecar)
    epochs = _first(lambda: told["epochs"], lambda: _epochs(found, configs, checkpoint))
    monitor = told["monitor"] or _by_callback(configs, checkpoint, "monitor", _text)
    told["score"] = _sidecar_score(sidecar, monitor) if monitor else None
    entry = CheckpointCatalogEntry(
        checkpoint_path=found.path,
        config_path=config_path,
        display_name=found.stem,
        architecture=told["architecture"] or _architecture(found, configs),
        backbone=told["backbone"] or _backbone(found, configs, checkpoint),
        exp_name=told["exp_name"] or _exp_name(found),
        epochs=epochs or 0,
        created_timestamp=told["created_timestamp"] or _modified(found, problems),
        hmean=_metric("hmean", told, checkpoint),
        precision=_metric("precision", told, checkpoint),
        recall=_metric("recall", told, checkpoint),
        monitor=monitor,
        monitor_mode=told["monitor_mode"] or _by_callback(configs, checkpoint, "mode", _mode),
        score=_score(monitor, told, found, checkpoint),
        has_metadata=any(value is not None for value in told.values()),
    )
    if entry.epochs:
        return entry
    return SkippedCheckpoint(found.path, "epochs is not known" if epochs is None else "epochs is 0")


def _told_by_sidecar(sidecar: _Source) -> dict[str, Any]:
    """Each field's value as the sidecar tells it, but `score`, which needs the monitor."""
    told: dict[str, Any] = {
        "architecture": sidecar.tell(("model", "architecture"), _text),
        "backbone": _sidecar_backbone(sidecar),
        "exp_name": sidecar.tell(("exp_name",), _text),
        "epochs": sidecar.tell(("training", "epoch"), _whole_number),
        "created_timestamp": sidecar.tell(("created_at",), _timestamp),
        "monitor": _first_told([sidecar], [("checkpointing", "monitor"), ("config", "monitor")], _text),
        "monitor_mode": _first_told([sidecar], [("checkpointing", "mode"), ("config", "mode")], _mode),
    }
    return told | {name: _sidecar_metric(sidecar, name) for name in METRICS}


def _sidecar_metric(sidecar: _Source, name: str) -> float | None:
    return _first_told([sidecar], [("metrics", name), ("metrics", f"val/{name}")], _share)


def _sidecar_backbone(sidecar: _Source) -> str | None:
    encoder = sidecar.tell(("model", "encoder"), _mapping_or_text)
    return encoder if isinstance(encoder, str) else sidecar.tell(("model", "encoder", "model_name"), _text)


def _architecture(found: _Checkpoint, configs: Sequence[_Source]) -> str:
    names = ("architectures", "architecture", "architecture_name")
    told = _first_told(configs, [("model", name) for name in names], _text)
    tokens = "".join(char if char.isalnum() else " " for char in found.lowered).split()
    return told or next((name for name in ARCHITECTURES if name in tokens), UNKNOWN)


def _backbone(found: _Checkpoint, configs: Sequence[_Source], checkpoint: _Source) -> str:
    keys = [("model", "encoder", "model_name"), ("model", "encoder", "name")]
    told = _first_told(configs, keys, _text)
    told = told or next((name for name in ENCODERS if name in found.lowered), None)
    return told or _backbone_by_shapes(checkpoint) or UNKNOWN


def _backbone_by_shapes(checkpoint: _Source) -> str | None:
    from torch import Tensor

    weights = _first(
        lambda: checkpoint.tell(("state_dict",), partial(_quietly, _mapping)),
        lambda: checkpoint.tell(("model_state_dict",), partial(_quietly, _mapping)),
    )
    widths = [
        (key, int(weight.shape[0]))
        for key, weight in (weights or {}).items()
        if isinstance(key, str) and isinstance(weight, Tensor) and weight.ndim >= 1
    ]

    def width_of(*names: str) -> int | None:
        return next((width for key, width in widths if any(name in key for name in names)), None)

    if (width := width_of("encoder.model.conv_stem.weight")) is not None:
        return ENCODERS[0 if width <= 16 else 1 if width <= 24 else 2]
    if (width := width_of("encoder.model.features.0.0.weight")) is not None:
        return "efficientnet_b0" if width <= 40 else "efficientnet_b3"
    if (width := width_of(*(f"encoder.model.layer{n}.0.conv1.weight" for n in (1, 2, 3)))) is not None:
        return "resnet50" if width >= 256 else "resnet18"
    return None


def _exp_name(found: _Checkpoint) -> str:
    enclosing = found.folders
    if "checkpoints" in enclosing:
        nearest = len(enclosing) - 1 - enclosing[::-1].index("checkpoints")
        if nearest > 0:
            return enclosing[nearest - 1]
    return enclosing[-1] if enclosing else found.outputs_dir.resolve().name


def _epochs(found: _Checkpoint, configs: Sequence[_Source], checkpoint: _Source) -> int | None:
    told = checkpoint.tell(("epoch",), _whole_number)
    numbered = re.search("epoch[=_-]([0-9]+)", found.name, re.IGNORECASE | re.ASCII)
    if told is None and numbered and int(numbered[1]) <= LARGEST_WHOLE_NUMBER:
        told = int(numbered[1])
    if told is None:
        told = _first_told(configs, [("trainer", "max_epochs")], _whole_number)
    if told is None:
        stem = found.stem.lower()
        told = 999 if stem.startswith("best") else 998 if stem.startswith("last") else None
    return told


def _metric(name: str, told: Mapping[str, Any], checkpoint: _Source) -> float | None:
    return _first(lambda: told[name], lambda: checkpoint.tell(("cleval_metrics", name), _share))


def _modified(found: _Checkpoint, problems: list[Problem]) -> str:
    try:
        # Whole seconds: a float would round the last nanoseconds of a minute into the next one.
        local = time.localtime(found.modified_ns // 10**9)
        return _stamp(datetime(*local[:5]))  # noqa: DTZ001 - the contract wants local time
    except (OverflowError, ValueError, OSError) as error:
        problems.append(_problem(found.path, "scan", (), "a modification time before 10000", str(error)))
        return ""


# Monitor, mode and score


def _by_callback(
    configs: Sequence[_Source], checkpoint: _Source, name: str, accept: Callable[[object], T | None]
) -> T | None:
    """The `monitor` or the `mode` of the configs' callback, else of the checkpoint's."""
    told = None
    for config in configs:
        pick = _pick(config, _named, lambda _, callback: _is_model_checkpoint(callback))
        if pick:
            told = config.take((*pick.key, name), pick.state.get(name), accept)
            break  # the first config that has such a callback counts, whether it tells this or not
    if told is not None:
        return told
    pick = _pick(checkpoint, _mapping, lambda state_key, _: _class_name(state_key) == "ModelCheckpoint")
    if not pick:
        return None
    value = _mode_in(pick.key[-1]) if name == "mode" else pick.state.get(name)
    return checkpoint.take((*pick.key, name), value, accept)


class _Callback(NamedTuple):
    """The callback that speaks for its source."""

    key: Key
    state: dict[object, object]


def _pick(
    source: _Source,
    accept: Callable[[object], dict[object, object] | None],
    is_model_checkpoint: Callable[[object, dict[object, object]], bool],
) -> _Callback | None:
    """The first ModelCheckpoint, else the first callback whose monitor is told."""
    others = []
    for name, value in (source.tell(("callbacks",), accept) or {}).items():
        callback = _Callback(("callbacks", name), _quietly(_mapping, value) or {})
        if is_model_checkpoint(name, callback.state):
            return callback
        others.append(callback)
    for key, state in others:
        if _quietly(_text, state.get("monitor")):
            return _Callback(key, state)
    return None


def _is_model_checkpoint(callback: dict[object, object]) -> bool:
    target = callback.get("_target_")
    return isinstance(target, str) and (target == "ModelCheckpoint" or target.endswith(".ModelCheckpoint"))


def _class_name(state_key: object) -> str | None:
    return state_key.partition("{")[0] if isinstance(state_key, str) else None


def _mode_in(state_key: object) -> object:
    """The `mode` among the arguments that a state key shows; parsed, since a monitor may quote another one."""
    if not isinstance(state_key, str) or "{" not in state_key:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # a bad escape in somebody's text is not our concern
            shown = ast.parse(state_key[state_key.index("{") :], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for name, value in zip(shown.keys, shown.values, strict=True) if isinstance(shown, ast.Dict) else ():
        if isinstance(name, ast.Constant) and name.value == "mode" and isinstance(value, ast.Constant):
            return value.value
    return None


def _score(
    monitor: str | None, told: Mapping[str, Any], found: _Checkpoint, checkpoint: _Source
) -> float | None:
    score: float | None = told["score"]
    if score is None and monitor and not told["monitor"]:
        score = _checkpoint_score(found, checkpoint, monitor)
    return score


def _sidecar_score(sidecar: _Source, monitor: str) -> float | None:
    told = sidecar.tell(("metrics", "additional_metrics", monitor), _finite_number)
    name = monitor.rpartition("/")[2]
    if told is None and name in METRICS:
        return _sidecar_metric(sidecar, name)
    if told is None and name in ("loss", "validation_loss"):
        return _first_told([sidecar], [("metrics", "validation_loss"), ("metrics", "val/loss")], _not_negative)
    return told


def _checkpoint_score(found: _Checkpoint, checkpoint: _Source, monitor: str) -> float | None:
    for name, value in (checkpoint.tell(("callbacks",), _mapping) or {}).items():
        key = ("callbacks", name)
        state = _quietly(_mapping, value) if _class_name(name) == "ModelCheckpoint" else None
        if state is None or not _is_same_text(state.get("monitor"), monitor):
            continue
        best = _quietly(_mapping, state.get("best_k_models")) or {}
        score = next((best[path] for path in best if _last_component(path) == found.name), None)
        told = checkpoint.take((*key, "best_k_models", found.name), score, _finite_number)
        if told is None:
            told = checkpoint.take((*key, "current_score"), state.get("current_score"), _finite_number)
        return told
    return None


def _is_same_text(value: object, text: str) -> bool:
    return isinstance(value, str) and value == text  # what is no text may compare as it likes


def _last_component(path: object) -> str | None:
    return re.split(r"[/\\]", path)[-1] if isinstance(path, str) else None


# The files that stand around it


def _hydra_config(found: _Checkpoint) -> Path | None:
    for folder in (found.folder(above=1), found.folder(above=2)):
        if folder and not (folder / ".hydra").is_symlink() and _is_file(folder / ".hydra" / "config.yaml"):
            return folder / ".hydra" / "config.yaml"
    return None


def _config_path(found: _Checkpoint, hydra_config: Path | None, names: Sequence[str]) -> Path | None:
    suffixes = (".config.json", ".config.yaml", ".config.yml", ".resolved.config.json")
    candidates = [found.path.with_name(found.stem + suffix) for suffix in suffixes]
    candidates += [hydra_config] if hydra_config else []
    folders = (found.folder(above=0), found.folder(above=1))
    candidates += [folder / name for folder in folders if folder for name in names]
    return next((path for path in candidates if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)


def _read_sidecar(found: _Checkpoint, problems: list[Problem]) -> _Source:
    failures: list[Problem] = []
    names = (f"{found.stem}.metadata.yaml", f"{found.name}.metadata.yaml", f"{found.stem}.metadata.json")
    for path in [found.path.with_name(name) for name in names]:
        if not _is_file(path):
            continue
        try:
            return _Source(path, "sidecar", problems, _believed(_read_document(path)), failures)
        except _UnusableError as error:
            failures.append(_problem(path, "sidecar", (), error.expected, error.found))
    return _Source(found.path, "sidecar", problems, {}, failures)


def _believed(document: object) -> dict[object, object]:
    """A sidecar's mapping. Raises `_UnusableError` for any version but 1.0."""
    if not isinstance(document, dict):
        raise _UnusableError("a mapping", document)
    version = document.get("schema_version")
    if _is_silent(version) or version == "1.0" or (isinstance(version, float) and version == 1.0):
        return document
    raise _UnusableError('schema_version "1.0"', version)


def _read_config(path: Path, problems: list[Problem]) -> _Source:
    try:
        document = _read_document(path)
        content = {} if document is None else document
        if not isinstance(content, dict):
            raise _UnusableError("a mapping", content)
    except _UnusableError as error:
        return _Source(
            path, "config", problems, {}, [_problem(path, "config", (), error.expected, error.found)]
        )
    return _Source(path, "config", problems, content, [])


def _load(found: _Checkpoint, problems: list[Problem]) -> _Source:
    """The whole checkpoint, weights and all, whether anybody will ask it or not: that is the old way."""
    import torch

    failures = []
    content: dict[object, object] | None = {}
    if not found.is_folder:
        try:
            with warnings.catch_warnings(action="ignore"):  # they are about files, not about the caller
                content = _mapping(torch.load(found.path, map_location="cpu", weights_only=False))
            if content is None:
                raise _UnusableError("a mapping", content)
        except _UnusableError as error:
            failures.append(_problem(found.path, "checkpoint", (), error.expected, error.found))
        except Exception as error:  # noqa: BLE001 - what a damaged or hostile file raises is up to the file
            shown = f"{type(error).__name__}: {error}"
            failures.append(_problem(found.path, "checkpoint", (), "a checkpoint that loads", shown))
    return _Source(found.path, "checkpoint", problems, content or {}, failures)


def _read_document(path: Path) -> object:
    """The value of a YAML or JSON file. Raises `_UnusableError` for what cannot be read or passes a limit."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise _UnusableError("at most 8 MiB", "more")
        return _parse_json(data) if path.name.endswith(".json") else _parse_yaml(data)
    except _UnusableError:
        raise
    except Exception as error:  # PyYAML raises nearly anything on odd scalars
        raise _UnusableError("a document that can be read", f"{type(error).__name__}: {error}") from error


def _parse_json(data: bytes) -> object:
    text = data.decode("utf-8")
    value = json.loads(text) if text.strip() else None
    _weigh(value, lambda one: [*one, *one.values()] if isinstance(one, dict) else one)
    return value


def _parse_yaml(data: bytes) -> object:
    import yaml

    def children(node: object) -> object:
        if isinstance(node, yaml.MappingNode):
            return [child for pair in node.value for child in pair]
        if (
            isinstance(node, yaml.ScalarNode)
            and node.tag == "tag:yaml.org,2002:int"
            and node.value.count(":") >= MOST_PARTS_OF_A_NUMBER  # PyYAML needs hours for a million of them
        ):
            raise _UnusableError(f"numbers of at most {MOST_PARTS_OF_A_NUMBER} parts", "one of more")
        return node.value if isinstance(node, yaml.SequenceNode) else None

    loader = yaml.SafeLoader(data)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, children)  # before any value is made: a short text may stand for a billion nodes
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _weigh(root: Any, children: Callable[[Any], object]) -> None:
    """Walk a document as it would stand without aliases. Raises `_UnusableError` where it passes a limit."""
    waiting = [(root, 0)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        below = children(node)
        if isinstance(below, list):
            if depth == DEEPEST_NESTING:  # where a document that refers to itself ends, too
                raise _UnusableError(f"at most {DEEPEST_NESTING} collections in each other", "more")
            waiting += [(child, depth + 1) for child in below]
        if seen + len(waiting) > MOST_NODES:
            raise _UnusableError(f"at most {MOST_NODES:,} nodes", "more")


# How a source is asked


class _UnusableError(Exception):
    """A value that is present and no answer."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found if isinstance(found, str) else type(found).__name__


@dataclass(frozen=True)
class _Source:
    """One file's mapping. What is wrong with it goes to `problems` when it is asked, never before."""

    path: Path
    kind: ProblemSource
    problems: list[Problem]
    content: dict[object, object]
    failures: Sequence[Problem]

    def tell(self, key: Key, accept: Callable[[object], T | None]) -> T | None:
        """The value at a dotted key if it is told; notes what is unusable on the way."""
        self.problems.extend(self.failures)
        value: object = self.content
        for depth, step in enumerate(key):
            holder = self.take(key[:depth], value, _mapping)
            if holder is None:
                return None
            value = holder.get(step)
        return self.take(key, value, accept)

    def take(self, key: Key, value: object, accept: Callable[[object], T | None]) -> T | None:
        """The value that stood at `key` if it is told."""
        try:
            return accept(value)
        except _UnusableError as error:
            self.problems.append(_problem(self.path, self.kind, key, error.expected, error.found))
            return None


def _first_told(
    sources: Iterable[_Source], keys: Sequence[Key], accept: Callable[[object], T | None]
) -> T | None:
    """The first told value, each source asked with all its keys before the next one."""
    answers = (source.tell(key, accept) for source in sources for key in keys)
    return next((answer for answer in answers if answer is not None), None)


def _first(*answers: Callable[[], T | None]) -> T | None:
    return next((told for answer in answers if (told := answer()) is not None), None)


def _problem(path: Path, source: ProblemSource, key: Key, expected: str, found: str) -> Problem:
    dotted = ".".join(step if isinstance(step, str) else type(step).__name__ for step in key)
    remedy = "mend it, or remove it from the tree"
    return Problem(path=path, source=source, key=dotted, expected=expected, found=found[:200], remedy=remedy)


# When a value is told: each function gives `None` for silence and raises `_UnusableError` for nonsense


def _is_silent(value: object) -> bool:
    return value is None or (isinstance(value, str) and (not value.strip() or value == UNKNOWN))


def _plain(value: object) -> object:
    """A 0-dim tensor or a numpy scalar as its value."""
    if value is None or isinstance(value, (dict, list)) or type(value) in (bool, int, float, str):
        return value
    import numpy as np
    from torch import Tensor

    if isinstance(value, np.generic) or (isinstance(value, Tensor) and value.ndim == 0):
        try:
            return value.item()
        except Exception as error:  # a tensor without data raises what its backend likes
            raise _UnusableError("a value", f"{type(error).__name__}: {error}") from error
    return value


def _mapping(value: object) -> dict[object, object] | None:
    if _is_silent(value):
        return None
    if not isinstance(value, Mapping):
        raise _UnusableError("a mapping", value)
    try:
        return value if type(value) is dict else dict(value)
    except Exception as error:  # it may be a mapping of anybody's class
        raise _UnusableError("a mapping that can be read", f"{type(error).__name__}: {error}") from error


def _quietly(accept: Callable[[object], T | None], value: object) -> T | None:
    """What a value tells where an unusable one is passed over instead of noted."""
    try:
        return accept(value)
    except _UnusableError:
        return None


def _named(value: object) -> dict[object, object] | None:
    """Callbacks by name, or by number in a list."""
    return dict(enumerate(value)) if isinstance(value, list) else _mapping(value)


def _text(value: object) -> str | None:
    value = _plain(value)
    if _is_silent(value):
        return None
    # A subclass of `str` is somebody's class, which only running somebody's code makes.
    if type(value) is not str or any("\ud800" <= char <= "\udfff" for char in value):
        raise _UnusableError("text in Unicode", type(value).__name__)
    return value


def _mapping_or_text(value: object) -> dict[object, object] | str | None:
    return _text(value) if isinstance(value, str) else _mapping(value)


def _mode(value: object) -> MonitorMode | None:
    text = _text(value)
    if text not in (None, "min", "max"):
        raise _UnusableError("min or max", text)
    return cast("MonitorMode | None", text)


def _whole_number(value: object) -> int | None:
    value = _plain(value)
    if _is_silent(value):
        return None
    number: object = value
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        digits = value.lstrip("0") or "0"
        number = int(digits) if len(digits) < 20 else None  # int() refuses thousands of digits
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if type(number) is not int or not 0 <= number <= LARGEST_WHOLE_NUMBER:
        raise _UnusableError("a whole number from 0 to 2^63-1", value)
    return number


def _finite_number(value: object) -> float | None:
    value = _plain(value)
    if _is_silent(value):
        return None
    number = math.nan
    if type(value) in (int, float, str):
        with suppress(ValueError, OverflowError):
            number = float(cast("int | float | str", value))
    if not math.isfinite(number):
        raise _UnusableError("a finite number", value)
    return number


def _share(value: object) -> float | None:
    number = _finite_number(value)
    if number is not None and not 0 <= number <= 1:
        raise _UnusableError("a number from 0 to 1", str(number))
    return number


def _not_negative(value: object) -> float | None:
    number = _finite_number(value)
    if number is not None and number < 0:
        raise _UnusableError("a number of at least 0", str(number))
    return number


def _timestamp(value: object) -> str | None:
    if _is_silent(value):
        return None
    moment = value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise _UnusableError("a date and time in ISO 8601", value) from None
    if not isinstance(moment, date):
        raise _UnusableError("a date and time in ISO 8601", value)
    return _stamp(moment)


def _stamp(moment: date) -> str:
    # Not by strftime, which writes the year 800 with three digits.
    clock = (moment.hour, moment.minute) if isinstance(moment, datetime) else (0, 0)
    return "{:04}{:02}{:02}_{:02}{:02}".format(moment.year, moment.month, moment.day, *clock)
