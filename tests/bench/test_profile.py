"""The differential profile: it names what grew, from real processes of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.profile import ProfileError, difference, profile_of
from bench.subject import Subject
from bench.worker import Call

if TYPE_CHECKING:
    from pathlib import Path

FAST = """
def listing(outputs_dir, names):
    return [one for one in range(50)]
"""
SLOW = """
print("what a subject prints is no profile")

def digest():
    return sorted(range(50_000), reverse=True)

def listing(outputs_dir, names):
    digest()
    return [one for one in range(50)]
"""


def side(folder: Path, text: str) -> Subject:
    folder.mkdir()
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return Subject(folder.name, "mine:listing", search_path=(str(folder),))


def test_the_function_that_was_added_is_named_first(tmp_path: Path) -> None:
    call = Call(tmp_path)
    slow = profile_of(side(tmp_path / "slow", SLOW), call, tmp_path / "slow")
    fast = profile_of(side(tmp_path / "fast", FAST), call, tmp_path / "fast")
    assert slow["digest (mine.py)"][0] == 1
    assert "digest (mine.py)" not in fast
    # What it calls is written in C, and counts as its own.
    first, *_ = difference(slow, fast)
    assert first.startswith("digest (mine.py): +")
    assert "(reference: 0)" in first


def test_nothing_grew_where_both_are_the_same() -> None:
    one = {"listing (mine.py)": (1.0, 0.25)}
    assert difference(one, one) == ()


FACTORY = """
class Catalog:
    def listed(self, outputs_dir):
        return [one for one in range(50)]
"""


def test_whatever_can_be_measured_can_be_profiled(tmp_path: Path) -> None:
    subject = msgspec.structs.replace(side(tmp_path / "kept", FACTORY), target="mine:Catalog().listed")
    assert profile_of(subject, Call(tmp_path), tmp_path / "kept")["listed (mine.py)"][0] == 1


def test_a_command_is_not_profiled(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="a process of its own"):
        profile_of(Subject("lines", "cmd:list {dir}"), Call(tmp_path), None)


def test_a_side_that_cannot_be_profiled_says_so_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(
        ProfileError, match=r"^gone: expected a profile, found an end with 1: .*no_such_module.*$"
    ):
        profile_of(Subject("gone", "no_such_module:thing"), Call(tmp_path), None)
