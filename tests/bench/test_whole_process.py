"""Whole processes: their time, their end, and that none is left behind."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.whole_process import time_process

if TYPE_CHECKING:
    from pathlib import Path


def ended(tmp_path: Path, script: str, timeout_s: float = 30.0) -> tuple[float, int, str]:
    """Seconds, exit code, and what a Python script printed."""
    with tempfile.TemporaryFile() as printed:
        elapsed_ns, code = time_process(
            [sys.executable, "-c", script],
            environment={**os.environ, "MARK": "here"},
            folder=tmp_path,
            timeout_s=timeout_s,
            stdout=printed,
        )
        printed.seek(0)
        return elapsed_ns / 1e9, code, printed.read().decode()


def test_a_process_runs_in_its_folder_and_environment_and_tells_its_code(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getcwd(), os.environ['MARK']); sys.exit(3)"
    _, code, printed = ended(tmp_path, script)
    assert (code, printed.split()) == (3, [str(tmp_path), "here"])


def test_a_process_keeps_its_bytecode_as_an_installed_program_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    _, _, printed = ended(tmp_path, "import sys; print(sys.dont_write_bytecode)")
    assert printed.strip() == "False"


def test_its_time_is_that_of_its_whole_life(tmp_path: Path) -> None:
    elapsed_s, code, _ = ended(tmp_path, "import time; time.sleep(0.3)")
    assert code == 0
    assert elapsed_s >= 0.3


def test_one_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    _, code, printed = ended(tmp_path, script, timeout_s=2.0)
    assert code == -9
    deadline_s = time.monotonic() + 30
    while _runs(int(printed)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not _runs(int(printed))


def _runs(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        time_process([str(tmp_path / "nowhere")], environment={}, folder=tmp_path, timeout_s=1.0)
