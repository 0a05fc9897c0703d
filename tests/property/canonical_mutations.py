"""Random damage to YAML documents; a mutation edits lines, given those of another document and a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.property.canonical_strategies import TRAPS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_CHARACTERS = tuple(" \n-:'\"#?,[]{}&*!|>%@`\\~=<.+_/0123456789eEaxyzT\t\r\x00\x85\u2028\ufeff\xa0é")
_LINES = (
    *("---", "...", "# comment", "", " ", "  ", "-", "- ", "- - 1", "- a: 1", "? a", ": 1", "<<: {}", "=: 1"),
    *("a: &x 1", "a: *x", "a: !!str 1", "a: |", "a: >-", "a: [1, 2]", "a: {b: 1}", "a:", "a: 'b", 'a: "b\\'),
    *("1: 2", "true: 1", "null: 1", "%YAML 1.1", "model: 1", "word", "two words", "a: b c", "'a': 1", "a: 1 "),
)


def _insert_character(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    column = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + rng.choice(_CHARACTERS) + lines[at][column:]


def _replace_character(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    column = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + rng.choice(_CHARACTERS) + lines[at][column + 1 :]


def _delete_characters(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    column = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:column] + lines[at][column + rng.randint(1, 3) :]


def _indent(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    first = rng.randrange(len(lines))
    width = rng.choice((-2, -1, 1, 2))
    for at in range(first, min(len(lines), first + rng.choice((1, 1, 2, 5, 20)))):
        lines[at] = " " * width + lines[at] if width > 0 else lines[at].removeprefix(" " * -width)


def _swap_lines(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _repeat_line(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _delete_lines(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    first = rng.randrange(len(lines))
    del lines[first : first + rng.choice((1, 1, 2, 5))]


def _join_lines(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    lines[at : at + 2] = ["".join(lines[at : at + 2])]


def _split_line(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    column = rng.randrange(len(lines[at]) + 1)
    lines[at : at + 1] = [lines[at][:column], " " * rng.randrange(7) + lines[at][column:]]


def _insert_line(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    indent = " " * (len(lines[at]) - len(lines[at].lstrip(" ")))
    lines.insert(at, indent + rng.choice(_LINES))


def _replace_value(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    key, colon, _value = lines[at].partition(": ")
    lines[at] = key + colon + rng.choice(TRAPS)


def _replace_key(lines: list[str], _: Sequence[str], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    key, colon, value = lines[at].partition(":")
    indent = " " * (len(key) - len(key.lstrip(" ")))
    lines[at] = indent + rng.choice(TRAPS) + colon + value


def _splice(lines: list[str], other: Sequence[str], rng: random.Random) -> None:
    first, last = sorted((rng.randrange(len(other) + 1), rng.randrange(len(other) + 1)))
    at = rng.randrange(len(lines) + 1)
    lines[at : at + rng.choice((0, 0, 1, 5, len(lines)))] = other[first:last]


MUTATIONS: tuple[Callable[[list[str], Sequence[str], random.Random], None], ...] = (
    *(_insert_character, _replace_character, _delete_characters, _indent, _swap_lines, _repeat_line),
    *(_delete_lines, _join_lines, _split_line, _insert_line, _replace_value, _replace_key, _splice),
)


def mutated(corpus: Sequence[bytes], rng: random.Random) -> bytes:
    """A document of `corpus` with one to three mutations, and now and then a byte that is not UTF-8's."""
    lines = rng.choice(corpus).decode().split("\n")
    other = rng.choice(corpus).decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        if lines:
            rng.choice(MUTATIONS)(lines, other, rng)
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if rng.random() < 0.02:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.randbytes(1) + data[at + rng.randrange(2) :]
    return data
