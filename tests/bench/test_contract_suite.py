"""The importable suite, run by pytest in a folder of somebody else's: who passes it and who does not."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = textwrap.dedent(
    """
    import os, sys
    from bench.contract_suite import ContractSuite

    class TestRight(ContractSuite):
        target = "catalog.subjects:v2"

    class TestOldApi(ContractSuite):
        target = "catalog.subjects:adapter"
        fields = ("checkpoint_path", "config_path", "epochs")

    class TestOthers(ContractSuite):
        search_path = (os.path.dirname(__file__),)

    class TestStale(TestOthers):
        target = "theirs:stale"

    class TestWriting(TestOthers):
        target = "theirs:writing"

    class TestCrashing(TestOthers):
        target = "theirs:crashing"

    class TestCommand(ContractSuite):
        target = f"cmd:{sys.executable} {os.path.dirname(__file__)}/theirs.py {{dir}}"

    del TestOthers, ContractSuite
    """
)
THEIRS = textwrap.dedent(
    """
    import os, sys
    from functools import cache
    from pathlib import Path

    def v2(folder, names):
        from catalog.subjects import v2
        return v2(folder, names)

    @cache
    def stale(folder, names): return v2(folder, names)

    def writing(folder, names):
        answer = v2(folder, names)
        (folder / "index").write_text("") if folder.is_dir() else None
        return answer

    def crashing(folder, names):
        os._exit(3) if any(folder.rglob("*.ckpt")) else None
        return v2(folder, names)

    if __name__ == "__main__":
        Path(sys.argv[1]).is_file() and sys.exit("a file")
    """
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outcome of each test, by class and test."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "test_theirs.py").write_text(SUITE)
    (folder / "theirs.py").write_text(THEIRS)
    chosen = "order or an_edit or root"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rA",
            "-W",
            "error",
            "--rootdir",
            ".",
            "-k",
            chosen,
            "test_theirs.py",
        ],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) test_theirs\.py::(\w+)::(.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {f"{kind}::{rest}": outcome for outcome, kind, rest in found}


def of(outcomes: dict[str, str], kind: str) -> dict[str, str]:
    """The outcomes of one class, by test and message."""
    return {name.partition("::")[2]: one for name, one in outcomes.items() if name.startswith(f"{kind}::")}


@pytest.mark.parametrize("kind", ["TestRight", "TestOldApi"])
def test_a_right_catalog_passes(kind: str, outcomes: dict[str, str]) -> None:
    own = of(outcomes, kind)
    assert len(own) > 8
    assert set(own.values()) == {"PASSED"}


@pytest.mark.parametrize(
    ("kind", "test", "told"),
    [
        ("TestStale", "test_an_edit_is_seen", "with sidecars for 0%"),
        ("TestWriting", "test_case[order/", "index: written, or removed, by the catalog"),
        ("TestCrashing", "test_case[order/", "the worker ended with exit code 3"),
        ("TestCommand", "test_case[order/", "checkpoints, found none"),
    ],
)
def test_a_wrong_one_fails_where_it_is_wrong(kind: str, test: str, told: str, outcomes: dict[str, str]) -> None:
    own = of(outcomes, kind)
    failed = [name for name, outcome in own.items() if outcome == "FAILED" and name.startswith(test)]
    assert failed
    assert all(told in name for name in failed)


@pytest.mark.parametrize("kind", ["TestCrashing", "TestCommand"])
def test_what_it_does_right_passes_all_the_same(kind: str, outcomes: dict[str, str]) -> None:
    own = of(outcomes, kind)
    roots = {outcome for name, outcome in own.items() if name.startswith("test_case[root/")}
    assert roots == {"PASSED"}
