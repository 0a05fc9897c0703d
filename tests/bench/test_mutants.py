"""Mutants are made of the text that stands there, and what catches them is told."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.cases import named_cases
from bench.hand_mutants import HAND_MUTANTS, Change, HandMutant
from bench.mutants import (
    MODULES,
    Fate,
    Mutant,
    MutantError,
    all_mutants,
    counts,
    hand_mutants,
    line_of,
    measure,
    tool_mutants,
)
from bench.mutation import mutated, sites
from bench.zone import time_zone

SPEC = find_spec("catalog")
PACKAGE = Path(str(SPEC.origin if SPEC else None)).parent


def test_every_mutant_by_hand_can_still_be_made() -> None:
    made = hand_mutants(PACKAGE)
    assert len(made) == len(HAND_MUTANTS) == len({one.name for one in made}) >= 20
    for one in made:
        for module, text in one.sources.items():
            compile(text, f"{module}.py", "exec")


def test_a_text_that_is_gone_is_an_error_and_not_a_mutant_less() -> None:
    gone = HandMutant("gone", (Change("merge", "no such text", ""),))
    with pytest.raises(MutantError, match=r"expected 'no such text' once in merge\.py, found it 0 times"):
        hand_mutants(PACKAGE, [gone])


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        (
            "x = a in b and (not c)",
            {"x = a in b or not c", "x = a not in b and (not c)", "x = a in b and (not not c)"},
        ),
        ("x: Final = 7", {"x: Final = 8"}),
        ("x = ('a', 'b')", {"x = ('a',)", "x = ('b',)", "x = ('b', 'a')"}),
        ("p = _place(S, 'a', 'b')", {"p = _place(S, 'a')", "p = _place(S, 'b')", "p = _place(S, 'b', 'a')"}),
        ("x = a if b else c", {"x = c if b else a"}),
        ("x = t.lower()", {"x = t.upper()"}),
        ("def f(a: int=1) -> tuple[A, B]:\n    return a", {"def f(a: int=2) -> tuple[A, B]:\n    return a"}),
        ("raise Problem(found=3, key=(1, 2))", set()),
        ("if TYPE_CHECKING:\n    x = 1", set()),
    ],
)
def test_the_tool_makes_every_small_change_of_meaning(sound: str, expected: set[str]) -> None:
    made = [mutated(sound, site) for site in sites(sound)]
    assert {one.source for one in made if one is not None} == expected


def test_the_tool_draws_as_many_as_it_is_told_the_same_for_a_seed() -> None:
    some = tool_mutants(PACKAGE, 40, seed=1)
    assert [one.name for one in some] == [one.name for one in tool_mutants(PACKAGE, 40, seed=1)]
    assert len(some) == len({one.name for one in some}) == 40
    assert some != tool_mutants(PACKAGE, 40, seed=2)


def test_some_mutants_are_caught_a_sound_one_survives_and_a_broken_one_is_not_counted() -> None:
    names = {
        "a share above 1 let through",
        "mtime in UTC",
        "precision and recall swapped, in V2 and in legacy alike",
    }
    made = [one for one in hand_mutants(PACKAGE) if one.name in names]
    made += [Mutant("sound", {}), Mutant("broken", {"merge": "1/0"})]
    with time_zone():
        few = [one for one in named_cases() if one.name.startswith(("sidecar/metrics", "sidecar/schema"))]
    fates = {one.mutant.name: one for one in measure(made, PACKAGE, trees=5, cases=few)}
    assert all(fates[name].caught_by for name in names)
    assert fates["sound"].caught_by is None
    assert fates["broken"].is_stillborn


def test_a_survivor_is_listed_with_its_reason_and_the_rest_is_counted() -> None:
    fates = [
        Fate(Mutant("one", {}, is_by_hand=True), "drawn/1"),
        Fate(Mutant("two", {}), None),
        Fate(Mutant("three", {}), "a tidy tree: x", is_stillborn=True),
    ]
    assert [line_of(one, [("t*", "says the same")]) for one in fates] == [
        "caught by drawn/1: one",
        "survived: two: says the same",
        "not counted, it fails at once on a tidy tree: x: three",
    ]
    assert line_of(fates[1], []) == "survived: two: no reason known"
    assert list(counts(fates)) == ["by hand: 1 of 1 caught", "by the tool: 0 of 1 caught"]


def test_every_module_that_decides_about_a_value_is_mutated() -> None:
    made, package = all_mutants()
    assert package == PACKAGE
    assert {next(iter(one.sources)) for one in made if not one.is_by_hand} == set(MODULES)
