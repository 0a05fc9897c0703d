"""Processes of the session: what a trace shows, what a command imports, and how failures are told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.limits_process import ProcessError, Processes, opened

ROOT = Path("/trees/outputs")
LOG = """\
7 openat(AT_FDCWD, "/trees/outputs/before.yaml", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "ckpt-bench:begin", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
7 openat(AT_FDCWD, "/trees/outputs/a.metadata.yaml", O_RDONLY|O_CLOEXEC) = 3
8 openat2(AT_FDCWD, "/trees/outputs/b.metadata.yaml", {flags=O_RDONLY|O_CLOEXEC, resolve=0}, 24) = 4
7 open("/trees/outputs/exp", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 4
7 openat(AT_FDCWD, "/trees/outputs/missing", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
7 openat(AT_FDCWD, "/home/cache/the.index", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "ckpt-bench:end", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
7 openat(AT_FDCWD, "/trees/outputs/after.yaml", O_RDONLY|O_CLOEXEC) = 3
"""


def test_a_trace_tells_what_was_opened_between_its_marks() -> None:
    seen = opened(LOG, ROOT)
    assert seen.files == ("/trees/outputs/a.metadata.yaml", "/trees/outputs/b.metadata.yaml")
    assert seen.folders == ("/trees/outputs/exp",)
    assert seen.elsewhere == ("/home/cache/the.index",)


def test_a_trace_without_marks_proves_nothing() -> None:
    with pytest.raises(ProcessError, match="two marks"):
        opened(LOG.replace("ckpt-bench:end", "other"), ROOT)


def test_without_strace_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="strace"):
        Processes(tmp_path, {}).opens({}, ROOT)


def test_the_imports_of_a_script_are_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import xml.dom\n")
    imported = Processes(tmp_path, {}).imported_by([str(script)])
    assert "xml" in imported
    assert "yaml" not in imported


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path, {})
    with pytest.raises(ProcessError, match="no_such_module"):
        processes.run(
            {
                "do": "trace",
                "outputs_dir": str(tmp_path),
                "config_filenames": [],
                "targets": {"candidate": "no_such_module:nothing"},
                "seed": 0,
            }
        )
    with pytest.raises(ProcessError, match="exit code 0, found 3"):
        processes.time_ns([sys.executable, "-c", "raise SystemExit(3)"])
