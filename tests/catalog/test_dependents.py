"""Dependents: which answers a file was looked at for."""

from __future__ import annotations

from catalog.dependents import Dependents
from tests.catalog.memories import answer


def test_every_answer_that_depends_on_one_of_the_files_is_told() -> None:
    answers = {
        one.path: one
        for one in (
            answer("a", dependencies=("config", "a.yaml")),
            answer("b", dependencies=("config", "b.yaml")),
            answer("c", dependencies=()),
        )
    }
    dependents = Dependents(answers)
    assert dependents.on(["config"]) == {"exp/a.ckpt", "exp/b.ckpt"}
    assert dependents.on(["a.yaml"]) == {"exp/a.ckpt"}
    assert dependents.on(["a.yaml", "b.yaml", "unheard of"]) == {"exp/a.ckpt", "exp/b.ckpt"}
    assert dependents.on([]) == set()
