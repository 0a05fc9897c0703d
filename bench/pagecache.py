"""Make the files of a tree cold: out of the page cache, and proof that they are.

Files are given up with posix_fadvise, after they were written out where need be, and asked about with
mincore. This touches the tree alone and needs no privileges. Names and inodes stay in the kernel's memory:
a cold load here reads data from the disk, but does not look its folders up there. The kernel switch that
would drop them too empties the caches of the whole machine, under whatever else runs on it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import stat
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

METHOD = "posix_fadvise(DONTNEED), checked with mincore; names and inodes stay cached"

_CAN_GIVE_UP = hasattr(os, "posix_fadvise")


class Drop(msgspec.Struct, frozen=True):
    """What came of making a tree cold: by which method, and how many bytes of its files stayed cached."""

    method: str
    total_bytes: int
    resident_bytes: int

    @property
    def cold(self) -> bool:
        """Whether nothing of the tree's files is cached."""
        return self.resident_bytes == 0


def drop(tree: Path) -> Drop:
    """Make all regular files below `tree` cold, symlinked ones included, and tell whether that worked.

    A file that cannot be opened stays as it is; nobody else can read it either. On a system without
    posix_fadvise or mincore everything counts as cached.
    """
    total_bytes = resident_bytes = 0
    for descriptor in _open_files(tree):
        try:
            size_bytes = os.fstat(descriptor).st_size
            total_bytes += size_bytes
            resident_bytes += _give_up(descriptor, size_bytes)
        finally:
            os.close(descriptor)
    return Drop(METHOD, total_bytes, resident_bytes)


def cold_supported(tree: Path) -> bool:
    """Whether the files of `tree` can be made cold, found out by doing it; an empty tree proves nothing."""
    dropped = drop(tree)
    return dropped.cold and dropped.total_bytes > 0


def _open_files(tree: Path) -> Iterator[int]:
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would wait for a writer
                    continue
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:
                continue
            yield descriptor


def _give_up(descriptor: int, size_bytes: int) -> int:
    """Give up what is cached of an open file, and tell how much of it is cached still."""
    if not _CAN_GIVE_UP:
        return size_bytes
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    resident_bytes = _resident_bytes(descriptor, size_bytes)
    if not resident_bytes:
        return 0
    os.fdatasync(descriptor)  # what is not yet on the disk cannot be given up; mostly there is no such thing
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return _resident_bytes(descriptor, size_bytes)


def _resident_bytes(descriptor: int, size_bytes: int) -> int:
    """How much of an open file is in the page cache, in whole pages."""
    if size_bytes == 0:
        return 0
    mincore = _mincore()
    if mincore is None:
        return size_bytes
    # Private and writable, or ctypes cannot take its address; nothing is written.
    with mmap.mmap(descriptor, size_bytes, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
        pages = (ctypes.c_ubyte * (-(-size_bytes // mmap.PAGESIZE)))()
        first = ctypes.c_char.from_buffer(mapped)
        failed = mincore(ctypes.byref(first), ctypes.c_size_t(size_bytes), pages)
        del first  # or the mapping could not be closed
    if failed:
        return size_bytes
    return sum(page & 1 for page in bytes(pages)) * mmap.PAGESIZE


@cache
def _mincore() -> Callable[..., int] | None:
    try:
        function: Callable[..., int] = ctypes.CDLL(None).mincore
    except (OSError, AttributeError):
        return None
    return function
