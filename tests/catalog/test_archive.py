from __future__ import annotations

import struct
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.archive import Archive, read_archive
from catalog.header import read_header
from catalog.refusal import DEFAULT_LIMITS, HeaderError
from catalog.window import open_window
from tests.checkpoint_files import rewritten, saved, written

if TYPE_CHECKING:
    import random
    from pathlib import Path

GIB = 1024**3


def archive_of(path: Path) -> Archive:
    with open_window(str(path)) as window:
        return read_archive(window, DEFAULT_LIMITS)


def test_records_are_told_with_their_places(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({f"t{n}": torch.ones(n) for n in range(120)}))
    archive = archive_of(path)
    with zipfile.ZipFile(path) as reader:
        infos = {info.filename.partition("/")[2]: info for info in reader.infolist()}
    assert archive.prefix == "archive/"
    assert list(archive.records) == list(infos)
    for name, (start, end, size_bytes) in archive.records.items():
        assert (start, size_bytes) == (infos[name].header_offset, infos[name].file_size)
        assert end == start + 30 + len(f"archive/{name}") + size_bytes


DIGITS = st.sets(st.integers(0, 2_000), max_size=60).map(lambda numbers: [f"data/{n}" for n in numbers])
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    names=st.tuples(DIGITS, st.lists(NAMES, max_size=4)).map(lambda both: [*both[0], *both[1]]),
    folder=st.sampled_from(["archive", "é b", "last-v1\n", "A"]),
    order=st.randoms(use_true_random=False),
    sizes=st.lists(st.integers(0, 300), min_size=64, max_size=64),
)
def test_any_archive_is_told_as_zipfile_tells_it_or_refused_for_names_alike(
    names: list[str], folder: str, order: random.Random, sizes: list[int], tmp_path_factory: Any
) -> None:
    order.shuffle(names)
    path = tmp_path_factory.mktemp("drawn") / "a.ckpt"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as writer:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, size_bytes in zip(["data.pkl", *names], sizes, strict=False):
            writer.writestr(f"{folder}/{name}", bytes(size_bytes))
    if len({name.lower() for name in ["data.pkl", *names]}) <= len(names):
        with pytest.raises(HeaderError, match="one record of each name"):
            archive_of(path)
        return
    with zipfile.ZipFile(path) as reader:
        told = {
            info.filename.removeprefix(f"{folder}/"): (info.header_offset, info.file_size)
            for info in reader.infolist()
        }
    found = archive_of(path).records
    assert {name: (start, size_bytes) for name, (start, _, size_bytes) in found.items()} == told
    assert list(found) == list(told)


def test_a_record_is_read_where_its_own_header_says(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({"tensor": torch.arange(4, dtype=torch.uint8)}))
    with open_window(str(path)) as window:
        archive = read_archive(window, DEFAULT_LIMITS)
        assert archive.read("data/0") == bytes([0, 1, 2, 3])
        assert archive.data_offset("data/0") % 64 == 0
        with pytest.raises(HeaderError, match="record 'data/1'"):
            archive.read("data/1")


def test_the_folder_of_the_records_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 120}.ckpt"
    torch.save({"tensor": torch.ones(1)}, path)
    assert archive_of(path).prefix == f"{'x' * 120}/"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("é/data.pkl", b"")
    assert archive_of(path).prefix == "é/"


def test_records_with_comments_and_extra_fields_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as writer:
        for number in range(4):
            info = zipfile.ZipInfo(f"archive/{number}")
            info.comment = b"c" * number
            info.extra = struct.pack("<HH", 0x4246, 2 * number) + b"xy" * number
            writer.writestr(info, bytes([number]))
        writer.comment = b"a comment"
    with open_window(str(path)) as window:
        archive = read_archive(window, DEFAULT_LIMITS)
        assert [archive.read(str(number)) for number in range(4)] == [b"\0", b"\1", b"\2", b"\3"]


def test_a_directory_longer_than_the_first_read_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved([torch.ones(1) for _ in range(900)]))
    assert len(archive_of(path).records) == 900 + 6


def test_records_that_share_bytes_are_refused(tmp_path: Path) -> None:
    data = bytearray(saved({"tensor": torch.ones(100)}))
    entry = data.index(b"PK\1\2", data.index(b"archive/data/0", data.index(b"PK\1\2")) - 46)
    struct.pack_into("<II", data, entry + 20, 4_000, 4_000)
    with pytest.raises(HeaderError, match=r"overlap|directory"):
        archive_of(written(tmp_path / "a.ckpt", bytes(data)))


def test_a_record_behind_the_directory_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved({"epoch": 1}))
    entry = data.index(b"archive/.data/serialization_id", data.index(b"PK\1\2")) - 46
    struct.pack_into("<II", data, entry + 20, 500, 500)
    with pytest.raises(HeaderError, match="before the directory"):
        archive_of(written(tmp_path / "a.ckpt", bytes(data)))


@pytest.mark.parametrize("name", ["archive/\0", "archive/data.pkl\0x"])
def test_a_name_with_nul_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("archive/" + "x" * (len(name) - 8), b"")
    data = path.read_bytes().replace(b"archive/" + b"x" * (len(name) - 8), name.encode())
    with pytest.raises(HeaderError, match="NUL"):
        archive_of(written(path, data))


def test_an_encrypted_record_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved({"epoch": 1}))
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(HeaderError, match="encrypted"):
        archive_of(written(tmp_path / "a.ckpt", bytes(data)))


def test_a_compressed_record_is_refused(tmp_path: Path) -> None:
    data = rewritten(saved({"text": "x" * 1_000}), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(HeaderError, match="not compressed"):
        archive_of(written(tmp_path / "a.ckpt", data))


def test_an_archive_without_a_zip64_end_record_is_read(tmp_path: Path) -> None:
    data = rewritten(saved({"epoch": 1}))
    assert b"PK\6\6" not in data
    assert "data.pkl" in archive_of(written(tmp_path / "a.ckpt", data)).records


def sparse_archive(path: Path, records: list[tuple[str, bytes, int]]) -> None:
    """An archive of (name, first bytes, size) with 64-bit lengths and offsets wherever they are needed."""
    entries = []
    with path.open("wb") as file:
        for name, data, size in records:
            offset = file.tell()
            is_wide = size >= 4 * GIB
            short = 0xFFFFFFFF if is_wide else size
            extra = struct.pack("<HHQQ", 1, 16, size, size) if is_wide else b""
            head = struct.pack("<HHHHHIIIHH", 45, 0x800, 0, 0, 0, 0, short, short, len(name), len(extra))
            file.write(b"PK\3\4" + head + name.encode() + extra + data)
            file.seek(size - len(data), 1)
            wide = [size, size] if is_wide else []
            wide += [offset] if offset >= 4 * GIB else []
            extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
            short_offset = min(offset, 0xFFFFFFFF)
            head = struct.pack("<HHHHHHIIIHH", 45, 45, 0x800, 0, 0, 0, 0, short, short, len(name), len(extra))
            tail = struct.pack("<HHHII", 0, 0, 0, 0, short_offset)
            entries.append(b"PK\1\2" + head + tail + name.encode() + extra)
        start, directory = file.tell(), b"".join(entries)
        end = file.write(directory) + start
        count = len(records)
        file.write(b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), start))
        file.write(b"PK\6\7" + struct.pack("<IQI", 0, end, 1))
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), 0xFFFFFFFF, 0))


def test_lengths_and_offsets_beyond_4_gib_are_read(tmp_path: Path) -> None:
    small = saved({"big": torch.zeros(7, dtype=torch.uint8), "score": torch.tensor(0.5)})
    with zipfile.ZipFile(written(tmp_path / "small.ckpt", small)) as reader:
        pickled = reader.read("archive/data.pkl")
    size = 5 * GIB
    # The storage's size and shape, 7 in the small file, as 64-bit numbers.
    pickled = pickled.replace(b"K\x07", b"\x8a\x08" + struct.pack("<q", size))
    path = tmp_path / "a.ckpt"
    records = [("data.pkl", pickled, len(pickled)), ("data/0", b"", size)]
    records += [("data/1", struct.pack("<f", 0.5), 4), ("version", b"3\n", 2)]
    sparse_archive(path, [(f"a/{name}", data, length) for name, data, length in records])
    with zipfile.ZipFile(path) as reader:
        assert [info.file_size for info in reader.infolist()] == [len(pickled), size, 4, 2]
    header = read_header(path)
    assert header.content["big"].shape == (size,)
    assert header.scalar(header.content["score"]) == 0.5
    assert header.bytes_read < 100_000
