"""Where a measurement was made: code, interpreter, libraries, machine. No host, user or folder names."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

Value = TypeVar("Value")

LIBRARIES = ("msgspec", "pyyaml", "numpy", "scipy", "psutil", "torch", "wandb", "lightning")
_GIT_PATIENCE_S = 30.0
_CPU_INFO = Path("/proc/cpuinfo")
_PRODUCT = Path("/sys/class/dmi/id/product_name")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The provenance of a measurement; `missing` tells for each field that is None why it is.

    `dirty`: tracked files differ from the commit, or untracked ones stand beside them. `affinity`: the
    processors that this process may use. `virtualisation`: what the machine says that it is, where it says
    that it is no real one. `load_average` is that of 1, 5 and 15 minutes when it was looked at.
    """

    commit: str | None
    dirty: bool | None
    python: str
    implementation: str
    libraries: dict[str, str]
    cpu_model: str | None
    logical_cores: int | None
    physical_cores: int | None
    affinity: tuple[int, ...] | None
    memory_bytes: int
    kernel: str
    architecture: str
    file_system: str | None
    virtualisation: str | None
    governor: str | None
    load_average: tuple[float, float, float] | None
    clock_resolution_ns: float
    missing: dict[str, str]


def collect(tree: Path | None, *, project: Path | None = None) -> Environment:
    """Look at this process and machine.

    `tree` is where the file system is looked at, `project` (the current folder if None) where the commit is.
    What the system does not tell is None, with the reason; nothing raises.
    """
    missing: dict[str, str] = {}
    commit, dirty = _revision(project or Path.cwd(), missing)
    return Environment(
        commit=commit,
        dirty=dirty,
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        libraries=_libraries(),
        cpu_model=_noted("cpu_model", _cpu_info("model name"), missing),
        logical_cores=_noted("logical_cores", psutil.cpu_count(), missing),
        physical_cores=_noted("physical_cores", psutil.cpu_count(logical=False), missing),
        affinity=_affinity(missing),
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        file_system=_file_system(tree, missing),
        virtualisation=_virtualisation(missing),
        governor=_noted("governor", _text(_GOVERNOR), missing),
        load_average=_load_average(missing),
        clock_resolution_ns=time.get_clock_info("perf_counter").resolution * 1e9,
        missing=missing,
    )


def _noted(field: str, value: Value | None, missing: dict[str, str]) -> Value | None:
    if value is None:
        missing[field] = "the system does not tell"
    return value


def _revision(project: Path, missing: dict[str, str]) -> tuple[str | None, bool | None]:
    try:
        commit = _git(project, "rev-parse", "HEAD").strip()
        return commit, bool(_git(project, "status", "--porcelain").strip())
    except FileNotFoundError:
        reason = "there is no git here, or no such folder"
    except subprocess.TimeoutExpired:
        reason = "git did not answer"
    except subprocess.CalledProcessError:
        reason = "the folder is in no git repository with a commit"
    missing["commit"] = missing["dirty"] = reason
    return None, None


def _git(project: Path, *arguments: str) -> str:
    # Without locks: looking at a repository must not get in the way of whoever works in it.
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(
        command, cwd=project, capture_output=True, check=True, text=True, timeout=_GIT_PATIENCE_S
    )
    return done.stdout


def _libraries() -> dict[str, str]:
    """The versions of the libraries that are installed."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_info(key: str) -> str | None:
    for line in (_text(_CPU_INFO) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _affinity(missing: dict[str, str]) -> tuple[int, ...] | None:
    known = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else None
    return _noted("affinity", known, missing)


def _file_system(tree: Path | None, missing: dict[str, str]) -> str | None:
    if tree is None:
        missing["file_system"] = "no tree was named"
        return None
    place = tree.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if place.is_relative_to(mount.mountpoint)]
    # Of two mounts in one place the later hides the earlier.
    nearest = max(reversed(mounts), key=lambda mount: len(Path(mount.mountpoint).parts), default=None)
    return _noted("file_system", nearest.fstype if nearest else None, missing)


def _virtualisation(missing: dict[str, str]) -> str | None:
    if "hypervisor" not in (_cpu_info("flags") or "").split():
        missing["virtualisation"] = "the processor names no hypervisor"
        return None
    return _text(_PRODUCT) or "a hypervisor, unnamed"


def _load_average(missing: dict[str, str]) -> tuple[float, float, float] | None:
    try:
        return os.getloadavg()
    except OSError:
        return _noted("load_average", None, missing)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None
