"""Which answers depend on a file: found out for all files at once, when first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.records import Answer


class Dependents:
    """The paths of the answers for which each file was looked at.

    It speaks of dependencies alone, so that it holds as long as those of all answers stay as they are.
    """

    __slots__ = ("_answers", "_by_file")

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers: Mapping[str, Answer] | None = answers
        self._by_file: dict[str, list[str]] = {}

    def on(self, files: Iterable[str]) -> set[str]:
        """The answers that depend on any of `files`."""
        answers = self._answers
        if answers is not None:
            # Two threads may both find it out, and both find the same.
            self._by_file = _by_file(answers)
            self._answers = None  # later memories share this, and need not keep the answers of the first
        by_file = self._by_file
        return {path for file in files for path in by_file.get(file, ())}


def _by_file(answers: Mapping[str, Answer]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, answer in answers.items():
        for file in answer.dependencies:
            known = found.get(file)
            if known is None:
                found[file] = [path]
            else:
                known.append(path)
    return found
