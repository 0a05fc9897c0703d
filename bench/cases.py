"""The catalogue of named cases: every rule, untidiness, fallback and damaged file, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.case import ONE, Case, case_of
from bench.damaged import damaged_cases
from bench.rule_cases import rule_cases
from bench.table_cases import table_cases
from bench.whole_sidecar_cases import whole_sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Case", "named_cases"]


def named_cases() -> Iterator[Case]:
    """Every named case, each of a single state; no two of one name."""
    yield from table_cases()
    yield from rule_cases()
    yield from whole_sidecar_cases()
    for name, rule, plan, damage in damaged_cases(ONE):
        yield case_of(name, rule, plan, damage=damage)
