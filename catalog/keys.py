"""All that an answer depends on beside the tree itself: options, environment, the path as it was given."""

from __future__ import annotations

import os
import time
import zlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Key(msgspec.Struct, frozen=True, array_like=True):
    """What tells two memories of one machine apart.

    `outputs_dir` is written as `str` writes a path; `absolute_dir` is empty where that is absolute already.
    """

    outputs_dir: str
    absolute_dir: str
    config_filenames: tuple[str, ...]
    use_wandb_fallback: bool
    wandb: tuple[str, ...]
    time_zone: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The name of this key's file, without suffix; keys that share one replace each other's file."""
        # A cryptographic digest would take longer to import than a small catalog to answer.
        told = msgspec.msgpack.encode(self)
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


def key_of(
    outputs_dir: str,
    config_filenames: tuple[str, ...],
    use_wandb_fallback: bool,
    environment: Mapping[str, str] = os.environ,
) -> Key:
    """The key of an answer, by its options and the environment."""
    # A key that is newly set can make runs answer that did not before; its value stays out of the file.
    wandb = (
        (*(environment.get(name, "") for name in _WANDB_VARIABLES), str(bool(environment.get("WANDB_API_KEY"))))
        if use_wandb_fallback
        else ()
    )
    return Key(
        outputs_dir=_encodable(outputs_dir),
        absolute_dir="" if os.path.isabs(outputs_dir) else _encodable(os.path.abspath(outputs_dir)),
        config_filenames=config_filenames,
        use_wandb_fallback=use_wandb_fallback,
        wandb=wandb,
        time_zone=(environment.get("TZ", ""), *time.tzname, str(time.timezone), str(time.altzone)),
    )


def _encodable(path: str) -> str:
    """A path as text that can be encoded: bytes that are no UTF-8 are written as escapes."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()
