from __future__ import annotations

from catalog.refusal import HeaderError


def test_a_refusal_tells_path_expectation_finding_and_remedy() -> None:
    error = HeaderError("a mapping", "a list", "save a dict", path="a/b.ckpt")
    assert str(error) == "a/b.ckpt: expected a mapping, found a list; save a dict"
    assert (error.expected, error.found, error.remedy) == ("a mapping", "a list", "save a dict")


def test_a_refusal_without_a_path_tells_the_rest() -> None:
    assert str(HeaderError("x", "y")).startswith("expected x, found y; ")
