"""A checkpoint file read by position, a few large pieces at a time."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

Identity = tuple[int, int, int, int]
"""(device, inode, size in bytes, mtime in ns): tells whether a path still leads to the file that was read."""

# Without O_NONBLOCK a pipe that stands where a file was expected would block for ever.
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


END_BYTES: Final = 32 * 1024
"""What is asked for of a file's begin and of its end as soon as it is open."""


class Window:
    """An open file of which pieces were read. `bytes_read` counts what the system was asked for."""

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        self.size_bytes = status.st_size
        self.identity: Identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        self.bytes_read = 0
        self._descriptor = descriptor
        self._pieces: list[tuple[int, bytes]] = []

    def load(self, offset: int, size_bytes: int) -> bytes:
        """Read and keep a piece of the file. Raises `HeaderError` where the file ends before it does."""
        piece = b""
        while len(piece) < size_bytes:  # one call reads 2 GiB at most, and fewer bytes than asked may come
            read = os.pread(self._descriptor, size_bytes - len(piece), offset + len(piece))
            if not read:
                raise HeaderError(
                    f"{size_bytes} bytes at offset {offset}", f"{len(piece)}: the file ends there"
                )
            piece = piece + read if piece else read
        self.bytes_read += len(piece)
        self._pieces.append((offset, piece))
        return piece

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes of the file, out of a kept piece where one holds them. Raises `HeaderError`."""
        if offset < 0 or offset + size_bytes > self.size_bytes:
            found = f"a file of {self.size_bytes} bytes"
            raise HeaderError(f"{size_bytes} bytes at offset {offset}", found)
        for start, piece in self._pieces:
            first = offset - start
            if first >= 0 and first + size_bytes <= len(piece):
                return piece[first : first + size_bytes]
        return self.load(offset, size_bytes)


@contextmanager
def open_window(path: str) -> Iterator[Window]:
    """Open a regular file for reading by position. Raises `HeaderError` where that fails, at any read."""
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise HeaderError("a regular file", "something else", "remove what stands there")
            _announce(descriptor, status.st_size)
            yield Window(descriptor, status)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        if isinstance(error, HeaderError):
            raise
        found = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise HeaderError("a readable file", found, "check its permissions and its disk") from error


def _announce(descriptor: int, size_bytes: int) -> None:
    """Let the disk fetch both ends of a file at the same time, and nothing around what is read later.

    Where the file is not in the page cache, each of its pieces would else be waited for one after the other,
    and bring its neighbourhood along.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):  # a file system that takes no advice
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        os.posix_fadvise(descriptor, 0, END_BYTES, os.POSIX_FADV_WILLNEED)
        os.posix_fadvise(descriptor, max(0, size_bytes - END_BYTES), END_BYTES, os.POSIX_FADV_WILLNEED)
