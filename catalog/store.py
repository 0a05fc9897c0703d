"""Where memories are kept: in this process, and as files that other processes may read.

A file is replaced as a whole by a rename, carries a checksum and the version of its reader, and is
rebuilt, with one warning, where any of this is not as it should be. Writers never wait for each other:
the last one wins, and every one of them wrote a right answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from catalog.index import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

INDEX_DIR_VARIABLE = "CKPT_CATALOG_INDEX_DIR"
READER_VERSION = 1
"""Raised with every change of what a build answers or of how it is stored; older files are then rebuilt."""

_MAGIC = b"ckpt-catalog index\n"
_HEADER_BYTES = len(_MAGIC) + 4 + 4
_SUFFIX = ".index"
_TEMPORARY = ".index-part"
_ABANDONED_S = 60.0


class Key(msgspec.Struct, frozen=True):
    """All that an answer depends on beside the tree itself."""

    outputs_dir: str
    resolved_dir: str
    config_filenames: tuple[str, ...]
    use_wandb_fallback: bool
    wandb: tuple[str, ...]
    time_zone: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The name of this key's file, without suffix."""
        return hashlib.sha256(msgspec.msgpack.encode(msgspec.structs.astuple(self))).hexdigest()[:32]


_WANDB_VARIABLES = (
    "HOME",
    "NETRC",
    "WANDB_BASE_URL",
    "WANDB_DIR",
    "WANDB_ENTITY",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_MODE",
    "WANDB_PROJECT",
)


def key_of(
    outputs_dir: str,
    config_filenames: tuple[str, ...],
    use_wandb_fallback: bool,
    environment: Mapping[str, str] = os.environ,
) -> Key:
    """The key of an answer, by its options and the environment."""
    is_asking = use_wandb_fallback
    return Key(
        outputs_dir=_encodable(outputs_dir),
        resolved_dir=_encodable(os.path.realpath(outputs_dir)),
        config_filenames=config_filenames,
        use_wandb_fallback=use_wandb_fallback,
        # A key that is newly set can make runs answer that did not before; its value stays out of the file.
        wandb=(
            *(environment.get(name, "") for name in _WANDB_VARIABLES if is_asking),
            str(is_asking and bool(environment.get("WANDB_API_KEY"))),
        ),
        time_zone=(environment.get("TZ", ""), *time.tzname, str(time.timezone), str(time.altzone)),
    )


def _encodable(path: str) -> str:
    """A path as text that can be encoded: bytes that are no UTF-8 are written as escapes."""
    return path.encode("utf-8", "backslashreplace").decode()


def default_index_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for index files: `CKPT_CATALOG_INDEX_DIR`, else the user's cache folder."""
    if chosen := environment.get(INDEX_DIR_VARIABLE):
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ckpt-catalog"


class CatalogCache:
    """Memories by key: those of this process, backed by files in `index_dir` (`None`: the default folder)."""

    def __init__(self, index_dir: Path | str | None = None) -> None:
        self._index_dir = None if index_dir is None else Path(index_dir)
        self._memories: dict[Key, Memory] = {}

    @property
    def index_dir(self) -> Path:
        """The folder of the index files; the environment is asked each time where none was given."""
        return self._index_dir or default_index_dir()

    def path(self, key: Key) -> Path:
        """The file that keeps one key's memory."""
        return self.index_dir / (key.digest + _SUFFIX)

    def folder_below(self, root: str) -> str | None:
        """The index folder's path below the outputs directory, if it stands there: a walk ignores it."""
        folder, tree = os.path.realpath(self.index_dir), os.path.realpath(root)
        return os.path.relpath(folder, tree).replace(os.sep, "/") if folder.startswith(tree + os.sep) else None

    def load(self, key: Key) -> Memory:
        """What is remembered under a key; an empty memory where nothing is, or nothing that can be believed."""
        known = self._memories.get(key)
        if known is None:
            known = self._memories[key] = _read(self.path(key), key) or Memory()
        return known

    def save(self, key: Key, memory: Memory) -> None:
        """Remember in this process and, where the folder can be written, for others."""
        self._memories[key] = memory
        try:
            _write(self.path(key), _encode(key, memory))
        except (OSError, OverflowError) as error:  # a time stamp beyond 64 bits cannot be written
            logger.debug("%s: not written (%s); only this process remembers", self.path(key), error)

    def clear(self) -> list[Path]:
        """Forget this process's memories and the index files; tell the files that could not be deleted."""
        self._memories.clear()
        left = []
        for path in self.index_dir.glob(f"*{_SUFFIX}"):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                left.append(path)
        return left


_GLOBAL = CatalogCache()


def global_cache() -> CatalogCache:
    """The cache that builders share unless they are given another."""
    return _GLOBAL


def clear_global_cache() -> None:
    """Forget what the shared cache remembers, its files included."""
    _GLOBAL.clear()


def _read(path: Path, key: Key) -> Memory | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("%s: expected a readable index, found: %s; the tree is read anew", path, error.strerror)
        return None
    try:
        return _decode(data, key)
    except (ValueError, msgspec.MsgspecError) as error:
        logger.warning(
            "%s: expected an index, but %s; the tree is read anew and the file replaced", path, error
        )
        return None


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole; a writer that is killed leaves the earlier one. Raises `OSError`."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    descriptor, name = tempfile.mkstemp(prefix=path.stem + ".", suffix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _sweep(path: Path) -> None:
    """Delete what killed writers left; a living one is done long before its file is that old."""
    for left in path.parent.glob(f"*{_TEMPORARY}"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


def _encode(key: Key, memory: Memory) -> bytes:
    prefix = _prefix(key)
    encoder = msgspec.msgpack.Encoder(enc_hook=lambda path: str(path)[len(prefix) :])
    try:
        payload = encoder.encode((key, memory))
    except UnicodeEncodeError:
        payload = encoder.encode((key, _without_undecodable_names(memory)))
    return b"".join(
        (_MAGIC, READER_VERSION.to_bytes(4, "big"), zlib.crc32(payload).to_bytes(4, "big"), payload)
    )


def _decode(data: bytes, key: Key) -> Memory:
    """The memory in an index file's bytes. Raises `ValueError` or `MsgspecError` saying what is wrong."""
    if not data.startswith(_MAGIC):
        raise ValueError("it is no index of this program")
    version = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 4], "big")
    if version != READER_VERSION:
        raise ValueError(f"it was written by reader version {version}, and this is {READER_VERSION}")
    payload = memoryview(data)[_HEADER_BYTES:]
    if zlib.crc32(payload) != int.from_bytes(data[_HEADER_BYTES - 4 : _HEADER_BYTES], "big"):
        raise ValueError("its checksum does not hold")
    prefix = _prefix(key)
    decoder = msgspec.msgpack.Decoder(tuple[Key, Memory], dec_hook=lambda _, path: Path(prefix + path))
    written_for, memory = decoder.decode(payload)
    if written_for != key:
        raise ValueError("it was written for another tree or other options")
    return memory


def _prefix(key: Key) -> str:
    """What precedes a path below the outputs directory in the paths of its entries."""
    root = str(Path(key.outputs_dir))
    return "" if root == "." else root if root.endswith("/") else f"{root}/"


def _without_undecodable_names(memory: Memory) -> Memory:
    """A memory without the folders in which a name is no UTF-8: they cannot be stored, and are read anew."""
    folders = {path: one for path, one in memory.folders.items() if _is_storable(one)}
    answers = {
        path: one
        for path, one in memory.answers.items()
        if path.rpartition("/")[0] in folders and _is_storable((one.answer, one.dependencies))
    }
    wanted = {path for one in answers.values() for path in one.dependencies}
    dependencies = {path: one for path, one in memory.dependencies.items() if path in wanted}
    return Memory(folders=folders, dependencies=dependencies, answers=answers)


def _is_storable(value: object) -> bool:
    try:
        msgspec.msgpack.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        return False
    return True
