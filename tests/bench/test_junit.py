"""Every form of a gate's result says the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest

from bench.gate_cli import publish
from bench.report import junit, terminal
from bench.report.gate import gate_sections, reason_lines
from bench.targets import Target
from bench.verdict import Verdict
from bench.verdict_file import Cause, Reason, Refusal, concluded
from tests.bench.gates import FINAL, SLOWER, World, changed

if TYPE_CHECKING:
    from pathlib import Path

UNCLEAR = changed(verdict=Verdict.INCONCLUSIVE, reason="reaches over the margin")
EVIL = "evil\x1b[31m|name`<b>]]>\x00"


def worlds(folder: Path) -> dict[str, tuple[World, int]]:
    worlds = {
        "pass": (World(folder), 0),
        "slower": (World(folder, finals={"sidecars-warm": SLOWER}), 1),
        "target missed": (World(folder, elapsed_ns=2e9), 1),
        "outputs differ": (World(folder, written="index.json"), 3),
        "inconclusive": (World(folder, finals={"sidecars-warm": UNCLEAR}), 4),
        "nothing": (World(folder, sides_error=Refusal(Cause.BASELINE_MISSING, EVIL)), 5),
    }
    assert {code for _, code in worlds.values()} == {0, 1, 3, 4, 5}
    return worlds


@pytest.mark.parametrize(
    "name", ["pass", "slower", "target missed", "outputs differ", "inconclusive", "nothing"]
)
def test_exit_code_verdict_file_junit_markdown_and_terminal_agree(name: str, tmp_path: Path) -> None:
    world, code = worlds(tmp_path)[name]
    result = world.run()
    publish(result, tmp_path)
    assert result.exit_code == code
    assert json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))["exit_code"] == code
    suite = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - it is our own
    counts = {kind: int(suite.get(kind, "?")) for kind in ("failures", "errors", "tests")}
    assert counts["tests"] == len(suite.findall("testcase")) > 0
    assert counts["failures"] == len(suite.findall("testcase/failure"))
    assert (counts["failures"] + counts["errors"] == 0) == (code == 0)
    assert (counts["errors"] > 0) == (code == 5)
    whole = suite.findall("testcase")[-1]
    assert f"exit code {code}: {result.verdict}" in str(whole.findtext("system-out"))
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    text = terminal.render_sections(gate_sections(result), width=10_000, is_colored=False)
    for shown in (markdown, text):
        assert f"Exit code {code}: {result.verdict}." in shown
        assert all(reason.cause in shown for reason in result.reasons)
        assert "\x1b" not in shown
    for line in reason_lines(result):
        assert line in text


def test_each_benchmark_and_target_is_a_case_that_tells_its_reasons(tmp_path: Path) -> None:
    result = World(tmp_path, finals={"sidecars-warm": SLOWER}).run()
    suite = ET.fromstring(junit.render(result))  # noqa: S314 - it is our own
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert {case.get("name") for case in suite} == {"sidecars-warm", "first-load", "gate"}
    assert failed == {"sidecars-warm", "gate"}


def test_a_target_that_was_not_measured_is_no_pass(tmp_path: Path) -> None:
    result = World(tmp_path).run(targets=(Target("cold", "sidecars-cold", "seconds", 1.0),))
    suite = ET.fromstring(junit.render(result))  # noqa: S314 - it is our own
    assert [case.get("name") for case in suite if case.find("skipped") is not None] == ["cold"]
    assert suite.get("skipped") == "1"


def test_a_reason_about_nothing_that_was_measured_fails_the_whole(tmp_path: Path) -> None:
    result = World(tmp_path).run()
    reason = Reason(Cause.REMOVED, "forgotten", "told")
    suite = ET.fromstring(junit.render(concluded(msgspec.structs.replace(result, reasons=(reason,)))))  # noqa: S314
    assert [case.get("name") for case in suite if case.find("error") is not None] == ["gate"]


def test_the_report_states_noise_floor_and_smallest_change(tmp_path: Path) -> None:
    text = terminal.render_sections(gate_sections(World(tmp_path).run()), width=200, is_colored=False)
    assert FINAL.noise_floor is not None
    assert f"{100 * FINAL.noise_floor:.2f} %" in text
    assert "1.50 %" in text
    assert "0.9970-1.0040" in text
