"""Paths made the short way are those made the plain way."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.paths_below import maker_below

_names = st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in {".", ".."}
)


@given(
    names=st.lists(_names, min_size=1, max_size=4),
    folder=st.sampled_from([".", "/", "a", "a/b", "/a/b", "../a", "//a"]),
)
def test_a_path_is_the_same_as_by_the_operator(names: list[str], folder: str) -> None:
    *above, name = names
    below = maker_below(Path(folder))
    below("/".join(above), "beside")
    made, plain = below("/".join(above), name), Path(folder) / "/".join(names)
    assert (made, str(made), made.parts, hash(made)) == (plain, str(plain), plain.parts, hash(plain))
    assert (made.parent, made.name, made.suffix, type(made)) == (
        plain.parent,
        plain.name,
        plain.suffix,
        type(plain),
    )


@pytest.mark.parametrize("name", ["a.ckpt", "epoch=3-step=100.ckpt", "größe.ckpt", " ", "a\\b"])
def test_a_path_goes_to_other_processes(name: str) -> None:
    made = maker_below(Path("a"))("", name)
    assert pickle.loads(pickle.dumps(made)) == Path("a") / name  # noqa: S301 - its own bytes
