"""The program inside a worker process: it holds one subject and answers requests about it.

It is run by its path and imports the standard library alone, so that it adds nothing to what the subject
finds: neither the harness's packages nor the folder that holds them, which may hold another catalog.

A request is a line of JSON on standard input, a reply a line on a copy of standard output; what the subject
itself prints goes to standard error. A reply is `{"ok": ...}` or `{"error": kind, "text": ...}`, the kind
one of `subject` (it cannot be resolved), `raised` (its code raised), `clock` (a time that cannot be).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

CONTRACT_FIELDS = (
    "checkpoint_path", "config_path", "display_name", "architecture", "backbone", "exp_name", "epochs",
    "hmean", "precision", "recall", "created_timestamp", "monitor", "monitor_mode", "score", "has_metadata",
)  # fmt: skip
"""The fields of a record that are compared: all of the contract's but `provenance`."""

_STATUS = "/proc/self/status"
_CLEAR_REFS = "/proc/self/clear_refs"
_INPUT_OUTPUT = "/proc/self/io"
_RESET_PEAK = "5"  # proc(5), clear_refs: the peak resident set size falls back to the current one


class SubjectError(Exception):
    """A subject that cannot be had: which target, what was expected, what was found, what mends it."""

    def __init__(self, target: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(f"{target}: expected {expected}, found {found}; {remedy}")
        self.target = target
        self.expected = expected
        self.found = found
        self.remedy = remedy


class ClockError(Exception):
    """A clock that stood still or went back during a timed call, so that the call has no time."""


class Timed(NamedTuple):
    """One timed call: wall and CPU time of this process in nanoseconds, and what came of it."""

    elapsed_ns: int
    cpu_ns: int
    answer: object
    records: list[Any]


def split_target(target: str) -> tuple[str, str]:
    """The module and the callable of `module:callable`, both perhaps dotted. Raises SubjectError."""
    module, colon, attribute = target.partition(":")
    names = [*module.split("."), *attribute.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        raise SubjectError(target, "module:callable", repr(target), "write for example catalog.subjects:v2")
    return module, attribute


def resolve(target: str) -> Callable[..., Any]:
    """Import `module:callable` and hand the callable out.

    Raises SubjectError where the text has another form, the module cannot be imported, or it holds no such
    callable. What a module raises while it is imported is told in `found`.
    """
    module_name, attribute = split_target(target)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise SubjectError(
            target, f"a module {module_name}", told, "install it or name its folder as a search path"
        ) from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise SubjectError(target, f"{name} in {module_name}", "no such name", _suggestion(found, name))
        found = getattr(found, name)
    if not callable(found):
        raise SubjectError(target, "a callable", type(found).__name__, "name a function or an object to call")
    subject: Callable[..., Any] = found
    return subject


def _suggestion(holder: object, name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [one for one in dir(holder) if not one.startswith("_")], n=1)
    return f"did you mean {near[0]}?" if near else "check its spelling"


def timed_call(
    subject: Callable[..., Any],
    outputs_dir: Path,
    config_filenames: tuple[str, ...],
    *,
    clock: Callable[[], int] = time.perf_counter_ns,
    cpu_clock: Callable[[], int] = time.process_time_ns,
) -> Timed:
    """Call the subject once and take every record of its answer, and its fields, inside the time.

    Whoever makes records when they are taken, or fields when they are read, pays for it here. The garbage
    collector has run before and rests meanwhile. Raises ClockError where no time passed.
    """
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        cpu_begun_ns = cpu_clock()
        begun_ns = clock()
        answer = subject(outputs_dir, config_filenames)
        records = list(answer)
        read_fields(records)
        elapsed_ns = clock() - begun_ns
        cpu_ns = cpu_clock() - cpu_begun_ns
    finally:
        if collecting:
            gc.enable()
    if elapsed_ns <= 0 or cpu_ns < 0:
        raise ClockError(f"expected a call to take time, found {elapsed_ns} ns and {cpu_ns} ns of CPU time")
    return Timed(elapsed_ns, cpu_ns, answer, records)


def read_fields(records: Sequence[object]) -> None:
    """Read every contract field that the first record has of all of them."""
    if not records:
        return
    if isinstance(records[0], Mapping):
        for record in records:
            for name in CONTRACT_FIELDS:
                record.get(name)  # type: ignore[attr-defined]  # records are of one kind
        return
    names = [name for name in CONTRACT_FIELDS if hasattr(records[0], name)]
    if names:
        read = attrgetter(*names)
        for record in records:
            read(record)


def digest_of(answer: dict[str, Any]) -> str:
    """What tells one plain answer from another: 1, 1.0 and True differ."""
    return sha256(repr(answer).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def plain_answer(answer: object, records: Sequence[object]) -> dict[str, Any]:
    """An answer as plain values: each record's contract fields and display text, and the paths beside them.

    `skipped` and `problems` are None where the answer does not tell them.
    """
    return {
        "records": [_plain_record(record) for record in records],
        "display_options": [_display_option(record) for record in records],
        "skipped": _paths(answer, "skipped"),
        "problems": _paths(answer, "problems"),
    }


def _plain_record(record: object) -> dict[str, Any]:
    if isinstance(record, Mapping):
        return {name: _plain(record[name]) for name in CONTRACT_FIELDS if name in record}
    return {name: _plain(getattr(record, name)) for name in CONTRACT_FIELDS if hasattr(record, name)}


def _display_option(record: object) -> str | None:
    text = getattr(record, "to_display_option", None)
    return None if text is None else str(text())


def _paths(answer: object, name: str) -> list[str] | None:
    items = _told(answer, name)
    return None if items is None else [_path_of(item) for item in items]


def _path_of(item: object) -> str:
    """The path of something skipped or damaged: a path itself, or a record that has one."""
    for name in ("checkpoint_path", "path"):
        value = _told(item, name)
        if value is not None:
            return str(os.fspath(value))
    return str(item)


def _told(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _plain(value: object) -> object:
    """A value that JSON keeps apart from every other; a foreign type is told by name, so that it shows."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return f"<{type(value).__name__} {value!r}>"


def _rss_bytes(key: str) -> int:
    with open(_STATUS, encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(f"{key}:"))


def _reset_peak() -> bool:
    try:
        with open(_CLEAR_REFS, "w", encoding="ascii") as clear_refs:
            clear_refs.write(_RESET_PEAK)
    except OSError:
        return False
    return True


def memory_of(call: Callable[[], object]) -> dict[str, Any]:
    """Peak resident memory of the process during one call, the collector at work as everywhere.

    `method` is `VmHWM` where the system lets the peak be reset before the call, else `ru_maxrss`: the peak
    of the process's whole life.
    """
    import resource

    gc.collect()
    if _reset_peak():
        before_bytes = _rss_bytes("VmRSS")
        call()
        return {"method": "VmHWM", "peak_bytes": _rss_bytes("VmHWM"), "before_bytes": before_bytes}
    call()
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes
    return {"method": "ru_maxrss", "peak_bytes": peak_bytes, "before_bytes": None}


def _counters() -> dict[str, int]:
    with open(_INPUT_OUTPUT, encoding="ascii") as counters:
        pairs = (line.split(":") for line in counters)
        return {name: int(value) for name, value in pairs}


def input_output_of(call: Callable[[], object]) -> dict[str, int] | None:
    """What one call read: bytes asked for, bytes that came from a disk, and read calls. None if untold."""
    try:
        empty, begun = _counters(), _counters()
    except OSError:
        return None
    call()
    ended = _counters()
    names = {"rchar": "read_bytes", "read_bytes": "disk_read_bytes", "syscr": "read_calls"}
    # Reading the counters counts too; the two readings before the call tell how much.
    return {told: ended[name] - begun[name] - (begun[name] - empty[name]) for name, told in names.items()}


class SubjectHost:
    """One subject and its last answer; each public method answers one kind of request."""

    def __init__(self) -> None:
        self._subject: Callable[..., Any] | None = None
        self._last: Timed | None = None
        self._calls = 0

    def load(self, target: str, search_path: list[str], last_path: list[str]) -> dict[str, Any]:
        """Import the subject; `search_path` comes before the interpreter's own path, `last_path` after it."""
        sys.path[:0] = search_path
        sys.path.extend(folder for folder in last_path if folder not in sys.path)
        begun_ns = time.perf_counter_ns()
        self._subject = resolve(target)
        import_ns = time.perf_counter_ns() - begun_ns
        self._settle()
        return {
            "import_ns": import_ns,
            "origin": getattr(sys.modules[split_target(target)[0]], "__file__", None),
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
        timed = timed_call(self._loaded, Path(outputs_dir), tuple(config_filenames))
        self._last = timed
        return {
            "elapsed_ns": timed.elapsed_ns,
            "cpu_ns": timed.cpu_ns,
            "count": len(timed.records),
            "digest": digest_of(plain_answer(timed.answer, timed.records)),
        }

    def answer(self) -> dict[str, Any]:
        """What the last timed call answered."""
        if self._last is None:
            raise LookupError("an answer was asked for before any timed call")
        return plain_answer(self._last.answer, self._last.records)

    def memory(self, outputs_dir: str, config_filenames: list[str]) -> dict[str, Any]:
        """Peak memory of one call."""
        self._last = None
        return memory_of(lambda: self._consumed(outputs_dir, config_filenames))

    def input_output(self, outputs_dir: str, config_filenames: list[str]) -> dict[str, int] | None:
        """What one call read."""
        return input_output_of(lambda: self._consumed(outputs_dir, config_filenames))

    def _consumed(self, outputs_dir: str, config_filenames: list[str]) -> list[Any]:
        return list(self._loaded(Path(outputs_dir), tuple(config_filenames)))

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


def reply_to(host: SubjectHost, line: str) -> dict[str, Any]:
    """Answer one request; whatever goes wrong in the subject is an answer too."""
    request = json.loads(line)
    try:
        return {"ok": getattr(host, request.pop("do"))(**request)}
    except SubjectError as error:
        return {"error": "subject", "text": [error.target, error.expected, error.found, error.remedy]}
    except ClockError as error:
        return {"error": "clock", "text": str(error)}
    except BaseException:  # noqa: BLE001 - a subject that exits must not end the process unseen
        from traceback import format_exc

        return {"error": "raised", "text": format_exc()}


def serve(requests: Iterator[str], replies: IO[str]) -> None:
    """Answer requests until there are no more."""
    host = SubjectHost()
    for line in requests:
        replies.write(json.dumps(reply_to(host, line)) + "\n")
        replies.flush()


def _main() -> None:
    with (
        os.fdopen(os.dup(0), encoding="ascii") as requests,
        os.fdopen(os.dup(1), "w", encoding="ascii") as replies,
    ):
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # a subject that reads standard input must not read requests
        os.dup2(2, 1)  # nor may what it prints, from C too, stand among the replies
        os.close(nothing)
        serve(requests, replies)


if __name__ == "__main__":
    _main()
