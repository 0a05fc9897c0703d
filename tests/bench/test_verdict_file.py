"""The verdict: its code follows from its reasons, and a file in which they do not agree is none."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.gate_cli import publish
from bench.result import ResultError
from bench.verdict import ExitCode
from bench.verdict_file import Cause, GateResult, Reason, code_of, concluded, is_verdict, load_verdict
from tests.bench.gates import SLOWER, World

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("verdict.json", "junit.xml", "report.md")


def red(folder: Path) -> GateResult:
    return World(folder, finals={"sidecars-warm": SLOWER}).run()


@pytest.mark.parametrize("cause", Cause)
def test_no_cause_is_a_pass(cause: Cause) -> None:
    assert code_of([Reason(cause, "", "told")]) is not ExitCode.PASS


def test_the_worst_of_several_reasons_is_the_code() -> None:
    reasons = [Reason(cause, "", "told") for cause in (Cause.UNCLEAR, Cause.SLOWER, Cause.OUTPUTS_DIFFER)]
    assert code_of(reasons) is ExitCode.OUTPUTS_DIFFER
    assert code_of(reasons[:2]) is ExitCode.MISSED


def test_a_result_without_benchmarks_is_no_pass() -> None:
    empty = concluded(GateResult(started_at="", margin=0.01, seed=0, budget_s=1.0))
    assert (empty.exit_code, empty.reasons[0].cause) == (5, Cause.NO_BENCHMARK)


def test_what_was_published_is_read_again(tmp_path: Path) -> None:
    result = red(tmp_path)
    publish(result, tmp_path)
    assert {one.name for one in tmp_path.iterdir() if one.is_file()} == set(NAMES)
    assert is_verdict(tmp_path / "verdict.json")
    assert load_verdict(tmp_path / "verdict.json") == result


@pytest.mark.parametrize(
    "changes", [{"exit_code": 0}, {"verdict": "all is well"}, {"reasons": []}, {"schema_version": 1}]
)
def test_a_verdict_that_was_tampered_with_is_none(tmp_path: Path, changes: dict[str, object]) -> None:
    content = msgspec.to_builtins(red(tmp_path)) | changes
    (tmp_path / "verdict.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ResultError, match=r"verdict\.json: expected"):
        load_verdict(tmp_path / "verdict.json")


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"kind": "reproduce"}'])
def test_another_file_is_no_verdict(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "verdict.json"
    if content is not None:
        path.write_bytes(content)
    assert not is_verdict(path)
    with pytest.raises(ResultError):
        load_verdict(path)


def test_a_full_disk_leaves_no_verdict_of_an_earlier_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(World(tmp_path).run(), tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bench.gate_cli.os.replace", refuse)
    with pytest.raises(OSError, match="No space"):
        publish(red(tmp_path), tmp_path)
    assert not [one for one in tmp_path.iterdir() if one.is_file()]
