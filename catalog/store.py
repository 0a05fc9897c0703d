"""Where memories are kept: in this process, and as files that other processes may read.

A file is replaced as a whole by a rename, carries a checksum and the version of its reader, and is
rebuilt, with one warning, where any of this is not as it should be. Writers never wait for each other:
the last one wins, and every one of them wrote a right answer.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from catalog.index import Memory
from catalog.names import CHECKPOINT_SUFFIX
from catalog.records import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

INDEX_DIR_VARIABLE = "CKPT_CATALOG_INDEX_DIR"
READER_VERSION = 2
"""Raised with every change of what a build answers or of how it is stored; older files are then rebuilt."""

_MAGIC = b"ckpt-catalog index\n"
_HEADER_BYTES = len(_MAGIC) + 4 + 4
_SUFFIX = ".index"
_TEMPORARY = ".index-part"
_ABANDONED_S = 60.0
_NOWHERE = Path(os.devnull) / "ckpt-catalog"  # nothing is found there, and nothing can be written
_parts = itertools.count()


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
        """The name of this key's file, without suffix; keys that share one replace each other's file."""
        # A cryptographic digest would take longer to import than a small catalog to answer.
        told = msgspec.msgpack.encode(msgspec.structs.astuple(self))
        return f"{zlib.crc32(told):08x}{zlib.crc32(told[::-1]):08x}"


_WANDB_VARIABLES = (
    "HOME",
    "NETRC",
    "WANDB_BASE_URL",
    "WANDB_CONFIG_DIR",
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
    """The folder for index files: `CKPT_CATALOG_INDEX_DIR`, else the user's cache folder.

    Where the user has none, a folder that cannot be: only the process remembers then.
    """
    if chosen := environment.get(INDEX_DIR_VARIABLE):
        return Path(chosen)
    home = environment.get("HOME") or _home_of_user()
    if sys.platform == "win32":
        base = environment.get("LOCALAPPDATA") or (home and f"{home}/AppData/Local")
    elif sys.platform == "darwin":
        base = home and f"{home}/Library/Caches"
    else:
        chosen = environment.get("XDG_CACHE_HOME", "")
        base = chosen if os.path.isabs(chosen) else home and f"{home}/.cache"
    return Path(base) / "ckpt-catalog" if base else _NOWHERE


def _home_of_user() -> str | None:
    """The home folder where no variable tells it."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return None


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
    except (FileNotFoundError, NotADirectoryError):
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
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    part = f"{path.with_suffix('')}.{os.getpid()}.{next(_parts)}{_TEMPORARY}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _sweep(folder: Path) -> None:
    """Delete what killed writers left: their process is gone, or they would long be done."""
    for left in folder.glob(f"*{_TEMPORARY}"):
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


def _encode(key: Key, memory: Memory) -> bytes:
    """An index file: head, checksum, then the key, the provenances that entries refer to, and the memory."""
    provenances: dict[int, int] = {}
    told: list[dict[str, str]] = []
    prefix_chars = len(_prefix(key))

    def plain(value: object) -> object:
        if isinstance(value, Provenance):
            number = provenances.get(id(value))
            if number is None:
                number = provenances[id(value)] = len(told)
                told.append(dict(value))
            return number
        return str(value)[prefix_chars:]

    encode = msgspec.msgpack.Encoder(enc_hook=plain).encode
    try:
        body = encode(memory)
    except UnicodeEncodeError:
        body = encode(_without_undecodable_names(memory))
    payload = encode((key, told, msgspec.Raw(body)))
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
    written_for, told, body = _ENVELOPE.decode(payload)
    if written_for != key:
        raise ValueError("it was written for another tree or other options")
    return _memory_decoder(_prefix(key), [Provenance(one) for one in told]).decode(body)


_ENVELOPE = msgspec.msgpack.Decoder(tuple[Key, list[dict[str, str]], msgspec.Raw])


def _memory_decoder(prefix: str, provenances: Sequence[Provenance]) -> msgspec.msgpack.Decoder[Memory]:
    """Reads a memory whose paths are below `prefix`. Its `decode` raises `MsgspecError`."""
    shared: dict[str, Path] = {}

    def rich(wanted: type, value: Any) -> object:
        if wanted is Provenance:
            return provenances[value]
        known = shared.get(value)
        if known is not None:
            return known
        if not value.endswith(CHECKPOINT_SUFFIX):  # a config, which many share
            return shared.setdefault(value, Path(prefix + value))
        folder, _, name = value.rpartition("/")
        above = shared.get(folder) or shared.setdefault(folder, Path(prefix + folder))
        return above / name

    return msgspec.msgpack.Decoder(Memory, dec_hook=rich)


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
