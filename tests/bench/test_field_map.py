"""Their names and the contract's, in records of every kind."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, make_dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import msgspec
import pytest

from bench.equality import DISPLAY, ENTRY_FIELDS
from bench.subject_host import AnswerError, SubjectError, plain_answer
from bench.subject_host.field_map import ABSENT, RECORD_FIELDS, FieldMap, names_in

NAMES = ("checkpoint_path", "f1")
Tuple = namedtuple("Tuple", ("checkpoint_path", "f1"))
RECORDS: dict[str, Any] = {
    "dict": {"checkpoint_path": "a.ckpt", "f1": 0.5},
    "mapping": MappingProxyType({"checkpoint_path": "a.ckpt", "f1": 0.5}),
    "dataclass": make_dataclass("Data", NAMES)("a.ckpt", 0.5),
    "slots": make_dataclass("Slotted", NAMES, slots=True)("a.ckpt", 0.5),
    "named tuple": Tuple("a.ckpt", 0.5),
    "struct": msgspec.defstruct("Struct", NAMES)("a.ckpt", 0.5),
    "object": SimpleNamespace(checkpoint_path="a.ckpt", f1=0.5),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_kind_of_record_is_read_by_name_and_tells_its_names(record: object) -> None:
    answer = plain_answer([], [record], FieldMap({"f1": "hmean"}))
    assert answer["records"] == [{"checkpoint_path": "a.ckpt", "hmean": 0.5}]
    assert names_in(record) == list(NAMES)
    assert plain_answer([], [record])["other_names"] == ["f1"]


def test_a_dotted_name_steps_through_mappings_and_objects() -> None:
    record = {"model": SimpleNamespace(encoder={"name": "resnet18"})}
    assert FieldMap({"model.encoder.name": "backbone"}).read(record, "backbone") == "resnet18"


def test_none_on_the_way_is_none_and_a_missing_step_is_absent() -> None:
    field_map = FieldMap({"metrics.f1": "hmean"})
    assert field_map.read({"metrics": None}, "hmean") is None
    assert field_map.read({"metrics": {}}, "hmean") is ABSENT


def test_what_some_records_leave_out_is_none_in_those_and_what_all_leave_out_is_absent() -> None:
    records = [{"epochs": 1, "hmean": 0.5}, {"epochs": 2}]
    assert plain_answer([], records)["records"] == [{"epochs": 1, "hmean": 0.5}, {"epochs": 2, "hmean": None}]


def test_a_mapped_name_that_no_record_has_is_told_with_the_nearest() -> None:
    records = [{"metrics": {"f1": 0.5}}, {"metrics": {}}]
    with pytest.raises(AnswerError, match=r"metrics\.f2.*metrics, metrics\.f1; did you mean metrics\.f1\?"):
        plain_answer([], records, FieldMap({"metrics.f2": "hmean"}))


def test_an_unknown_name_of_ours_is_refused_with_the_nearest() -> None:
    with pytest.raises(SubjectError, match="did you mean hmean"):
        FieldMap({"f1": "hmeen"})


def test_the_answers_own_parts_can_be_mapped() -> None:
    @dataclass
    class Result:
        entries: list[dict[str, int]]
        errors: list[str]

    answer = plain_answer(Result([], ["a.yaml"]), [], FieldMap({"errors": "problems"}))
    assert (answer["problems"], answer["skipped"]) == (["a.yaml"], None)


def test_a_display_text_may_be_a_field() -> None:
    assert plain_answer([], [{"display_option": "best"}])["display_options"] == ["best"]


def test_the_host_knows_the_fields_that_are_compared() -> None:
    assert set(RECORD_FIELDS) == set(ENTRY_FIELDS)
    assert DISPLAY in RECORD_FIELDS
