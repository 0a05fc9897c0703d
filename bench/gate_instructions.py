"""The second witness of a gate: both sides' instructions for one call, and what they may decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bench.gate_case import CANDIDATE, REFERENCE
from bench.instructions import (
    LEAST_CHANGE,
    MORE,
    NOT_COUNTED,
    compared,
    count_instructions,
    uncounted,
    wait_until_settled,
)
from bench.valgrind import NotCounted
from bench.verdict_file import Cause, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.gate_case import Case
    from bench.instructions import InstructionChange
    from bench.valgrind import Cachegrind


class CountInstructions(Protocol):
    """Counts both sides of a benchmark."""

    def __call__(self, case: Case, /) -> InstructionChange | None:
        """Count, or say why there is no count; None where there is nothing to be counted."""


def change_of(
    case: Case, *, find: Callable[[], Cachegrind], say: Callable[[str], None]
) -> InstructionChange | None:
    """Count one call of the candidate and one of the reference; why not is told, and nothing is raised.

    None for a cold page cache, whose work is the kernel's, and for what waits for a server.
    """
    if case.setting.is_cold or case.scenario.candidate.is_asking_wandb:
        return None
    subjects = {arm.name: arm.subject for arm in case.arms}
    call = case.call
    try:
        cachegrind = find()
        say(f"{case.name}: counting instructions")
        wait_until_settled(call.outputs_dir)
        candidate, reference = (
            count_instructions(subjects[name], call, cachegrind) for name in (CANDIDATE, REFERENCE)
        )
    except NotCounted as error:
        return uncounted(error)
    return compared(candidate, reference)


def instruction_reasons(counts: Mapping[str, InstructionChange], about: str = "") -> Iterator[Reason]:
    """What of the counts beside one reference speaks against passing, where they may decide.

    More of them does, and none at all, which is told `about` the reference.
    """
    if not counts:
        told = "expected a warm benchmark beside a reference's code, found none; name one with -k"
        yield Reason(Cause.NOT_COUNTED, about, told)
    for name, one in counts.items():
        if one.verdict == MORE and one.ratio is not None:
            told = (
                f"{one.candidate} instructions a call, {one.ratio:.4f} times the reference; at most "
                f"{1 + LEAST_CHANGE:g} times are no change"
            )
            yield Reason(Cause.MORE_INSTRUCTIONS, name, told)
        elif one.verdict == NOT_COUNTED:
            yield Reason(Cause.NOT_COUNTED, name, one.told)
