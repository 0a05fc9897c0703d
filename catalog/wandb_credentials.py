"""What the user's machine says about W&B: the key, the address, and the files that may hold them.

The places and their order are those of W&B's client (0.31): environment, netrc, its own settings file.
"""

from __future__ import annotations

import configparser
import netrc
import os
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

_DEFAULT_HOSTS: Final = ("api.wandb.ai", "api.forge.coreweave.com")
_OFFLINE_MODES: Final = frozenset({"offline", "disabled", "dryrun"})
_SETTINGS: Final = {
    "base_url": "WANDB_BASE_URL",
    "entity": "WANDB_ENTITY",
    "mode": "WANDB_MODE",
    "project": "WANDB_PROJECT",
}


class Access(NamedTuple):
    """How W&B can be asked on this machine.

    `key` must never be shown; it is empty where there is none. `environ` holds what the settings file says of
    address, mode, entity and project below what the environment says. `files`, there or not, are those that a
    key may come to stand in.
    """

    key: str
    environ: Mapping[str, str]
    files: tuple[str, ...]

    @property
    def settings_file(self) -> str:
        """Where the client's own settings stand, or may come to."""
        return self.files[-1]

    @property
    def can_ask(self) -> bool:
        """Whether there is something to identify oneself with, and nobody wished to be offline."""
        if self.environ.get("WANDB_MODE") in _OFFLINE_MODES:
            return False
        return bool(self.key or self.environ.get("WANDB_IDENTITY_TOKEN_FILE"))


def access_files(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The files that may tell something: netrc by its usual name and by that on Windows, and the settings."""
    home = environ.get("HOME") or os.path.expanduser("~")
    folder = environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb"
    chosen = environ.get("NETRC")
    paths = (*((chosen,) if chosen else ("~/.netrc", "~/_netrc")), f"{folder}/settings")
    return tuple(os.path.abspath(_expanded(path, home)) for path in paths)


def find_access(environ: Mapping[str, str] = os.environ, absent: Container[str] = ()) -> Access:
    """Look through environment, netrc and settings file. What is missing or damaged holds nothing.

    `absent` files are not looked for.
    """
    *candidates, settings_file = access_files(environ)
    # The one on Windows is read, and an answer depends on it, where the usual one is not there.
    while len(candidates) > 1 and candidates[0] not in absent and os.path.exists(candidates[0]):
        candidates.pop()
    is_there = settings_file not in absent and os.path.exists(settings_file)
    settings = _settings(settings_file) if is_there else {}
    below = {variable: settings[name] for name, variable in _SETTINGS.items() if name in settings}
    configured = {**below, **environ}
    key = environ.get("WANDB_API_KEY", "")
    if not key and candidates[-1] not in absent:
        key = _netrc_key(candidates[-1], configured.get("WANDB_BASE_URL"))
    return Access(key or settings.get("api_key", ""), configured, (*candidates, settings_file))


def _netrc_key(path: str, address: str | None) -> str:
    """The password for the server's host; empty where the file is missing, damaged, or of other hosts.

    So it is for an address that is none. An entry for every host counts where there is none for this one.
    """
    try:
        hosts = (urlsplit(address).netloc,) if address else _DEFAULT_HOSTS
        known = netrc.netrc(path)
    except (OSError, netrc.NetrcParseError, ValueError):  # an address that is none, or a text that is no UTF-8
        return ""
    return next((found[2] for host in hosts if host and (found := known.authenticators(host))), "")


def _settings(path: str) -> dict[str, str]:
    """The section that the client reads; empty where the file is missing or damaged."""
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser.items("default"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}


def _expanded(path: str, home: str) -> str:
    return home + path[1:] if path == "~" or path.startswith("~/") else path
