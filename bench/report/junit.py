"""A gate as JUnit XML: a test case for each benchmark and target, and one for the gate as a whole.

The case of the whole fails wherever the exit code is not 0, so that no reader of the file sees less than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bench.figures import printable
from bench.result import TargetState
from bench.verdict import ExitCode
from bench.verdict_file import Reason, code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.verdict_file import GateResult


def render(result: GateResult) -> str:
    """The whole file. What was not measured is an error; slower, different and unclear are failures."""
    suite = ET.Element("testsuite", name="ckpt-bench gate", timestamp=result.started_at)
    seconds = {one.name: one.elapsed_s for one in result.benchmarks}
    names = dict.fromkeys([*seconds, *(one.name for one in result.targets)])
    unmeasured = {one.name for one in result.targets if one.verdict is TargetState.NOT_IN_THIS_RUN}
    for name in names:
        reasons = [one for one in result.reasons if one.about == name]
        case = _add(suite, name, seconds.get(name, 0.0), reasons)
        if name in unmeasured:
            ET.SubElement(case, "skipped", message=TargetState.NOT_IN_THIS_RUN.value)
    whole = _add(suite, "gate", result.elapsed_s, result.reasons)
    ET.SubElement(whole, "system-out").text = f"exit code {result.exit_code}: {printable(result.verdict)}"
    for kind, count in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(len(suite.findall(f"testcase/{count}"))))
    suite.set("tests", str(len(suite)))
    suite.set("time", f"{result.elapsed_s:.3f}")
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, name: str, elapsed_s: float, reasons: Sequence[Reason]) -> ET.Element:
    case = ET.SubElement(suite, "testcase", classname="gate", name=printable(name), time=f"{elapsed_s:.3f}")
    if reasons:
        is_measured = code_of(reasons) is not ExitCode.NOTHING_MEASURED
        told = "\n".join(f"{one.cause} ({one.about}): {one.told}" for one in reasons)
        ET.SubElement(
            case,
            "failure" if is_measured else "error",
            type=reasons[0].cause.value,
            message=printable(f"{reasons[0].cause}: {reasons[0].told}"),
        ).text = "\n".join(printable(line) for line in told.splitlines())
    return case
