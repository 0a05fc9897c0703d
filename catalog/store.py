"""Where memories are kept: in this process, and as files that other processes may read.

A file is replaced as a whole by a rename, and rebuilt, with one warning, where it is not what it should
be. Writers never wait for each other: the last one wins, and every one of them wrote a right answer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import snapshot
from catalog.dependents import Dependents
from catalog.index import Memory
from catalog.outline import Outline, outline_after, outline_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from catalog.keys import Key
    from catalog.revision import Revision

INDEX_DIR_VARIABLE = "CKPT_CATALOG_INDEX_DIR"
_OWN_FOLDER = ".ckpt-catalog"
_SUFFIX = ".index"
_TEMPORARY = ".index-part"
_NAME = "[0-9a-f]" * 16
_ABANDONED_S = 60.0
MAX_INDEX_BYTES = 2**30  # some ten million checkpoints; what claims to be larger is no index, and is not read
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NOWHERE = f"{os.devnull}/ckpt-catalog"  # nothing is found there, and nothing can be written


def default_index_dir(environment: Mapping[str, str] = os.environ) -> str:
    """The index files' own folder: in `CKPT_CATALOG_INDEX_DIR`, else in the user's cache folder.

    Where the user has none, a folder that cannot be: only the process remembers then.
    """
    if chosen := environment.get(INDEX_DIR_VARIABLE):
        return own_index_dir(chosen)
    base = _cache_folder(environment)
    return f"{base}/ckpt-catalog" if base else _NOWHERE


def own_index_dir(chosen: str) -> str:
    """The index files' own folder in a chosen one, which may be the tree itself, or hold others' files."""
    return f"{chosen}/{_OWN_FOLDER}"


def _cache_folder(environment: Mapping[str, str]) -> str | None:
    """Where the user's caches are kept on this system."""
    name = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    chosen = "" if sys.platform == "darwin" else environment.get(name, "")
    if os.path.isabs(chosen):
        return chosen
    home = environment.get("HOME") or _home_of_user()
    below = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    return f"{home}/{below}" if home else None


def _home_of_user() -> str | None:
    """The home folder where no variable tells it."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return None


class Remembered:
    """A memory as it is kept: its outline, and the whole of it once somebody needs that.

    `is_proven`: the outline was made of the memory here, and is not just what a file says of it.
    """

    __slots__ = ("_dependents", "_is_proven", "_memory", "_read", "outline")

    def __init__(self, outline: Outline, read: Callable[[], Memory], *, is_proven: bool = False) -> None:
        self.outline = outline
        self._read: Callable[[], Memory] | None = read
        self._memory: Memory | None = None
        self._dependents: Dependents | None = None
        self._is_proven = is_proven

    @property
    def memory(self) -> Memory:
        """The memory itself."""
        read, memory = self._read, self._memory
        if memory is None:
            # Two threads may both read it, and both find the same.
            memory = self._memory = Memory() if read is None else read()
            self._read = None  # it holds the bytes
        return memory

    @property
    def dependents(self) -> Dependents:
        """Which of the memory's answers depend on a file."""
        dependents = self._dependents
        if dependents is None:
            dependents = self._dependents = Dependents(self.memory.answers)
        return dependents

    def followed_by(self, memory: Memory, revision: Revision) -> Remembered:
        """The memory that a build made of this one; what both have in common is not found out again."""
        if not self._is_proven or revision.before is not self.memory:  # another thread has built meanwhile
            return remembered(memory)
        kept = Remembered(outline_after(self.outline, memory, revision), lambda: memory, is_proven=True)
        if all(old.dependencies == new.dependencies for old, new in revision.answers):
            kept._dependents = self._dependents
        return kept


def remembered(memory: Memory) -> Remembered:
    """A memory that is at hand."""
    return Remembered(outline_of(memory), lambda: memory, is_proven=True)


class CatalogCache:
    """Memories by key: those of this process, backed by files.

    They stand in a folder of their own in `chosen_dir`; `None` is the default.
    """

    def __init__(self, chosen_dir: Path | str | None = None) -> None:
        self._index_dir = own_index_dir(os.fspath(chosen_dir)) if chosen_dir else None
        self._memories: dict[Key, Remembered] = {}

    @property
    def index_dir(self) -> str:
        """The folder of the index files; the environment is asked each time where none was given."""
        return self._index_dir or default_index_dir()

    def path(self, key: Key) -> str:
        """The file that keeps one key's memory."""
        return f"{self.index_dir}/{key.digest}{_SUFFIX}"

    def files(self) -> list[Path]:
        """This user's index files, of all keys."""
        return sorted(path for path in Path(self.index_dir).glob(f"{_NAME}{_SUFFIX}") if _is_own(path))

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the index folder, which a walk passes over; `None` while there is none."""
        try:
            found = os.stat(self.index_dir)
        except (OSError, ValueError):
            return None
        return (found.st_dev, found.st_ino)

    def load(self, key: Key) -> Remembered:
        """What is remembered under a key; an empty memory where nothing is, or nothing that can be believed."""
        known = self._memories.get(key)
        if known is None:
            known = self._memories[key] = _read(self.path(key), key) or remembered(Memory())
        return known

    def save(self, key: Key, memory: Memory, revision: Revision | None = None) -> Remembered:
        """Remember in this process and, where the folder can be written, for others.

        `revision` tells what is new in it since it was loaded, where little is.
        """
        kept = self._keep(key, memory, revision)
        try:
            data = snapshot.encode(key, memory, kept.outline)
            if len(data) <= MAX_INDEX_BYTES:
                _write(self.path(key), data)
        except (OSError, OverflowError) as error:  # a time stamp beyond 64 bits cannot be written
            _logger().debug("%s: not written (%s); only this process remembers", self.path(key), error)
        return kept

    def _keep(self, key: Key, memory: Memory, revision: Revision | None) -> Remembered:
        """Remember in this process."""
        known = self._memories.get(key)
        kept = known.followed_by(memory, revision) if known and revision else remembered(memory)
        self._memories[key] = kept
        return kept

    def clear(self) -> list[OSError]:
        """Forget this process's memories and the index files; tell which could not be deleted, and why."""
        self._memories.clear()
        left: list[OSError] = []
        for path in self.files():
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                left.append(error)
        return left


_GLOBAL = CatalogCache()


def global_cache() -> CatalogCache:
    """The cache that builders share unless they are given another."""
    return _GLOBAL


def clear_global_cache() -> None:
    """Forget what the shared cache remembers, its files included."""
    _GLOBAL.clear()


def _read(path: str, key: Key) -> Remembered | None:
    try:
        data = _read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _logger().warning(
            "%s: expected a readable index, found: %s; the tree is read anew", path, error.strerror
        )
        return None
    try:
        found = snapshot.decode(data, key)
    except snapshot.SnapshotError as error:
        _warn(path, error)
        return None
    return Remembered(found.outline, lambda: _memory_of(found, path))


def _memory_of(found: snapshot.Snapshot, path: str) -> Memory:
    try:
        return found.memory()
    except snapshot.SnapshotError as error:
        _warn(path, error)
        return Memory()


def _warn(path: str, error: snapshot.SnapshotError) -> None:
    _logger().warning("%s: expected an index, but %s; the tree is read anew and the file replaced", path, error)


def _logger() -> logging.Logger:
    import logging  # takes longer than to answer from memory, and mostly there is nothing to say

    return logging.getLogger(__name__)


def _read_regular(path: str) -> bytes:
    """The bytes of a file; of a pipe nobody might ever write any. Raises `OSError`."""
    descriptor = os.open(path, _READ_FLAGS)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        if found.st_size > MAX_INDEX_BYTES:
            raise OSError(errno.EFBIG, f"{found.st_size} bytes, more than any index has")
        data = os.read(descriptor, found.st_size)
        while len(data) < found.st_size and (more := os.read(descriptor, found.st_size - len(data))):
            data += more  # no more than 2 GiB come at once
        return data
    finally:
        os.close(descriptor)


def _write(path: str, data: bytes) -> None:
    """Replace a file as a whole; a writer that is killed leaves the earlier one. Raises `OSError`."""
    folder = Path(path).parent
    if not folder.is_dir():
        _make(folder)
    _sweep(folder)
    # A number that is drawn: in a container, an earlier writer may have had this process's id.
    part = f"{path.removesuffix(_SUFFIX)}.{os.getpid()}.{os.urandom(4).hex()}{_TEMPORARY}"
    # For the user alone: others may not be allowed to read what stands in it.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _make(folder: Path) -> None:
    """Make the index files' own folder, open to those whom the folder is open to that it stands in."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another writer made it
        folder.mkdir()
        with contextlib.suppress(OSError):  # a file system without rights
            folder.chmod(stat.S_IMODE(folder.parent.stat().st_mode))


def _is_own(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return not hasattr(os, "geteuid") or path.lstat().st_uid == os.geteuid()
    return False


def _sweep(folder: Path) -> None:
    """Delete what killed writers left: their process is gone, or they would long be done."""
    for left in folder.glob(f"{_NAME}.*{_TEMPORARY}"):
        with contextlib.suppress(OSError):
            if not _is_running(left.name.split(".")[1]) or time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


def _is_running(process_id: str) -> bool:
    """Whether a writer may still be at work; one on another machine loses its file, and no answer by that."""
    if os.name != "posix" or not process_id.isdecimal():
        return True
    try:
        os.kill(int(process_id), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
