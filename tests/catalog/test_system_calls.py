"""What a build asks the operating system for, traced: nothing that is unchanged is opened again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from catalog.filesystem import SETTLING_NS
from catalog.store import INDEX_DIR_VARIABLE
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed, and nothing else here tells system calls"
)

_OPENED = re.compile(r'(?:open|openat|openat2)\((?:[^",]+(?:<(?P<at>[^>]*)>)?, )?"(?P<path>(?:[^"\\]|\\.)*)"')


def opened(root: Path, index: Path, *options: str) -> set[str]:
    """The paths below `root` that a new process opens, or tries to, to list the tree; its index apart."""
    trace = root.parent / "trace"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {INDEX_DIR_VARIABLE: str(index), "HOME": str(root.parent)}
    strace = ["strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", "trace=open,openat,openat2"]
    command = [*strace, sys.executable, "-m", "catalog", "list", str(root), "--json", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    calls = _OPENED.finditer(trace.read_text())
    paths = {os.path.join(call["at"] or "", call["path"]) for call in calls}
    assert any(path.startswith(f"{index}/") for path in paths)  # or the trace shows nothing at all
    below = {os.path.relpath(path, root) for path in paths if f"{path}/".startswith(f"{root}/")}
    return {path for path in below if not (root / path).is_relative_to(index)}


def files_among(paths: set[str], root: Path) -> set[str]:
    return {path for path in paths if not (root / path).is_dir()}


@pytest.mark.parametrize("place", ["index", "outputs/.index"], ids=["index-outside", "index-inside"])
def test_a_new_process_opens_only_what_has_changed(place: str, tmp_path: Path) -> None:
    root, index = tmp_path / "outputs", tmp_path / place
    index.mkdir(parents=True)
    own, bare = root / "a" / "checkpoints", root / "b" / "checkpoints"
    told = write(own / "best.metadata.yaml", SIDECAR)
    read = {
        write(own / "last.metadata.yaml", without(SIDECAR, "metrics", "model")),
        write(own / "last.ckpt", b"no checkpoint"),
        write(bare / "best.metadata.yaml", "{unfinished"),
        write(bare / "best.ckpt", b"no checkpoint"),
        write(root / "b" / ".hydra" / "config.yaml", HYDRA),
        write(own / "last.config.json", HYDRA),
        told,
    }
    write(own / "best.ckpt", b"")
    (bare / "link.ckpt").symlink_to(own / "best.ckpt")
    time.sleep(SETTLING_NS / 1e9 + 0.1)  # ctime cannot be set back
    for options in ([], ["--no-wandb"]):
        first = opened(root, index, *options)
        assert {str(path.relative_to(root)) for path in read} <= first
        assert opened(root, index, *options) == set()
    write(told, changed(SIDECAR, training__epoch=8))
    assert files_among(opened(root, index, "--no-wandb"), root) == {"a/checkpoints/best.metadata.yaml"}
