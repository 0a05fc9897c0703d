"""Where a config stands, and which of its callbacks monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from catalog.config import candidates, chosen_callback, load_config, resolve_config_path
from catalog.documents import DocumentError
from catalog.layout import check_config_filenames, hydra_folders

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("config.yaml", "hparams.yaml")
ORDER = [
    "exp/checkpoints/best.config.json",
    "exp/checkpoints/best.config.yaml",
    "exp/checkpoints/best.config.yml",
    "exp/checkpoints/best.resolved.config.json",
    "exp/.hydra/config.yaml",
    ".hydra/config.yaml",
    "exp/checkpoints/config.yaml",
    "exp/checkpoints/hparams.yaml",
    "exp/config.yaml",
    "exp/hparams.yaml",
]


def test_the_candidates_stand_in_the_order_of_the_contract() -> None:
    assert [
        f"{folder}/{name}".lstrip("/") for folder, name in candidates("exp/checkpoints", "best", NAMES)
    ] == ORDER


@pytest.mark.parametrize("position", range(len(ORDER)))
def test_the_first_file_that_exists_is_the_config(tmp_path: Path, position: int) -> None:
    for relative in ORDER[position:]:
        path = tmp_path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1")
    checkpoint = tmp_path / "exp" / "checkpoints" / "best.ckpt"
    assert resolve_config_path(checkpoint, tmp_path) == tmp_path / ORDER[position]


def test_the_search_never_leaves_the_outputs_directory(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1")
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("a: 1")
    outputs = tmp_path / "outputs"
    assert resolve_config_path(outputs / "a.ckpt", outputs) is None
    assert hydra_folders("") == ()
    assert hydra_folders("exp") == (".hydra",)


def test_a_hydra_folder_that_is_a_link_is_not_looked_into(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "config.yaml").write_text("a: 1")
    (tmp_path / "exp" / "checkpoints").mkdir(parents=True)
    (tmp_path / "exp" / ".hydra").symlink_to(tmp_path / "real", target_is_directory=True)
    assert resolve_config_path(tmp_path / "exp" / "checkpoints" / "a.ckpt", tmp_path) is None


@pytest.mark.parametrize("name", ["a/b.yaml", "../x", "", ".", "a\\b"])
def test_a_configured_name_that_is_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected file names"):
        check_config_filenames([name])


def test_one_string_in_place_of_names_is_refused() -> None:
    with pytest.raises(TypeError, match="sequence of names"):
        check_config_filenames("config.yaml")


MODEL_CHECKPOINT = {
    "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
    "monitor": "val/hmean",
    "mode": "max",
}
EARLY_STOPPING = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/loss", "mode": "min"}


@pytest.mark.parametrize(
    ("callbacks", "monitor"),
    [
        ({"early": EARLY_STOPPING, "model": MODEL_CHECKPOINT}, "val/hmean"),
        ([EARLY_STOPPING, MODEL_CHECKPOINT], "val/hmean"),
        ({"early": EARLY_STOPPING}, "val/loss"),
        ({"a": {"_target_": "ModelCheckpoint"}, "b": MODEL_CHECKPOINT}, None),
        ({"a": {"monitor": " "}, "b": {"monitor": "x"}}, "x"),
        ({"a": {"_target_": "my.NotModelCheckpoint", "monitor": "y"}, "b": MODEL_CHECKPOINT}, "val/hmean"),
    ],
)
def test_the_first_model_checkpoint_is_chosen_else_the_first_with_a_monitor(
    callbacks: object, monitor: str | None
) -> None:
    chosen = chosen_callback({"callbacks": callbacks})
    assert isinstance(chosen, dict)
    assert chosen["monitor"] == monitor


@pytest.mark.parametrize("config", [{}, {"callbacks": None}, {"callbacks": {"a": 1, "b": {}}}])
def test_without_a_monitoring_callback_nothing_is_chosen(config: dict[str, Any]) -> None:
    assert chosen_callback(config) is None


def test_what_stands_in_place_of_callbacks_is_handed_on() -> None:
    assert chosen_callback({"callbacks": "ModelCheckpoint"}) == "ModelCheckpoint"


def test_load_config_gives_a_mapping_or_says_what_it_found(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: {b: 1}")
    assert load_config(path) == {"a": {"b": 1}}
    path.write_text("")
    assert load_config(path) == {}
    path.write_text("- 1")
    with pytest.raises(DocumentError, match="a list"):
        load_config(path)
