"""Catalogs as people write them, right and wrong in one thing, for the tests of `compat`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

REMEMBERED: dict[Path, list[dict[str, Any]]] = {}


def names(outputs_dir: Path, _config_filenames: tuple[str, ...]) -> list[dict[str, Any]]:
    """One record for each checkpoint file, told by its name alone: `epoch=3.ckpt`."""
    if not outputs_dir.is_dir():
        return []
    found = sorted(outputs_dir.rglob("*.ckpt"))
    return [{"checkpoint_path": path, "epochs": len(path.name)} for path in found]


def writing(outputs_dir: Path, config_filenames: tuple[str, ...]) -> list[dict[str, Any]]:
    """As `names`, with a cache file left in the tree."""
    found = names(outputs_dir, config_filenames)
    (outputs_dir / "cache.json").write_text(json.dumps(len(found)), encoding="utf-8")
    return found


def raising(outputs_dir: Path, _config_filenames: tuple[str, ...]) -> list[dict[str, Any]]:
    """Raises whatever it is asked."""
    raise ValueError(f"{outputs_dir}: no")


def stale(outputs_dir: Path, config_filenames: tuple[str, ...]) -> list[dict[str, Any]]:
    """As `names`, remembered for ever."""
    return REMEMBERED.setdefault(outputs_dir, names(outputs_dir, config_filenames))


def _changed(change: Callable[[list[Any]], Iterable[Any]]) -> Callable[[Path, tuple[str, ...]], Any]:
    class Answer(list[Any]):
        skipped: Any = ()
        problems: Any = ()

    def build(outputs_dir: Path, config_filenames: tuple[str, ...]) -> Answer:
        from catalog import subjects

        found = subjects.v2(outputs_dir, config_filenames)
        answer = Answer(change(list(found)))
        answer.skipped, answer.problems = found.skipped, found.problems
        return answer

    return build


def _without_recall_of_zero(entries: list[Any]) -> Iterable[Any]:
    import msgspec

    return [msgspec.structs.replace(one, recall=one.recall or 0.0) for one in entries]


recall_never_none = _changed(_without_recall_of_zero)
"""V2, but a recall that nobody told is 0.0."""

same = _changed(lambda entries: entries)
"""V2 in another's clothes."""
