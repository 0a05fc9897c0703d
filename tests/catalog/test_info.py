from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog.info import CatalogOptions, CheckpointInfo
from catalog.records import CheckpointCatalogEntry


def info(**changes: Any) -> CheckpointInfo:
    """A checkpoint that tells everything, with changes."""
    whole = CheckpointInfo(
        checkpoint_path=Path("outputs/exp/checkpoints/epoch-18_step-001957.ckpt"),
        config_path=None,
        display_name="epoch-18_step-001957",
        exp_name="craft-add_vgg16_batch8",
        epochs=18,
        created_timestamp="20251019_0807",
        hmean=0.91239,
        architecture="craft",
        backbone="vgg16",
        monitor="val/hmean",
        monitor_mode="max",
    )
    return msgspec.structs.replace(whole, **changes)


def subjects(**changes: Any) -> str:
    """What stands before the brackets."""
    return info(**changes).to_display_option().partition(" (")[0]


def details(**changes: Any) -> list[str]:
    """What stands in the brackets, part by part."""
    return info(**changes).to_display_option().partition(" (")[2].removesuffix(")").split(" • ")


def concise(exp_name: str) -> str:
    """The experiment's name as the line shows it."""
    return subjects(architecture="unknown", backbone="unknown", exp_name=exp_name)


def test_the_whole_line_reads_as_it_always_did() -> None:
    assert info().to_display_option() == (
        "craft · vgg16 · craft-vgg16 (epoch 18 • hmean 0.912 • 20251019_0807 • monitor val/hmean (max))"
    )


def test_a_subject_that_is_there_already_is_not_repeated() -> None:
    assert subjects(architecture="dbnet", backbone="unknown", exp_name="dbnet_2024") == "dbnet"


def test_untold_subjects_are_left_out() -> None:
    assert subjects(architecture="unknown", backbone="", exp_name="wildreceipt") == "wildreceipt"


def test_without_any_subject_the_display_name_stands_there() -> None:
    untold = {"architecture": "unknown", "backbone": "unknown", "exp_name": "unknown"}
    assert subjects(**untold, display_name="epoch-3") == "epoch-3"


@pytest.mark.parametrize(
    ("exp_name", "expected"),
    [
        ("DBNet_ResNet18_batch", "DBNet-ResNet18"),
        ("resnet18_dbnetpp", "dbnetpp-resnet18"),
        ("craft_polygons_add_run", "craft-poly-add"),
        ("craft_polygons_no_run", "craft-poly-no"),
        ("craft_polygon_add_run", "craft-poly"),
        ("craft-polygons-add-run", "craft-poly"),
        ("wildreceipt_2024_no_first_trial_run", "wildreceipt-first-trial"),
        ("a_b_12", "a_b_12"),
        ("companion", "companion"),
        ("synthetic_documents_evaluation", "synthetic-documents-ev..."),
        ("abcde_fghij_klmnopqrstuvw", "abcde-fghij-klmnopqrstuvw"),
    ],
)
def test_an_experiment_name_is_shown_in_its_telling_parts(exp_name: str, expected: str) -> None:
    assert concise(exp_name) == expected


@pytest.mark.parametrize("stem", ["best", "last"])
def test_the_names_best_and_last_stand_before_the_epoch(stem: str) -> None:
    assert details(checkpoint_path=Path(f"{stem}.ckpt"))[:2] == [stem, "epoch 18"]


def test_a_name_that_only_begins_with_best_does_not_stand_there() -> None:
    assert details(checkpoint_path=Path("best-v1.ckpt"))[0] == "epoch 18"


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("x-step=12", "step 12"),
        ("x-Step_0034", "step 0034"),
        ("step-5-step-6", "step 5"),
        ("other", "other"),
        ("best", "best"),
    ],
)
def test_without_an_epoch_the_step_stands_there_else_the_stem(stem: str, expected: str) -> None:
    assert details(checkpoint_path=Path(f"{stem}.ckpt"), epochs=0, created_timestamp="T")[:2] == [
        expected,
        "hmean 0.912",
    ]


def test_a_metric_of_zero_is_told() -> None:
    assert "hmean 0.000" in details(hmean=0.0)


def test_what_is_not_told_leaves_no_trace_in_the_brackets() -> None:
    assert details(hmean=None, created_timestamp="", monitor=None) == ["epoch 18"]


def test_a_monitor_without_a_mode_stands_alone() -> None:
    assert details(monitor_mode=None)[-1] == "monitor val/hmean"


def test_the_short_label_is_the_display_name() -> None:
    assert info().short_label() == "epoch-18_step-001957"


@pytest.mark.parametrize(("epochs", "is_valid"), [(0, False), (1, True)])
def test_a_checkpoint_is_valid_from_its_first_epoch_on(epochs: int, is_valid: bool) -> None:
    assert info(epochs=epochs).is_valid is is_valid


def test_every_field_is_taken_over_from_an_entry() -> None:
    expected = info()
    shared = {name: getattr(expected, name) for name in CheckpointInfo.__struct_fields__}
    assert CheckpointInfo.from_entry(CheckpointCatalogEntry(**shared, score=0.5, precision=0.1)) == expected


def test_options_look_for_the_two_usual_config_names() -> None:
    assert CatalogOptions(Path("outputs")).hydra_config_filenames == ("config.yaml", "hparams.yaml")
