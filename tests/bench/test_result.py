"""A stored result is whole, comes back as it was, and is refused where it cannot be understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.result import SCHEMA_VERSION, ResultError, load, save
from tests.bench.results import RESULT


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save(RESULT, path)
    assert load(path) == RESULT


def test_saving_again_replaces_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("something older")
    save(RESULT, path)
    assert load(path) == RESULT
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    save(RESULT, path)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        save(RESULT, path)
    assert load(path) == RESULT
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_another_schema_version_is_refused_with_the_remedy(tmp_path: Path, version: int) -> None:
    path = tmp_path / "result.json"
    save(RESULT, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"schema_version": version}), encoding="utf-8")
    with pytest.raises(ResultError, match=f"found {version}; read it with the version"):
        load(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", f'{{"schema_version": {SCHEMA_VERSION}}}'])
def test_what_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ResultError, match=r"result\.json: expected a result"):
        load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="run `ckpt-bench reproduce`"):
        load(tmp_path / "none.json")
