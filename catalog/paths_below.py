"""Paths below one folder as objects, made without parsing that folder again for each of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def maker_below(root: Path) -> Callable[[str], Path]:
    """What makes `root / path` of a relative path with `/` between names, none of them empty, `.` or `..`.

    Before Python 3.12, `/` parses and joins both sides: most of the time of a remembered catalog. What
    `Path.iterdir` uses there for the names that the system gave it does not. The path's text, which nearly
    everybody asks for, is at hand here; to join it again takes three times as long as to make the path.
    Later versions parse nothing before they must.
    """
    if sys.version_info >= (3, 12) or sys.platform == "win32":
        return root.joinpath
    make = type(root)._from_parsed_parts  # type: ignore[attr-defined]  # what `iterdir` uses, too
    drive, anchor, parts = root._drv, root._root, root._parts  # type: ignore[attr-defined]  # if none is private
    text = str(root) if parts else ""
    prefix = text if text.endswith("/") or not text else f"{text}/"

    def below(path: str) -> Path:
        made: Path = make(drive, anchor, parts + path.split("/"))
        made._str = prefix + path  # type: ignore[attr-defined]  # what `str` would keep there
        return made

    return below
