"""What a path tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from catalog.layout import stem_of
from catalog.names import epoch_of, experiment_of, facts, step_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("folders", "experiment"),
    [
        ("exp/checkpoints", "exp"),
        ("a/exp/checkpoints/deeper/still", "exp"),
        ("a/checkpoints/b/checkpoints", "b"),
        ("a/b", "b"),
        ("checkpoints", "checkpoints"),
        ("checkpoints/x", "x"),
        ("", None),
    ],
)
def test_the_experiment_stands_above_the_nearest_checkpoints_folder(
    folders: str, experiment: str | None
) -> None:
    assert experiment_of(folders) == experiment


def test_without_a_folder_below_the_outputs_directory_names_the_experiment(tmp_path: Path) -> None:
    outputs = tmp_path / "my outputs"
    outputs.mkdir()
    assert facts("best.ckpt", str(outputs / ".." / "my outputs"))["exp_name"] == "my outputs"


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("epoch=12-step=3.ckpt", 12),
        ("epoch-10_step-001133.ckpt", 10),
        ("Epoch_007.ckpt", 7),
        ("epoch=3-epoch=4.ckpt", 3),
        ("epoch=0.ckpt", 0),
        ("epoch12.ckpt", None),
        ("best.ckpt", None),
        (f"epoch={2**63}.ckpt", None),
        (f"epoch={'9' * 5000}.ckpt", None),
    ],
)
def test_an_epoch_needs_its_separator_and_must_be_possible(name: str, epoch: int | None) -> None:
    assert epoch_of(name) == epoch


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("epoch=12-step=3.ckpt", 3),
        ("epoch=10_Step=001133.ckpt", 1133),
        ("timestep=1-step=5.ckpt", 5),
        ("step_30-epoch=3.ckpt", None),
        ("two-step-2.ckpt", None),
        ("epoch=3.ckpt", None),
        ("step3.ckpt", None),
        (f"step={2**63}.ckpt", None),
    ],
)
def test_a_step_is_told_as_an_epoch_is(name: str, step: int | None) -> None:
    assert step_of(name) == step


@pytest.mark.parametrize(
    ("path", "architecture"),
    [
        ("run_dbnet_x/a.ckpt", "dbnet"),
        ("run-DBNetPP-x/a.ckpt", "dbnetpp"),
        ("dbnet/dbnetpp.ckpt", "dbnetpp"),
        ("companion/a.ckpt", None),
        ("exp/pan.ckpt", "pan"),
        ("épan/a.ckpt", None),
    ],
)
def test_an_architecture_is_a_whole_token_and_the_first_of_the_list_wins(
    path: str, architecture: str | None
) -> None:
    assert facts(path, "outputs")["architecture"] == architecture


@pytest.mark.parametrize(
    ("path", "backbone"),
    [("xresnet18y/a.ckpt", "resnet18"), ("RESNET50/resnet18.ckpt", "resnet18"), ("vgg/a.ckpt", None)],
)
def test_an_encoder_counts_anywhere(path: str, backbone: str | None) -> None:
    assert facts(path, "outputs")["backbone"] == backbone


@pytest.mark.parametrize(
    ("name", "epoch"),
    [("best.ckpt", 999), ("BEST-v1.ckpt", 999), ("last.ckpt", 998), ("almost-best.ckpt", None)],
)
def test_best_and_last_stand_for_the_old_sentinels(name: str, epoch: int | None) -> None:
    assert facts(name, "outputs")["sentinel_epoch"] == epoch


@pytest.mark.parametrize(
    ("name", "stem"), [("a.ckpt", "a"), ("a.b.ckpt", "a.b"), (".ckpt", ".ckpt"), ("a.ckpt.ckpt", "a.ckpt")]
)
def test_a_stem_loses_one_suffix_and_is_never_empty(name: str, stem: str) -> None:
    assert stem_of(name) == stem
