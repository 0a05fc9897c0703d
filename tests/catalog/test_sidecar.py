"""Under which names a sidecar stands, and when it is believed."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.documents import DocumentError
from catalog.sidecar import believe, sidecar_names


def test_a_sidecar_is_named_after_the_stem_then_the_file_then_in_json() -> None:
    assert sidecar_names("best.ckpt") == ("best.metadata.yaml", "best.ckpt.metadata.yaml", "best.metadata.json")


@pytest.mark.parametrize("version", ["1.0", 1.0, None, "", "unknown"], ids=repr)
def test_version_1_and_silence_about_it_are_believed(version: object) -> None:
    document = {"schema_version": version, "training": {"epoch": 3}}
    assert believe(document) == document


@pytest.mark.parametrize("version", ["2.0", "1", 1, True, 1.5, [1.0]])
def test_another_version_is_not_believed(version: object) -> None:
    with pytest.raises(DocumentError, match="schema_version"):
        believe({"schema_version": version})


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_what_is_no_mapping_is_not_believed(document: object) -> None:
    with pytest.raises(DocumentError, match="a mapping"):
        believe(document)


def test_an_older_encoder_is_given_its_v1_form_and_the_document_stays_untouched() -> None:
    document: dict[str, Any] = {"model": {"architecture": "dbnet", "encoder": "resnet18"}}
    assert believe(document)["model"]["encoder"] == {"model_name": "resnet18"}
    assert document["model"]["encoder"] == "resnet18"
