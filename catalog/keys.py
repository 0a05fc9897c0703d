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
    `resolved_name`, which can name an experiment, is empty where the last part of the path is that name.
    What is no valid Unicode stands there in a form that can be stored.
    """

    outputs_dir: str
    absolute_dir: str
    resolved_name: str
    config_filenames: tuple[str, ...]
    use_wandb_fallback: bool
    wandb: tuple[str, ...]
    time_zone: tuple[str, ...]

    @property
    def root(self) -> str:
        """The outputs directory as it was given."""
        return _given(self.outputs_dir)

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
        (
            *(_storable(environment.get(name, "")) for name in _WANDB_VARIABLES),
            str(bool(environment.get("WANDB_API_KEY"))),
        )
        if use_wandb_fallback
        else ()
    )
    return Key(
        outputs_dir=_storable(outputs_dir),
        absolute_dir="" if os.path.isabs(outputs_dir) else _storable(os.path.abspath(outputs_dir)),
        resolved_name=_storable(_resolved_name(outputs_dir)),
        config_filenames=tuple(map(_storable, config_filenames)),
        use_wandb_fallback=use_wandb_fallback,
        wandb=wandb,
        time_zone=(
            _storable(environment.get("TZ", "")),
            *map(_storable, time.tzname),
            str(time.timezone),
            str(time.altzone),
        ),
    )


def _resolved_name(path: str) -> str:
    is_name = os.path.basename(path) not in {"", ".", ".."} and not os.path.islink(path)
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
