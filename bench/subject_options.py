"""The command line's part about subjects: which, and for each its folders, interpreter, names and fields."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.equality import ENTRY_FIELDS, INFO_FIELDS
from bench.scenario import ADAPTER, INDEX, LEGACY, REMEMBERED, V2
from bench.subject import Subject, SubjectError, parse_subject
from bench.subject_host.errors import suggestion
from bench.subject_host.field_map import FieldMap

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

OWN = {
    one.name: Subject(one.name, one.target, fields=one.fields)
    for one in (LEGACY, V2, ADAPTER, REMEMBERED, INDEX)
}
"""This project's implementations, which a name alone stands for."""

HELP = (
    "module:callable, module:make() (called once in each process), or 'cmd:program {dir}' (prints JSON lines); "
    f"or one of {', '.join(OWN)}; name=... gives it a name"
)
_FOR_ONE = "; NAME{}... is for the subject of that name alone, otherwise for all but this project's own"


def add_subject_options(parser: argparse.ArgumentParser, *, is_named: bool = True) -> None:
    """Add the options about subjects, and `--subject` itself unless the parser has positional `subjects`."""
    group = parser.add_argument_group("subjects")
    if is_named:
        group.add_argument(
            "--subject", dest="subjects", action="append", default=[], metavar="SUBJECT", help=f"also {HELP}"
        )
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="DIR",
        help="where code that is not installed stands" + _FOR_ONE.format("="),
    )
    group.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PATH",
        help="the interpreter, or the virtual environment's folder, that runs it" + _FOR_ONE.format("="),
    )
    group.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="the contract's name for a field of theirs, such as metrics.f1=hmean" + _FOR_ONE.format(":"),
    )
    group.add_argument(
        "--fields",
        action="append",
        default=[],
        metavar="FIELD,...",
        help="compare only these fields; old: those of the old API" + _FOR_ONE.format("="),
    )


def subjects_of(options: argparse.Namespace) -> tuple[Subject, ...]:
    """The subjects of `options.subjects` with what the options say of them, in their order.

    Raises SubjectError for a text that is no subject, two of one name, and an option that cannot be.
    """
    subjects = tuple(OWN[text] if text in OWN else _parsed(text) for text in options.subjects)
    names = [one.name for one in subjects]
    for name in names:
        if names.count(name) > 1:
            raise SubjectError(
                name, "subjects of different names", f"{names.count(name)} of this one", "write a=..., b=..."
            )
    _check_for_somebody(subjects, options)
    return tuple(_with_options(one, names, options) for one in subjects)


def _check_for_somebody(subjects: tuple[Subject, ...], options: argparse.Namespace) -> None:
    """A folder or an interpreter that no subject takes is a mistake: commands and our own take none."""
    takers = [one for one in subjects if one.name not in OWN and not one.is_command]
    named = tuple(f"{one.name}=" for one in subjects if not one.is_command)
    for option, texts in (("--path", options.path), ("--python", options.python)):
        for text in texts:
            if not takers and not text.startswith(named):
                remedy = (
                    "name a module:callable; a command has both inside: cmd:PATH/python DIR/program.py {dir}"
                )
                raise SubjectError(f"{option} {text}", "a subject that takes it", "none", remedy)


def _parsed(text: str) -> Subject:
    if ":" not in text:
        remedy = suggestion(text, OWN, f"write module:callable, or one of {', '.join(OWN)}")
        raise SubjectError(text, "a subject", repr(text), remedy)
    return parse_subject(text)


def _with_options(subject: Subject, names: list[str], options: argparse.Namespace) -> Subject:
    def given(texts: Iterable[str], sign: str = "=") -> list[str]:
        return list(_meant_for(subject, names, texts, sign))

    folders, pythons = given(options.path), given(options.python)
    if subject.is_command:
        folders, pythons = [], []
    mapped = dict(_mapped(text) for text in given(options.map, ":"))
    FieldMap(mapped, subject.name)
    fields = given(options.fields)
    return replace(
        subject,
        search_path=tuple(_folder(text) for text in folders),
        python=_interpreter(pythons[-1]) if pythons else subject.python,
        field_map=mapped,
        fields=_fields(fields[-1]) if fields else subject.fields,
    )


def _is_for(subject: Subject, text: str, sign: str = "=") -> bool:
    return text.startswith(subject.name + sign)


def _meant_for(subject: Subject, names: list[str], texts: Iterable[str], sign: str) -> Iterable[str]:
    for text in texts:
        if _is_for(subject, text, sign):
            yield text[len(subject.name) + len(sign) :]
        elif subject.name not in OWN and not any(text.startswith(name + sign) for name in names):
            yield text


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise SubjectError(f"--path {text}", "a folder", _found(text), "name the folder that holds the module")
    return os.path.abspath(text)


def _interpreter(text: str) -> str:
    """The interpreter itself; that of a virtual environment is a link that must not be followed."""
    path = Path(text)
    if path.is_dir():
        path = path / "bin" / "python"
    if not os.access(path, os.X_OK) or path.is_dir():
        remedy = "name an interpreter such as .venv/bin/python, or the folder of a virtual environment"
        raise SubjectError(f"--python {text}", "an interpreter", _found(str(path)), remedy)
    return os.path.abspath(path)


def _found(text: str) -> str:
    return f"{text}, which is none" if os.path.lexists(text) else f"no {text}"


def _mapped(text: str) -> tuple[str, str]:
    theirs, equals, ours = text.partition("=")
    if not equals or not theirs.strip() or not ours.strip():
        remedy = "write for example --map metrics.f1=hmean, or --map NAME:metrics.f1=hmean"
        raise SubjectError(f"--map {text}", "THEIRS=OURS", repr(text), remedy)
    return theirs.strip(), ours.strip()


def _fields(text: str) -> tuple[str, ...]:
    if text == "old":
        return INFO_FIELDS
    chosen = tuple(name.strip() for name in text.split(","))
    for name in chosen:
        if name not in ENTRY_FIELDS:
            remedy = suggestion(name, ENTRY_FIELDS, f"write old, or some of {','.join(ENTRY_FIELDS)}")
            raise SubjectError(f"--fields {text}", "fields of the contract", repr(name), remedy)
    return chosen
