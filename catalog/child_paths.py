"""Paths of the names in one folder, made without parsing each of them again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_MAKE = "_make_child_relpath" if sys.version_info < (3, 12) else "joinpath"


def child_maker(folder: Path) -> Callable[[str], Path]:
    """What makes the path of a name in `folder`, equal to `folder / name`; the name holds no separator.

    Before Python 3.12, `/` parses and joins both sides: most of the time of a remembered catalog. What
    `Path.iterdir` uses there for the names that the system gave it does not. Later versions parse nothing
    before they must.
    """
    make: Callable[[str], Path] = getattr(folder, _MAKE, folder.joinpath)
    return make
