"""Which W&B run is meant: an id made whole with its entity and project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

# What W&B itself refuses in an id (`wandb.init(id=...)`), blanks, and what a server would take for a path.
_NAME = re.compile(r"[^/\\#?%:\s\x00-\x1f\x7f\ud800-\udfff]{1,128}")


class RunId(NamedTuple):
    """A run as its server knows it."""

    entity: str
    project: str
    run_id: str

    def __str__(self) -> str:
        return "/".join(self)


class RunIdError(ValueError):
    """An id that leads to no run; tells what was expected and found, and what mends it."""

    def __init__(self, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"expected {expected}, found {found}; {remedy}")
        self.expected = expected
        self.found = found
        self.remedy = remedy


def complete_run_id(
    run_id: str, *, entity: object = None, project: object = None, environ: Mapping[str, str]
) -> RunId:
    """Make an id whole: by what it says itself (`entity/project/id`), by a config, by the environment.

    `entity` and `project` are what stands beside the id in a config; what is no text counts as absent.
    Raises `RunIdError` where a part is missing, or can be no part of a run's path.
    """
    *above, bare = _parts(run_id)
    found_project = _first(above[-1:], project, environ.get("WANDB_PROJECT"))
    found_entity = _first(above[-2:-1], entity, environ.get("WANDB_ENTITY"))
    if len(above) > 2 or not _NAME.fullmatch(bare):
        raise RunIdError("a W&B run id", repr(run_id[:80]), "correct it, or remove the key")
    unset = [
        name
        for name, value in (("WANDB_ENTITY", found_entity), ("WANDB_PROJECT", found_project))
        if value is None
    ]
    if found_entity is None or found_project is None:
        raise RunIdError(
            "a W&B run id with its entity and project",
            f"the bare id {bare!r}",
            f"set {' and '.join(unset)}, or logger.wandb.entity and logger.wandb.project in the Hydra config",
        )
    for value in (found_entity, found_project):
        if not _NAME.fullmatch(value):
            raise RunIdError("the name of a W&B entity or project", repr(value[:80]), "correct it")
    return RunId(found_entity, found_project, bare)


def told_run_id(
    run_id: str, *, entity: object = None, project: object = None
) -> tuple[str | None, str | None, str]:
    """Entity, project and bare id, as an id and what stands beside it tell them; `None` where they do not."""
    *above, bare = _parts(run_id)
    return _first(above[-2:-1], entity), _first(above[-1:], project), bare


def _parts(run_id: str) -> list[str]:
    return run_id.strip().strip("/").split("/")


def is_told(value: object) -> TypeGuard[str]:
    """Whether a config tells a name: a text with something in it, and none that Hydra has still to fill in."""
    return isinstance(value, str) and bool(value.strip()) and "${" not in value


def _first(above: list[str], *others: object) -> str | None:
    """The first that tells a name."""
    return next(filter(is_told, (*above, *others)), None)
