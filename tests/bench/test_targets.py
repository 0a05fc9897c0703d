"""Targets are read from one place, and a wrong statement is refused with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.targets import Target, TargetsError, find_pyproject, read_targets

ROOT = Path(__file__).parents[2]


def stated(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pyproject.toml"
    path.write_text(f"[tool.ckpt-bench.targets]\n{text}\n", encoding="utf-8")
    return path


def test_a_target_is_read(tmp_path: Path) -> None:
    path = stated(tmp_path, 'one = { scenario = "sidecars-warm", up_to = 50, seconds = 1.0 }')
    assert read_targets(path) == (Target("one", "sidecars-warm", "seconds", 1.0, 50),)
    assert read_targets(path)[0].text == "< 1 s, up to 50 checkpoints"


def test_the_project_states_the_first_load_targets() -> None:
    targets = {one.name: one for one in read_targets(ROOT / "pyproject.toml")}
    assert (targets["first-load-small"].up_to, targets["first-load-small"].limit) == (50, 1.0)
    assert (targets["first-load-medium"].up_to, targets["first-load-medium"].limit) == (200, 5.0)


def test_a_target_speaks_of_its_scenario_and_size() -> None:
    target = Target("one", "sidecars-warm", "seconds", 1.0, 50)
    assert target.is_for("sidecars-warm", 50)
    assert not target.is_for("sidecars-warm", 51)
    assert not target.is_for("sidecars-cold", 50)
    assert Target("any", "sidecars-warm", "seconds", 1.0).is_for("sidecars-warm", 10**6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('one = { scenario = "sidecars-wram", seconds = 1 }', "did you mean sidecars-warm?"),
        ('one = { scenario = "xyzzy", seconds = 1 }', "ckpt-bench list"),
        ('one = { scenario = "sidecars-warm" }', "exactly one of"),
        ('one = { scenario = "sidecars-warm", seconds = 1, megabytes = 2 }', "exactly one of"),
        ('one = { scenario = "sidecars-warm", seconds = nan }', "above 0"),
        ('one = { scenario = "sidecars-warm", seconds = inf }', "above 0"),
        ('one = { scenario = "sidecars-warm", seconds = 0 }', "above 0"),
        ('one = { scenario = "sidecars-warm", seconds = true }', "above 0"),
        ('one = { scenario = "sidecars-warm", seconds = "1" }', "above 0"),
        ('one = { scenario = "sidecars-warm", second = 1 }', "found second"),
        ('one = { scenario = "sidecars-warm", seconds = 1, up_to = 0.5 }', "whole number of at least 1"),
        ('one = { scenario = "sidecars-warm", seconds = 1, up_to = 0 }', "whole number of at least 1"),
        ('one = { scenario = "sidecars-warm", seconds = 1, up_to = true }', "whole number of at least 1"),
        ('one = "sidecars-warm"', "expected a table"),
        ("", "found none"),
    ],
)
def test_a_wrong_statement_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = stated(tmp_path, text)
    with pytest.raises(TargetsError, match=r"pyproject\.toml") as caught:
        read_targets(path)
    assert told in str(caught.value)


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetsError, match="expected TOML"):
        read_targets(stated(tmp_path, "one ="))


def test_the_nearest_file_with_targets_is_found(tmp_path: Path) -> None:
    path = stated(tmp_path, 'one = { scenario = "remembered", seconds = 1 }')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'other'\n", encoding="utf-8")
    assert find_pyproject(inner) == path


def test_the_package_s_own_file_serves_where_none_stands_above(tmp_path: Path) -> None:
    assert find_pyproject(tmp_path) == ROOT / "pyproject.toml"


def test_no_targets_anywhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetsError, match="state your own"):
        find_pyproject(tmp_path, beside=tmp_path)


def test_ratios_have_a_direction_in_words() -> None:
    assert Target("a", "sidecars-warm", "times_floor", 20.0).text == "< 20 times the floor"
    fast = Target("b", "sidecars-warm", "times_legacy", 5.0, 50)
    assert fast.text == "> 5 times as fast as legacy, up to 50 checkpoints"
    assert fast.is_ratio
