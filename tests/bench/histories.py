"""Entries of a history, made up."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from bench.history import Commit, Entry, Ratio
from bench.result import Interval


def entry(number: int, ratio: float = 1.0, *, reference: str = "commit ref", **changes: Any) -> Entry:
    """The result of the commit of this number, a day after the one before it."""
    one = Ratio(
        scenario="sidecars-warm",
        tree='{"seed":0}',
        subject="catalog.subjects:v2",
        reference=reference,
        value=Interval(estimate=ratio, low=ratio - 0.01, high=ratio + 0.01),
        verdict="equivalent",
    )
    made = Entry(
        digest=f"digest {number} {reference} {sorted(changes)}",
        command="gate",
        started_at="2026-01-01T00:00:00+00:00",
        exit_code=0,
        commit=Commit(
            name=f"c{number:03}", time_s=1_700_000_000 + 86_400 * number, ancestors=number, is_dirty=False
        ),
        machine='{"cpu_model":"a processor"}',
        runtime="CPython 3.11.7",
        libraries='{"msgspec":"0.22"}',
        environment="{}",
        ratios=(one,),
    )
    return replace(made, **changes)
