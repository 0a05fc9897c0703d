from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from catalog.refusal import HeaderError
from catalog.window import open_window
from tests.checkpoint_files import written

if TYPE_CHECKING:
    from pathlib import Path


def test_bytes_are_read_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a", b"0123456789")
    with open_window(str(path)) as window:
        assert window.load(2, 6) == b"234567"
        assert window.read(3, 2) == b"34"
        assert window.bytes_read == 6
        assert window.read(0, 3) == b"012"
        assert window.bytes_read == 9


@pytest.mark.parametrize(("offset", "size_bytes"), [(8, 3), (-1, 2), (11, 0), (0, 11)])
def test_what_lies_outside_the_file_is_refused(tmp_path: Path, offset: int, size_bytes: int) -> None:
    with open_window(str(written(tmp_path / "a", b"0123456789"))) as window, pytest.raises(HeaderError):
        window.read(offset, size_bytes)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a", b"0123456789")
    with open_window(str(path)) as window:
        path.write_bytes(b"01")
        with pytest.raises(HeaderError, match="the file ends there"):
            window.read(0, 10)


@pytest.mark.parametrize("name", ["missing", "folder", "nul\0"])
def test_what_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(HeaderError), open_window(str(tmp_path / name)):
        raise AssertionError("it was opened")


def test_two_files_have_two_identities(tmp_path: Path) -> None:
    one, other = str(written(tmp_path / "a", b"1")), str(written(tmp_path / "b", b"1"))
    with open_window(one) as first, open_window(other) as second, open_window(one) as third:
        assert first.identity == third.identity
        assert first.identity != second.identity


def _refusing(*_: int) -> None:
    raise OSError(errno.EINVAL, "no advice")


def test_a_file_is_read_where_the_system_takes_no_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a", b"0123456789")
    monkeypatch.setattr(os, "posix_fadvise", _refusing, raising=False)
    with open_window(str(path)) as window:
        assert window.read(2, 3) == b"234"
    monkeypatch.delattr(os, "posix_fadvise")
    with open_window(str(path)) as window:
        assert window.read(2, 3) == b"234"
