from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from catalog.checkpoint import read_checkpoint
from catalog.header import HeaderError
from catalog.inert import TensorInfo
from tests.checkpoint_files import GENUINE, genuine_id, saved, written

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ModelCheckpoint{'monitor': 'val/hmean', 'mode': 'max', 'every_n_epochs': 1}"


def document(tmp_path: Path, content: object, **options: Any) -> Any:
    return read_checkpoint(written(tmp_path / "a.ckpt", saved(content, **options))).document


def scores(tmp_path: Path, callbacks: object, monitor: str = "val/hmean", name: str = "a.ckpt") -> Any:
    facts = read_checkpoint(written(tmp_path / "a.ckpt", saved({"callbacks": callbacks})))
    return facts.score(monitor, name)


@pytest.mark.parametrize("path", GENUINE, ids=genuine_id)
def test_facts_of_files_that_lightning_wrote_are_told(path: Path) -> None:
    content = torch.load(path, weights_only=False)
    facts = read_checkpoint(path)
    callbacks = content.get("callbacks")
    # Version 1.2 has the classes themselves as keys: they show no mode, and are nobody's name.
    is_named = callbacks and isinstance(next(iter(callbacks)), str)
    assert facts.document == {
        "epoch": content["epoch"],
        "global_step": content["global_step"],
        "cleval_metrics": {"hmean": torch.tensor(1 / 3).item(), "precision": 0.25, "recall": 0.5},
        "callbacks": callbacks and {"monitor": "val/hmean", "mode": "max" if is_named else None},
        "shapes": {"backbone": "resnet18"},
    }
    score: tuple[float, ...] = ()
    if is_named:
        state = next(one for key, one in callbacks.items() if key.startswith("ModelCheckpoint"))
        best = state["best_model_score"].item()
        score = (best, best) if path.stem == "best" else (best,)
    assert facts.score("val/hmean", path.name) == score


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
@pytest.mark.parametrize("value", [7, 7.5, "7", None, True])
def test_plain_values_are_handed_on_as_they_stand(tmp_path: Path, value: object, options: Any) -> None:
    content = {"epoch": value, "global_step": value, "cleval_metrics": {"hmean": value}}
    told = document(tmp_path, content, **options)
    assert (told["epoch"], told["global_step"], told["cleval_metrics"]["hmean"]) == (value, value, value)
    assert type(told["epoch"]) is type(value)


@pytest.mark.parametrize(
    "value", [torch.tensor(7), torch.tensor(7.0, dtype=torch.bfloat16), np.int64(7), np.float16(7)]
)
def test_scalars_of_torch_and_numpy_count_as_their_values(tmp_path: Path, value: Any) -> None:
    told = document(tmp_path, {"epoch": value, "cleval_metrics": {"recall": value}})
    assert told["epoch"] == told["cleval_metrics"]["recall"] == 7
    assert type(told["epoch"]) is type(value.item())


def test_a_tensor_with_dimensions_is_handed_on_as_what_it_is(tmp_path: Path) -> None:
    assert isinstance(document(tmp_path, {"epoch": torch.ones(1)})["epoch"], TensorInfo)


def test_what_is_absent_is_none(tmp_path: Path) -> None:
    assert document(tmp_path, {"a": 1}) == {
        "epoch": None,
        "global_step": None,
        "cleval_metrics": None,
        "callbacks": None,
        "shapes": {"backbone": None},
    }


@pytest.mark.parametrize("value", [[1], "text", 5])
def test_what_is_no_mapping_is_handed_on(tmp_path: Path, value: object) -> None:
    told = document(tmp_path, {"cleval_metrics": value, "callbacks": value, "state_dict": value})
    assert told["cleval_metrics"] == told["callbacks"] == value


def test_metrics_in_a_node_of_omegaconf_are_told(tmp_path: Path) -> None:
    metrics = {"hmean": 0.5, "precision": None, "recall": 0.25}
    assert document(tmp_path, {"cleval_metrics": OmegaConf.create(metrics)})["cleval_metrics"] == metrics


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        (KEY, "max"),
        ("ModelCheckpoint{'monitor': \"a', 'mode': 'min\", 'mode': 'max'}", "max"),
        ("ModelCheckpoint{'monitor': 'it\\'s', 'mode': 'min'}", "min"),
        ("ModelCheckpoint{'monitor': None, 'mode': 'min', 'train_time_interval': None}", "min"),
        ("ModelCheckpoint{'monitor': 'x', 'mode': None}", None),
        ("ModelCheckpoint{'monitor': 'x'}", None),
        ("ModelCheckpoint", None),
        ("ModelCheckpoint{", None),
    ],
)
def test_the_mode_stands_in_the_state_key(tmp_path: Path, key: str, mode: str | None) -> None:
    told = document(tmp_path, {"callbacks": {key: {"monitor": "x"}}})
    assert told["callbacks"] == {"monitor": "x", "mode": mode}


def test_the_first_model_checkpoint_is_chosen_before_others_with_a_monitor(tmp_path: Path) -> None:
    callbacks = {
        "EarlyStopping{'monitor': 'val/loss', 'mode': 'min'}": {"monitor": "val/loss"},
        KEY: {"monitor": "val/hmean"},
        "ModelCheckpoint{'monitor': 'other', 'mode': 'min'}": {"monitor": "other"},
    }
    assert document(tmp_path, {"callbacks": callbacks})["callbacks"] == {"monitor": "val/hmean", "mode": "max"}


def test_else_the_first_callback_that_tells_a_monitor_is_chosen(tmp_path: Path) -> None:
    callbacks = {
        "Silent": {"monitor": " "},
        "Broken": ["monitor"],
        "EarlyStopping{'monitor': 'val/loss', 'mode': 'min'}": {"monitor": "val/loss"},
        "Later{'mode': 'max'}": {"monitor": "later"},
    }
    assert document(tmp_path, {"callbacks": callbacks})["callbacks"] == {"monitor": "val/loss", "mode": "min"}
    assert document(tmp_path, {"callbacks": {"Silent": {}}})["callbacks"] == {}


def test_the_score_is_that_of_this_file_before_the_current_one(tmp_path: Path) -> None:
    best = {"/x/b.ckpt": 0.1, "C:\\x\\a.ckpt": torch.tensor(0.75), "/y/a.ckpt": 0.3, 5: 0.4}
    state = {"monitor": "val/hmean", "best_k_models": best, "current_score": torch.tensor(0.5)}
    assert scores(tmp_path, {KEY: state}) == (0.75, 0.5)
    assert scores(tmp_path, {KEY: state}, name="other.ckpt") == (0.5,)
    assert scores(tmp_path, {KEY: state}, name="x") == (0.5,)


def test_the_score_is_of_the_first_model_checkpoint_with_that_monitor(tmp_path: Path) -> None:
    callbacks = {
        "EarlyStopping{}": {"monitor": "val/hmean", "current_score": 0.1},
        "ModelCheckpoint{'monitor': 'val/loss'}": {"monitor": "val/loss", "current_score": 0.2},
        KEY: {"monitor": "val/hmean", "current_score": 0.3, "best_k_models": "broken"},
        KEY + " ": {"monitor": "val/hmean", "current_score": 0.4},
    }
    assert scores(tmp_path, callbacks) == (0.3,)
    assert scores(tmp_path, callbacks, monitor="none of them") == ()


@pytest.mark.parametrize(
    ("keys", "backbone"),
    [
        ({"m.encoder.model.conv_stem.weight": 16}, "mobilenetv3_small_050"),
        ({"m.encoder.model.conv_stem.weight": 17}, "mobilenetv3_small_075"),
        ({"m.encoder.model.conv_stem.weight": 24}, "mobilenetv3_small_075"),
        ({"m.encoder.model.conv_stem.weight": 25}, "mobilenetv3_large_100"),
        ({"encoder.model.features.0.0.weight": 40}, "efficientnet_b0"),
        ({"encoder.model.features.0.0.weight": 41}, "efficientnet_b3"),
        ({"encoder.model.layer1.0.conv1.weight": 255}, "resnet18"),
        ({"encoder.model.layer2.0.conv1.weight": 256}, "resnet50"),
        ({"encoder.model.layer4.0.conv1.weight": 256}, None),
        ({"encoder.model.layer3.0.conv1.weight": 64, "encoder.model.layer1.0.conv1.weight": 256}, "resnet18"),
        (
            {"encoder.model.layer1.0.conv1.weight": 64, "encoder.model.conv_stem.weight": 9},
            "mobilenetv3_small_050",
        ),
        (
            {"encoder.model.conv_stem.weight": None, "x.encoder.model.conv_stem.weight.y": 20},
            "mobilenetv3_small_075",
        ),
        ({7: 3, "weight": 3}, None),
        ({}, None),
    ],
)
def test_shapes_tell_a_backbone(tmp_path: Path, keys: dict[Any, int | None], backbone: str | None) -> None:
    state = {key: torch.tensor(1.0) if first is None else torch.zeros(first, 1) for key, first in keys.items()}
    for content in ({"state_dict": state}, {"state_dict": None, "model_state_dict": state}):
        assert document(tmp_path, content)["shapes"] == {"backbone": backbone}


def test_parameters_count_as_tensors(tmp_path: Path) -> None:
    state = {"encoder.model.layer1.0.conv1.weight": torch.nn.Parameter(torch.zeros(256, 1))}
    assert document(tmp_path, {"state_dict": state})["shapes"] == {"backbone": "resnet50"}


def test_the_other_state_dict_is_passed_over_where_the_first_is_a_mapping(tmp_path: Path) -> None:
    other = {"encoder.model.layer1.0.conv1.weight": torch.zeros(256, 1)}
    told = document(tmp_path, {"state_dict": {}, "model_state_dict": other})
    assert told["shapes"] == {"backbone": None}


def test_what_is_no_mapping_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match="expected a mapping"):
        document(tmp_path, [1])
