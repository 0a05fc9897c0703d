"""The mutants of a self-test: faults in V2's own code, which the comparison of answers has to catch.

Only those that are written by hand: each of them is known to change an answer, so that a survivor is a hole.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.hand_mutants import HAND_MUTANTS
from bench.mutants import MutantError, hand_mutants, measure
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
    found = find_spec("catalog")
    if found is None or found.origin is None:
        raise MutantError("catalog: expected the package of V2, found none; install ckpt-bench whole")
    package = Path(found.origin).parent
    chosen = [one for one in HAND_MUTANTS if one.name not in known and (not is_quick or one.name in QUICK)]
    if chosen:
        cases = islice(table_cases(), QUICK_CASES) if is_quick else None
        made = hand_mutants(package, chosen)
        measure(made, package, trees=0 if is_quick else TREES, cases=cases, tell=tell)
