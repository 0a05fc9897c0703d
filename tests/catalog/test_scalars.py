"""Scalars, alone in a document: the fast reader's value is PyYAML's, or it has none."""

from __future__ import annotations

import itertools
import random
import re

import pytest
import yaml

from catalog.canonical import CanonicalReader
from catalog.scalars import NUMBER, WORDS

# Of each kind that the patterns tell apart, at least one character.
_ALPHABET = "019-+.eE_:x ~=<nO'\"\\#,[{?&|%a\té\u2028\x85\n"
_PLACES = (
    *("a: {}\n", "a:\n- {}\n", "{}: 1\n", "? {}\n: 1\n", "- {}\n", "a: 'b\n  {}'\n", "a: b c\n  {}\n"),
    *("a: 'b{}  c'\n", 'a: "b\\\n  {}"\n'),
)


def _differences(documents: list[str]) -> list[str]:
    reader = CanonicalReader()
    different = []
    for text in documents:
        taken = reader.parse(text.encode())
        if taken is None:
            continue
        try:
            told = repr(yaml.safe_load(text.encode()))
        # PyYAML's constructors let ValueError and others through.
        except Exception as error:  # noqa: BLE001
            told = f"refused: {error}"
        if told != repr(taken):
            different.append(text)
    return different


@pytest.mark.parametrize("place", _PLACES)
def test_every_text_of_two_characters_is_read_as_pyyaml_reads_it_or_left(place: str) -> None:
    texts = ("".join(text) for size in (0, 1, 2) for text in itertools.product(_ALPHABET, repeat=size))
    assert _differences([place.replace("{}", text) for text in texts]) == []


@pytest.mark.parametrize(
    "alphabet",
    ["0123456789-+.eE_:", "01-: T.Z+", "0189abcdefx_-", "truefalsnoyTRUEFALSNOY", "nul~NUL.ifaNIF-+ "],
)
def test_random_texts_of_a_resolvers_characters_are_read_as_pyyaml_reads_them_or_left(alphabet: str) -> None:
    rng = random.Random(alphabet)
    texts = ["".join(rng.choices(alphabet, k=rng.randint(1, 11))) for _ in range(2_000)]
    assert _differences([f"a: {text}\n" for text in texts]) == []


@pytest.mark.parametrize("tag", ["bool", "float", "int", "merge", "null", "timestamp", "value"])
def test_what_pyyaml_resolves_to_no_string_is_none_here(tag: str) -> None:
    pattern = _resolver_pattern(tag)
    rng = random.Random(tag)
    alphabet = "0123456789-+.eE_:xbTtZ ~<=yesnotrufalinfINFYESNOTRUFALS"
    texts = ["".join(rng.choices(alphabet, k=rng.randint(1, 4))) for _ in range(20_000)]
    texts += [*WORDS, "~", "<<", "=", "2025-08-01", "2025-8-1 1:02:03.5 -5", "2025-08-01T12:00:00Z", "12:30:45"]
    matching = {text for text in texts if pattern.match(text)}
    assert matching
    for text in matching:
        taken = CanonicalReader().parse(f"a: {text}\n".encode())
        assert taken is None or not isinstance(taken["a"], str), text


def _resolver_pattern(tag: str) -> re.Pattern[str]:
    for resolvers in yaml.SafeLoader.yaml_implicit_resolvers.values():
        for full_tag, pattern in resolvers:
            if full_tag == f"tag:yaml.org,2002:{tag}":
                assert isinstance(pattern, re.Pattern)
                return pattern
    raise KeyError(tag)


TAKEN = {
    "1e-3": "1e-3",
    "5e123456": "5e123456",
    "00019223": "00019223",
    "1.0e-06": 1e-06,
    "-0.0": -0.0,
    "-0": 0,
    "123456789012345678901234567890": 123456789012345678901234567890,
    "4.9e-324": 5e-324,
    "true": True,
    "Off": False,
    "null": None,
    "~": None,
    "": None,
    "''": "",
    "[]": [],
    "{}": {},
    "'it''s'": "it's",
    r'"\U0001F600\x41\n\0\N\_\L\P\e\"\\"': '\U0001f600A\n\0\x85\xa0\u2028\u2029\x1b"\\',
    "'a\n\n  b c\n  d'": "a\nb c d",
    '"a\\\n  \\ b"': "a b",
    "a b\n  c d": "a b c d",
    "${now:%Y-%m-%d}": "${now:%Y-%m-%d}",
}


@pytest.mark.parametrize(("text", "value"), TAKEN.items())
def test_what_safe_dump_writes_is_taken(text: str, value: object) -> None:
    data = f"a: {text}\n".encode()
    assert repr(CanonicalReader().parse(data)) == repr({"a": value}) == repr(yaml.safe_load(data))


LEFT = (
    *(
        "012",
        "0x1F",
        "0b1",
        "1_000",
        "12:30:45",
        "1.",
        ".5",
        "+1",
        "1_0.5",
        "190:20:30.15",
        "1.0e+999",
        "-.INF",
    ),
    *("<<", "=", "2025-13-45", "2025-08-01T12:00:00", "0000-01-01", "2025-08-01 24:00:00", "2025-8-1"),
    *(
        "a: b",
        "a #b",
        "# a",
        "a:",
        "- a",
        "? a",
        "&a b",
        "*a",
        "!!str a",
        "[1]",
        "{a: 1}",
        "|",
        ">",
        "@a",
        "`a",
    ),
    *(
        "'a",
        "'a'b",
        '"a',
        r'"\q"',
        r'"\U00110000"',
        r'"\xg0"',
        r'"\/"',
        "'a\n b'",
        "'a \n  b'",
        '"a\n  b"',
        "a ",
    ),
    *(
        "a\tb",
        "a\rb",
        "a\x00",
        "a\ufeff",
        "a\ufffe",
        "a b\n c",
        "a b\n   c",
        "a b\n  c: d",
        "a b\n\n  c",
        "1" * 101,
    ),
)


@pytest.mark.parametrize("text", LEFT)
def test_what_safe_dump_does_not_write_is_left_to_pyyaml(text: str) -> None:
    assert CanonicalReader().parse(f"a: {text}\n".encode()) is None


def test_the_escape_of_a_lone_surrogate_is_read_as_the_plain_loader_reads_it() -> None:
    data = rb'a: "\uD800"' + b"\n"
    assert CanonicalReader().parse(data) == {"a": "\ud800"} == yaml.safe_load(data)


def _random_number(rng: random.Random) -> str:
    whole = str(rng.randrange(10 ** rng.randint(1, 18)))
    fraction = "." + "".join(rng.choices("0123456789", k=rng.randint(1, 30)))
    exponent = f"e{rng.choice('+-')}{rng.randrange(290):02d}"
    return rng.choice(("", "-")) + whole + rng.choice(("", fraction, fraction, fraction + exponent))


def test_numbers_are_read_as_python_reads_them_to_the_last_bit() -> None:
    rng = random.Random(1)
    texts = ["0", "-0", "-0.0", "9007199254740993.0", "2.2250738585072011e-308", "4.9e-324", "1.0e-400"]
    texts += [_random_number(rng) for _ in range(3_000)]
    reader = CanonicalReader()
    for text in texts:
        assert re.fullmatch(NUMBER, text)
        taken = reader.parse(f"a: {text}\n".encode())
        assert repr(taken) == repr({"a": float(text) if "." in text else int(text)})
