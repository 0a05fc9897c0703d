"""Work in a copy of the process: it ends there, and what went wrong is told here."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bench.subject_host.apart import EndedEarly, apart

if TYPE_CHECKING:
    from pathlib import Path


def test_work_is_done_in_another_process_and_changes_nothing_here(tmp_path: Path) -> None:
    held: list[int] = []

    def work() -> None:
        held.append(1)
        (tmp_path / "told").write_text(f"{os.getpid()} {gc.isenabled()}", encoding="ascii")

    process = apart(work)
    assert held == []
    assert (tmp_path / "told").read_text(encoding="ascii") == f"{process} False"
    assert process != os.getpid()


def test_what_work_raises_is_told() -> None:
    def work() -> None:
        raise ValueError("only in the copy")

    with pytest.raises(EndedEarly, match=r"with an exception\n(?s:.*)ValueError: only in the copy"):
        apart(work)


def test_work_that_is_killed_is_told() -> None:
    with pytest.raises(EndedEarly, match="with signal 9"):
        apart(lambda: os.kill(os.getpid(), signal.SIGKILL))
