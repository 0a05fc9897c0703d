"""What a catalog needs of a canonical sidecar, taken out by one proof of the whole text.

Nearly every sidecar of a tree is a V1 document as `save_metadata` and `yaml.safe_dump` write it. One pattern
takes such a text from the first line to the last, and so proves it: each line is a key with a plain or
quoted scalar, an item of a sequence of scalars, or opens a mapping whose lines stand two columns further.
What it cannot prove it does not take, and the caller reads the document whole.

Keys that nobody looks for may repeat; of those that are looked for the last one counts, as in PyYAML, and
a mapping that is looked into must stand there once.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from catalog.memo import TextMemo
from catalog.records import UNKNOWN
from catalog.scalars import MAX_BYTES, NUMBER, WORDS, Unproven

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMO_CHARS: Final = 2**18

# No key of PyYAML's is longer than 1024 characters, no collection deeper than the contract's limit.
_KEY = r"[A-Za-z_][A-Za-z0-9_./@-]{0,999}+"
_MORE_LEVELS = r"(?:[ ]{2}){0,60}+"
# Texts begin with a letter, `_` or `/`: no number and no date does. Quoted ones hold no escape.
_TEXT = r"[A-Za-z_/][A-Za-z0-9_./@+=,()-]*+(?:[ ][A-Za-z0-9_/(][A-Za-z0-9_./@+=,()-]*+)*+"
_SCALAR = rf"(?:{NUMBER}(?=\n)|{_TEXT}|'[ -&(-~]*+'|\[\]|\{{\}})"

# What may stand under a key that is looked for. A sign before 0 is left to the long way: YAML's -0 has none.
_ANY: Final = _SCALAR
_NUMBER: Final = rf"(?!-0\n){NUMBER}(?=\n)"
_WHOLE: Final = r"(?:0|[1-9][0-9]{0,17}+)(?=\n)"
_FLAT: Final = "flat"  # a mapping of scalars, taken as text

_WANTED: Final[Mapping[str, object]] = {
    "schema_version": r"'1\.0'",
    "exp_name": _ANY,
    "created_at": _ANY,
    "training": {"epoch": _WHOLE},
    "metrics": {
        "hmean": _NUMBER,
        "precision": _NUMBER,
        "recall": _NUMBER,
        "validation_loss": _NUMBER,
        "additional_metrics": _FLAT,
    },
    "checkpointing": {"monitor": _ANY, "mode": r"(?:min|max)(?=\n)"},
}
# Apart from the rest: it makes three quarters of a sidecar, and the checkpoints of an experiment share it.
_WANTED_MODEL: Final[Mapping[str, object]] = {
    "model": {"architecture": _ANY, "encoder": {"model_name": _ANY}},
}
# Where anything may stand beside what is looked for; the other mappings hold scalars alone.
_DEEP: Final = ("", "model__", "model__encoder__")


class _PatternWriter:
    """Writes the pattern of a document and of the keys that are looked for in it."""

    def __init__(self) -> None:
        self._groups = 0

    def document(self, wanted: Mapping[str, object], elsewhere: tuple[str, ...] = ()) -> re.Pattern[str]:
        """Takes a whole text; `elsewhere` are top-level keys that must not stand in it."""
        return re.compile(self._mapping("", wanted, "", elsewhere))

    def _mapping(
        self, pad: str, wanted: Mapping[str, object], prefix: str, elsewhere: tuple[str, ...] = ()
    ) -> str:
        entries = "|".join(self._entry(pad, key, kind, prefix + key) for key, kind in wanted.items())
        known = "|".join((*wanted, *elsewhere))
        other = self._other(pad) if prefix in _DEEP else rf"{pad}{_KEY}:[ ]{_SCALAR}\n(?!{pad}[ ])"
        return f"(?:{pad}(?:{entries})|(?!{pad}(?:{known}):){other})+"

    def _entry(self, pad: str, key: str, kind: object, name: str) -> str:
        self._groups += 1
        if kind == _FLAT:
            lines = rf"(?:{pad}[ ]{{2}}{_KEY}:[ ]{_SCALAR}\n)+"
            return rf"{key}:(?:[ ](?:\{{\}}|null)\n|(?P<{name}>\n{lines}))(?!{pad}[ ])"
        if isinstance(kind, str):
            return rf"{key}:[ ](?P<{name}>{kind})\n(?!{pad}[ ])"
        # A second mapping under this key would replace the first: once the group is set, nothing matches.
        once = f"(?({self._groups})(?!))"
        inside = self._mapping(pad + "  ", cast("Mapping[str, object]", kind), name + "__")
        return rf"{once}{key}:(?P<{name}>\n)(?={pad}[ ]{{2}}[A-Za-z_]){inside}"

    def _other(self, pad: str) -> str:
        """An entry that nobody looks for, with all that is in it."""
        return self._line(pad, f"(?={pad}[ ]{{2}}[A-Za-z_])(?:{self._line_below(pad)})+")

    def _line_below(self, pad: str) -> str:
        """Any line further right; what it opens shows in the line after it."""
        self._groups += 1
        lead = f"lead{self._groups}"
        line = self._line(f"(?P={lead})", f"(?=(?P={lead})[ ]{{2}}[A-Za-z_])", begin="")
        return rf"(?P<{lead}>{pad}[ ]{{2}}{_MORE_LEVELS}){line}"

    @staticmethod
    def _line(lead: str, opened: str, begin: str | None = None) -> str:
        """A key with its scalar, with items, with nothing, or `opened`; nothing else stands further right."""
        items = rf"(?:(?:{lead}-[ ]{_SCALAR}\n)++|(?:{lead}[ ]{{2}}-[ ]{_SCALAR}\n)++)(?!{lead}[ -])"
        value = rf"[ ]{_SCALAR}\n(?!{lead}[ ])|\n(?:{opened}|{items}|(?!{lead}[ -]))"
        return rf"{lead if begin is None else begin}{_KEY}:(?:{value})"


# Written when first needed: a tree without sidecars needs neither, and they take as long as ten checkpoints.
@cache
def _rest_pattern() -> re.Pattern[str]:
    return _PatternWriter().document(_WANTED, elsewhere=tuple(_WANTED_MODEL))


@cache
def _model_pattern() -> re.Pattern[str]:
    return _PatternWriter().document(_WANTED_MODEL)


_MODEL_BEGIN: Final = "\nmodel:\n"
_NO_KEY: Final = ("", " ", "\n", "-")
_SECTION_END = re.compile(r"\n(?![ \n-])")
_KEY_ALONE = re.compile(_KEY)


class Excerpt(NamedTuple):
    """The entries of a V1 sidecar that a catalog looks for, each of its plain type.

    `additional` is the text of `metrics.additional_metrics`, one entry a line, with a line feed before it.
    """

    architecture: str
    encoder: str
    exp_name: str
    created_at: str
    epoch: int
    hmean: float
    precision: float
    recall: float
    validation_loss: float | None
    monitor: str
    mode: str
    additional: str

    def additional_metric(self, name: str) -> float | None:
        """The number under a key of `metrics.additional_metrics`, `None` where that key is absent.

        Raises `Unproven` where what stands there is no number.
        """
        begin = self.additional.rfind(f"\n    {name}: ")
        if begin < 0:
            return None
        begin += len(name) + 7
        return _number(self.additional[begin : self.additional.index("\n", begin)])


class ExcerptReader:
    """Takes excerpts, and remembers the models that it has seen, up to `memo_chars` of their text."""

    def __init__(self, memo_chars: int = _MEMO_CHARS) -> None:
        self._models: TextMemo[tuple[str, str]] = TextMemo(memo_chars)
        self._last_model = "\0"  # stands in no text

    def read(self, data: bytes) -> Excerpt | None:
        """The excerpt of a document that is proven to be canonical and tells every field; else `None`."""
        if len(data) > MAX_BYTES or not data.isascii():
            return None
        text = data.decode("ascii")
        begin = text.find(_MODEL_BEGIN) + 1
        if not begin:
            return None
        model = self._last_model  # looked at once: another thread may read another sidecar meanwhile
        end = begin + len(model)
        try:
            # Most often it is the model of the sidecar before, and the next key follows.
            if not text.startswith(model, begin) or text[end : end + 1] in _NO_KEY:
                found = _SECTION_END.search(text, begin)
                if found is None:
                    return None
                end = found.end()
                model = self._last_model = text[begin:end]
            known = self._models.get(model) or self._read_model(model)
            return self._read_rest(known, text[:begin] + text[end:])
        except Unproven:
            return None

    def _read_model(self, model: str) -> tuple[str, str]:
        found = _model_pattern().fullmatch(model)
        if found is None:
            raise Unproven
        told = (_text(found["model__architecture"]), _text(found["model__encoder__model_name"]))
        return self._models.put(model, told)

    def _read_rest(self, model: tuple[str, str], rest: str) -> Excerpt | None:
        found = _rest_pattern().fullmatch(rest)
        if found is None:
            return None
        (version, exp_name, created_at, epoch, hmean, precision, recall, loss, additional, monitor, mode) = (
            found.group(*_GROUPS)
        )
        if not (version and created_at and epoch and hmean and precision and recall and mode):
            return None
        return Excerpt(
            *model,
            _text(exp_name),
            _text(created_at),
            int(epoch),
            float(hmean),
            float(precision),
            float(recall),
            None if loss is None else float(loss),
            _key_text(monitor),
            mode,
            additional or "",
        )


_GROUPS: Final = (
    "schema_version",
    "exp_name",
    "created_at",
    "training__epoch",
    "metrics__hmean",
    "metrics__precision",
    "metrics__recall",
    "metrics__validation_loss",
    "metrics__additional_metrics",
    "checkpointing__monitor",
    "checkpointing__mode",
)


def _text(raw: str | None) -> str:
    """The text of a scalar. Raises `Unproven` where it is no text, or none that tells anything."""
    if not raw:
        raise Unproven
    first = raw[0]
    if first == "'":
        value = raw[1:-1]
        if not value or value.isspace():
            raise Unproven
    elif raw in WORDS or first in "-[{0123456789":
        raise Unproven
    else:
        value = raw
    if value == UNKNOWN:
        raise Unproven
    return value


@lru_cache(maxsize=256)
def _key_text(raw: str | None) -> str:
    """A text that is the same as a key of a mapping. Raises `Unproven`."""
    value = _text(raw)
    if value in WORDS or not _KEY_ALONE.fullmatch(value):
        raise Unproven
    return value


def _number(raw: str) -> float:
    """The number of a scalar. Raises `Unproven` where it is none."""
    if raw[0] not in "-0123456789":
        raise Unproven
    return float(raw) if "." in raw else float(int(raw))


_READER = ExcerptReader()


def forget() -> None:
    """Let the shared reader forget the models that it has seen, as a new process finds it."""
    global _READER  # noqa: PLW0603 - one memory for a process is what a reader is for
    _READER = ExcerptReader()


def read(data: bytes) -> Excerpt | None:
    """`ExcerptReader.read` of the one reader that a process keeps."""
    return _READER.read(data)
