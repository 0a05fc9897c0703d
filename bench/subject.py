"""What is measured: anybody's implementation, named by one line of text and resolved at run time.

- `module:callable` is called as `callable(outputs_dir: Path, config_filenames: tuple[str, ...])`, or with the
  directory alone where it takes one argument.
- `module:make()` keeps state: `make()` is called once in each process, and what it returns is called as above.
  A name may follow: `module:Catalog().build`.
- `cmd:program --json {dir}` is a command: see `bench.subject_host.command`.

A callable returns an iterable of records, or an object or a mapping that has them as `records`; a record is
anything with the contract's field names as attributes or keys. The iterable is taken to its end inside the
timed call, so that a lazy one has to do its work there. The answer may tell `skipped` and `problems` too.

A callable may have an attribute `prepare`, a callable of the same arguments. It is run before each timed call
and apart from it, for example to forget what an earlier call remembered, or to make it remember.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from bench.equality import ENTRY_FIELDS, INFO_FIELDS
from bench.subject_host import SubjectError, resolve, split_target
from bench.subject_host.command import is_command

__all__ = ["Subject", "SubjectError", "parse_subject", "resolve"]


class Subject(msgspec.Struct, frozen=True):
    """Something to measure, and where its code is found.

    `search_path` folders are looked through before the interpreter's own; `python` is the interpreter that
    runs it (3.9 or later); `environment` is added to the environment that its process inherits. `field_map`
    leads from their names, perhaps dotted, to the contract's; `fields` are those that its answer is held to.
    """

    name: str
    target: str
    search_path: tuple[str, ...] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    field_map: Mapping[str, str] = msgspec.field(default_factory=dict)
    fields: tuple[str, ...] = ENTRY_FIELDS

    @property
    def is_command(self) -> bool:
        """Whether each call starts a process, whose start is part of its time."""
        return is_command(self.target)

    @property
    def has_old_records(self) -> bool:
        """Whether it answers in the old API's records, whose display text is another."""
        return self.fields == INFO_FIELDS


def parse_subject(text: str) -> Subject:
    """Read `name=target`, or a target alone, which is its own name. Raises SubjectError."""
    name, equals, target = text.partition("=")
    if not equals or ":" in name:  # what comes before this = belongs to a command
        name, target = "", text
    elif not name.strip():
        raise SubjectError(text, "a name before =", "none", f"write mine={target}, or {target} alone")
    split_target(target)
    return Subject(name=name.strip() or target, target=target)
