"""What can be wrong with a subject, told so that its author can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Told(Exception):  # noqa: N818 - its two kinds are named as errors
    """Where, what was expected, what was found, what mends it."""

    def __init__(self, target: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"{target}: expected {expected}, found {found}; {remedy}")
        self.target = target
        self.expected = expected
        self.found = found
        self.remedy = remedy


class SubjectError(_Told):
    """A subject that cannot be had: which target, what was expected, what was found, what mends it."""


class AnswerError(_Told):
    """An answer that is none: what a command printed, or a callable returned, cannot be taken as records."""


class ClockError(Exception):
    """A clock that stood still or went back during a timed call, so that the call has no time."""


def suggestion(name: str, known: Iterable[str], otherwise: str = "check its spelling") -> str:
    """The known name that is nearest to a misspelt one, as a remedy."""
    from difflib import get_close_matches  # only here: a subject's first call pays for its own imports

    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def excerpt(text: str, length: int = 120) -> str:
    """Somebody's text as one short line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= length else line[:length] + "...")
