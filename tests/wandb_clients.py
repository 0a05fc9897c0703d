"""The environment of a real W&B client that knows no server but the one of the test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.wandb_server import WandbServer


def without_wandb() -> dict[str, str]:
    """This process's environment without anything that W&B's client reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}


def client_environ(server: WandbServer, home: Path) -> dict[str, str]:
    """The environment in which a client asks `server`, and keeps its files below `home`."""
    return without_wandb() | server.environment(home)
