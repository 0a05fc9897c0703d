from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog.records import (
    CheckpointCatalog,
    CheckpointCatalogEntry,
    Problem,
    Provenance,
    SkippedCheckpoint,
    printable,
)


def entry(**changes: Any) -> CheckpointCatalogEntry:
    """An entry that tells everything, with changes."""
    whole = CheckpointCatalogEntry(
        checkpoint_path=Path("outputs/exp/checkpoints/best.ckpt"),
        config_path=None,
        display_name="best",
        architecture="dbnet",
        backbone="resnet18",
        exp_name="wildreceipt",
        epochs=999,
        created_timestamp="20251019_0807",
        hmean=0.91239,
        precision=0.0,
        recall=1.0,
    )
    return msgspec.structs.replace(whole, **changes)


def catalog(*entries: CheckpointCatalogEntry) -> CheckpointCatalog:
    """A catalog of a few entries."""
    return CheckpointCatalog(outputs_dir=Path("outputs"), entries=list(entries))


def test_the_whole_line_of_an_entry() -> None:
    assert entry().to_display_option() == (
        "dbnet · resnet18 · wildreceipt (ep999 • hmean 0.912 • prec 0.000 • rec 1.000 • 20251019_0807)"
    )


def test_untold_metrics_are_left_out() -> None:
    untold = entry(hmean=None, precision=None, recall=None)
    assert untold.to_display_option() == "dbnet · resnet18 · wildreceipt (ep999 • 20251019_0807)"


@pytest.mark.parametrize("exp_name", ["", "unknown"])
def test_an_untold_experiment_is_left_out_and_an_untold_architecture_printed(exp_name: str) -> None:
    line = entry(exp_name=exp_name, architecture="unknown").to_display_option()
    assert line.startswith("unknown · resnet18 (ep999")


@pytest.mark.parametrize(("length", "shown"), [(23, "x" * 23), (24, "x" * 20 + "...")])
def test_an_experiment_name_over_23_characters_is_cut(length: int, shown: str) -> None:
    assert f"· {shown} (" in entry(exp_name="x" * length).to_display_option()


def test_a_catalog_counts_and_iterates_its_entries() -> None:
    two = catalog(entry(has_metadata=True), entry())
    assert (two.total_count, len(two), list(two)) == (2, 2, two.entries)


def test_coverage_is_the_share_with_metadata() -> None:
    four = catalog(entry(has_metadata=True), entry(), entry(), entry())
    assert (four.metadata_available_count, four.metadata_coverage_percent) == (1, 25.0)


def test_the_coverage_of_an_empty_catalog_is_zero() -> None:
    assert catalog().metadata_coverage_percent == 0.0


def test_two_catalogs_share_no_lists() -> None:
    assert catalog().problems is not catalog().problems


def test_what_was_found_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        entry().epochs = 3  # type: ignore[misc]  # the claim is that this raises


@pytest.mark.parametrize(
    "record",
    [
        entry(),
        SkippedCheckpoint(Path("a.ckpt"), "epochs is 0"),
        Problem(path=Path("a"), source="scan", expected="a", found="b", remedy="c"),
    ],
)
def test_a_record_survives_its_journey_through_json(record: msgspec.Struct) -> None:
    # Paths travel as text, and provenance as a mapping.
    def plain(value: object) -> object:
        return dict(value) if isinstance(value, Provenance) else str(value)

    sent = msgspec.json.encode(record, enc_hook=plain)
    back = msgspec.json.decode(sent, type=type(record), dec_hook=lambda kind, told: kind(told))
    assert back == record


def test_a_problem_tells_place_key_finding_and_remedy_in_one_line() -> None:
    problem = Problem(
        path=Path("a.yaml"), source="config", key="model", expected="a mapping", found="int", remedy="mend it"
    )
    assert str(problem) == "a.yaml: model: expected a mapping, found int; mend it"


def test_a_problem_with_a_whole_file_names_no_key() -> None:
    problem = Problem(path=Path("a.ckpt"), source="scan", expected="a file", found="a pipe", remedy="remove it")
    assert str(problem) == "a.ckpt: expected a file, found a pipe; remove it"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\u001b[2J"),
        ("a\nb", "a\\u000ab"),
        ("\u202egnp", "\\u202egnp"),
        ("\udcff", "\\udcff"),
        ("größe · 試験", "größe · 試験"),
    ],
)
def test_what_steers_a_terminal_is_escaped_and_plain_text_is_not(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_who_told_what_can_be_read_and_not_changed() -> None:
    told = Provenance({"epochs": "sidecar"})
    assert (dict(told), told["epochs"], len(told)) == ({"epochs": "sidecar"}, "sidecar", 1)
    assert copy.deepcopy(told) == told, "as pickle does it, for those who send entries to other processes"
    with pytest.raises(TypeError):
        told["epochs"] = "file"  # type: ignore[index]  # what is tested
