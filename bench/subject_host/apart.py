"""Work done in a process of its own, so that whoever counts from outside sees it alone."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TOLD_BYTES = 4000


class EndedEarly(Exception):  # noqa: N818 - the name says what happened
    """The process did not come to its end: it raised, or was ended."""


def apart(work: Callable[[], object]) -> int:
    """Do `work` in a copy of this process, which ends right after it; the number that the process had.

    The garbage collector has run before and rests meanwhile, as in a timed call. Raises EndedEarly.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work_and_end(work, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as told:
        text = told.read()
    _, status = os.waitpid(process, 0)
    if status:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "an exception"
        raise EndedEarly(f"calls before it ended well, and this one with {how}\n{text}".rstrip())
    return process


def _work_and_end(work: Callable[[], object], writing: int) -> None:
    code = 1
    try:
        gc.collect()
        gc.disable()
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the copy must end here, whatever the subject did
        from traceback import format_exc

        os.write(writing, format_exc().encode("utf-8", "backslashreplace")[-_TOLD_BYTES:])
    finally:
        os._exit(code)
