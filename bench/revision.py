"""Code to be measured, set aside and installed: the working tree as it stands, or a revision of its repository.

Both are copied out (the repository's own state is never touched) and each gets an environment of its own, whose
search path holds the copy and then the installed dependencies. So the two differ in nothing but their code, and
neither changes while it is measured.
"""

from __future__ import annotations

import compileall
import io
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.verdict_file import Cause, Refusal

if TYPE_CHECKING:
    from bench.subject import Subject

DEFAULT_BRANCHES = ("origin/main", "main")
_PATIENCE_S = 60.0
_CODE = ("*.py", "*.pyx", "*.c", "*.cpp", "*.h", "*.rs", "*.so", "*.pyd")
_DOCUMENTS = ("*.md", "*.rst", "*.txt")
"""What comes beside the code without changing how fast it is."""

_PROBE = """
import sys
sys.path[:] = filter(None, sys.path)  # as -P does, which not every interpreter has
import json, platform
from importlib import metadata
sys.path[:0] = json.loads(sys.argv[1])
versions = {}
for one in metadata.distributions():
    name = one.metadata["Name"]
    if name:
        versions.setdefault(name.lower(), one.version)
print(json.dumps({"python": platform.python_version(), "build": sys.version,
                  "implementation": platform.python_implementation(), "libraries": versions}))
"""


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter that runs some code, and the version of every distribution that it finds."""

    python: str
    build: str
    implementation: str
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: its code, and what runs it.

    `home` is the folder that every callable has to come from, so that no other code passes for it; `None`
    where anything that is found will do. `target` stands for the scenarios' own callables where it is given;
    `subject` is somebody else's, with its names of fields and those that it is held to.
    """

    name: str
    commit: str | None
    home: Path | None
    python: str
    runtime: Runtime
    search_path: tuple[str, ...] = ()
    target: str | None = None
    subject: Subject | None = None


def default_revision(project: Path) -> str:
    """What the working tree is compared with unless said otherwise.

    The commit at which it left `origin/main` (`main` where there is no such remote); where no code has been
    changed since, so that both would be the same, the commit before it. Raises Refusal where there is none.
    """
    for branch in DEFAULT_BRANCHES:
        try:
            base = _git(project, "merge-base", "HEAD", branch).decode().strip()
        except subprocess.CalledProcessError:
            continue
        is_same = base == commit_of(project, "HEAD") and not _is_changed(project)
        return commit_of(project, f"{base}~1") if is_same else base
    raise Refusal(
        Cause.NO_REFERENCE,
        f"expected {' or '.join(DEFAULT_BRANCHES)} to compare with, found neither; "
        "fetch it (a shallow clone lacks it), or name a revision with --against",
    )


def _is_changed(project: Path) -> bool:
    """Whether the working tree differs from its commit in anything but documents, or has code besides."""
    tracked = ("--untracked-files=no", "--", ".", *(f":(exclude){name}" for name in _DOCUMENTS))
    untracked = ("--untracked-files=all", "--", *_CODE)
    return any(_git(project, "status", "--porcelain", *which).strip() for which in (tracked, untracked))


def commit_of(project: Path, revision: str) -> str:
    """The commit that a revision names. Raises Refusal where the repository has none of that name."""
    try:
        name = f"{revision}^{{commit}}"
        return _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()
    except subprocess.CalledProcessError as error:
        raise Refusal(
            Cause.NO_REFERENCE,
            f"expected a revision of the repository, found {revision!r}, which it does not know; "
            "fetch it, or check its spelling",
        ) from error


def working_tree(project: Path, into: Path) -> Side:
    """The files of the working tree that git does not ignore, tracked or not, installed below `into`."""
    code = into / "code"
    names = _git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0")
    for name in filter(None, names):
        # A tracked file may be deleted, and a submodule is a folder.
        if (project / name).is_file():
            (code / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, code / name)
    commit = commit_of(project, "HEAD")
    is_changed = bool(_git(project, "status", "--porcelain").strip())
    return _installed(f"working tree at {commit[:12]}{', changed' if is_changed else ''}", commit, code, into)


def revision(project: Path, name: str, into: Path) -> Side:
    """A revision of the repository, copied out and installed below `into`. Raises Refusal for none."""
    commit = commit_of(project, name)
    archive = _git(project, "archive", "--format=tar", commit)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(into / "code", filter="data")
    except tarfile.TarError as error:
        told = f"expected files in {name}, found none that can be copied out ({error}); name another revision"
        raise Refusal(Cause.NO_REFERENCE, told) from error
    text = commit[:12] if commit.startswith(name) else f"{name} at {commit[:12]}"
    return _installed(text, commit, into / "code", into)


def implementation(subject: Subject, beside: Side) -> Side:
    """Another callable or command, run by the interpreter of `beside` unless it names one of its own."""
    python = beside.python if subject.python == sys.executable else subject.python
    return replace(
        beside,
        name=subject.target if subject.name == subject.target else f"{subject.name}={subject.target}",
        commit=None,
        home=None,
        python=python,
        runtime=probe(python, subject.search_path),
        search_path=subject.search_path,
        target=subject.target,
        subject=subject,
    )


def probe(python: str, search_path: tuple[str, ...]) -> Runtime:
    """Ask an interpreter for its version and its distributions. Raises Refusal where it does not answer."""
    command = [python, "-c", _PROBE, json.dumps(search_path)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise Refusal(
            Cause.INTERPRETER, f"expected an interpreter that answers, found {error}; check it"
        ) from error
    return msgspec.json.decode(done.stdout, type=Runtime)


def differences(ours: Runtime, theirs: Runtime) -> tuple[tuple[Cause, str], ...]:
    """What two runtimes do not have in common: with other versions no time tells about the code alone."""
    found: list[tuple[Cause, str]] = []
    if (ours.build, ours.implementation) != (theirs.build, theirs.implementation):
        told = f"{theirs.implementation} {theirs.python} ({theirs.build})"
        found.append((Cause.INTERPRETER, f"expected {ours.implementation} {ours.build}, found {told}"))
    names = sorted(ours.libraries.keys() | theirs.libraries.keys())
    other = [
        f"{name} {theirs.libraries.get(name, 'missing')} (here {ours.libraries.get(name, 'missing')})"
        for name in names
        if ours.libraries.get(name) != theirs.libraries.get(name)
    ]
    if other:
        found.append((Cause.DEPENDENCIES, f"expected the same versions, found {', '.join(other)}"))
    return tuple(found)


def _installed(name: str, commit: str, code: Path, into: Path) -> Side:
    """An environment of its own: the code first, then the folders that hold the installed dependencies.

    The code is compiled: no process that is measured has to, whatever `PYTHONDONTWRITEBYTECODE` says.
    The dependencies' own .pth files are not followed: one of them leads to the working tree where that is
    installed in place, and would lend a revision what it lacks.
    """
    folder = into / "venv"
    venv.EnvBuilder(symlinks=True).create(folder)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    python = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)})) / Path(sys.executable).name
    dependencies = [path for path in sys.path if Path(path).name in {"site-packages", "dist-packages"}]
    lines = [str(code.resolve()), *dependencies]
    (packages / "ckpt-bench-gate.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    compileall.compile_dir(code, quiet=2)
    return Side(
        name=name, commit=commit, home=code.resolve(), python=str(python), runtime=probe(str(python), ())
    )


def _git(project: Path, *arguments: str) -> bytes:
    # Without locks: looking at a repository must not get in the way of whoever works in it.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, cwd=project, capture_output=True, check=True, timeout=_PATIENCE_S)
    except FileNotFoundError as error:
        raise Refusal(Cause.NO_REFERENCE, "expected git, found none; install it") from error
    except subprocess.TimeoutExpired as error:
        raise Refusal(Cause.NO_REFERENCE, f"expected git to answer within {_PATIENCE_S:g} s") from error
    return done.stdout
