"""The result of a self-test and its file say the same."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.result import ResultError, save
from bench.selftest_result import SelfTestResult, State, code_of, concluded, is_selftest, load_selftest
from bench.verdict import ExitCode
from tests.bench.selftests import QUICK, World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def result(tmp_path: Path) -> SelfTestResult:
    return World(tmp_path).run(QUICK)


def test_nothing_at_all_is_no_pass() -> None:
    assert code_of([]) is ExitCode.NOTHING_MEASURED


def test_only_rows_that_are_all_as_they_should_be_pass() -> None:
    every = chain.from_iterable(combinations(State, count) for count in range(1, len(State) + 1))
    for some in every:
        assert (code_of(some) is ExitCode.PASS) == (set(some) == {State.HOLDS})
        assert (code_of(some) is ExitCode.MISSED) == (State.FAILED in some)


def test_a_result_is_read_as_it_was_written(tmp_path: Path, result: SelfTestResult) -> None:
    path = tmp_path / "selftest.json"
    save(result, path)
    assert is_selftest(path)
    assert load_selftest(path) == result


@pytest.mark.parametrize(
    "change", [{"exit_code": 1}, {"verdict": "fine"}, {"schema_version": 2}, {"kind": "gate"}]
)
def test_a_result_whose_parts_do_not_agree_is_refused(
    tmp_path: Path, result: SelfTestResult, change: dict[str, object]
) -> None:
    path = tmp_path / "selftest.json"
    save(msgspec.structs.replace(result, **change), path)
    with pytest.raises(ResultError, match=r"selftest\.json.*run `ckpt-bench selftest` again"):
        load_selftest(path)


def test_anything_else_is_no_self_test(tmp_path: Path) -> None:
    path = tmp_path / "selftest.json"
    for text in ("{}", "no JSON", '{"kind": "gate"}'):
        path.write_text(text, encoding="utf-8")
        assert not is_selftest(path)
        with pytest.raises(ResultError):
            load_selftest(path)
    assert not is_selftest(tmp_path / "missing.json")


def test_the_words_follow_from_the_rows(result: SelfTestResult) -> None:
    failed = msgspec.structs.replace(result.gates[0], state=State.FAILED)
    worse = concluded(msgspec.structs.replace(result, gates=(failed, *result.gates[1:])))
    assert (result.exit_code, worse.exit_code) == (0, 1)
    assert "does not do here what it promises" in worse.verdict
