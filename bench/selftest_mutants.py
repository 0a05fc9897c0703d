"""The mutants of a self-test: faults in V2's own code, which the comparison of answers has to catch.

Those that are written by hand are each known to change an answer, so that a survivor is a hole. Of those that a
tool makes some say the same as the sound code: a survivor is told with the reason that is known for it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.mutants import all_mutants, measure
from bench.table_cases import table_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.mutants import Fate

TREES: Final = 1_000

QUICK: Final = (
    "precision and recall swapped, in V2 and in legacy alike",
    "every epoch off by one",
    "epoch 0 is listed",
    "a share above 1 let through",
    "a bool is a number",
    "any schema version is believed",
)
"""Mutants that a few cases of sidecars show."""

QUICK_CASES: Final = 80


def look_for_mutants(tell: Callable[[Fate], None], *, known: frozenset[str], is_quick: bool) -> None:
    """Tell the fate of every mutant that is not known yet. Raises MutantError where one cannot be made."""
    mutants, package = all_mutants(count=0) if is_quick else all_mutants()
    chosen = [one for one in mutants if one.name not in known and (not is_quick or one.name in QUICK)]
    if chosen:
        cases = islice(table_cases(), QUICK_CASES) if is_quick else None
        measure(chosen, package, trees=0 if is_quick else TREES, cases=cases, tell=tell)
