"""A finding told so that a person can act on it: who answered what, which rule decides, and who is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contract_rules import RULES
from bench.edits import edit_between
from bench.equality import ABSENT, listing_of_expected
from bench.trial import EXPECTED, Raised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.equality import Difference, Listing
    from bench.trial import Finding

_MOST_LINES = 12


def explanation(finding: Finding, others: Mapping[str, Listing | Raised]) -> list[str]:
    """The lines about a finding; `others` are further witnesses of the same tree."""
    case = finding.case
    state = f", state {finding.state} of {len(case.plans)}" if len(case.plans) > 1 else ""
    files = [path for path in sorted(case.plans[finding.state].nodes) if "." in path.rpartition("/")[2]]
    lines = [f"{case.name}: {case.checkpoints} checkpoints, {len(files)} files{state} [{case.rule}]"]
    if finding.state:
        lines += [f"  edited before it: {one}" for one in _edit(finding)]
    places = _places(finding)
    for path, name in list(places)[:_MOST_LINES]:
        lines += [f"  {path}: {name}", *_answers(finding, path, name, others)]
    if len(places) > _MOST_LINES:
        lines.append(f"  ... and {len(places) - _MOST_LINES} more")
    return [*lines, f"  {_verdict(finding, others)}"]


def _edit(finding: Finding) -> list[str]:
    before, after = finding.case.plans[finding.state - 1 : finding.state + 1]
    return list(edit_between(before, after))[:_MOST_LINES]


def _places(finding: Finding) -> dict[tuple[str, str], Difference]:
    """Everything that differs, once: path and field."""
    told = finding.told.values()
    return {(one.path, one.field): one for answer in told for one in answer.differences}


def _answers(finding: Finding, path: str, name: str, others: Mapping[str, Listing | Raised]) -> Iterator[str]:
    for who, told in finding.told.items():
        said = next((one.left for one in told.differences if (one.path, one.field) == (path, name)), None)
        mark = "  <- strays" if said is not None else ""
        yield f"    {who:24} {said if said is not None else says(told.answer, path, name)}{mark}"
    expected = listing_of_expected(finding.case.expected[finding.state])
    contract = next(one.right for place, one in _places(finding).items() if place == (path, name))
    yield f"    {EXPECTED:24} {contract if finding.told else says(expected, path, name)}"
    for who, answer in others.items():
        yield f"    {who + ' (witness)':24} {says(answer, path, name)}"
    decided = "answers" if name == "raises" and finding.case.raises is None else name
    yield f"    rule: {RULES.get(decided, 'When a value is told')}"


def says(answer: Listing | Raised, path: str, name: str) -> str:
    """What an answer says about one field of one path, in a word or two."""
    if isinstance(answer, Raised):
        return f"raised {answer.text}"
    record = next((one for one in answer.entries if one.get("checkpoint_path") == path), None)
    if name in {"skipped", "problems"}:
        held = getattr(answer, name)
        return "does not tell" if held is None else f"told in {name}" if path in held else f"not in {name}"
    if name == "listed":
        return "not listed" if record is None else "listed"
    if name in {"raises", "written", "order"}:
        return {"raises": f"no error, {len(answer)} entries", "written": "left as it was"}.get(
            name, "as the contract"
        )
    if record is None:
        return "not listed"
    return repr(record[name]) if name in record else ABSENT


def _verdict(finding: Finding, others: Mapping[str, Listing | Raised]) -> str:
    straying = [name for name, told in finding.told.items() if told.differences]
    right = [name for name in finding.told if name not in straying]
    if not right:
        alike = len({told.differences for told in finding.told.values()}) == 1 and len(straying) > 1
        how = "are wrong alike" if alike else "stray"
        held_by = " and ".join(["the tree itself", *_standing_with(finding, others)])
        return f"{' and '.join(straying)} {how}; {EXPECTED} is held by {held_by}"
    return f"right: {', '.join(right)}; wrong: {', '.join(straying)}"


def _standing_with(finding: Finding, others: Mapping[str, Listing | Raised]) -> list[str]:
    """Those of the other witnesses that answer as the contract does where somebody strays."""
    places = [place for place in _places(finding) if place[1] not in {"raises", "written", "order"}]
    expected = listing_of_expected(finding.case.expected[finding.state])
    return [
        who
        for who, answer in others.items()
        if places and all(says(answer, *place) == says(expected, *place) for place in places)
    ]
