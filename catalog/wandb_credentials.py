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
    from collections.abc import Mapping

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
    files: tuple[str, str]

    @property
    def settings_file(self) -> str:
        """Where the client's own settings stand, or may come to."""
        return self.files[1]

    @property
    def can_ask(self) -> bool:
        """Whether there is something to identify oneself with, and nobody wished to be offline."""
        if self.environ.get("WANDB_MODE") in _OFFLINE_MODES:
            return False
        return bool(self.key or self.environ.get("WANDB_IDENTITY_TOKEN_FILE"))


def find_access(environ: Mapping[str, str] = os.environ) -> Access:
    """Look through environment, netrc and settings file. What is missing or damaged holds nothing."""
    home = environ.get("HOME") or os.path.expanduser("~")
    chosen = environ.get("WANDB_CONFIG_DIR")
    folder = _expanded(chosen, home) if chosen else os.path.join(home, ".config", "wandb")
    files = (
        os.path.abspath(_expanded(environ.get("NETRC") or "~/.netrc", home)),
        os.path.abspath(os.path.join(folder, "settings")),
    )
    settings = _settings(files[1])
    below = {variable: settings[name] for name, variable in _SETTINGS.items() if name in settings}
    configured = {**below, **environ}
    key = environ.get("WANDB_API_KEY") or _netrc_key(files[0], configured.get("WANDB_BASE_URL"))
    return Access(key or settings.get("api_key", ""), configured, files)


def _netrc_key(path: str, address: str | None) -> str:
    """The password for the server's host; empty where the file is missing, damaged, or of other hosts.

    So it is for an address that is none.
    """
    try:
        hosts = (urlsplit(address).netloc,) if address else _DEFAULT_HOSTS
        known = netrc.netrc(path)
    except (OSError, netrc.NetrcParseError, ValueError):  # an address that is none, or a text that is no UTF-8
        return ""
    return next((found[2] for host in hosts if (found := known.hosts.get(host))), "")


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
