"""What one changed sidecar adds to a remembered build, and what writing the index adds to that."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.figures import duration
from bench.limits_figures import difference_ms
from bench.limits_result import Figure
from bench.limits_session import OutputsDiffer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.limits_session import Effort, Session

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
    effort = session.plan.change
    targets = {"unwritten": NEXT_DAY_UNWRITTEN}
    replies = _changed(session, checkpoints, targets, effort, is_replacing=is_replacing)
    added_ns = [median(_added_ns(reply, "unwritten")) for reply in replies]
    return _figure(f"{what} adds to a remembered build", checkpoints, added_ns, replies, effort, _LIMIT_MS)


def _writing(session: Session, checkpoints: int, what: str, *, is_replacing: bool) -> Figure:
    effort = session.plan.writing
    targets = {"written": NEXT_DAY, "unwritten": NEXT_DAY_UNWRITTEN}
    replies = _changed(session, checkpoints, targets, effort, is_replacing=is_replacing)
    more_ns = [
        median(
            written - unwritten
            for written, unwritten in zip(
                _added_ns(reply, "written"), _added_ns(reply, "unwritten"), strict=True
            )
        )
        for reply in replies
    ]
    return _figure(f"writing the index after {what} adds", checkpoints, more_ns, replies, effort, None)


def _changed(
    session: Session, checkpoints: int, targets: Mapping[str, str], effort: Effort, *, is_replacing: bool
) -> list[dict[str, Any]]:
    """One reply a process: the changes of one are not independent of each other."""
    replies = []
    for _ in range(effort.processes):
        job = session.job("change", checkpoints, targets, rounds=effort.rounds, replacing=is_replacing)
        reply = session.processes.run(job)
        if any(seen != effort.rounds for seen in reply["seen"].values()):
            raise OutputsDiffer(f"expected {effort.rounds} changes to be seen, found {reply['seen']}")
        replies.append(reply)
    return replies


def _added_ns(reply: Mapping[str, Any], name: str) -> list[int]:
    both = zip(reply["changed"], reply["unchanged"], strict=True)
    return [changed[name] - unchanged[name] for changed, unchanged in both]


def _figure(
    title: str,
    checkpoints: int,
    differences_ns: list[float],
    replies: Sequence[Mapping[str, Any]],
    effort: Effort,
    limit: float | None,
) -> Figure:
    value = difference_ms(differences_ns)
    unchanged_ns = median(one["unwritten"] for reply in replies for one in reply["unchanged"])
    return Figure(
        name="change",
        title=title,
        checkpoints=checkpoints,
        measured=f"{value.estimate:.3g} ms",
        floor=f"{duration(unchanged_ns)} (nothing changed)",
        value=value,
        unit="ms",
        limit=limit,
        calls=f"{effort.processes} processes x {effort.rounds} pairs",
        remark="the same build follows at once, so that both find the processor's caches warm",
        samples=replies,
    )
