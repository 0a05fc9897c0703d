"""From a target's text to something to call."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .command import Command, is_command
from .errors import SubjectError, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIADIC = 0x04  # inspect.CO_VARARGS; inspect itself stays unloaded, as subjects may pay for it in their time


def split_target(target: str) -> tuple[str, str]:
    """The module and the callable of `module:callable`, or `cmd` and a command. Raises SubjectError."""
    if is_command(target):
        return "cmd", Command(target).text
    module, colon, attribute = target.partition(":")
    names = [*module.split("."), *(name.removesuffix("()") for name in attribute.split("."))]
    if not colon or not all(name.isidentifier() for name in names):
        remedy = "write for example mycatalog:build, mycatalog:make() or 'cmd:./mycatalog --json {dir}'"
        raise SubjectError(target, "module:callable", repr(target), remedy)
    return module, attribute


def resolve(target: str) -> Callable[..., Any]:
    """Import `module:callable` and hand the callable out, or the one that runs a command.

    Raises SubjectError where the text has another form, the module cannot be imported, or it holds no such
    callable. What a module raises while it is imported, or `make()` when it is called, is told in `found`.
    """
    module_name, attribute = split_target(target)
    if is_command(target):
        return Command(target).found()
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        remedy = "install it for the interpreter that runs it, or name its folder: --path DIR"
        raise SubjectError(target, f"a module {module_name}", told, remedy) from error
    for name in attribute.split("."):
        found = _step(target, found, name)
    if not callable(found):
        remedy = "name a function or an object to call; module:make() is called once, what it returns each time"
        raise SubjectError(target, "a callable", type(found).__name__, remedy)
    return _with_both_arguments(found)


def _step(target: str, holder: Any, step: str) -> Any:
    name = step.removesuffix("()")
    if not hasattr(holder, name):
        public = [one for one in dir(holder) if not one.startswith("_")]
        whose = getattr(holder, "__name__", type(holder).__name__)
        raise SubjectError(target, f"{name} in {whose}", "no such name", suggestion(name, public))
    found = getattr(holder, name)
    if step == name:
        return found
    try:
        return found()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        remedy = "let it take no argument; the directory is given to what it returns"
        raise SubjectError(target, f"{step} to make a catalog", told, remedy) from error


def _with_both_arguments(subject: Callable[..., Any]) -> Callable[..., Any]:
    """The subject as one that takes the directory and the configured names, though it takes the first alone."""
    if not _takes_one(subject):
        return subject

    def with_both(outputs_dir: object, config_filenames: object) -> Any:  # noqa: ARG001 - what all are given
        return subject(outputs_dir)

    if hasattr(subject, "prepare"):
        with_both.prepare = _with_both_arguments(subject.prepare)  # type: ignore[attr-defined]  # its own
    return with_both


def _takes_one(subject: Any) -> bool:
    method = subject if hasattr(subject, "__code__") or hasattr(subject, "__func__") else subject.__call__
    code = getattr(method, "__code__", None)
    if code is None or isinstance(subject, type):
        return False
    return code.co_argcount - hasattr(method, "__func__") == 1 and not code.co_flags & _VARIADIC
