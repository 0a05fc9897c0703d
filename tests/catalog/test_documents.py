"""Metadata files: what is read, what is refused, and that no bytes end the process."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.documents import MAX_BYTES, DocumentError, parse_document, read_document

if TYPE_CHECKING:
    from pathlib import Path

NESTED_ALIASES = b"a: &a [1, 2]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter + 1, letter + 1, b", ".join([b"*%c" % letter] * 10))
    for letter in range(ord("b"), ord("h"))
)
MERGED_ALIASES = b"a: &a {x: 1}\n" + b"".join(
    b"%c: &%c {<<: [%s]}\n" % (letter + 1, letter + 1, b", ".join([b"*%c" % letter] * 10))
    for letter in range(ord("a"), ord("g"))
)

REFUSED = {
    "100,000 open brackets": b"[" * 100_000,
    "100,000 sequences on one line": b"- " * 100_000,
    "2,000 complex keys on one line": b"? " * 2_000,
    "65 nested flow sequences": b"[" * 65 + b"]" * 65,
    "an alias inside what it stands for": b"a: &a [*a]",
    "2 * 10^7 nodes by aliases": NESTED_ALIASES,
    "10^6 nodes by merge keys": MERGED_ALIASES,
    "more than 100,000 nodes": b"a: [" + b"1," * 100_001 + b"]",
    "more than 100,000 nodes in as many bytes": b"a: {" + b"a," * 50_001 + b"}",
    "a number of 65 parts": b"a: 1" + b":1" * 64,
    "a number of 65 parts in UTF-16": ("a: 1" + ":1" * 64).encode("utf-16"),
    "a number of 4 * 10^6 parts": b"a: 1" + b":1" * 4_000_000,
    "a key of 65 parts": b"1" + b":1" * 64 + b": a",
    "a date that does not exist": b"created_at: 2025-13-45",
    "a tag that would execute": b"!!python/object/apply:os.system [true]",
    "a NUL byte": b"a: \x00",
    "two documents": b"a: 1\n--- \nb: 2\n",
    "a key that cannot be one": b"? [1, 2]\n: 3",
    "invalid UTF-8": b"a: \xff\xfe",
    "an open quote": b'a: "b',
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_what_passes_a_limit_or_is_no_yaml_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(DocumentError) as refusal:
        parse_document("x.yaml", data)
    assert refusal.value.expected
    assert refusal.value.found
    assert len(str(refusal.value)) < 500


JSON_REFUSED = {
    "broken": b'{"a": ',
    "nested by 65": b"[" * 65 + b"]" * 65,
    "nested by 100,000": b"[" * 100_000,
    "more than 100,000 nodes": b"[" + b"1," * 100_000 + b"1]",
    "not UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a number of 5,000 digits": b"9" * 5_000,
}


@pytest.mark.parametrize("data", JSON_REFUSED.values(), ids=JSON_REFUSED.keys())
def test_json_has_the_same_limits(data: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_document("x.json", data)


def test_a_number_of_64_parts_is_read_and_so_is_a_text_of_more() -> None:
    parts = "1" + ":1" * 63
    assert parse_document("x.yaml", f"a: {parts}\nb: '{parts}:1'\n".encode()) == {
        "a": sum(60**place for place in range(64)),
        "b": f"{parts}:1",
    }


def test_64_levels_are_read_in_both_formats() -> None:
    data = b"[" * 64 + b"]" * 64
    assert parse_document("x.yaml", data) == parse_document("x.json", data)


def test_yaml_is_read_as_safe_load_reads_it() -> None:
    text = b"a: 1e-3\nb: yes\nc: 2025-10-19\nd: 2025-10-19T10:20:30Z\ne: 012\nf: ~\n"
    value = parse_document("x.yaml", text)
    assert value == {
        "a": "1e-3",
        "b": True,
        "c": dt.date(2025, 10, 19),
        "d": dt.datetime(2025, 10, 19, 10, 20, 30, tzinfo=dt.UTC),
        "e": 10,
        "f": None,
    }


def test_aliases_that_stay_small_are_read() -> None:
    assert parse_document("x.yaml", b"a: &a [1]\nb: *a\nc: {<<: {d: 2}}\n") == {
        "a": [1],
        "b": [1],
        "c": {"d": 2},
    }


def test_an_escaped_surrogate_costs_one_value_and_not_the_document() -> None:
    data = b'a: "\\ud800"\nb: 1\n'
    assert parse_document("x.yaml", data) == yaml.safe_load(data) == {"a": "\ud800", "b": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"a:\tb\n",
        b"a: 1\n\xef\xbb\xbfb: 2\n",
        b"a: |#\n  b\n",
        b"a: [b?]\n",
        b"a: [1, \n2?]\n",
        b"a: {b:[1]}\n",
        b"a: {b:, c}\n",
        b"a: [1:]\n",
        b"a: !\n",
    ],
)
def test_what_libyaml_reads_otherwise_is_read_as_safe_load_reads_it(data: bytes) -> None:
    assert told(data, yaml.SafeLoader) != told(data, yaml.CSafeLoader)
    try:
        found = repr(parse_document("x.yaml", data))
    except DocumentError:
        found = "refused"
    assert found == told(data, yaml.SafeLoader)


def told(data: bytes, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> str:
    try:
        return repr(yaml.load(data, Loader=loader))  # noqa: S506 - safe loaders
    except yaml.YAMLError:
        return "refused"


def test_an_empty_yaml_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"")
    assert read_document(str(path)) is None


def test_a_file_of_more_than_8_mib_is_refused_without_parsing(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(DocumentError, match="larger"):
        read_document(str(path))


def test_a_missing_file_is_refused_with_the_systems_reason(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file"):
        read_document(str(tmp_path / "x.yaml"))


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    os.mkfifo(path)
    assert read_document(str(path)) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dates(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below, max_size=4),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_every_dumped_value_is_read_as_pure_python_reads_it(value: object, is_flow: bool) -> None:
    data = yaml.safe_dump(value, default_flow_style=is_flow).encode()
    assert parse_document("x.yaml", data) == yaml.safe_load(data)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    for name in ("x.yaml", "x.json"):
        try:
            parse_document(name, data)
        except DocumentError as refusal:
            assert refusal.found  # noqa: PT017 - either outcome is right; nothing else may leave
