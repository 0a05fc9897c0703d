from __future__ import annotations

import json
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings

from catalog.schema import (
    CheckpointMetadataV1,
    MetadataError,
    load_metadata,
    load_metadata_batch,
    save_metadata,
    schema_errors,
)
from tests.catalog.trees import SIDECAR, changed, without, write
from tests.property.metadata_strategies import v1_records


def record(**changes: Any) -> CheckpointMetadataV1:
    """A sidecar that keeps the schema, with changes at its top."""
    return msgspec.structs.replace(msgspec.convert(SIDECAR, CheckpointMetadataV1), **changes)


def saved(folder: Path, document: object, name: str = "best.metadata.yaml") -> Path:
    """Write a sidecar and return the path of its checkpoint."""
    write(folder / name, document)
    return folder / "best.ckpt"


def keys_of(document: dict[str, Any]) -> list[str]:
    """Where a document breaks the schema."""
    return [error.key for error in schema_errors(document)]


# Reading


@pytest.mark.parametrize("name", ["best.metadata.yaml", "best.ckpt.metadata.yaml", "best.metadata.json"])
def test_a_sidecar_is_read_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    assert load_metadata(saved(tmp_path, SIDECAR, name)) == record()


def test_without_a_sidecar_there_is_none(tmp_path: Path) -> None:
    assert load_metadata(tmp_path / "best.ckpt") is None


def test_the_first_name_goes_before_the_others(tmp_path: Path) -> None:
    saved(tmp_path, changed(SIDECAR, exp_name="second"), "best.ckpt.metadata.yaml")
    loaded = load_metadata(saved(tmp_path, changed(SIDECAR, exp_name="first")))
    assert loaded is not None
    assert loaded.exp_name == "first"


def test_a_checkpoint_named_by_its_ending_alone_has_a_sidecar_too(tmp_path: Path) -> None:
    saved(tmp_path, SIDECAR, ".ckpt.metadata.yaml")
    assert load_metadata(tmp_path / ".ckpt") == record()


def test_absent_keys_take_their_defaults(tmp_path: Path) -> None:
    bare = without(
        SIDECAR,
        *("training.training_phase", "model.encoder.pretrained", "model.encoder.frozen"),
        *("checkpointing.save_top_k", "checkpointing.save_last"),
    )
    assert load_metadata(saved(tmp_path, bare)) == record()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2025-10-19T08:07:06", "2025-10-19T08:07:06"),
        ("2025-10-19 08:07:06+09:00", "2025-10-19T08:07:06+09:00"),
        ("2025-10-19", "2025-10-19"),
        ("'2025-10-19 08:07'", "2025-10-19 08:07"),
    ],
)
def test_a_creation_time_that_yaml_read_becomes_its_iso_text(tmp_path: Path, written: str, told: str) -> None:
    text = yaml.safe_dump(without(SIDECAR, "created_at")) + f"created_at: {written}\n"
    loaded = load_metadata(saved(tmp_path, text))
    assert loaded is not None
    assert loaded.created_at == told


def test_keys_that_the_schema_does_not_know_are_no_errors(tmp_path: Path) -> None:
    assert load_metadata(saved(tmp_path, SIDECAR | {"notes": "kept by hand"})) == record()


@pytest.mark.parametrize("content", ["- 1", "text", "", "a: [", "a: b: c"])
def test_what_is_no_mapping_raises_and_names_the_file(tmp_path: Path, content: str) -> None:
    with pytest.raises(MetadataError, match=r"best\.metadata\.yaml") as raised:
        load_metadata(saved(tmp_path, content))
    assert (raised.value.path, raised.value.key) == (tmp_path / "best.metadata.yaml", "")


def test_an_error_tells_key_expectation_and_finding(tmp_path: Path) -> None:
    with pytest.raises(MetadataError) as raised:
        load_metadata(saved(tmp_path, changed(SIDECAR, training__epoch=-1)))
    error = raised.value
    assert (error.key, error.expected, error.found) == ("training.epoch", "int >= 0", "-1")
    assert "training.epoch: expected int >= 0, found -1" in str(error)


def test_what_steers_a_terminal_is_escaped_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(MetadataError) as raised:
        load_metadata(saved(tmp_path, changed(SIDECAR, checkpointing__mode="\x1b[2J")))
    assert "\x1b" not in str(raised.value)


# The schema

REQUIRED = [
    *("schema_version", "checkpoint_path", "exp_name", "created_at"),
    *("training", "training.epoch", "training.global_step"),
    *("model", "model.architecture", "model.encoder", "model.encoder.model_name"),
    *("model.decoder", "model.decoder.name", "model.head", "model.head.name", "model.loss", "model.loss.name"),
    *("metrics", "checkpointing", "checkpointing.monitor", "checkpointing.mode"),
]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_required_key_that_is_missing_is_an_error(key: str) -> None:
    assert keys_of(without(SIDECAR, key)) == [key]


def test_an_error_about_a_missing_key_tells_its_type() -> None:
    errors = schema_errors(without(SIDECAR, "schema_version", "exp_name", "training.epoch", "model.head"))
    assert [error.expected for error in errors] == ['"1.0"', "str", "int", "a mapping"]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_required_key_may_not_be_null(key: str) -> None:
    assert keys_of(changed(SIDECAR, **{key.replace(".", "__"): None})) == [key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema_version", "2.0"),
        ("schema_version", 1.0),
        ("exp_name", 7),
        ("exp_name", "\ud800"),
        ("created_at", "yesterday"),
        ("created_at", 20251019),
        ("training.epoch", True),
        ("training.epoch", 3.0),
        ("training.epoch", "3"),
        ("training.epoch", 2**63),
        ("training.global_step", -1),
        ("training.training_phase", "testing"),
        ("training.max_epochs", 0),
        ("model.encoder", "resnet18"),
        ("model.encoder.pretrained", 1),
        ("model.decoder.in_channels", [64, "128"]),
        ("model.decoder.params", [1]),
        ("metrics.hmean", 1.0001),
        ("metrics.hmean", float("nan")),
        ("metrics.recall", -0.1),
        ("metrics.precision", "0.5"),
        ("metrics.validation_loss", -1),
        ("metrics.validation_loss", float("inf")),
        ("metrics.additional_metrics", [1]),
        ("checkpointing.mode", "maximum"),
        ("checkpointing.save_top_k", -2),
        ("wandb_run_id", 5),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_an_error(key: str, value: object) -> None:
    assert keys_of(changed(SIDECAR, **{key.replace(".", "__"): value})) == [key]


@pytest.mark.parametrize("value", ["0.5", float("nan"), True, 10**400])
def test_an_additional_metric_that_is_no_finite_number_is_an_error_at_its_name(value: object) -> None:
    document = changed(SIDECAR, metrics__additional_metrics={"val/a": 1, "val/b": value})
    assert keys_of(document) == ["metrics.additional_metrics.val/b"]


def test_all_errors_are_told_and_not_the_first_alone() -> None:
    document = without(changed(SIDECAR, training__epoch=-1, metrics__hmean=2, model__head=7), "exp_name")
    assert keys_of(document) == ["exp_name", "training.epoch", "model.head", "metrics.hmean"]


def test_a_key_that_is_no_text_is_an_error() -> None:
    training: dict[Any, Any] = {**SIDECAR["training"], 7: 1}
    assert keys_of({**SIDECAR, "training": training}) == ["training"]


def test_optional_keys_may_be_null() -> None:
    nulls = {"wandb_run_id": None, "metrics__hmean": None, "model__decoder__params": None}
    assert keys_of(changed(SIDECAR, **nulls)) == []


# Many at once


def test_one_broken_sidecar_of_many_is_none_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = saved(tmp_path / "good", SIDECAR)
    broken = saved(tmp_path / "broken", changed(SIDECAR, metrics__hmean=2))
    missing = tmp_path / "missing.ckpt"
    caplog.set_level(logging.WARNING, "catalog.schema")
    assert load_metadata_batch([good, broken, missing]) == {good: record(), broken: None, missing: None}
    (line,) = caplog.messages
    assert "best.metadata.yaml" in line
    assert "metrics.hmean" in line


# Writing


@settings(max_examples=80, deadline=None)
@given(v1_records())
def test_what_is_saved_is_loaded_as_it_was(metadata: CheckpointMetadataV1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_metadata(metadata, Path(folder, "best.ckpt"))
        assert load_metadata(Path(folder, "best.ckpt")) == metadata


def test_a_saved_sidecar_stands_beside_its_checkpoint_without_nulls(tmp_path: Path) -> None:
    path = save_metadata(record(), tmp_path / "best.ckpt")
    assert path == tmp_path / "best.metadata.yaml"
    assert yaml.safe_load(path.read_text()) == SIDECAR
    assert path.read_text().startswith("schema_version: '1.0'\ncheckpoint_path:")


def test_what_two_parts_share_is_written_twice(tmp_path: Path) -> None:
    shared = {"a": [1]}
    model = record().model
    decoder = msgspec.structs.replace(model.decoder, params=shared)
    head = msgspec.structs.replace(model.head, params=shared)
    path = save_metadata(
        record(model=msgspec.structs.replace(model, decoder=decoder, head=head)), tmp_path / "best.ckpt"
    )
    assert "&" not in path.read_text()


def test_a_sidecar_is_replaced_and_nothing_is_left_over(tmp_path: Path) -> None:
    save_metadata(record(), tmp_path / "best.ckpt")
    save_metadata(record(exp_name="again"), tmp_path / "best.ckpt")
    loaded = load_metadata(tmp_path / "best.ckpt")
    assert loaded is not None
    assert (loaded.exp_name, os.listdir(tmp_path)) == ("again", ["best.metadata.yaml"])


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"},
        {"exp_name": "\ud800"},
        {"wandb_run_id": 7},
        {"params": {"a": object()}},
        {"params": {"a": float("nan")}},
    ],
    ids=lambda changes: json.dumps(changes, default=lambda one: type(one).__name__),
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path, changes: dict[str, Any]) -> None:
    save_metadata(record(), tmp_path / "best.ckpt")
    model = record().model
    if "params" in changes:
        changes = {"model": msgspec.structs.replace(model, loss=msgspec.structs.replace(model.loss, **changes))}
    with pytest.raises(MetadataError, match=r"best\.metadata\.yaml"):
        save_metadata(record(**changes), tmp_path / "best.ckpt")
    assert (load_metadata(tmp_path / "best.ckpt"), os.listdir(tmp_path)) == (record(), ["best.metadata.yaml"])


def test_params_that_hold_themselves_are_refused(tmp_path: Path) -> None:
    params: dict[str, Any] = {}
    params["self"] = params
    model = record().model
    loss = msgspec.structs.replace(model.loss, params=params)
    with pytest.raises(MetadataError):
        save_metadata(record(model=msgspec.structs.replace(model, loss=loss)), tmp_path / "best.ckpt")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_on_the_way_keeps_the_old_sidecar_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    save_metadata(record(), tmp_path / "best.ckpt")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        save_metadata(record(exp_name="again"), tmp_path / "best.ckpt")
    assert (load_metadata(tmp_path / "best.ckpt"), os.listdir(tmp_path)) == (record(), ["best.metadata.yaml"])


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_sidecar_has_the_rights_of_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        path = save_metadata(record(), tmp_path / "best.ckpt")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_metadata(record(), tmp_path / "missing" / "best.ckpt")
