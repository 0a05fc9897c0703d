"""What the self-test puts into a catalog: real work beside its own, and wrong answers.

The work is executed inside the timed call and is of the catalog's own kind: it opens the tree's metadata
files again, reads them and takes their lines apart. A module that `write_subjects` writes names every variant,
so that a gate reaches them as it reaches any catalog, by `module:callable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.subject_host.answers import plain_answer, records_of
from bench.subject_host.field_map import DISPLAY
from bench.subject_host.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MODULE: Final = "selftest_subjects"

Row = dict[str, Any]


class Laden:
    """A catalog that takes so many `lines` of metadata apart besides, in every call."""

    def __init__(self, target: str, lines: int) -> None:
        self._catalog = resolve(target)
        self._lines = lines
        self._files: dict[Path, list[str]] = {}

    def prepare(self, outputs_dir: Path, config_filenames: tuple[str, ...]) -> None:
        """Prepare the catalog, and find the files, both outside the time."""
        preparation = getattr(self._catalog, "prepare", None)
        if preparation is not None:
            preparation(outputs_dir, config_filenames)
        if outputs_dir not in self._files:
            self._files[outputs_dir] = metadata_files(outputs_dir)

    def __call__(self, outputs_dir: Path, config_filenames: tuple[str, ...]) -> object:
        """The catalog's own answer, after the additional work."""
        answer = self.catalog(outputs_dir, config_filenames)
        self.work(outputs_dir, self._lines)
        return answer

    def catalog(self, outputs_dir: Path, config_filenames: tuple[str, ...]) -> object:
        """The catalog's work alone."""
        return self._catalog(outputs_dir, config_filenames)

    def work(self, outputs_dir: Path, lines: int) -> None:
        """The additional work alone, of so many lines."""
        take_apart(self._files[outputs_dir], lines)


def metadata_files(outputs_dir: Path) -> list[str]:
    """The YAML files of a tree, in order. Raises ValueError where it has none with a line."""
    found = [str(path) for path in sorted(outputs_dir.rglob("*.yaml")) if path.stat().st_size]
    if not found:
        raise ValueError(f"{outputs_dir}: expected YAML files to read, found none; give it sidecars")
    return found


def take_apart(paths: Sequence[str], lines: int) -> dict[str, str]:
    """Read so many lines of the files, from the first again where they end, as names and values."""
    fields: dict[str, str] = {}
    left = lines
    while left > 0:
        for path in paths:
            if left <= 0:
                break
            with open(path, encoding="utf-8") as file:
                for line in file.readlines()[:left]:
                    name, _, value = line.partition(":")
                    fields[name.strip()] = value.strip()
                    left -= 1
    return fields


class Wrong:
    """A catalog whose answer is given with one fault."""

    def __init__(self, target: str, fault: str) -> None:
        self._catalog = resolve(target)
        self._fault = FAULTS[fault]
        preparation = getattr(self._catalog, "prepare", None)
        if preparation is not None:
            self.prepare = preparation

    def __call__(self, outputs_dir: Path, config_filenames: tuple[str, ...]) -> dict[str, Any]:
        """The answer as plain values, and wrong."""
        answer = self._catalog(outputs_dir, config_filenames)
        plain = plain_answer(answer, list(records_of(answer)))
        rows = plain["records"]
        for row, text in zip(rows, plain["display_options"], strict=True):
            if text is not None:
                row[DISPLAY] = text
        told = {name: plain[name] for name in ("skipped", "problems") if plain[name] is not None}
        return {"records": self._fault(rows), **told}


def _changed(rows: list[Row], name: str, change: Callable[[Any], Any]) -> list[Row]:
    """The last record that has a value there, with another."""
    for row in reversed(rows):
        if row.get(name) is not None:
            row[name] = change(row[name])
            return rows
    raise ValueError(f"expected a record with {name}, found none; choose another fault")


FAULTS: Final[Mapping[str, Callable[[list[Row]], list[Row]]]] = {
    "none": lambda rows: rows,
    "the last record left out": lambda rows: rows[:-1],
    "the last record twice": lambda rows: [*rows, *rows[-1:]],
    "two records exchanged": lambda rows: [rows[1], rows[0], *rows[2:]],
    "one epoch off by one": lambda rows: _changed(rows, "epochs", lambda epochs: epochs + 1),
    "one architecture in capitals": lambda rows: _changed(rows, "architecture", str.upper),
    "one metric off in its last digits": lambda rows: _changed(rows, "hmean", lambda one: one * (1 + 1e-12)),
}
"""Faults of an answer by name; the first is none, to show that the form of the answer is not what is caught."""


def laden_name(change: float) -> str:
    """The callable with a change; all names are of one length, so that no side's environment is the larger."""
    return f"plus_{round(100 * change):02d}"


def wrong_name(fault: str) -> str:
    """The callable with a fault."""
    return f"wrong_{list(FAULTS).index(fault)}"


def write_subjects(folder: Path, target: str, lines: Mapping[float, int]) -> None:
    """Write the module of all variants of a catalog; `lines` is the additional work by change."""
    text = [
        '"""Variants of a catalog for `ckpt-bench selftest`."""',
        "from bench.injected import Laden, Wrong",
        *(f"{laden_name(change)} = Laden({target!r}, {count})" for change, count in {0.0: 0, **lines}.items()),
        *(f"{wrong_name(fault)} = Wrong({target!r}, {fault!r})" for fault in FAULTS),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{MODULE}.part"
    part.write_text("\n".join(text) + "\n", encoding="utf-8")
    part.replace(folder / f"{MODULE}.py")
