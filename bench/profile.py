"""Where the time of a slower candidate goes: both sides profiled apart, and their functions compared.

A profile is taken of fresh processes after a gate is red, with the standard library's cProfile. It makes every
call of a Python function dearer, so that its times are no measurement; what it tells is a name.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.subject import Subject
    from bench.worker import Call

CALLS = 21
SHOWN = 5
TIMEOUT_S = 120.0

_HOST_FOLDER = str(Path(__file__).parent)
_PROGRAM = """
import sys
# As `bench.worker` does: this folder is searched for one package, and last.
sys.path[:] = [*filter(None, sys.path), sys.argv.pop()]
import cProfile, json, os, pstats
from pathlib import Path
from statistics import median
from subject_host import resolve
sys.path.pop()
target, search_path, home, outputs_dir, names, rounds = json.loads(sys.argv[1])
sys.path[:0] = search_path
subject = resolve(target)
arguments = Path(outputs_dir), tuple(names)
prepare = getattr(subject, "prepare", lambda *_: None)
taken = {}
def add(number, path, name, calls, own_s):
    place = os.path.relpath(path, home) if home and path.startswith(home) else os.path.basename(path)
    samples = taken.setdefault(f"{name} ({place})", [[0, 0.0] for _ in range(rounds)])
    samples[number][0] += calls
    samples[number][1] += own_s
for number in range(-1, rounds):
    prepare(*arguments)
    profile = cProfile.Profile()
    profile.enable()
    list(subject(*arguments))
    profile.disable()
    if number < 0:  # the first call imports what it needs
        continue
    for (path, _, name), (_, calls, own_s, _, callers) in pstats.Stats(profile).stats.items():
        if path != "~":
            add(number, path, name, calls, own_s)
            continue
        for (caller_path, _, caller), (_, _, part_s, _) in callers.items():
            add(number, caller_path, caller, 0, part_s)  # what is written in C is its callers' time
middle = {name: [median(part) for part in zip(*one)] for name, one in taken.items()}
sys.__stdout__.write("\\n" + json.dumps(middle))
"""


class ProfileError(Exception):
    """A side that could not be profiled."""


def profile_of(subject: Subject, call: Call, home: Path | None) -> dict[str, tuple[float, float]]:
    """Calls, and own seconds, of each Python function in one call of the subject: medians of several.

    Paths are told below `home`, so that those of two sides compare. Raises ProfileError.
    """
    if subject.is_command:
        raise ProfileError(f"{subject.name}: a command is a process of its own, and not profiled")
    arguments = [
        subject.target,
        list(subject.search_path),
        os.path.realpath(home) if home else "",
        str(call.outputs_dir),
        list(call.config_filenames),
        CALLS,
    ]
    command = [subject.python, "-c", _PROGRAM, msgspec.json.encode(arguments).decode(), _HOST_FOLDER]
    environment = {**os.environ, **subject.environment, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S, env=environment)
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, tuple[float, float]])
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        told = f"an end with {error.returncode}: {last}"
        raise ProfileError(f"{subject.name}: expected a profile, found {told}") from error
    except (OSError, subprocess.SubprocessError, IndexError, msgspec.DecodeError) as error:
        raise ProfileError(f"{subject.name}: expected a profile, found {type(error).__name__}") from error


def difference(
    candidate: dict[str, tuple[float, float]], reference: dict[str, tuple[float, float]]
) -> tuple[str, ...]:
    """The functions whose own time grew most from reference to candidate, the worst first, one line each."""
    none = (0.0, 0.0)
    grown: Sequence[tuple[float, str]] = sorted(
        ((own_s - reference.get(name, none)[1], name) for name, (_, own_s) in candidate.items()), reverse=True
    )
    return tuple(
        f"{name}: +{1e3 * more_s:.3f} ms of its own for a catalog, "
        f"called {candidate[name][0]:g} times (reference: {reference.get(name, none)[0]:g})"
        for more_s, name in grown[:SHOWN]
        if more_s > 0
    )
