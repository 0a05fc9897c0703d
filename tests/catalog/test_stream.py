from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
import torch

from catalog.header import HeaderError, read_header
from catalog.refusal import DEFAULT_LIMITS
from catalog.stream import read_stream
from catalog.window import open_window
from tests.checkpoint_files import saved, written

if TYPE_CHECKING:
    from pathlib import Path


def old(content: object) -> bytes:
    return saved(content, _use_new_zipfile_serialization=False)


def test_storages_are_found_where_torch_put_them(tmp_path: Path) -> None:
    content = {"first": torch.full([3], 1.0), "second": torch.full([2], 2.0, dtype=torch.float64)}
    path = written(tmp_path / "a.ckpt", old(content))
    with open_window(str(path)) as window:
        stream = read_stream(window, DEFAULT_LIMITS)
    data = path.read_bytes()
    for tensor, told in zip(content.values(), stream.value.values(), strict=True):
        start = stream.storage_offsets[told.storage[2]]
        assert data[start : start + tensor.nbytes] == tensor.numpy().tobytes()


def test_a_pickle_longer_than_the_first_read_is_read_to_its_end_and_not_further(tmp_path: Path) -> None:
    content = {f"a.rather.long.name.{n:05}": torch.ones(1_000) for n in range(3_000)}
    path = written(tmp_path / "a.ckpt", old(content))
    header = read_header(path)
    assert list(header.content) == list(content)
    pickled_bytes = path.stat().st_size - 3_000 * (4_000 + 8)
    assert pickled_bytes < header.bytes_read <= pickled_bytes + 64_000


def test_text_longer_than_the_first_read_is_read(tmp_path: Path) -> None:
    content = {"text": "x" * 300_000, "score": torch.tensor(0.5)}
    header = read_header(written(tmp_path / "a.ckpt", old(content)))
    assert header.content["text"] == content["text"]
    assert header.scalar(header.content["score"]) == 0.5


def test_a_tar_archive_is_refused_with_its_own_reason(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match="tar archive"):
        read_header(written(tmp_path / "a.ckpt", b"pickle".ljust(257, b"\0") + b"ustar".ljust(300, b"\0")))


def test_another_magic_number_or_protocol_is_refused(tmp_path: Path) -> None:
    whole = old({"epoch": 1})
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    assert whole.startswith(magic)
    protocol = pickle.dumps(1001, 2)
    for data, expected in (
        (pickle.dumps(5, 2) + whole[len(magic) :], "magic number"),
        (whole.replace(protocol, pickle.dumps(1002, 2)), "protocol"),
        (whole.replace(protocol, pickle.dumps(True, 2)), "protocol"),
    ):
        with pytest.raises(HeaderError, match=expected):
            read_header(written(tmp_path / "a.ckpt", data))


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = old({"epoch": 1, "tensor": torch.ones(9)})
    for length in range(len(whole)):
        with pytest.raises(HeaderError):
            read_header(written(tmp_path / "a.ckpt", whole[:length]))


def test_data_of_a_storage_that_nobody_names_is_refused(tmp_path: Path) -> None:
    whole = old({"epoch": 1})
    changed = whole.replace(pickle.dumps([], 2), pickle.dumps(["140"], 2))
    assert changed != whole
    with pytest.raises(HeaderError, match="storages that the object names"):
        read_header(written(tmp_path / "a.ckpt", changed))
