"""Instructions as valgrind's cachegrind counts them, its models of caches and branches off.

The models are not free of noise, and the counts need none of them. What the kernel does for a program is not
run by valgrind, and so not counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PROGRAM = "valgrind"
INSTALL = "install it (Debian, Ubuntu: apt-get install valgrind), or go without instruction counts"

_PATIENCE_S = 30.0
_EVENTS = re.compile(r"^events: Ir(?: .*)?$", re.MULTILINE)
_SUMMARY = re.compile(r"^summary: (\d+)", re.MULTILINE)


class NotCounted(Exception):  # noqa: N818 - the name says what happened
    """There is no count: what was expected, what was found, what mends it."""


@dataclass(frozen=True, slots=True)
class Cachegrind:
    """An installed valgrind that runs a program and its children, each with a file of counts in a folder."""

    program: str
    version: str

    def launcher(self, folder: Path) -> tuple[str, ...]:
        """The command before the command whose instructions are to be counted."""
        return (
            self.program,
            "--quiet",
            "--tool=cachegrind",
            "--cache-sim=no",
            "--branch-sim=no",
            "--trace-children=yes",
            f"--cachegrind-out-file={str(folder).replace('%', '%%')}/%p",
        )


def find_cachegrind(
    which: Callable[[str], str | None] = shutil.which, patience_s: float = _PATIENCE_S
) -> Cachegrind:
    """The valgrind on the search path. Raises NotCounted where there is none, or none that starts."""
    program = which(PROGRAM)
    if program is None:
        raise NotCounted(f"expected {PROGRAM} on the search path, found none; {INSTALL}")
    try:
        command = [program, "--tool=cachegrind", "--version"]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=patience_s)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotCounted(f"expected {program} to start, found {error}; {INSTALL}") from error
    return Cachegrind(program, done.stdout.strip().removeprefix("valgrind-"))


def instructions_in(paths: Iterable[Path]) -> int:
    """All instructions in files of counts. Raises NotCounted for one that is missing, cut off, or another."""
    return sum(_instructions(path) for path in paths)


def _instructions(path: Path) -> int:
    remedy = "look for room on the disk, and at what the program printed; then count again"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NotCounted(f"{path}: expected a file of counts, found {error.strerror}; {remedy}") from error
    summary = _SUMMARY.search(text)
    if summary is None or _EVENTS.search(text) is None:
        found = "another file" if text.strip() else "an empty file"
        raise NotCounted(f"{path}: expected counted instructions and their sum, found {found}; {remedy}")
    return int(summary[1])
