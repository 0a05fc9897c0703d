"""Counts as cachegrind writes them, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.valgrind import Cachegrind, NotCounted, find_cachegrind, instructions_in

COUNTS = "desc: ...\ncmd: python\nevents: Ir\nfl=a.c\nfn=main\n1 20\nsummary: {}\n"


def test_the_sums_of_all_files_are_added(tmp_path: Path) -> None:
    for name, count in (("1", 40), ("2", 2)):
        (tmp_path / name).write_text(COUNTS.format(count), encoding="utf-8")
    assert instructions_in([tmp_path / "1", tmp_path / "2"]) == 42


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found an empty file"),
        ("events: Ir\n1 20\n", "found another file"),
        ("events: Dr Dw\nsummary: 12 13\n", "found another file"),
    ],
)
def test_a_file_without_instructions_is_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "1").write_text(text, encoding="utf-8")
    with pytest.raises(NotCounted, match=told):
        instructions_in([tmp_path / "1"])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotCounted, match="expected a file of counts, found No such file"):
        instructions_in([tmp_path / "1"])


def test_without_valgrind_the_remedy_is_told() -> None:
    with pytest.raises(NotCounted, match=r"found none; install it .*apt-get install valgrind"):
        find_cachegrind(lambda _: None)


def test_a_valgrind_that_does_not_start_is_told(tmp_path: Path) -> None:
    program = tmp_path / "valgrind"
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(NotCounted, match=r"expected .* to start, found .*exit status 3"):
        find_cachegrind(lambda _: str(program))


def test_models_are_off_children_are_counted_and_a_percent_sign_is_a_name() -> None:
    launcher = Cachegrind("/usr/bin/valgrind", "3.19.0").launcher(Path("/tmp/50%"))  # noqa: S108 - nothing is written
    assert {"--cache-sim=no", "--branch-sim=no", "--trace-children=yes"} < set(launcher)
    assert launcher[-1] == "--cachegrind-out-file=/tmp/50%%/%p"
