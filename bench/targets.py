"""Time and memory targets, read from `[tool.ckpt-bench]` of `pyproject.toml`: the one place where they stand.

    [tool.ckpt-bench.targets.first-load-small]
    scenario = "sidecars-warm"
    up_to = 50
    seconds = 1.0

`up_to` is the largest number of checkpoints that the target speaks of. Exactly one limit is given:
`seconds` (the whole catalog), `milliseconds_per_checkpoint`, `megabytes` (peak memory of the process),
`times_floor` (at most so many times what its files only read, or stat-ed, take), or `times_legacy` (at least
so many times as fast as legacy). The last two are ratios of pairs, which `ckpt-bench gate` judges.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from bench.scenario import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = "[tool.ckpt-bench.targets]"

Measure = Literal["seconds", "milliseconds_per_checkpoint", "megabytes", "times_floor", "times_legacy"]
_MEASURES: tuple[Measure, ...] = get_args(Measure)
_UNITS = {
    "seconds": "s",
    "milliseconds_per_checkpoint": "ms per checkpoint",
    "megabytes": "MB",
    "times_floor": "times the floor",
    "times_legacy": "times as fast as legacy",
}


class TargetsError(ValueError):
    """The targets cannot be read; says where, what was expected, what was found, and the remedy."""


@dataclass(frozen=True, slots=True)
class Target:
    """One limit on one scenario, for trees of at most `up_to` checkpoints (`None`: any size)."""

    name: str
    scenario: str
    measure: Measure
    limit: float
    up_to: int | None = None

    def is_for(self, scenario: str, checkpoints: int) -> bool:
        """Whether a measurement of `scenario` on so many checkpoints is what this target speaks of."""
        return self.scenario == scenario and (self.up_to is None or checkpoints <= self.up_to)

    @property
    def is_ratio(self) -> bool:
        """Whether it limits a ratio of pairs, and no time or size."""
        return self.measure in {"times_floor", "times_legacy"}

    @property
    def text(self) -> str:
        """The limit with its unit and condition."""
        size = "" if self.up_to is None else f", up to {self.up_to} checkpoints"
        sign = ">" if self.measure == "times_legacy" else "<"
        return f"{sign} {self.limit:g} {_UNITS[self.measure]}{size}"


def find_pyproject(start: Path, beside: Path = Path(__file__).parent.parent) -> Path:
    """The nearest `pyproject.toml` with targets from `start` upward, else the one beside the package.

    Raises `TargetsError` where there is none: without targets there is no verdict to give.
    """
    for folder in (start.resolve(), *start.resolve().parents, beside):
        path = folder / "pyproject.toml"
        if path.is_file() and "targets" in _settings(path):
            return path
    raise TargetsError(
        f"{start}: expected a pyproject.toml with {TABLE} here, above, or beside the package; found none. "
        "Run inside a clone of the project, or state your own targets there."
    )


def read_targets(path: Path) -> tuple[Target, ...]:
    """The targets in `path`, in its order. Raises `TargetsError` for one that cannot be used, and for none."""
    stated = _settings(path).get("targets")
    if not isinstance(stated, dict) or not stated:
        raise TargetsError(f"{path}: expected targets in {TABLE}, found none; state at least one")
    return tuple(_target(path, name, table) for name, table in stated.items())


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TargetsError(f"{path}: expected TOML, found {error}; mend the file") from error
    tools = content.get("tool")
    settings = tools.get("ckpt-bench") if isinstance(tools, dict) else None
    return settings if isinstance(settings, dict) else {}


def _target(path: Path, name: str, table: object) -> Target:
    where = f"{path}: {TABLE} {name}"
    if not isinstance(table, dict):
        raise TargetsError(f"{where}: expected a table, found {table!r}; see the others there")
    _refuse_unknown(where, table)
    scenario = table.get("scenario")
    if scenario not in SCENARIOS:
        raise TargetsError(f"{where}: expected a scenario, found {scenario!r}; {_did_you_mean(str(scenario))}")
    measures = [measure for measure in _MEASURES if measure in table]
    if len(measures) != 1:
        raise TargetsError(f"{where}: expected exactly one of {', '.join(_MEASURES)}, found {measures}")
    return Target(
        name,
        str(scenario),
        measures[0],
        _positive(where, measures[0], table[measures[0]]),
        _whole(where, "up_to", table["up_to"]) if "up_to" in table else None,
    )


def _refuse_unknown(where: str, table: Mapping[str, object]) -> None:
    unknown = sorted(table.keys() - {"scenario", "up_to", *_MEASURES})
    if unknown:
        raise TargetsError(f"{where}: expected no other keys than those documented, found {', '.join(unknown)}")


def _did_you_mean(scenario: str) -> str:
    near = difflib.get_close_matches(scenario, SCENARIOS, n=1)
    return f"did you mean {near[0]}?" if near else "`ckpt-bench list` names them"


def _whole(where: str, key: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise TargetsError(f"{where}: expected {key} as a whole number of at least 1, found {value!r}")
    return value


def _positive(where: str, key: str, value: object) -> float:
    # A bool is an int to Python; NaN is not above 0, infinity would let everything pass.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise TargetsError(f"{where}: expected {key} as a number above 0, found {value!r}")
    return float(value)
