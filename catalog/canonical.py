"""The fast reader of canonical sidecars: takes the documents that it can prove, leaves the others.

Canonical is the block style that `yaml.safe_dump` and `save_metadata` write: mappings indented by two,
sequences on the column of their key or two further, one entry a line, scalars plain or quoted. Of these
a document is taken only if each line matches one strict pattern and stands where PyYAML would see the
same structure. Anchors, tags, comments, block scalars, merge keys, repeated keys and numbers that
`safe_dump` never writes are not proven here: the caller hands them to PyYAML.

Without anchors the top-level entries cannot see each other. So a document is split at its top-level
keys into *sections*, and a section that was read before is not read again: the checkpoints of one
experiment share most of theirs.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from catalog.memo import TextMemo
from catalog.scalars import (
    DOUBLE,
    DOUBLE_LINE,
    MAX_BYTES,
    NUMBER,
    PLAIN,
    PLAIN_LINE,
    SINGLE,
    SINGLE_LINE,
    WORD,
    WORDS,
    Unproven,
    resolve,
)

MAX_DEPTH: Final = 63
"""How many collections may stand around an empty one, which makes the contract's 64."""

_MAX_KEY_CHARS: Final = 1000
"""PyYAML gives up a key after 1024 characters, even one that it wrote itself."""

_STEP: Final = 2
"""Columns between a collection and what is indented in it."""

# A line feed before a top-level key, and the last one.
_SECTION_END = re.compile(r"\n(?![ \n-])")

# Lead (spaces, then dashes), key, unusual key, number, word, other scalar. Possessive repeats keep the
# time linear. The last alternative takes any line that is not canonical and leaves every group empty.
_ANY_KEY = rf"(?:{SINGLE_LINE}|{DOUBLE_LINE}|{PLAIN_LINE})"
_LINE = re.compile(
    r"([ ]*+(?:-[ ])*+)"
    rf"(?:(?:([A-Za-z_][A-Za-z0-9_./@-]*+)|({_ANY_KEY}|\?[ ]{_ANY_KEY}\n[ ]*+)):(?:[ ]|(?=\n)))?+"
    rf"(?:({NUMBER})|({WORD})|({SINGLE}|{DOUBLE}|{PLAIN}|\[\]|\{{\}}))?\n"
    r"|.*\n"
)
_Mapping: TypeAlias = dict[object, object]
_Collection: TypeAlias = _Mapping | list[object]
_Enclosing: TypeAlias = list[tuple[_Collection, int]]  # outermost first, each with its column
_Line: TypeAlias = tuple[str, str, str, str, str, str]

_NOTHING: Final = object()

_number = msgspec.json.Decoder().decode  # reads NUMBER as int() and float() do, in a quarter of the time


class CanonicalReader:
    """Reads canonical documents, and remembers what makes the next ones faster.

    `budget_chars` bounds its memory, in characters of the sections that it holds; beyond that it begins
    anew. What it returns shares its inner collections with later answers: they are for reading only.
    """

    def __init__(self, budget_chars: int = 2**18) -> None:
        self._sections: TextMemo[_Mapping] = TextMemo(budget_chars)

    def parse(self, data: bytes) -> _Mapping | None:
        """What `yaml.safe_load` returns, where that is proven; else `None`. Never raises."""
        if len(data) > MAX_BYTES:
            return None
        document: _Mapping = {}
        entry_count = 0
        known = self._sections.get
        try:
            sections = _SECTION_END.split(data.decode())
            if sections.pop():
                return None
            for section in sections:
                entries = known(section)
                if entries is None:
                    entries = self._read(section)
                document.update(entries)
                entry_count += len(entries)
        except (Unproven, UnicodeDecodeError, msgspec.DecodeError):
            return None
        # Fewer keys than entries: one was repeated.
        return document if 0 < entry_count == len(document) else None

    def _read(self, section: str) -> _Mapping:
        """The entries of a section, nearly always one. Raises `Unproven`, `msgspec.DecodeError`."""
        return self._sections.put(section, _build(_LINE.findall(section + "\n")))


def _build(lines: list[_Line]) -> _Mapping:
    """The mapping that the lines of a section make. Raises `Unproven`, `msgspec.DecodeError`."""
    root: _Mapping = {}
    mapping = root
    items: list[object] | None = None  # the sequence that the last line stood in, if it was in one
    enclosing: _Enclosing = [(root, 0)]
    expected_lead = ""
    key: object = _NOTHING
    open_key: object = _NOTHING  # its value may stand on the next lines
    for lead, plain_key, other_key, number, word, other in lines:
        has_key = bool(plain_key or other_key)
        if lead != expected_lead or open_key is not _NOTHING or has_key is (items is not None):
            expected_lead = _place(enclosing, open_key, lead, has_key)
            open_key = _NOTHING
            collection = enclosing[-1][0]
            mapping = collection if isinstance(collection, dict) else mapping
            items = collection if isinstance(collection, list) else None
        if has_key:
            key = _key(other_key, enclosing[-1][1]) if other_key else WORDS.get(plain_key, plain_key)
        value: object = None
        if number:
            value = _number(number)
        elif word:
            value = WORDS.get(word, word)
        elif other:
            value = resolve(other, enclosing[-1][1] + _STEP)
        elif has_key:
            open_key = key
        else:
            raise Unproven
        if items is not None:
            items.append(value)
        elif key in mapping:
            raise Unproven
        else:
            mapping[key] = value
    return root


def _place(enclosing: _Enclosing, open_key: object, lead: str, has_key: bool) -> str:
    """Open and close collections up to the one that a line stands in.

    Returns the lead of the lines that stay in it. Raises `Unproven` where there is none.
    """
    column = len(lead) - len(lead.lstrip(" "))
    dash_count = (len(lead) - column) // _STEP
    indented = column - enclosing[-1][1]
    if open_key is not _NOTHING and (indented == _STEP or (indented == 0 and dash_count)):
        _open(enclosing, open_key, [] if dash_count else {}, column)
    while enclosing[-1][1] > column or (
        # A sequence on the column of its key ends at the next key.
        enclosing[-1][1] == column and not dash_count and isinstance(enclosing[-1][0], list)
    ):
        enclosing.pop()
    collection, collection_column = enclosing[-1]
    is_sequence = isinstance(collection, list)
    if collection_column != column or is_sequence != bool(dash_count) or not (is_sequence or has_key):
        raise Unproven
    for _ in range(dash_count - 1):
        column += _STEP
        collection = _open(enclosing, _NOTHING, [], column)
    if dash_count and has_key:
        column += _STEP
        collection = _open(enclosing, _NOTHING, {}, column)
    return " " * column + ("- " if isinstance(collection, list) else "")


def _open(enclosing: _Enclosing, key: object, child: _Collection, column: int) -> _Collection:
    """Put a new collection into the innermost one, at `key` if that is a mapping. Raises `Unproven`."""
    if len(enclosing) >= MAX_DEPTH:
        raise Unproven
    parent = enclosing[-1][0]
    if isinstance(parent, list):
        parent.append(child)
    else:
        parent[key] = child
    enclosing.append((child, column))
    return child


def _key(raw: str, column: int) -> object:
    """The value of an unusual key, in a mapping at `column`. Raises `Unproven`."""
    if raw.startswith("? "):  # an empty or long one, its colon on the next line
        raw, _, indent = raw[2:].rpartition("\n")
        is_proven = len(indent) == column
    else:
        is_proven = len(raw) <= _MAX_KEY_CHARS
    key = resolve(raw, column)
    if not is_proven or not isinstance(key, str | int | None):
        raise Unproven
    return key


_READER = CanonicalReader()


def forget() -> None:
    """Let the shared reader forget the sections that it has seen, as a new process finds it."""
    global _READER  # noqa: PLW0603 - one memory for a process is what a reader is for
    _READER = CanonicalReader()


def parse(data: bytes) -> _Mapping | None:
    """`CanonicalReader.parse` of the one reader that a process keeps."""
    return _READER.parse(data)
