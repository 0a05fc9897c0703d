"""A failing tree kept as a folder: the tree in each of its states, what it must answer, and a script.

state-0/outputs/   the tree as it was first called for; state-1 and later: after each edit
failure.json       the case, the expected answers, who strayed and how to start them
explanation.txt    what was printed
repeat.py          asks again: exit code 3 where somebody still strays, 0 where nobody does
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.arms import isolated
from bench.case import Case
from bench.differences import KnownDifferences
from bench.edits import SETTLING_S
from bench.in_place import make_like
from bench.subject import Subject
from bench.trial import Trial, Witness
from bench.verdict import ExitCode
from bench.zone import time_zone
from fixtures.expected import Expected
from fixtures.generate import write_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.trial import Finding

SWITCH: Final = "CHECKPOINT_CATALOG_USE_V2"
_FILE: Final = "failure.json"
_SCRIPT: Final = '''\
"""Ask about this tree again; see failure.json. Needs the package ckpt-bench."""

import sys
from pathlib import Path

from bench.saved_failure import repeat

sys.exit(repeat(Path(__file__).parent, print))
'''


class Asked(msgspec.Struct, frozen=True):
    """A subject, and the form in which it answers."""

    subject: Subject
    fields: tuple[str, ...]
    has_old_records: bool


class Saved(msgspec.Struct, frozen=True):
    """What `failure.json` holds."""

    name: str
    rule: str
    raises: str | None
    expected: tuple[Expected, ...]
    asked: tuple[Asked, ...]


def save(finding: Finding, witnesses: Sequence[Witness], lines: Sequence[str], folder: Path) -> Path:
    """Keep a finding in a new folder below `folder`, and tell which."""
    case = finding.case
    kept = _new_folder(folder, case.name)
    for state, plan in enumerate(case.plans):
        root = kept / f"state-{state}" / "outputs"
        write_plan(plan, root)
        if case.damage is not None and state == 0:
            case.damage(root)
    asked = tuple(Asked(one.subject, one.fields, one.has_old_records) for one in witnesses)
    saved = Saved(case.name, case.rule, case.raises, case.expected, asked)
    (kept / _FILE).write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1))
    (kept / "explanation.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")
    (kept / "repeat.py").write_text(_SCRIPT, encoding="utf-8")
    return kept


def _new_folder(folder: Path, name: str) -> Path:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:60].strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        kept = folder / (plain if number == 1 else f"{plain}-{number}")
        if not kept.exists():
            kept.mkdir()
            return kept
    raise FileExistsError(f"{folder}: expected room for {plain}, found 9,999 of that name; remove some")


def repeat(folder: Path, say: Callable[[str], None], rest: Callable[[float], None] = time.sleep) -> int:
    """Ask everybody about a saved tree again, in a copy of it; the exit code says whether anybody strays."""
    saved = msgspec.json.decode((folder / _FILE).read_bytes(), type=Saved)
    case = Case(saved.name, saved.rule, (), saved.expected, None, saved.raises)
    strayed = False
    with ExitStack() as stack:
        stack.enter_context(time_zone())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ckpt-repeat-"))) / "outputs"
        witnesses = [_witness(one, root.parent) for one in saved.asked]
        trial = stack.enter_context(Trial(witnesses, KnownDifferences(()), root.parent))
        for state in range(len(saved.expected)):
            _stand(folder / f"state-{state}" / "outputs", root)
            if state == 0 and len(saved.expected) > 1:
                rest(SETTLING_S)
            found = trial.examine_at(case, root, state)
            for name, told in found.told.items():
                for one in told.differences:
                    strayed = True
                    say(f"state {state}: {one.path}: {one.field}: {name} says {one.left}, not {one.right}")
    say("still strays" if strayed else "nobody strays any more")
    return int(ExitCode.OUTPUTS_DIFFER if strayed else ExitCode.PASS)


def _witness(asked: Asked, home: Path) -> Witness:
    """As it was asked, with a home and a memory of its own that are new."""
    own = {**isolated(home), "CKPT_CATALOG_INDEX_DIR": str(home / "index")}
    kept = {
        name: value for name, value in asked.subject.environment.items() if name == SWITCH or name not in own
    }
    subject = msgspec.structs.replace(asked.subject, environment={**own, **kept})
    return Witness(subject, fields=asked.fields, has_old_records=asked.has_old_records)


def _stand(wanted: Path, root: Path) -> None:
    """Let what is kept stand at `root`, where it may be no folder at all."""
    if wanted.is_dir() and not wanted.is_symlink():
        make_like(root, wanted)
    elif wanted.is_symlink():
        root.symlink_to(wanted.readlink())
    elif wanted.exists():
        root.write_bytes(wanted.read_bytes())
