"""YAML scalars as `yaml.safe_dump` writes them: their patterns, and their values by PyYAML's YAML 1.1 rules."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Final


class Unproven(Exception):  # noqa: N818 - not an error: the text is left to PyYAML
    """A text whose value this reader cannot prove to be the one that PyYAML sees."""


MAX_BYTES: Final = 100_000
"""No longer document is taken: a node takes a byte or more, so none passes the contract's limit of nodes."""

WORDS: Final[dict[str, bool | None]] = {
    spelling: value
    for lower, value in (
        ("true", True),
        ("yes", True),
        ("on", True),
        ("false", False),
        ("no", False),
        ("off", False),
        ("null", None),
    )
    for spelling in (lower, lower.capitalize(), lower.upper())
}
"""What is no string among the plain scalars that begin with a letter, `_` or `/`."""

NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]++(?:e[-+][0-9]++)?+)?+"
"""A decimal int that fits 64 bits, or a float; the grammar is JSON's too."""

WORD: Final = r"[A-Za-z_/][A-Za-z0-9_./@+=-]*+"
"""A plain scalar that is a string unless it is one of `WORDS`."""

# Beyond ASCII, what is no printable character of PyYAML's, line breaks, and the byte order mark. Sets of
# characters are written by what they leave out: `re` walks through all that it is told, one by one.
_LEFT_OUT = r"\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"

# YAML 1.1's line breaks, of which `safe_dump` ends lines with the first alone.
_BREAK = r"[\n\x85\u2028\u2029]"

# Neither ": " nor " #" nor a space or colon at the end. Possessive, so that the time is linear.
_PLAIN_PART = rf"(?:[^\x00-\x20\#:{_LEFT_OUT}]++|:(?=[^ \n])|\#|[ ]++(?![\#\n]|:[ \n]))"
PLAIN_LINE: Final = (
    rf"(?!---|\.\.\.)(?:[^\x00-\x20!\"\#%&'*,\-:>?@\[\]`{{|}}{_LEFT_OUT}]|[-?:](?=[^ \n])){_PLAIN_PART}*+"
)
"""A plain scalar on one line, outside of flow collections."""

PLAIN: Final = rf"{PLAIN_LINE}(?:\n[ ]++(?!\#|[-?][ \n]){_PLAIN_PART}++(?=\n))*+"
"""A plain scalar, folded perhaps: `safe_dump` breaks it at single spaces beyond column 80."""

_SINGLE_PART = rf"[^\x00-\x1f'{_LEFT_OUT}]++|''"
SINGLE_LINE: Final = rf"'(?:{_SINGLE_PART})*+'"
SINGLE: Final = rf"'(?:{_SINGLE_PART}|{_BREAK}++[ ]++(?![ ]|{_BREAK}))*+'"
"""A single-quoted scalar; a line feed inside is a folded space, n + 1 of them are n line feeds."""

_DOUBLE_PART = rf'[^\x00-\x1f"\\{_LEFT_OUT}]++|\\.'
DOUBLE_LINE: Final = rf'"(?:{_DOUBLE_PART})*+"'
DOUBLE: Final = rf'"(?:{_DOUBLE_PART}|\\\n[ ]++(?=[^ \n]))*+"'
"""A double-quoted scalar; line breaks inside are escaped and stand for nothing."""

# What PyYAML's resolver takes for a float, an int or a timestamp (yaml/resolver.py). Taking more would
# cost speed alone, taking less a wrong answer.
_NUMBER_LIKE = re.compile(
    r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])*\.[0-9_]*(?:[eE][-+][0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*(?::[0-5]?[0-9])*)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]| +)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?: *(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?"
    r"(?:[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_INT = re.compile(r"0|-?[1-9][0-9]{0,99}")
_SPECIAL_FLOATS: Final = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}

_SINGLE_ESCAPE = re.compile(rf"''|({_BREAK}+) +")
_FOLD = re.compile(rf"(.?){_BREAK}+( *)")
_DOUBLE_ESCAPE = re.compile(r"\\(x[0-9A-F]{2}|u[0-9A-F]{4}|U[0-9A-F]{8}|\n +|.)")
_ESCAPED: Final = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}


def resolve(raw: str, fold_column: int) -> object:
    """The value of a scalar (or an empty flow collection) that one of the patterns matched.

    Further lines of it must begin at `fold_column`. Raises `Unproven`.
    """
    if not raw.isprintable():  # line breaks are not
        _check_folds(raw, fold_column)
    first = raw[0]
    if first == "'":
        text = raw[1:-1]
        return text if text.isprintable() and "'" not in text else _SINGLE_ESCAPE.sub(_unfold, text)
    if first == '"':
        return _DOUBLE_ESCAPE.sub(_unescape, raw[1:-1])
    if raw == "[]":
        return []
    if raw == "{}":
        return {}
    return _resolve_plain(re.sub(r"\n +", " ", raw))


def _check_folds(raw: str, fold_column: int) -> None:
    for before, indent in _FOLD.findall(raw):
        if before == " " or len(indent) != fold_column:
            raise Unproven


def _unfold(found: re.Match[str]) -> str:
    if found[0] == "''":
        return "'"
    breaks = found[1].replace("\x85", "\n")
    return breaks if breaks[0] != "\n" else breaks[1:] or " "


def _unescape(found: re.Match[str]) -> str:
    escape = found[1]
    if len(escape) == 1:
        if escape not in _ESCAPED:
            raise Unproven
        return _ESCAPED[escape]
    if escape[0] == "\n":
        return ""
    code = int(escape[1:], 16)
    if code > 0x10FFFF:
        raise Unproven
    return chr(code)


def _resolve_plain(text: str) -> object:
    if text[0] in "0123456789+-.":
        return _resolve_numeric(text)
    if text in WORDS:
        return WORDS[text]
    if text in {"<<", "="}:
        raise Unproven
    return None if text == "~" else text


def _resolve_numeric(text: str) -> object:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _NUMBER_LIKE.fullmatch(text):
        return text
    try:
        if _INT.fullmatch(text):
            return int(text)
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
        if _DATETIME.fullmatch(text):
            return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Unproven from error
    raise Unproven
