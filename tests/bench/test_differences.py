"""Declared differences are counted, cover nothing but themselves, and are missed when they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.differences import SHIPPED, Declared, DifferencesError, KnownDifferences, read_differences
from bench.equality import Difference

if TYPE_CHECKING:
    from pathlib import Path

LATE = Declared(subject="mine", field="epochs", reason="counts from 1", found="4")
ONE = Difference("a.ckpt", "epochs", "4", "3")


def test_a_declared_difference_is_counted_and_no_other_is_hidden_by_it() -> None:
    known = KnownDifferences([LATE])
    others = (Difference("a.ckpt", "epochs", "5", "3"), Difference("a.ckpt", "score", "4", "3"))
    assert known.undeclared(("mine", "m:build"), "drawn/1", (ONE, *others)) == others
    assert known.undeclared(("theirs", "t:build"), "drawn/1", (ONE,)) == (ONE,)
    assert known.counts == {LATE: 1}


def test_one_that_no_longer_occurs_is_reported_where_its_subject_takes_part() -> None:
    known = KnownDifferences([LATE])
    assert "no longer occurs" in known.lines(["mine"])[0]
    assert known.lines(["theirs"]) == []
    known.undeclared(("mine",), "drawn/1", (ONE, ONE))
    assert "2 times (counts from 1)" in known.lines(["mine"])[0]


def test_a_case_and_a_path_are_patterns(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(
        '[[difference]]\nsubject = "*"\nfield = "epochs"\ncase = "drawn/*"\npath = "b*"\nreason = "r"\n'
    )
    (declared,) = read_differences(path)
    assert declared.covers(("any",), "drawn/7", Difference("b.ckpt", "epochs", "1", "2"))
    assert not declared.covers(("any",), "drawn/7", ONE)
    assert not declared.covers(("any",), "sidecar/x", Difference("b.ckpt", "epochs", "1", "2"))


@pytest.mark.parametrize(
    "text", ["[[difference]\n", '[[difference]]\nfield = "epochs"\n', '[[difference]]\nwho = "me"\n', "\xff"]
)
def test_a_file_that_says_too_little_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DifferencesError, match=r"known\.toml: expected .*; correct the file"):
        read_differences(path)


def test_a_value_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text('[[difference]]\nsubject = "m"\nfield = 3\nreason = "r"\n')
    with pytest.raises(DifferencesError, match="in quotes"):
        read_differences(path)


def test_what_is_known_of_our_own_can_be_read() -> None:
    assert all(one.reason for one in read_differences(SHIPPED))
