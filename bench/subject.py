"""What is measured: a callable of anybody's, named as `module:callable` and resolved at run time.

A target is called as `callable(outputs_dir: Path, config_filenames: tuple[str, ...])` and returns an iterable
of records; a record is anything with the contract's field names as attributes or keys. The iterable is taken
to its end inside the timed call, so that a lazy one has to do its work there. It may tell `skipped` and
`problems` as attributes.

A target may have an attribute `prepare`, a callable of the same two arguments. It is run before each timed
call and apart from it, for example to forget what an earlier call remembered, or to make it remember.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from bench.subject_host import SubjectError, resolve, split_target

__all__ = ["Subject", "SubjectError", "parse_subject", "resolve"]


class Subject(msgspec.Struct, frozen=True):
    """Something to measure, and where its code is found.

    `search_path` folders are looked through before the interpreter's own; `python` is the interpreter that
    runs it; `environment` is added to the environment that its process inherits.
    """

    name: str
    target: str
    search_path: tuple[str, ...] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)


def parse_subject(text: str) -> Subject:
    """Read `name=module:callable`, or `module:callable`, which is its own name. Raises SubjectError."""
    name, equals, target = text.rpartition("=")
    split_target(target)
    if equals and not name.strip():
        raise SubjectError(text, "a name before =", "none", f"write v2={target}, or {target} alone")
    return Subject(name=name.strip() or target, target=target)
