"""All that an answer depends on beside the tree itself: options, environment, the path as it was given."""

from __future__ import annotations

import os
import time
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Key(msgspec.Struct, frozen=True, array_like=True):
    """What tells two memories of one machine apart.

    `outputs_dir` is written as `str` writes a path; `circumstances` is all else, NUL between its parts: the
    absolute path where that is another one, the name that a link leads to and an experiment may be called by,
    options, and environment. What is no valid Unicode stands there in a form that can be stored.
    """

    outputs_dir: str
    circumstances: str

    @property
    def root(self) -> str:
        """The outputs directory as it was given."""
        return _given(self.outputs_dir)

    @property
    def digest(self) -> str:
        """The name of this key's file, without suffix; keys that share one replace each other's file."""
        # A cryptographic digest would take longer to import than a small catalog to answer.
        told = f"{self.outputs_dir}\0{self.circumstances}".encode()
        return f"{zlib.crc32(told):08x}{zlib.adler32(told):08x}"


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


_WANDB_PATHS = ("NETRC", "WANDB_CONFIG_DIR", "WANDB_DIR")
"""Those that lead to a file or folder, from wherever this process stands."""


_ZONES = "/usr/share/zoneinfo"
_LOCAL_ZONE = "/etc/localtime"
_MOST_ZONE_BYTES = 1 << 20


def absolute_path(path: str) -> str:
    """A path from the top; links stay in it, but for those that a later `..` leads back up from."""
    parts = path.split(os.sep)
    if os.pardir not in parts:
        return os.path.abspath(path)
    last = len(parts) - parts[::-1].index(os.pardir)
    return os.path.normpath(os.path.join(os.path.realpath(os.sep.join(parts[:last])), *parts[last:]))


def _is_elsewhere(path: str) -> bool:
    """Whether what a path leads to depends on where this process stands, or on links that its text hides."""
    return bool(path) and (not os.path.isabs(path) or os.pardir in path.split(os.sep))


def key_of(
    outputs_dir: str,
    config_filenames: tuple[str, ...],
    use_wandb_fallback: bool,
    environment: Mapping[str, str] = os.environ,
) -> Key:
    """The key of an answer, by its options and the environment."""
    parts = [
        "wandb" if use_wandb_fallback else "files",
        "" if os.path.isabs(outputs_dir) else os.path.abspath(outputs_dir),
        _resolved_name(outputs_dir),
        environment.get("TZ", ""),
        *time.tzname,
        f"{time.timezone} {time.altzone}",
        _zone_rules(environment.get("TZ", ""), environment.get("TZDIR", "")),
        _user(),
    ]
    if use_wandb_fallback:
        parts += [environment.get(name, "") for name in _WANDB_VARIABLES]
        parts += [
            absolute_path(path) for name in _WANDB_PATHS if _is_elsewhere(path := environment.get(name, ""))
        ]
        parts.append(_digest_of_secret(environment.get("WANDB_API_KEY", "")))
    parts += config_filenames
    return Key(_storable(outputs_dir), _storable("\0".join(parts)))


@lru_cache(maxsize=16)
def _zone_rules(zone: str, folder: str) -> str:
    """What tells the rules of a time zone from others under the same name: they come in another file.

    Looked at once, as the system's library reads that file as a process begins.
    """
    try:
        with open(os.path.join(folder or _ZONES, zone.removeprefix(":") or _LOCAL_ZONE), "rb") as file:
            return f"{zlib.crc32(file.read(_MOST_ZONE_BYTES)):08x}"
    except (OSError, ValueError):  # a zone may be its own rule, or none
        return ""


# That reads the file of this process's own zone as `time` is imported, which is by now.
_zone_rules(os.environ.get("TZ", ""), os.environ.get("TZDIR", ""))


def _user() -> str:
    """Whose rights decide what can be read; empty where the system does not tell."""
    return str(os.geteuid()) if hasattr(os, "geteuid") else ""


def _digest_of_secret(secret: str) -> str:
    """What tells secrets apart, and none of them: another key may see other runs."""
    if not secret:
        return ""
    import hashlib  # takes longer to import than a small catalog to answer, and mostly there is no key

    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _resolved_name(path: str) -> str:
    """The name of the folder that a path leads to; empty where the last part of the path is that name."""
    name = path.rpartition(os.sep)[2]
    is_name = name not in {"", ".", ".."} and not os.path.islink(path)
    return "" if is_name else os.path.basename(os.path.realpath(path))


def _storable(text: str) -> str:
    """A text as one that can be encoded: one with bytes that are no UTF-8 begins with NUL, as no other does."""
    if text.isascii():
        return text
    data = text.encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return "\0" + data.decode("latin-1")
    return text


def _given(storable: str) -> str:
    """The text that `_storable` was given."""
    if not storable.startswith("\0"):
        return storable
    return storable[1:].encode("latin-1").decode("utf-8", "surrogatepass")
