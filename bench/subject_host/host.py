"""Requests about one subject, answered.

A request is a line of JSON on standard input, a reply a line on a copy of standard output; what the subject
itself prints goes to standard error. A reply is `{"ok": ...}` or `{"error": kind, "text": ...}`, the kind
one of `subject` (it cannot be resolved), `answer` (its answer is none), `raised` (its code raised), `clock`
(a time that cannot be).
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import NO_MAP, digest_of, plain_answer, records_of
from .apart import apart
from .calls import Timed, process_tree_time_ns, read_fields, timed_call
from .command import Command
from .errors import AnswerError, ClockError, SubjectError
from .field_map import FieldMap
from .resources import input_output_of, memory_of, memory_of_children
from .targets import resolve, split_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO


_OWN_FOLDER = os.path.dirname(__file__)
_TAKES = (
    "it is called with (outputs_dir, config_filenames), or with the directory alone; if it makes the catalog, "
    "write () after its name: module:make()"
)


class SubjectHost:
    """One subject and its last answer; each public method answers one kind of request."""

    def __init__(self) -> None:
        self._subject: Callable[..., Any] | None = None
        self._last: Timed | None = None
        self._field_map = NO_MAP
        self._calls = 0

    def load(
        self, target: str, search_path: list[str], last_path: list[str], field_map: dict[str, str]
    ) -> dict[str, Any]:
        """Import the subject; `search_path` comes before the interpreter's own path, `last_path` after it."""
        self._field_map = FieldMap(field_map, target)
        sys.path[:0] = search_path
        sys.path.extend(folder for folder in last_path if folder not in sys.path)
        begun_ns = time.perf_counter_ns()
        self._subject = resolve(target)
        import_ns = time.perf_counter_ns() - begun_ns
        self._settle()
        return {
            "import_ns": import_ns,
            "origin": _origin(target, self._subject),
            "python": sys.version.split()[0],
            "hash_seed": os.environ.get("PYTHONHASHSEED"),
            "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        }

    def prepare(self, outputs_dir: str, config_filenames: list[str]) -> None:
        """Run what the subject wants to be run before each timed call, if anything."""
        preparation = getattr(self._subject, "prepare", None)
        if preparation is not None:
            preparation(Path(outputs_dir), tuple(config_filenames))

    def call(self, outputs_dir: str, config_filenames: list[str]) -> dict[str, Any]:
        """Call the subject once, timed."""
        self._last = None  # the answer before is let go outside the time
        self._calls += 1
        if self._calls == 2:
            self._settle()
        timed = timed_call(
            self._loaded,
            Path(outputs_dir),
            tuple(config_filenames),
            field_map=self._field_map,
            cpu_clock=process_tree_time_ns if isinstance(self._loaded, Command) else time.process_time_ns,
        )
        self._last = timed
        return {
            "elapsed_ns": timed.elapsed_ns,
            "cpu_ns": timed.cpu_ns,
            "count": len(timed.records),
            "digest": digest_of(plain_answer(timed.answer, timed.records, self._field_map)),
        }

    def answer(self) -> dict[str, Any]:
        """What the last timed call answered."""
        if self._last is None:
            raise LookupError("an answer was asked for before any timed call")
        return plain_answer(self._last.answer, self._last.records, self._field_map)

    def memory(self, outputs_dir: str, config_filenames: list[str]) -> dict[str, Any]:
        """Peak memory of one call."""
        self._last = None
        weigh = memory_of_children if isinstance(self._loaded, Command) else memory_of
        return weigh(lambda: self._consumed(outputs_dir, config_filenames))

    def input_output(self, outputs_dir: str, config_filenames: list[str]) -> dict[str, int] | None:
        """What one call read."""
        return input_output_of(lambda: self._consumed(outputs_dir, config_filenames))

    def apart(self, outputs_dir: str, config_filenames: list[str], is_called: bool) -> dict[str, int]:
        """Prepare, and call once if asked, in a copy of this process that ends right after it."""
        self._last = None

        def work() -> None:
            self.prepare(outputs_dir, config_filenames)
            if is_called:
                read_fields(self._consumed(outputs_dir, config_filenames), self._field_map.first_steps)

        return {"process": apart(work)}

    def _consumed(self, outputs_dir: str, config_filenames: list[str]) -> list[Any]:
        return list(records_of(self._loaded(Path(outputs_dir), tuple(config_filenames)), self._field_map))

    @staticmethod
    def _settle() -> None:
        """Exempt what is alive from collections: modules, above all, also those that a first call imports.

        It stays anyway; a library of a million objects would be walked before every timed call.
        """
        gc.collect()
        gc.freeze()

    @property
    def _loaded(self) -> Callable[..., Any]:
        if self._subject is None:
            raise LookupError("a subject was asked for before it was loaded")
        return self._subject


def _origin(target: str, subject: object) -> str | None:
    if isinstance(subject, Command):
        return subject.program
    return getattr(sys.modules[split_target(target)[0]], "__file__", None)


def reply_to(host: SubjectHost, line: str) -> dict[str, Any]:
    """Answer one request; whatever goes wrong in the subject is an answer too."""
    request = json.loads(line)
    try:
        return {"ok": getattr(host, request.pop("do"))(**request)}
    except SubjectError as error:
        return {"error": "subject", "text": [error.target, error.expected, error.found, error.remedy]}
    except AnswerError as error:
        return {"error": "answer", "text": [error.target, error.expected, error.found, error.remedy]}
    except ClockError as error:
        return {"error": "clock", "text": str(error)}
    except BaseException as error:  # noqa: BLE001 - a subject that exits must not end the process unseen
        return {"error": "raised", "text": _told(error)}


def _told(error: BaseException) -> str:
    """The subject's part of a traceback; where it has none, it was called with what it does not take."""
    from traceback import format_exception

    trace = error.__traceback__
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) == _OWN_FOLDER:
        trace = trace.tb_next
    told = "".join(format_exception(type(error), error, trace)).rstrip()
    return f"{_TAKES}\n{told}" if trace is None and isinstance(error, TypeError) else told


def serve(requests: Iterator[str], replies: IO[str]) -> None:
    """Answer requests until there are no more."""
    host = SubjectHost()
    for line in requests:
        replies.write(json.dumps(reply_to(host, line)) + "\n")
        replies.flush()


def main() -> None:
    """Serve the process that started this one."""
    with (
        os.fdopen(os.dup(0), encoding="ascii") as requests,
        os.fdopen(os.dup(1), "w", encoding="ascii") as replies,
    ):
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # a subject that reads standard input must not read requests
        os.dup2(2, 1)  # nor may what it prints, from C too, stand among the replies
        os.close(nothing)
        serve(requests, replies)
