"""Which mutants a self-test looks for, and how many cases it shows them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from bench import selftest_mutants
from bench.hand_mutants import HAND_MUTANTS
from bench.mutants import TOOL_MUTANTS, Fate, all_mutants
from bench.selftest_mutants import QUICK, QUICK_CASES, TREES, look_for_mutants
from bench.table_cases import table_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.mutants import Mutant


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int, int | None]]:
    """What was asked of the measurement of mutants: names, drawn trees, cases; all are caught."""
    noted: list[tuple[list[str], int, int | None]] = []

    def measure(
        mutants: Sequence[Mutant], _: Path, *, trees: int, cases: Any, tell: Callable[[Fate], None]
    ) -> None:
        noted.append(([one.name for one in mutants], trees, None if cases is None else len(list(cases))))
        for one in mutants:
            tell(Fate(one, "a case"))

    monkeypatch.setattr(selftest_mutants, "measure", measure)
    return noted


def test_a_full_self_test_looks_for_every_mutant_by_hand_and_for_those_of_the_tool(
    asked: list[tuple[list[str], int, int | None]],
) -> None:
    told: list[Fate] = []
    look_for_mutants(told.append, known=frozenset(), is_quick=False)
    ((names, trees, cases),) = asked
    assert names[: len(HAND_MUTANTS)] == [one.name for one in HAND_MUTANTS]
    assert len(HAND_MUTANTS) >= 20
    assert len(names) - len(HAND_MUTANTS) == TOOL_MUTANTS
    assert (trees, cases) == (TREES, None)
    assert sum(one.mutant.is_by_hand for one in told) == len(HAND_MUTANTS)


def test_a_quick_one_looks_for_a_few_by_a_few_cases(asked: list[tuple[list[str], int, int | None]]) -> None:
    look_for_mutants(lambda _: None, known=frozenset(), is_quick=True)
    ((names, trees, cases),) = asked
    assert set(names) == set(QUICK)
    assert (trees, cases) == (0, len(list(islice(table_cases(), QUICK_CASES))))


def test_what_is_known_is_not_looked_for_again(asked: list[tuple[list[str], int, int | None]]) -> None:
    look_for_mutants(lambda _: None, known=frozenset(QUICK[:2]), is_quick=True)
    assert set(asked[0][0]) == set(QUICK[2:])
    every, _ = all_mutants()
    look_for_mutants(lambda _: None, known=frozenset(one.name for one in every), is_quick=False)
    assert len(asked) == 1
