"""What one changed sidecar adds to a remembered build, and what writing the index adds to that."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.figures import duration
from bench.limits_figures import difference_ms
from bench.limits_result import Figure
from bench.limits_session import OutputsDiffer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.limits_session import Session

NEXT_DAY: Final = "catalog.subjects:v2_next_day"
NEXT_DAY_UNWRITTEN: Final = "catalog.subjects:v2_next_day_unwritten"
"""By their clock what has just been changed has settled, so that a change can be timed at once."""

_LIMIT_MS: Final = 5.0


def figures(session: Session, checkpoints: int) -> Iterator[Figure]:
    """A sidecar that is rewritten in place, and one that is replaced as a whole by a rename.

    Raises `OutputsDiffer` where a change was not seen.
    """
    for what, is_replacing in (("one changed sidecar", False), ("one sidecar replaced by a rename", True)):
        yield _added(session, checkpoints, what, is_replacing=is_replacing)
        yield _writing(session, checkpoints, what, is_replacing=is_replacing)


def _added(session: Session, checkpoints: int, what: str, *, is_replacing: bool) -> Figure:
    rounds = session.plan.change.rounds
    reply = _changed(session, checkpoints, {"unwritten": NEXT_DAY_UNWRITTEN}, rounds, is_replacing=is_replacing)
    return _figure(
        f"{what} adds to a remembered build", checkpoints, _added_ns(reply, "unwritten"), reply, _LIMIT_MS
    )


def _writing(session: Session, checkpoints: int, what: str, *, is_replacing: bool) -> Figure:
    rounds = session.plan.writing.rounds
    targets = {"written": NEXT_DAY, "unwritten": NEXT_DAY_UNWRITTEN}
    reply = _changed(session, checkpoints, targets, rounds, is_replacing=is_replacing)
    both = zip(_added_ns(reply, "written"), _added_ns(reply, "unwritten"), strict=True)
    more = [written - unwritten for written, unwritten in both]
    return _figure(f"writing the index after {what} adds", checkpoints, more, reply, None)


def _changed(
    session: Session, checkpoints: int, targets: Mapping[str, str], rounds: int, *, is_replacing: bool
) -> dict[str, Any]:
    job = session.job("change", checkpoints, targets, rounds=rounds, replacing=is_replacing)
    reply = session.processes.run(job)
    if any(seen != rounds for seen in reply["seen"].values()):
        raise OutputsDiffer(f"expected {rounds} changes to be seen, found {reply['seen']}")
    return reply


def _added_ns(reply: Mapping[str, Any], name: str) -> list[int]:
    both = zip(reply["changed"], reply["unchanged"], strict=True)
    return [changed[name] - unchanged[name] for changed, unchanged in both]


def _figure(
    title: str, checkpoints: int, differences_ns: list[int], reply: Mapping[str, Any], limit: float | None
) -> Figure:
    value = difference_ms(differences_ns)
    floor = duration(median(one["unwritten"] for one in reply["unchanged"]))
    return Figure(
        name="change",
        title=title,
        checkpoints=checkpoints,
        measured=f"{value.estimate:.3g} ms",
        floor=f"{floor} (nothing changed)",
        value=value,
        unit="ms",
        limit=limit,
        calls=f"{len(differences_ns)} pairs",
        samples=reply,
    )
