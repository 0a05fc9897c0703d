"""The source *checkpoint*: what a checkpoint file says of the contract's fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalog import collector
from catalog.contract import accept_text
from catalog.header import open_header
from catalog.inert import RetypedTensorInfo, TensorInfo
from catalog.plain import mapping_of, plain_scalar

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from catalog.header import Header

_MODEL_CHECKPOINT: Final = "ModelCheckpoint"
_METRICS: Final = "cleval_metrics"

# One argument of a state key, `'mode': 'max', `: the values are Python literals.
_ARGUMENT: Final = re.compile(
    r"""\s*'(?P<name>\w+)':\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?:[^"\\]|\\.)*"|[^'",]*)\s*[,}]""",
    re.DOTALL,
)

_SHAPE_RULES: Final = (
    (
        ("encoder.model.conv_stem.weight",),
        ((16, "mobilenetv3_small_050"), (24, "mobilenetv3_small_075"), (None, "mobilenetv3_large_100")),
    ),
    (("encoder.model.features.0.0.weight",), ((40, "efficientnet_b0"), (None, "efficientnet_b3"))),
    (
        tuple(f"encoder.model.layer{number}.0.conv1.weight" for number in (1, 2, 3)),
        ((255, "resnet18"), (None, "resnet50")),
    ),
)
"""What a key contains -> the first dimension at most, and the backbone that it tells. The contract's rules."""


class _Scores(NamedTuple):
    """What one ModelCheckpoint knows: its monitor, the scores of the best by file name, the current one."""

    monitor: object
    best: Mapping[str, object]
    current: object


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What one checkpoint says: `document` under the contract's keys, and its scores.

    Values stand as in the file, numbers of 0-dim tensors and numpy scalars read. `callbacks` holds monitor
    and mode of the callback that the contract chooses, `shapes` the backbone that they tell.
    """

    document: Mapping[str, object]
    _scores: tuple[_Scores, ...]

    def score(self, monitor: str, file_name: str) -> tuple[object, ...]:
        """The values that may be the checkpoint's score, first choice first."""
        for scores in self._scores:
            if scores.monitor == monitor:
                best = (scores.best[file_name],) if file_name in scores.best else ()
                return (*best, scores.current)
        return ()


def read_checkpoint(path: str | os.PathLike[str]) -> CheckpointFacts:
    """Read what a checkpoint says, without torch and without its tensors.

    Raises `HeaderError` where it cannot be read, or is no mapping.
    """
    with collector.Paused():  # until the content is gone again, or the collector would walk it first
        return _read(path)


def _read(path: str | os.PathLike[str]) -> CheckpointFacts:
    with open_header(path) as (header, scalar):
        content = header.content

        def number(value: object) -> object:
            """A number out of a 0-dim tensor or numpy scalar; anything else as it is."""
            if isinstance(value, TensorInfo | RetypedTensorInfo):
                read = scalar(value)
                return value if read is None else read
            return plain_scalar(value)

        document: dict[str, object] = {
            "epoch": number(content.get("epoch")),
            "global_step": number(content.get("global_step")),
            _METRICS: _metrics(header, number),
            "callbacks": _chosen_callback(content),
            "shapes": {"backbone": _backbone(content)},
        }
        return CheckpointFacts(document, tuple(_scores(content, number)))


def _metrics(header: Header, number: Callable[[object], object]) -> object:
    """The metrics under their names, or what stands there instead of a mapping."""
    value = header.content.get(_METRICS)
    metrics = mapping_of(value if isinstance(value, dict) else header.plain(value))
    if metrics is None:
        return value
    return {name: number(metrics.get(name)) for name in ("hmean", "precision", "recall")}


def _scores(content: Mapping[Any, Any], number: Callable[[object], object]) -> Iterator[_Scores]:
    for key, state in _states(content):
        if _class_name(key) != _MODEL_CHECKPOINT:
            continue
        best: dict[str, object] = {}
        for path, value in (mapping_of(state.get("best_k_models")) or {}).items():
            name = re.split(r"[/\\]", path)[-1] if isinstance(path, str) else None
            if name is not None and name not in best:
                best[name] = number(value)
        yield _Scores(plain_scalar(state.get("monitor")), best, number(state.get("current_score")))


def _states(content: Mapping[Any, Any]) -> Iterator[tuple[object, dict[Any, Any]]]:
    """The callbacks' state keys and states, in the order of the file; what is no mapping left out."""
    for key, value in (mapping_of(content.get("callbacks")) or {}).items():
        state = mapping_of(value)
        if state is not None:
            yield key, state


def _chosen_callback(content: Mapping[Any, Any]) -> object:
    """Monitor and mode of the first ModelCheckpoint, else of the first callback that tells a monitor."""
    callbacks = content.get("callbacks")
    if mapping_of(callbacks) is None:
        return callbacks
    chosen: dict[str, object] = {}
    for key, state in _states(content):
        is_model_checkpoint = _class_name(key) == _MODEL_CHECKPOINT
        monitor = plain_scalar(state.get("monitor"))
        if is_model_checkpoint or (not chosen and isinstance(accept_text(monitor), str)):
            chosen = {"monitor": monitor, "mode": _mode(key)}
        if is_model_checkpoint:
            break
    return chosen


def _class_name(key: object) -> str:
    """The class that a state key names: `ModelCheckpoint` of `ModelCheckpoint{'monitor': ...}`."""
    return key.partition("{")[0] if isinstance(key, str) else ""


def _mode(key: object) -> str | None:
    """The mode among the arguments that a state key shows."""
    text = key if isinstance(key, str) else ""
    position = text.find("{") + 1
    while position and (argument := _ARGUMENT.match(text, position)):
        if argument["name"] == "mode":
            return argument["single"]
        position = argument.end()
    return None


def _backbone(content: Mapping[Any, Any]) -> str | None:
    """The backbone that the shapes in the state dict tell."""
    weights = mapping_of(content.get("state_dict"))
    if weights is None:
        weights = mapping_of(content.get("model_state_dict")) or {}
    names = [name for name in weights if isinstance(name, str)]
    joined = "\n".join(names)
    for parts, bounds in _SHAPE_RULES:
        if not any(part in joined for part in parts):
            continue
        for name in names:
            first = _first_dimension(weights[name]) if any(part in name for part in parts) else None
            if first is not None:
                return next(backbone for most, backbone in bounds if most is None or first <= most)
    return None


def _first_dimension(value: object) -> int | None:
    shape = value.shape if isinstance(value, TensorInfo | RetypedTensorInfo) else None
    if isinstance(shape, tuple) and shape and type(shape[0]) is int:
        return shape[0]
    return None
