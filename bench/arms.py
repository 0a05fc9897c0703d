"""Contestants as arms: each in an environment of its own, W&B servers beside those that ask."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from msgspec.structs import replace

from bench.measurement import Arm
from bench.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.scenario import Contestant
    from fixtures.runs import Run


class Serve(Protocol):
    """Serves W&B runs."""

    def __call__(
        self, runs: Iterable[Run], /, *, latency_s: float, home: Path
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Yield the environment that leads a client there and keeps its files below `home`."""


@contextlib.contextmanager
def serve_wandb(runs: Iterable[Run], *, latency_s: float, home: Path) -> Iterator[Mapping[str, str]]:
    """Serve from a process of its own, at a port of the loopback."""
    from fixtures.wandb_server_process import SeparateWandbServer

    with SeparateWandbServer(runs, latency_s=latency_s) as server:
        yield server.environment(home)


@contextlib.contextmanager
def arms_of(
    contestants: Iterable[Contestant], runs: tuple[Run, ...], home: Path, serve: Serve
) -> Iterator[list[Arm]]:
    """An arm for each contestant, its own files below `home`; the servers stand while the context is open."""
    with contextlib.ExitStack() as stack:
        arms = []
        for one in contestants:
            own = home / _folder(one)
            own.mkdir(parents=True, exist_ok=True)
            environment = isolated(own)
            if one.is_asking_wandb:
                environment |= stack.enter_context(serve(runs, latency_s=one.latency_ms / 1000, home=own))
            subject = one.subject or Subject(own.name, one.target)
            environment |= subject.environment
            arms.append(Arm(one.name, replace(subject, environment=environment)))
        yield arms


def _folder(one: Contestant) -> str:
    """Named after what runs and not after who: two arms of one subject must be equal to the letter."""
    if one.subject is not None:
        return f"{crc32(one.subject.name.encode()):08x}"
    return f"{one.target.rpartition(':')[2]}-{one.latency_ms}ms"


def isolated(home: Path) -> dict[str, str]:
    """An environment in which a catalog finds nothing of its user's: no key, no settings, no memory."""
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "CKPT_CATALOG_INDEX_DIR": "",
        "CHECKPOINT_CATALOG_USE_V2": "1",
        "WANDB_API_KEY": "",
        "NETRC": str(home / "netrc"),
    }
