"""`ckpt-bench run`: what is taken as subject and as tree; every example of docs/subjects.md, run for real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from fixtures.generate import generate
from fixtures.spec import TreeSpec

PAGE = (Path(__file__).parents[2] / "docs" / "subjects.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = re.findall(r"<!-- run(?:: exit code (\d))? -->\n```bash\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, and a tree beside them."""
    for name, text in FILES:
        (tmp_path / name).write_text(text, encoding="utf-8")
    generate(TreeSpec(experiments=2, checkpoint_bytes=1), tmp_path / "tree")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("code", "lines"), EXAMPLES, ids=[f"example {n}" for n in range(len(EXAMPLES))])
def test_an_example_of_the_page_does_what_the_page_says(code: str, lines: str, folder: Path) -> None:
    own = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{own}:{os.environ['PATH']}", "COLUMNS": "300"}
    done = subprocess.run(
        ["bash", "-e", "-c", lines.replace("ckpt-bench run", "ckpt-bench run --budget 5 --timeout 300")],  # noqa: S607 - a test
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(code or 0), done.stdout + done.stderr
    if "ckpt-bench run" in lines:
        assert " equal" in done.stdout
        assert "nothing measured" not in done.stdout
    else:
        assert re.search(r"\d+ failed, \d+ passed", done.stdout)


def test_the_page_has_an_example_of_every_kind() -> None:
    shown = "".join(lines for _, lines in EXAMPLES)
    assert all(kind in shown for kind in ("mycatalog:build", "Catalog()", "cmd:", "--python", "pytest"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["v3", "tree"], "write module:callable, or one of legacy, v2"),
        (["v2", "treee"], "treee: expected a subject, or a tree as the last argument"),
        (["tree"], "name a subject before the tree"),
        (["v2", "v2"], "expected subjects of different names"),
        (["a=plain:", "tree"], "expected module:callable"),
        (["a=cmd:./mycatalog", "tree"], "expected {dir} in the command"),
    ],
)
def test_a_request_without_sense_is_refused_with_its_remedy(
    arguments: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.is_dir()
    assert main(["run", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_wrong_answer_is_shown_and_not_timed_and_options_may_stand_between(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "wrong.py").write_text("from plain import build as right\ndef build(d): return right(d)[1:]\n")
    monkeypatch.setenv("COLUMNS", "300")
    options = ["--path", ".", "--fields", "checkpoint_path", "--budget", "5"]
    assert main(["run", "right=plain:build", "wrong=wrong:build", *options, "tree"]) == 3
    told = capsys.readouterr().out
    assert re.search(r"wrong +3 +- +\d+ +- +- +outputs differ", told)
    assert "listed: right says listed, it says not listed" in told
