"""A tree made into another in place, as people and their tools edit one: what is alike stays untouched."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_like(root: Path, wanted: Path) -> None:
    """Make the tree at `root` into that at `wanted`, in place: what is alike stays, files are rewritten.

    A file that changes keeps its inode, and everything gets the times that it has in `wanted`.
    """
    root.mkdir(exist_ok=True)
    names = set(os.listdir(wanted))
    for name in os.listdir(root):
        if name not in names:
            _remove(root / name)
    for name in sorted(names):
        _copy(wanted / name, root / name)
    _keep_times(wanted, root)


def _copy(source: Path, target: Path) -> None:
    kind = stat.S_IFMT(source.lstat().st_mode)
    if os.path.lexists(target) and stat.S_IFMT(target.lstat().st_mode) != kind:
        _remove(target)
    if kind == stat.S_IFDIR:
        make_like(target, source)
        return
    if kind == stat.S_IFLNK:
        if os.path.lexists(target):
            if target.readlink() == source.readlink():
                return
            target.unlink()
        target.symlink_to(source.readlink())
    elif kind == stat.S_IFREG:
        raw = source.read_bytes()
        if not target.exists() or target.read_bytes() != raw:
            target.write_bytes(raw)
    elif kind == stat.S_IFIFO and not target.exists():
        os.mkfifo(target)
    elif kind == stat.S_IFSOCK and not target.exists():
        _bind(target)
    _keep_times(source, target)


def _bind(target: Path) -> None:
    # The path of a socket is short by nature: it is bound from a descriptor of its folder.
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/{target.name}")
    finally:
        os.close(folder)


def _keep_times(source: Path, target: Path) -> None:
    wanted, found = source.lstat(), target.lstat()
    if found.st_mtime_ns != wanted.st_mtime_ns:
        os.utime(target, ns=(wanted.st_mtime_ns, wanted.st_mtime_ns), follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
