"""A kept failure repeats by its own script, in each state of its tree, and tells when it is mended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.case import case_of, checkpoint, plan_of
from bench.cases import named_cases
from bench.differences import KnownDifferences
from bench.edits import edited_cases
from bench.saved_failure import repeat, save
from bench.subject import Subject
from bench.trial import Trial, Witness
from bench.verdict import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.trial import Finding

ROOT = Path(__file__).parents[2]
CATALOGS = str(Path(__file__).parent)
FIELDS = ("checkpoint_path",)


def witness(name: str) -> Witness:
    return Witness(Subject(name, f"catalogs:{name}", search_path=(CATALOGS,), fields=FIELDS), fields=FIELDS)


def the(findings: Iterable[Finding | None]) -> Finding:
    (found,) = [one for one in findings if one is not None]
    return found


def test_a_kept_failure_repeats_from_its_own_folder(tmp_path: Path) -> None:
    asked = [witness("writing")]
    with Trial(asked, KnownDifferences(()), tmp_path / "trees") as trial:
        found = the(
            [trial.examine(case_of("drawn/1", "Fields", plan_of([checkpoint("run/epoch=3.ckpt", epoch=3)])))]
        )
    kept = save(found, asked, ["one line", "another"], tmp_path / "kept")
    assert kept.name == "drawn-1"
    assert (kept / "explanation.txt").read_text() == "one line\nanother\n"
    before = sorted(path.name for path in (kept / "state-0").rglob("*"))
    done = subprocess.run(
        [sys.executable, kept / "repeat.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (ExitCode.OUTPUTS_DIFFER, "")
    assert "cache.json: written: writing says made, not left as it was" in done.stdout
    assert sorted(path.name for path in (kept / "state-0").rglob("*")) == before
    assert save(found, asked, [], tmp_path / "kept").name == "drawn-1-2"


def test_a_stale_answer_repeats_and_a_sound_one_is_said_to_be_mended(tmp_path: Path) -> None:
    case = next(one for one in edited_cases() if one.name == "edit/checkpoint removed")
    for name, code in (("stale", ExitCode.OUTPUTS_DIFFER), ("names", ExitCode.PASS)):
        with Trial([witness("stale")], KnownDifferences(()), tmp_path / name) as trial:
            found = the(trial.examine_edited([case], lambda _: None))
        said: list[str] = []
        kept = save(found, [witness(name)], [], tmp_path / name)
        assert repeat(kept, said.append, lambda _: None) == code
        assert said[-1] == ("nobody strays any more" if code is ExitCode.PASS else "still strays")


def test_a_root_that_is_no_folder_is_kept_too(tmp_path: Path) -> None:
    case = next(one for one in named_cases() if one.name == "root/a file")
    asked = [witness("names")]
    with Trial(asked, KnownDifferences(()), tmp_path / "trees") as trial:
        found = the([trial.examine(case)])
    said: list[str] = []
    assert repeat(save(found, asked, [], tmp_path), said.append) == ExitCode.OUTPUTS_DIFFER
    assert said[0] == "state 0: .: raises: names says no error, 0 entries, not NotADirectoryError"
