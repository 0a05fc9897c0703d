"""A result as Markdown, for a step summary or a comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.report.sections import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.report.sections import Section
    from bench.result import Result

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@])")


def render(result: Result) -> str:
    """The whole report as GitHub-flavoured Markdown; foreign text is shown and never interpreted."""
    return render_sections(sections(result))


def render_sections(chosen: Iterable[Section]) -> str:
    """Sections as GitHub-flavoured Markdown."""
    return "\n".join(line for section in chosen for line in _lines(section))


def _lines(section: Section) -> Iterator[str]:
    yield f"## {_escape(section.title)}"
    yield ""
    if section.rows:
        yield f"| {' | '.join(section.columns)} |"
        yield f"|{' --- |' * len(section.columns)}"
        for row in section.rows:
            yield f"| {' | '.join('<br>'.join(map(_escape, cell)) for cell in row)} |"
        yield ""
    for line in section.lines:
        yield f"- {_escape(line)}"
    yield ""


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
