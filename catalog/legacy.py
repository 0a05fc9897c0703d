"""The old catalog service, in its plainest form: every checkpoint loaded, one after the other.

Why it exists: V2 must answer what the old service answered, and the claims about V2 are ratios to its
time. It is the oracle, so it shares nothing with V2 but the record types; it is written from
`docs/contract.md` alone. Who needs it: the harness, the tests, and `CHECKPOINT_CATALOG_USE_V2=0`.

What it discards: provenance, W&B (it never asks), and safety. `torch.load(weights_only=False)` runs
whatever a checkpoint's pickle says, so it must only see trees that are trusted.
"""

from __future__ import annotations

import ast
import json
import logging
import math
import os
import re
import time
import warnings
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from catalog.records import (
    UNKNOWN,
    CheckpointCatalog,
    CheckpointCatalogEntry,
    MonitorMode,
    Problem,
    SkippedCheckpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

logger = logging.getLogger(__name__)

_ARCHITECTURES = ("dbnetpp", "dbnet", "craft", "pan", "psenet")
_ENCODERS = [
    "mobilenetv3_small_050",
    "mobilenetv3_small_075",
    "mobilenetv3_large_100",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "efficientnet_b0",
    "efficientnet_b3",
    "efficientnet_v2_s",
]
_LARGEST_FILE = 8 * 2**20
_DEEPEST = 64
_MOST_NODES = 100_000

Source = Literal["scan", "sidecar", "checkpoint", "config"]


class _UnusableError(Exception):
    """A value, or a whole file, that is there and cannot be used."""


class _Notes:
    """The problems of one tree, each place noted once."""

    def __init__(self) -> None:
        self.problems: dict[tuple[Path, str], Problem] = {}

    def note(self, path: Path, source: Source, key: str, found: object) -> None:
        self.problems[path, key] = Problem(
            path=path,
            source=source,
            key=key,
            expected="what the contract takes there",
            found=str(found)[:200],
            remedy="mend or delete it",
        )


def build_legacy_catalog(
    outputs_dir: Path | str, config_filenames: Sequence[str] = ("config.yaml", "hparams.yaml")
) -> CheckpointCatalog:
    """The catalog of a tree, by loading every checkpoint in it.

    Raises `NotADirectoryError` or `PermissionError` where the outputs directory itself is a file or may
    not be read.
    """
    begun = time.perf_counter()
    root = Path(outputs_dir)
    try:
        os.listdir(root)
    except FileNotFoundError:
        logger.info("%s does not exist: an empty catalog", root)
        return CheckpointCatalog(outputs_dir=root, entries=[])
    except OSError as error:
        if isinstance(error, NotADirectoryError | PermissionError):
            raise
        logger.info("%s leads nowhere: an empty catalog", root)
        return CheckpointCatalog(outputs_dir=root, entries=[])
    notes = _Notes()
    entries: list[CheckpointCatalogEntry] = []
    skipped: list[SkippedCheckpoint] = []
    for path in _find_checkpoints(root, notes):
        found = _Checkpoint(root, path, tuple(config_filenames), notes).describe()
        if isinstance(found, CheckpointCatalogEntry):
            entries.append(found)
        else:
            skipped.append(found)
    entries.sort(key=lambda one: _order(one, root))
    return CheckpointCatalog(
        outputs_dir=root,
        entries=entries,
        skipped=skipped,
        problems=list(notes.problems.values()),
        catalog_build_time_seconds=time.perf_counter() - begun,
    )


def _order(entry: CheckpointCatalogEntry, root: Path) -> tuple[str, str, int, str, str]:
    path = entry.checkpoint_path
    return (entry.architecture, entry.backbone, entry.epochs, path.name, path.relative_to(root).as_posix())


def _find_checkpoints(folder: Path, notes: _Notes) -> Iterator[Path]:
    """Every checkpoint below a folder; folder links and folders named `*.ckpt` are not descended into."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        notes.note(folder, "scan", "", error.strerror)
        return
    for name in names:
        path = folder / name
        if name.endswith(".ckpt"):
            if path.is_file() or path.is_dir():
                yield path
            else:
                notes.note(path, "scan", "", "it leads to no file and no folder")
        elif path.is_dir() and not path.is_symlink():
            yield from _find_checkpoints(path, notes)


class _Checkpoint:
    """One checkpoint with all that can be asked about it; everything is read at once, as of old."""

    def __init__(self, root: Path, path: Path, config_filenames: tuple[str, ...], notes: _Notes) -> None:
        self.root = root
        self.path = path
        self.notes = notes
        self.stem = path.name[: -len(".ckpt")] or path.name
        self.config_filenames = config_filenames
        self.is_told_by_sidecar = False
        self.failures: dict[Source, list[tuple[Path, str]]] = {}
        self.loaded = self._load()
        self.sidecar_path, self.sidecar = self._read_sidecar()
        self.config_path = self._find_config()
        self.configs = self._read_configs()

    # What it is read from

    def _fail(self, source: Source, path: Path, found: object) -> None:
        """Keep a failure until a field asks the source."""
        self.failures.setdefault(source, []).append((path, str(found)))

    def _load(self) -> dict[Any, Any]:
        import torch

        if self.path.is_dir():
            return {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = torch.load(self.path, map_location="cpu", weights_only=False)
        except Exception as error:  # noqa: BLE001 - a pickle can raise anything, and must not stop the rest
            self._fail("checkpoint", self.path, f"{type(error).__name__}: {error}")
            return {}
        if not isinstance(loaded, dict):
            self._fail("checkpoint", self.path, f"a {type(loaded).__name__}")
            return {}
        return loaded

    def _read_sidecar(self) -> tuple[Path, dict[Any, Any]]:
        for name in (
            f"{self.stem}.metadata.yaml",
            f"{self.path.name}.metadata.yaml",
            f"{self.stem}.metadata.json",
        ):
            path = self.path.with_name(name)
            if not path.is_file():
                continue
            try:
                document = _read(path)
                if not isinstance(document, dict):
                    raise _UnusableError("no mapping")
                version = document.get("schema_version")
                is_one = version == "1.0" or (isinstance(version, float) and version == 1.0)
                if not is_one and not _is_silent(version):
                    raise _UnusableError(f"schema_version {version!r}"[:60])
                return path, document
            except _UnusableError as error:
                self._fail("sidecar", path, error)
        return self.path, {}

    def _above(self) -> list[Path]:
        """The folder one and two above the own one, never above the outputs directory."""
        folders: list[Path] = []
        folder = self.path.parent
        while folder != self.root and len(folders) < 2:
            folder = folder.parent
            folders.append(folder)
        return folders

    def _hydra_config(self) -> Path | None:
        for folder in self._above():
            hidden = folder / ".hydra"
            if not hidden.is_symlink() and (hidden / "config.yaml").is_file():
                return hidden / "config.yaml"
        return None

    def _find_config(self) -> Path | None:
        own = self.path.parent
        for suffix in (".config.json", ".config.yaml", ".config.yml", ".resolved.config.json"):
            if (own / f"{self.stem}{suffix}").is_file():
                return own / f"{self.stem}{suffix}"
        hydra = self._hydra_config()
        if hydra is not None:
            return hydra
        for folder in [own, *self._above()[:1]]:
            for name in self.config_filenames:
                if (folder / name).is_file():
                    return folder / name
        return None

    def _read_configs(self) -> list[tuple[Path, dict[Any, Any]]]:
        found = []
        for path in dict.fromkeys([self.config_path, self._hydra_config()]):
            if path is None:
                continue
            try:
                document = _read(path)
                if document is not None and not isinstance(document, dict):
                    raise _UnusableError("no mapping")
                found.append((path, document or {}))
            except _UnusableError as error:
                self._fail("config", path, error)
        return found

    # How a field is asked for

    def _ask(self, source: Source) -> None:
        for path, found in self.failures.get(source, []):
            self.notes.note(path, source, "", found)

    def _take(self, source: Source, path: Path, key: str, value: object, judge: Callable[[Any], Any]) -> Any:
        """The told value or `None`; what is unusable is noted."""
        value = _plain(value)
        if _is_silent(value):
            return None
        try:
            told = judge(value)
        except _UnusableError:
            self.notes.note(path, source, key, type(value).__name__)
            return None
        # The sidecar stands first in every row, so what it tells is what the field takes.
        self.is_told_by_sidecar = self.is_told_by_sidecar or source == "sidecar"
        return told

    def _dotted(
        self, source: Source, path: Path, document: dict[Any, Any], key: str, judge: Callable[[Any], Any]
    ) -> Any:
        value: Any = document
        steps = key.split(".")
        for count, step in enumerate(steps):
            if not isinstance(value, dict):
                return self._take(source, path, ".".join(steps[:count]), value, _refuse)
            value = value.get(step)
            if value is None:
                return None
        return self._take(source, path, key, value, judge)

    def _sidecar_value(self, keys: Sequence[str], judge: Callable[[Any], Any]) -> Any:
        self._ask("sidecar")
        for key in keys:
            value = self._dotted("sidecar", self.sidecar_path, self.sidecar, key, judge)
            if value is not None:
                return value
        return None

    def _config_value(self, keys: Sequence[str], judge: Callable[[Any], Any]) -> Any:
        self._ask("config")
        for path, document in self.configs:
            for key in keys:
                value = self._dotted("config", path, document, key, judge)
                if value is not None:
                    return value
        return None

    def _checkpoint_value(self, key: str, judge: Callable[[Any], Any]) -> Any:
        self._ask("checkpoint")
        return self._dotted("checkpoint", self.path, self.loaded, key, judge)

    # The fields

    def describe(self) -> CheckpointCatalogEntry | SkippedCheckpoint:
        """The checkpoint's entry, or why it is left out."""
        epochs = self._epochs()
        monitor = self._callback_value("monitor", _text)
        fields: dict[str, Any] = {
            "checkpoint_path": self.path,
            "config_path": self.config_path,
            "display_name": self.stem,
            "architecture": self._architecture(),
            "backbone": self._backbone(),
            "exp_name": self._sidecar_value(["exp_name"], _text) or self._experiment_by_folders(),
            "hmean": self._metric("hmean"),
            "precision": self._metric("precision"),
            "recall": self._metric("recall"),
            "created_timestamp": self._sidecar_value(["created_at"], _moment) or self._modified(),
            "monitor": monitor,
            "monitor_mode": cast("MonitorMode | None", self._callback_value("mode", _mode)),
            "score": None if monitor is None else self._score(monitor),
        }
        if not epochs:
            return SkippedCheckpoint(self.path, "epochs 0" if epochs == 0 else "epochs unknown")
        return CheckpointCatalogEntry(epochs=epochs, has_metadata=self.is_told_by_sidecar, **fields)

    def _epochs(self) -> int | None:
        found = self._sidecar_value(["training.epoch"], _whole)
        if found is None:
            found = self._checkpoint_value("epoch", _whole)
        if found is None:
            match = re.search(r"epoch[=_-]([0-9]+)", self.path.name, re.IGNORECASE)
            try:
                found = _whole(match[1]) if match else None
            except _UnusableError:
                found = None
        if found is None:
            found = self._config_value(["trainer.max_epochs"], _whole)
        if found is None:
            lowered = self.stem.lower()
            found = 999 if lowered.startswith("best") else 998 if lowered.startswith("last") else None
        return cast("int | None", found)

    def _architecture(self) -> str:
        keys = ["model.architectures", "model.architecture", "model.architecture_name"]
        found = self._sidecar_value(["model.architecture"], _text) or self._config_value(keys, _text)
        if found is None:
            below = self.path.relative_to(self.root).as_posix().lower()
            tokens = "".join(char if char.isalnum() else " " for char in below).split()
            found = next((one for one in _ARCHITECTURES if one in tokens), UNKNOWN)
        return cast("str", found)

    def _backbone(self) -> str:
        found = self._sidecar_encoder()
        if found is None:
            found = self._config_value(["model.encoder.model_name", "model.encoder.name"], _text)
        if found is None:
            below = self.path.relative_to(self.root).as_posix().lower()
            found = next((one for one in _ENCODERS if one in below), None)
        if found is None:
            self._ask("checkpoint")
            found = self._backbone_by_shapes()
        return cast("str", found or UNKNOWN)

    def _sidecar_encoder(self) -> object:
        model = self.sidecar.get("model")
        encoder = model.get("encoder") if isinstance(model, dict) else None
        if encoder is None or isinstance(encoder, dict) or not isinstance(model, dict):
            return self._sidecar_value(["model.encoder.model_name"], _text)
        self._ask("sidecar")
        return self._take("sidecar", self.sidecar_path, "model.encoder", encoder, _text)

    def _backbone_by_shapes(self) -> str | None:
        state = self.loaded.get("state_dict")
        if not isinstance(state, dict):
            state = self.loaded.get("model_state_dict")
        shapes = [
            (key, value.shape[0])
            for key, value in (state.items() if isinstance(state, dict) else ())
            if isinstance(key, str) and len(getattr(value, "shape", ())) > 0
        ]
        for key, width in shapes:
            if "encoder.model.conv_stem.weight" in key:
                small = "mobilenetv3_small_050" if width <= 16 else "mobilenetv3_small_075"
                return small if width <= 24 else "mobilenetv3_large_100"
        for key, width in shapes:
            if "encoder.model.features.0.0.weight" in key:
                return "efficientnet_b0" if width <= 40 else "efficientnet_b3"
        for key, width in shapes:
            if re.search(r"encoder\.model\.layer[123]\.0\.conv1\.weight", key):
                return "resnet50" if width >= 256 else "resnet18"
        return None

    def _experiment_by_folders(self) -> str:
        folders = self.path.relative_to(self.root).parts[:-1]
        for index in reversed(range(1, len(folders))):
            if folders[index] == "checkpoints":
                return folders[index - 1]
        return folders[-1] if folders else self.root.resolve().name

    def _metric(self, name: str) -> float | None:
        found = self._sidecar_value([f"metrics.{name}", f"metrics.val/{name}"], _share)
        if found is None:
            found = self._checkpoint_value(f"cleval_metrics.{name}", _share)
        return cast("float | None", found)

    def _modified(self) -> str:
        try:
            moment = time.localtime(self.path.stat().st_mtime_ns // 10**9)
        except (OSError, OverflowError, ValueError):
            moment = time.localtime(0)
        return f"{moment.tm_year:04}{moment.tm_mon:02}{moment.tm_mday:02}_{moment.tm_hour:02}{moment.tm_min:02}"

    def _callback_value(self, name: str, judge: Callable[[Any], Any]) -> Any:
        """Monitor or mode: the sidecar's, else of the callback that the configs, then the checkpoint, offer."""
        found = self._sidecar_value([f"checkpointing.{name}", f"config.{name}"], judge)
        if found is not None:
            return found
        self._ask("config")
        for path, document in self.configs:
            chosen = _config_callback(document.get("callbacks"))
            if chosen is not None:
                found = self._take("config", path, f"callbacks.{name}", chosen.get(name), judge)
                break
        if found is not None:
            return found
        self._ask("checkpoint")
        key, state = _checkpoint_callback(self.loaded.get("callbacks"))
        value = _key_arguments(key).get("mode") if name == "mode" else state.get("monitor")
        return self._take("checkpoint", self.path, f"callbacks.{name}", value, judge)

    def _score(self, monitor: str) -> float | None:
        found = self._sidecar_score(monitor)
        if (
            found is not None
            or self._sidecar_value(["checkpointing.monitor", "config.monitor"], _text) is not None
        ):
            return found
        self._ask("checkpoint")
        callbacks = self.loaded.get("callbacks")
        for key, state in callbacks.items() if isinstance(callbacks, dict) else ():
            if not _is_model_checkpoint(key) or not isinstance(state, dict) or state.get("monitor") != monitor:
                continue
            best = state.get("best_k_models")
            for path, value in best.items() if isinstance(best, dict) else ():
                if isinstance(path, str) and re.split(r"[/\\]", path)[-1] == self.path.name:
                    found = self._take("checkpoint", self.path, "callbacks.score", value, _number)
                    break
            if found is None:
                current = state.get("current_score")
                found = self._take("checkpoint", self.path, "callbacks.score", current, _number)
            return cast("float | None", found)
        return None

    def _sidecar_score(self, monitor: str) -> float | None:
        self._ask("sidecar")
        metrics = self.sidecar.get("metrics")
        if not isinstance(metrics, dict):
            return None
        additional = metrics.get("additional_metrics")
        found = None
        if isinstance(additional, dict):
            key = f"metrics.additional_metrics.{monitor}"
            found = self._take("sidecar", self.sidecar_path, key, additional.get(monitor), _number)
        elif additional is not None:
            self._take("sidecar", self.sidecar_path, "metrics.additional_metrics", additional, _refuse)
        last = monitor.split("/")[-1]
        if found is None and last in _METRICS:
            found = self._sidecar_value([f"metrics.{last}", f"metrics.val/{last}"], _share)
        if found is None and last in {"loss", "validation_loss"}:
            found = self._sidecar_value(["metrics.validation_loss", "metrics.val/loss"], _loss)
        return cast("float | None", found)


_METRICS = ("hmean", "precision", "recall")


# Callbacks


def _is_model_checkpoint(state_key: object) -> bool:
    name = state_key.split("{")[0] if isinstance(state_key, str) else getattr(state_key, "__name__", "")
    return str(name).rpartition(".")[2] == "ModelCheckpoint"


def _key_arguments(state_key: object) -> dict[Any, Any]:
    """The arguments that Lightning writes into a state key; empty where they cannot be read."""
    if not isinstance(state_key, str) or "{" not in state_key:
        return {}
    try:
        arguments = ast.literal_eval(state_key[state_key.index("{") :])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _checkpoint_callback(callbacks: object) -> tuple[object, dict[Any, Any]]:
    states = [
        (key, state)
        for key, state in (callbacks.items() if isinstance(callbacks, dict) else ())
        if isinstance(state, dict)
    ]
    for key, state in states:
        if _is_model_checkpoint(key):
            return key, state
    for key, state in states:
        if _is_told_text(state.get("monitor")):
            return key, state
    return "", {}


def _config_callback(callbacks: object) -> dict[Any, Any] | None:
    offered = list(callbacks.values()) if isinstance(callbacks, dict) else callbacks
    mappings = [one for one in offered if isinstance(one, dict)] if isinstance(offered, list) else []
    for one in mappings:
        target = one.get("_target_")
        if isinstance(target, str) and (target == "ModelCheckpoint" or target.endswith(".ModelCheckpoint")):
            return one
    for one in mappings:
        if _is_told_text(one.get("monitor")):
            return one
    return None


# Values


def _is_silent(value: object) -> bool:
    return value is None or (isinstance(value, str) and (value == UNKNOWN or value.strip() == ""))


def _plain(value: Any) -> Any:
    """A 0-dim tensor or a numpy scalar as its value; anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _refuse(_: object) -> object:
    raise _UnusableError


def _text(value: object) -> str:
    if not isinstance(value, str) or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise _UnusableError
    return value


def _is_told_text(value: object) -> bool:
    try:
        return not _is_silent(value) and bool(_text(value))
    except _UnusableError:
        return False


def _whole(value: object) -> int:
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        significant = value.lstrip("0") or "0"
        value = int(significant) if len(significant) < 20 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise _UnusableError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _UnusableError
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _UnusableError from None
    if not math.isfinite(number):
        raise _UnusableError
    return number


def _share(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise _UnusableError
    return number


def _loss(value: object) -> float:
    number = _number(value)
    if number < 0:
        raise _UnusableError
    return number


def _mode(value: object) -> str:
    if value not in ("min", "max"):
        raise _UnusableError
    return value


def _moment(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _UnusableError from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"{value.year:04}{value.month:02}{value.day:02}_0000"
    if not isinstance(value, datetime):
        raise _UnusableError
    return f"{value.year:04}{value.month:02}{value.day:02}_{value.hour:02}{value.minute:02}"


# Metadata files


def _read(path: Path) -> object:
    """The document in a file. Raises `_UnusableError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _UnusableError(error.strerror) from error
    if len(data) > _LARGEST_FILE:
        raise _UnusableError("a file of more than 8 MiB")
    try:
        document = _read_json(data) if path.suffix == ".json" else _read_yaml(data)
    # PyYAML lets ValueError, TypeError, RecursionError and others through, by what the document says.
    except Exception as error:
        raise _UnusableError(f"{type(error).__name__}: {error}") from error
    return document


def _read_json(data: bytes) -> object:
    document = json.loads(data.decode("utf-8"))
    _weigh(document, lambda node: [*node, *node.values()] if isinstance(node, dict) else node)
    return document


def _read_yaml(data: bytes) -> object:
    import yaml

    loader = yaml.SafeLoader(data)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, _yaml_children)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _yaml_children(node: Any) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else node


def _weigh(root: object, children_of: Callable[[Any], Any]) -> None:
    """Refuse a document that nests too deeply, or is too large once everything shared is written out."""
    nodes = 0
    level: list[object] = [root]
    depth = 0
    while level:
        nodes += len(level)
        if nodes > _MOST_NODES:
            raise _UnusableError("a document of more than 100,000 nodes")
        below: list[object] = []
        is_nested = False
        for node in level:
            children = children_of(node)
            if isinstance(children, list):
                is_nested = True
                below += children
                if len(below) > _MOST_NODES:
                    raise _UnusableError("a document of more than 100,000 nodes")
        depth += is_nested
        if depth > _DEEPEST:
            raise _UnusableError("a document that nests more than 64 collections")
        level = below
