"""Paths below one folder as objects, made without parsing that folder again for each of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def maker_below(root: Path) -> Callable[[str, str], Path]:
    """What makes `root / folder / name`: `folder` with `/` between names, or empty; no name `.` or `..`.

    Before Python 3.12, `/` parses and joins both sides: most of the time of a remembered catalog. Here parts
    are at hand, and so is the text, which nearly everybody asks for and would be joined of them again. Names of
    folders are kept once for all that stands in them. Later versions parse nothing before they must.
    """
    if sys.version_info >= (3, 12) or sys.platform == "win32":
        return root.joinpath
    # What is private here is what `_from_parsed_parts` sets in 3.11, without a call of it for each path.
    make, flavour = object.__new__, type(root)
    drive, anchor, parts = root._drv, root._root, root._parts  # type: ignore[attr-defined]
    text = str(root) if parts else ""
    prefix = text if text.endswith("/") or not text else f"{text}/"
    folders: dict[str, tuple[list[str], str]] = {"": (parts, prefix)}

    def below(folder: str, name: str) -> Path:
        known = folders.get(folder)
        if known is None:
            known = folders[folder] = (parts + folder.split("/"), f"{prefix}{folder}/")
        above, text_above = known
        made: Any = make(flavour)
        made._drv, made._root, made._parts = drive, anchor, [*above, name]
        made._str = text_above + name  # what `str` would keep there
        return made  # type: ignore[no-any-return]

    return below
