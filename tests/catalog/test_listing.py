"""A catalog as text and as JSON."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import listing
from catalog.records import CheckpointCatalog, CheckpointCatalogEntry, Problem, Provenance, SkippedCheckpoint

ROOT = Path("outputs")
ENTRY = CheckpointCatalogEntry(
    checkpoint_path=ROOT / "exp" / "best.ckpt",
    config_path=None,
    display_name="best",
    architecture="dbnet\x1b[31m",
    backbone="unknown",
    exp_name="exp",
    epochs=3,
    created_timestamp="20250101_0000",
    hmean=0.5,
    provenance=Provenance({"hmean": "checkpoint"}),
)
CATALOG = CheckpointCatalog(
    outputs_dir=ROOT,
    entries=[ENTRY],
    skipped=[SkippedCheckpoint(ROOT / "x.ckpt", "why")],
    problems=[Problem(path=ROOT / "x.ckpt", source="scan", expected="e", found="f", remedy="r")],
)


def test_a_table_has_a_heading_and_paths_below_the_tree_and_steers_no_terminal() -> None:
    heading, row = listing.table(CATALOG.entries, ROOT).splitlines()
    assert heading.split()[-1] == "checkpoint"
    assert row.split()[-1] == "exp/best.ckpt"
    assert "\x1b" not in row


def test_a_summary_counts_what_the_table_leaves_unsaid() -> None:
    assert listing.summary(CATALOG, 1).startswith("1 of 1 checkpoints shown, 1 left out, 1 problems")


def test_details_name_the_source_of_each_told_field() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in listing.details(ENTRY).splitlines()}
    assert lines["hmean"] == ["0.5", "checkpoint"]
    assert lines["config_path"] == ["-"]


def test_details_confuse_no_field_s_source_with_another_s() -> None:
    fields = [name for name in CheckpointCatalogEntry.__struct_fields__ if name != "provenance"]
    provenance = Provenance({name: f"source-of-{name}" for name in fields})
    lines = listing.details(msgspec.structs.replace(ENTRY, provenance=provenance)).splitlines()
    assert [(line.split()[0], line.split()[-1]) for line in lines] == list(provenance.items())


def test_json_holds_every_field_and_what_was_left_out() -> None:
    told = json.loads("".join(listing.catalog_json(CATALOG, CATALOG.entries)))
    assert told["entries"][0]["checkpoint_path"] == "outputs/exp/best.ckpt"
    assert told["skipped"] == [{"checkpoint_path": "outputs/x.ckpt", "reason": "why"}]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_json_in_pieces_is_what_it_is_as_a_whole(count: int) -> None:
    paths = [
        ROOT / f"{number}{odd}" for number, odd in zip(range(count), cycle(["", "\udcff", "é"]), strict=False)
    ]
    entries = [msgspec.structs.replace(ENTRY, checkpoint_path=one) for one in paths]
    pieces = list(listing.catalog_json(CATALOG, entries))
    told = json.loads("".join(pieces))
    assert told["entries"] == [json.loads(listing.as_json(one)) for one in entries]
    assert list(told) == [
        "outputs_dir",
        "total_count",
        "metadata_available_count",
        "catalog_build_time_seconds",
        "entries",
        "skipped",
        "problems",
    ]
    assert len(pieces) == 2 + -(-count // 64)


_PROVENANCES = st.builds(Provenance, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3))


@given(data=st.data(), provenances=st.lists(_PROVENANCES, min_size=1, max_size=3))
def test_entries_that_share_a_provenance_are_told_as_if_each_had_its_own(
    data: st.DataObject, provenances: list[Provenance]
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(provenances), max_size=6))
    entries = [msgspec.structs.replace(ENTRY, provenance=one) for one in chosen]
    told = json.loads(listing.as_json(entries))
    assert [one["provenance"] for one in told] == [one.to_dict() for one in chosen]
    assert told == [json.loads(listing.as_json(one)) for one in entries]


def test_json_of_a_name_that_is_no_utf_8_is_escaped() -> None:
    assert json.loads(listing.as_json({"path": Path("a\udcff"), "b\udcff": ["c\udcff"]})) == {
        "path": "a\\udcff",
        "b\\udcff": ["c\\udcff"],
    }


def test_coverage_counts_entries_by_source() -> None:
    told = listing.coverage(CATALOG)
    assert told["entries_by_source"] == {"checkpoint": 1}
    assert told["without_metadata"] == [ENTRY.checkpoint_path]
    assert "0 of 1" in listing.coverage_text(CATALOG)
