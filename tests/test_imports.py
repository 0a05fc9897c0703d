"""The arrows of the house: who may import whom, and what is imported at start."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {"fixtures": {"catalog", "bench"}, "catalog": {"fixtures", "bench"}, "bench": {"catalog"}}
HEAVY = {"torch", "wandb", "numpy", "scipy", "psutil", "rich", "pytest"}


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


MODULES = [path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_against_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert imported(path).isdisjoint(FORBIDDEN[package])


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a new interpreter has loaded after a statement."""
    listing = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{listing}"], capture_output=True, check=True, text=True, cwd=ROOT
    )
    return set(json.loads(done.stdout))


CATALOG_MODULES = sorted(path.stem for path in (ROOT / "catalog").glob("[!_]*.py"))


def test_importing_every_catalog_module_loads_nothing_heavy() -> None:
    statement = "import " + ", ".join(f"catalog.{name}" for name in CATALOG_MODULES)
    assert loaded_by(statement).isdisjoint(HEAVY | {"bench", "fixtures"})


def test_listing_an_unchanged_tree_loads_no_yaml(tmp_path: Path) -> None:
    statement = f"import catalog; catalog.build_catalog({str(tmp_path)!r}, use_cache=False)"
    assert loaded_by(statement).isdisjoint(HEAVY | {"yaml"})


def test_fixtures_load_torch_only_when_they_write() -> None:
    statement = "import fixtures.spec, fixtures.generate, fixtures.expected, fixtures.damage"
    assert loaded_by(statement).isdisjoint({"torch", "wandb", "catalog", "bench"})


_ENDING = """
import os, sys
def tell(code):
    print(*sorted({name.partition(".")[0] for name, found in sys.modules.items() if found}), file=sys.stderr)
os._exit = tell
sys.argv[1:] = ["list", "outputs"]
from catalog.__main__ import run
run()
"""


def test_the_command_that_lists_what_is_remembered_loads_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _ENDING]
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, check=True, text=True, cwd=tmp_path, env=environment
        )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "msgspec" in loaded
    slow = {"yaml", "logging", "dataclasses", "inspect", "typing_extensions", "shutil"}
    assert loaded.isdisjoint(HEAVY | slow)
