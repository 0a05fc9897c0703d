"""What a gate's candidate is compared with: each of its references, or nothing where a baseline is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from msgspec import json

from bench.baseline import Baseline, machine_of
from bench.figures import printable
from bench.revision import Side, differences
from bench.verdict_file import Cause, ComparedWith, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.environment import Environment
    from bench.verdict_file import Reason

ITSELF = "itself, to be stored as a baseline"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate beside one reference; `beside` names the reference where there are several."""

    candidate: Side
    reference: Side | Baseline | None
    number: int = 0
    beside: str = ""

    def name_of(self, scenario: str) -> str:
        """A benchmark's name: its scenario's, and the reference's where there are several."""
        return f"{scenario} against {self.beside}" if self.beside else scenario

    def is_about(self, reason: Reason) -> bool:
        """Whether a reason speaks of this comparison, or may do so, being the only one."""
        return not self.beside or reason.about.endswith(self.name_of(""))

    @property
    def is_any_callable(self) -> bool:
        """Whether the reference is somebody's own implementation, and no other state of this code."""
        return isinstance(self.reference, Side) and self.reference.subject is not None

    @property
    def told(self) -> ComparedWith:
        """The reference as a verdict tells it."""
        match self.reference:
            case None:
                return ComparedWith(name=ITSELF)
            case Side(name=name, commit=commit):
                return ComparedWith(name=name, commit=commit, runs_with=self._runs_with)
            case stored:
                name = f"baseline of {stored.made_at}, {stored.code}"
                return ComparedWith(name=name, commit=stored.commit, is_stored=True)

    @property
    def _runs_with(self) -> str:
        """The interpreter and a digest of all versions, where they are others than the candidate's."""
        if not self.other_versions or not isinstance(self.reference, Side):
            return ""
        runtime = self.reference.runtime
        libraries = crc32(json.encode(runtime.libraries, order="sorted"))
        return f"{runtime.implementation} {runtime.python}, libraries {libraries:08x}"

    @property
    def other_versions(self) -> tuple[tuple[Cause, str], ...]:
        """What the reference runs with and the candidate does not."""
        if not isinstance(self.reference, Side):
            return ()
        return differences(self.candidate.runtime, self.reference.runtime)

    def notes(self, environment: Environment) -> Iterator[str]:
        """What has to be known of versions and machines, here in `environment`."""
        match self.reference:
            case None:
                pass
            case Side(subject=subject) if subject is not None and subject.is_command:
                pass  # what runs it is its own matter, and not known
            case Side(name=name):
                told = "; ".join(told for _, told in self.other_versions)
                same = "the interpreter and the versions of every dependency that the candidate runs with"
                yield f"{name}: measured as it runs, with other versions: {told}" if told else f"{name}: {same}"
            case stored if stored.machine != machine_of(environment):
                told = ", ".join(f"{name} {value}" for name, value in stored.machine.items())
                yield (
                    f"the {self.told.name} was made on another machine ({told}): ratios to the yardstick are "
                    "compared, which may differ between machines by more than the margin"
                )


def comparisons_of(candidate: Side, references: Sequence[Side | Baseline]) -> tuple[Comparison, ...]:
    """The candidate beside each, in their order.

    Raises Refusal for two of one name or commit, and for a revision that runs with other versions than the
    candidate: no time tells of the code alone then. Somebody's implementation is measured as it runs.
    """
    if not references:
        return (Comparison(candidate, None),)
    several = len(references) > 1
    found = tuple(
        Comparison(candidate, one, number, printable(_label(one)) if several else "")
        for number, one in enumerate(references)
    )
    for what in ([one.beside for one in found], [one.told.commit for one in found if not one.told.is_stored]):
        for name in what:
            if name and what.count(name) > 1:
                told = f"expected different references, found {name} {what.count(name)} times; name each once"
                raise Refusal(Cause.NO_REFERENCE, told)
    for one in found:
        if not one.is_any_callable:
            for cause, told in one.other_versions:
                raise Refusal(cause, f"{one.told.name}: {told}")
    return found


def _label(reference: Side | Baseline) -> str:
    if isinstance(reference, Baseline):
        return f"baseline of {reference.made_at}"
    return reference.name if reference.subject is None else reference.subject.name
