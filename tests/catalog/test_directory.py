"""Directories of a form that is known are read as those of an unknown one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from catalog import directory
from catalog.directory import Directories, Record
from catalog.refusal import HeaderError

if TYPE_CHECKING:
    import pytest

ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
EDITS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), min_size=1, max_size=3)


class Entry(NamedTuple):
    """One record as a directory tells it."""

    name: str
    size_bytes: int
    offset: int
    extra: bytes = b""
    packed_more_bytes: int = 0
    checksum: int = 0

    def to_bytes(self, folder: str) -> bytes:
        """Its entry in the directory, stored and neither encrypted nor in pieces."""
        name = f"{folder}/{self.name}".encode()
        packed_bytes = (self.size_bytes + self.packed_more_bytes) & 0xFFFFFFFF
        lengths = (self.checksum, packed_bytes, self.size_bytes, len(name), len(self.extra))
        return ENTRY.pack(b"PK\1\2", 0, 0, 0, 0, 0, 0, *lengths, 0, 0, 0, 0, self.offset) + name + self.extra


NAMES = st.one_of(
    st.integers(0, 1_200).map(lambda number: f"data/{number}"), st.sampled_from(["version", "byteorder", "ä"])
)
SIZES = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0xFFFFFFFF]))
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    size_bytes=SIZES,
    offset=SIZES,
    extra=st.sampled_from([b"", b"\1\0\x08\0abcdefgh"]),
    packed_more_bytes=st.sampled_from([0] * 9 + [1]),
    checksum=st.integers(0, 2**32 - 1),
)
DRAWN = st.lists(ENTRIES, min_size=1, max_size=30, unique_by=lambda entry: entry.name)


def told(directories: Directories, entries: bytes, count: int) -> tuple[str, list[tuple[str, Record]]] | str:
    """The folder and the records in their order, or why they are refused."""
    try:
        folder, records = directories.read(entries, count)
    except HeaderError as error:
        return str(error)
    return folder, list(records.items())


def bytes_of(entries: list[Entry], folder: str) -> bytes:
    return b"".join(entry.to_bytes(folder) for entry in entries)


@given(
    drawn=DRAWN,
    others=st.lists(st.tuples(SIZES, SIZES, SIZES), min_size=30, max_size=30),
    rest=st.binary(max_size=9),
)
def test_other_numbers_in_a_known_form_are_told_as_if_it_were_unknown(
    drawn: list[Entry], others: list[tuple[int, int, int]], rest: bytes
) -> None:
    directories = Directories()
    data = bytes_of(drawn, "archive") + rest
    first = told(directories, data, len(drawn))
    assert [told(directories, data, len(drawn)) for _ in range(3)] == [first] * 3
    changed = [
        entry._replace(size_bytes=size_bytes, offset=offset, checksum=checksum, packed_more_bytes=0)
        for entry, (size_bytes, offset, checksum) in zip(drawn, others, strict=False)
    ]
    data = bytes_of(changed, "archive") + rest
    assert told(directories, data, len(drawn)) == told(Directories(), data, len(drawn))


@given(drawn=DRAWN, edits=EDITS)
def test_a_damaged_directory_in_place_of_a_known_one_is_told_as_if_none_were_known(
    drawn: list[Entry], edits: list[tuple[int, int]]
) -> None:
    directories = Directories()
    sound = bytes_of([entry._replace(packed_more_bytes=0) for entry in drawn], "archive")
    for _ in range(3):
        told(directories, sound, len(drawn))
    damaged = bytearray(sound)
    for place, value in edits:
        damaged[place % len(damaged)] = value
    assert told(directories, bytes(damaged), len(drawn)) == told(Directories(), bytes(damaged), len(drawn))


@given(drawn=DRAWN, names=st.lists(NAMES, min_size=30, max_size=30))
def test_other_names_of_the_same_lengths_are_told(drawn: list[Entry], names: list[str]) -> None:
    directories = Directories()
    for _ in range(3):
        told(directories, bytes_of(drawn, "archive"), len(drawn))
    named = [
        entry._replace(name=name) if len(name) == len(entry.name) else entry
        for entry, name in zip(drawn, names, strict=False)
    ]
    data = bytes_of(named, "archive")
    assert told(directories, data, len(drawn)) == told(Directories(), data, len(drawn))


def test_a_directory_of_a_form_that_was_met_twice_is_not_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    directories = Directories()
    for number in range(2):
        assert directories.known == 0
        told(directories, bytes_of([Entry("data.pkl", number, 0), Entry("data/0", 7, 100)], "archive"), 2)
    monkeypatch.setattr(directory, "_read_anew", None)
    last = bytes_of([Entry("data.pkl", 9, 0), Entry("data/0", 8, 200)], "archive")
    assert told(directories, last, 2) == (
        "archive/",
        [("data.pkl", (0, 30 + 16 + 9, 9)), ("data/0", (200, 200 + 30 + 14 + 8, 8))],
    )
    directories.forget()
    assert directories.known == 0


def test_the_greatest_lengths_without_a_field_for_greater_ones_stay_with_their_names() -> None:
    entries = [Entry("data/0", 2**32 - 1, 100), Entry("data/1", 7, 200)]
    _, records = Directories().read(bytes_of(entries, "archive"), 2)
    assert {name: (start, size) for name, (start, _, size) in records.items()} == {
        "data/0": (100, 2**32 - 1),
        "data/1": (200, 7),
    }


def test_kinds_that_come_round_make_no_form_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(directory, "_Form", lambda *arguments: made.append(arguments[2]))
    directories = Directories()
    for _ in range(10):
        for number in range(20):
            told(directories, bytes_of([Entry("data.pkl", 5, 0)], f"epoch_{number:02}"), 1)
    assert len(made) == len(set(made)) == directories.known


def test_no_more_than_a_few_forms_are_kept_and_later_ones_are_learnt_too() -> None:
    directories = Directories()
    for number in range(1_000):
        data = bytes_of([Entry("data.pkl", 5, 0)], f"a{number:04}")
        for _ in range(3):
            told(directories, data, 1)
        assert directories.known <= 16
    data = bytes_of([Entry("data.pkl", 5, 0)], "archive")
    for number in range(300):
        told(directories, bytes_of([Entry("data.pkl", 5, 0)], f"b{number:04}"), 1)
    for _ in range(3):
        told(directories, data, 1)
    assert 0 < directories.known < 16
