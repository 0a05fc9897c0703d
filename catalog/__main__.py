"""The process of `ckpt-catalog`, which is `python -m catalog` too: how it starts, and how it ends."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn


def run() -> NoReturn:
    """Run the command of this process's command line and end the process."""
    with _without("typing_extensions"):
        from catalog import cli
    code = cli.main()
    if "catalog.wandb_process" in sys.modules:
        sys.exit(code)  # it has a process of its own to end
    # Nothing is left to do but to free every record one by one, which takes as long as reading them did.
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        code = cli.USAGE
        if sys.stderr is not None:
            sys.stderr.write(f"ckpt-catalog: standard output: {error.strerror}\n")
    os._exit(code)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Have a module that is optional to others be missing, unless it is loaded already.

    msgspec takes three names from `typing_extensions`, and else from `typing`, which has them since Python
    3.11: an eighth of the time that a process takes to list what is remembered.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # so an import of it is refused
    try:
        yield
    finally:
        del sys.modules[module]


if __name__ == "__main__":
    run()
