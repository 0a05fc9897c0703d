"""Signatures and when they have settled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.filesystem import ABSENT, SETTLING_NS, FileSystem, is_settled
from tests.ticks import tick

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signature_changes_with_content_that_keeps_size_and_mtime(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    before, times = FileSystem().signature(str(path)), path.stat()
    tick(tmp_path)
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = FileSystem().signature(str(path))
    assert before[:4] == after[:4]
    assert before != after


def test_nothing_has_no_signature(tmp_path: Path) -> None:
    assert FileSystem().signature(str(tmp_path / "nowhere")) == ABSENT
    assert FileSystem().signature("a\0b") == ABSENT


@settings(deadline=None)
@given(st.lists(st.sampled_from(["here", "there", "nowhere", "a\0b", ""]), max_size=12))
def test_the_signatures_of_many_are_those_of_each(names: list[str]) -> None:
    known = {"here": os.stat("/"), "there": os.stat(os.curdir)}
    asked: list[str] = []

    def stat(path: str) -> os.stat_result:
        asked.append(path)
        if path in known:
            return known[path]
        raise (ValueError if "\0" in path else FileNotFoundError)(path)

    files = FileSystem(stat)
    found = files.signatures(names)
    assert asked == names, "each is asked for once"
    assert found == [files.signature(name) for name in names]


def test_a_signature_settles_after_the_coarsest_clock_in_use() -> None:
    for mtime_ns, ctime_ns in ((1000, 0), (0, 1000)):
        signature = (0, 1, 2, mtime_ns, ctime_ns)
        assert not is_settled(signature, 1000 + SETTLING_NS - 1)
        assert is_settled(signature, 1000 + SETTLING_NS)
