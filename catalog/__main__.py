"""The process of `ckpt-catalog`, which is `python -m catalog` too: how it starts, and how it ends."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

_INTERRUPTED = 130  # as a shell counts it: 128 and the signal's number


def run() -> NoReturn:
    """Run the command of this process's command line and end the process."""
    try:
        _prepare_streams()
        code = _code()
    except KeyboardInterrupt:
        _end_interrupted()
    if "catalog.wandb_process" in sys.modules:
        sys.exit(code)  # it has a process of its own to end
    # Nothing is left to do but to free every record one by one, which takes as long as reading them did.
    os._exit(code)


def _end_interrupted() -> NoReturn:
    """End as a process does that takes no notice of an interruption: a shell's loop then ends with it."""
    import signal

    # A terminal's line holds the ^C already, and perhaps how much had been read.
    _complain("interrupted", begin="\n" if sys.stderr.isatty() else "")
    if os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(_INTERRUPTED)


def _code() -> int:
    """The command's exit code, once all that it answered is written."""
    with _without("typing_extensions"):
        from catalog import cli
    try:
        code = cli.main()
    except SystemExit as end:  # of help, and of a command line that is none
        code = end.code if isinstance(end.code, int) else cli.USAGE
    if sys.stdout is None:
        _complain(f"standard output: {os.strerror(errno.EBADF)}")
        return cli.USAGE
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            if code != cli.USAGE:  # or it has been told
                _complain(f"standard output: {error.strerror}")
            return cli.USAGE
    return code


def _complain(text: str, begin: str = "") -> None:
    with suppress(OSError):
        sys.stderr.write(f"{begin}ckpt-catalog: {text}\n")


def _prepare_streams() -> None:
    """Have a standard error in any case, and a standard output that takes every character."""
    if sys.stderr is None:  # closed, and `print` would take standard output in place of it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        sys.stderr = os.fdopen(nowhere, "w", encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding != "utf-8":
        import codecs

        codecs.register_error("catalog-escapes", _as_escapes)
        sys.stdout.reconfigure(errors="catalog-escapes")


def _as_escapes(error: UnicodeError) -> tuple[str, int]:
    """What an encoding cannot hold, escaped as JSON does and as `printable` does in a table."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)), error.end


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
