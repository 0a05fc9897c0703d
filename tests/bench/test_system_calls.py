"""System calls counted from outside: exactly where it is possible, not at all where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.subject import Subject
from bench.system_calls import count_system_calls
from bench.worker import Call, Worker

if TYPE_CHECKING:
    from pathlib import Path

LOOKING = """
import os
def look(outputs_dir, config_filenames):
    for _ in range(len(config_filenames)):
        os.stat(outputs_dir)
    return []
"""


def is_counting_possible() -> bool:
    """Whether strace is here and may look at a process of its own user."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode == 0


@pytest.mark.skipif(not is_counting_possible(), reason="no strace here, or it may not trace")
def test_every_call_more_is_counted(tmp_path: Path) -> None:
    (tmp_path / "looking.py").write_text(LOOKING, encoding="utf-8")
    subject = Subject("looking", "looking:look", search_path=(str(tmp_path),))
    with Worker.start(subject, hash_seed=0) as worker:
        worker.call(Call(tmp_path))  # which may ask for memory
        none, many = (worker.system_calls(Call(tmp_path, ("a",) * count)) for count in (0, 50))
    assert none is not None
    assert many is not None
    assert many - none == 50


def test_without_a_program_that_counts_nothing_is_told_and_nothing_asked() -> None:
    asked: list[int] = []
    assert count_system_calls(os.getpid(), lambda: asked.append(1), program="no-such-strace") is None
    assert asked == []


def test_a_program_that_may_not_look_tells_nothing() -> None:
    assert count_system_calls(os.getpid(), lambda: None, program=os.path.basename(sys.executable)) is None
