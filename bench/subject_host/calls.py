"""One timed call of a subject."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import NO_MAP, records_of
from .errors import ClockError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .field_map import FieldMap


class Timed(NamedTuple):
    """One timed call: wall and CPU time of this process in nanoseconds, and what came of it."""

    elapsed_ns: int
    cpu_ns: int
    answer: object
    records: list[Any]


def timed_call(
    subject: Callable[..., Any],
    outputs_dir: Path,
    config_filenames: tuple[str, ...],
    *,
    field_map: FieldMap = NO_MAP,
    clock: Callable[[], int] = time.perf_counter_ns,
    cpu_clock: Callable[[], int] = time.process_time_ns,
    is_reading_fields: bool = True,
) -> Timed:
    """Call the subject once and take every record of its answer, and its fields, inside the time.

    Whoever makes records when they are taken, or fields when they are read, pays for it here, unless fields
    are left unread. The garbage collector has run before and rests meanwhile. Raises ClockError where no
    time passed, AnswerError for an answer that holds no records.
    """
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        cpu_begun_ns = cpu_clock()
        begun_ns = clock()
        answer = subject(outputs_dir, config_filenames)
        records = list(records_of(answer, field_map))
        if is_reading_fields:
            read_fields(records, field_map.first_steps)
        elapsed_ns = clock() - begun_ns
        cpu_ns = cpu_clock() - cpu_begun_ns
    finally:
        if collecting:
            gc.enable()
    if elapsed_ns <= 0 or cpu_ns < 0:
        raise ClockError(f"expected a call to take time, found {elapsed_ns} ns and {cpu_ns} ns of CPU time")
    return Timed(elapsed_ns, cpu_ns, answer, records)


def process_tree_time_ns() -> int:
    """CPU time of this process and of the children that it waited for, in nanoseconds."""
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + round((children.ru_utime + children.ru_stime) * 1e9)


def read_fields(records: Sequence[object], names: Sequence[str]) -> None:
    """Read all of these names of every record that the first record has."""
    if not records:
        return
    if isinstance(records[0], Mapping):
        for record in records:
            for name in names:
                record.get(name)  # type: ignore[attr-defined]  # records are of one kind
        return
    present = [name for name in names if hasattr(records[0], name)]
    if present:
        read = attrgetter(*present)
        for record in records:
            read(record)
