from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from catalog.schema import MetadataError
from catalog.validator import MetadataValidator, ValidationReport
from tests.catalog.trees import SIDECAR, changed, without, write

VALIDATOR = MetadataValidator()


def keys(report: ValidationReport) -> list[str]:
    """Where a report found errors."""
    return [error.key for error in report.errors]


def sidecar(folder: Path, document: object, name: str = "best.metadata.yaml") -> Path:
    """Write a sidecar and the checkpoint that it belongs to."""
    write(folder / "best.ckpt", b"")
    return write(folder / name, document)


def test_a_sidecar_that_keeps_the_schema_is_valid_without_a_word(tmp_path: Path) -> None:
    path = sidecar(tmp_path, SIDECAR)
    report = VALIDATOR.validate_file(path)
    assert (report, report.is_valid) == (ValidationReport(path=path), True)


def test_every_error_of_a_document_is_told(tmp_path: Path) -> None:
    document = without(changed(SIDECAR, training__epoch=-1, checkpointing__mode="up"), "model.head.name")
    report = VALIDATOR.validate_file(sidecar(tmp_path, document))
    assert keys(report) == ["training.epoch", "model.head.name", "checkpointing.mode"]
    assert not report.is_valid


def test_a_mapping_is_validated_without_a_file() -> None:
    report = VALIDATOR.validate_metadata(changed(SIDECAR, metrics__hmean=2))
    assert (report.path, keys(report), str(report.errors[0])) == (
        None,
        ["metrics.hmean"],
        "metrics.hmean: expected float <= 1.0, found 2; mend it",
    )


def test_unknown_keys_are_warnings_at_any_depth_but_not_in_params() -> None:
    document = changed(SIDECAR, notes="x", model__encoder__depth=18, model__head__params={"anything": 1})
    report = VALIDATOR.validate_metadata(document)
    assert report.is_valid
    assert [warning.partition(":")[0] for warning in report.warnings] == ["model.encoder.depth", "notes"]


def test_an_unquoted_creation_time_is_valid(tmp_path: Path) -> None:
    text = "created_at: 2025-10-19T08:07:06Z\n"
    report = VALIDATOR.validate_file(sidecar(tmp_path, text))
    assert "created_at" not in keys(report)


@pytest.mark.parametrize("content", ["a: [", "- 1", "[" * 65 + "]" * 65, "a: &a [*a]", "x" * (8 * 2**20 + 1)])
def test_a_file_that_cannot_be_read_is_one_error_about_the_whole_file(tmp_path: Path, content: str) -> None:
    report = VALIDATOR.validate_file(sidecar(tmp_path, content))
    assert (keys(report), len(report.errors)) == ([""], 1)


def test_a_missing_file_is_an_error_in_its_report(tmp_path: Path) -> None:
    assert keys(VALIDATOR.validate_file(tmp_path / "best.metadata.yaml")) == [""]


@pytest.mark.parametrize("name", ["best.metadata.yaml", "best.ckpt.metadata.yaml", "best.metadata.json"])
def test_each_name_of_a_sidecar_belongs_to_its_checkpoint(tmp_path: Path, name: str) -> None:
    assert VALIDATOR.validate_file(sidecar(tmp_path, SIDECAR, name)).warnings == ()


@pytest.mark.parametrize("name", ["other.metadata.yaml", "best.ckpt.metadata.json"])
def test_a_sidecar_without_a_checkpoint_is_a_warning(tmp_path: Path, name: str) -> None:
    report = VALIDATOR.validate_file(sidecar(tmp_path, SIDECAR, name))
    assert (report.is_valid, report.warnings) == (True, ("no checkpoint beside it",))


def test_how_a_file_is_read_can_be_chosen(tmp_path: Path) -> None:
    def read(path: Path) -> Any:
        raise MetadataError(path, "", "a", "b")

    assert keys(MetadataValidator(read).validate_file(sidecar(tmp_path, SIDECAR))) == [""]


def test_every_sidecar_below_a_folder_is_validated_in_the_order_of_paths(tmp_path: Path) -> None:
    names = ["a/.hidden/best.metadata.yaml", "a/best.ckpt.metadata.yaml", "b/c/best.metadata.json"]
    for name in reversed(names):
        sidecar((tmp_path / name).parent, SIDECAR, Path(name).name)
    write(tmp_path / "b" / "best.config.yaml", "a: [")
    reports = VALIDATOR.validate_directory(tmp_path)
    assert [report.path for report in reports] == [tmp_path / name for name in names]
    assert all(report.is_valid for report in reports)


def test_one_broken_sidecar_leaves_the_reports_of_the_others(tmp_path: Path) -> None:
    sidecar(tmp_path / "a", "a: [")
    sidecar(tmp_path / "b", SIDECAR)
    assert [report.is_valid for report in VALIDATOR.validate_directory(tmp_path)] == [False, True]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    sidecar(tmp_path / "a", SIDECAR)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert len(VALIDATOR.validate_directory(tmp_path)) == 1


def test_a_folder_that_cannot_be_read_is_an_error_in_a_report_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar(tmp_path / "a", SIDECAR)
    locked = tmp_path / "locked"
    locked.mkdir()
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # the suite may run as root, whom no permission stops
    reports = VALIDATOR.validate_directory(tmp_path)
    assert [(report.path, report.is_valid) for report in reports] == [
        (tmp_path / "a" / "best.metadata.yaml", True),
        (locked, False),
    ]


def test_a_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        VALIDATOR.validate_directory(tmp_path / "missing")
