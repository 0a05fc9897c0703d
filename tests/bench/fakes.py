"""Measurements without processes: answers made of what a tree is expected to have, times as a test wishes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.equality import ENTRY_FIELDS
from bench.measurement import Failure, Group, Measurement, Plan, Round
from bench.trees import Variant
from bench.worker import Answer, Loaded, Sample
from fixtures.draw import draw
from fixtures.expected import expected
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.scenario import Contestant, Setting
    from fixtures.expected import Expected

ROOT = Path("/trees/outputs")
TIMES_NS = {"legacy": 400_000_000, "floor-read": 50_000, "floor-stat": 20_000}
SPEC = TreeSpec(wandb_share=1.0, metrics_share=0.0)


@cache
def variant_of(spec: TreeSpec = SPEC, root: Path = ROOT) -> Variant:
    """What a tree of `spec` would be; nothing is written."""
    plan = draw(spec)
    return Variant(
        "14 x 0.06 MB",
        root,
        spec,
        expected(plan, runs=False, outputs_name=root.name),
        expected(plan, runs=True, outputs_name=root.name),
        plan.runs,
    )


def answer_of(told: Expected, fields: Sequence[str] = ENTRY_FIELDS, root: Path = ROOT) -> Answer:
    """The answer of an implementation that is right and has these fields."""
    is_old = "score" not in fields
    records = []
    for entry in told.entries:
        record = {name: getattr(entry, name) for name in fields if name != "display_option"}
        record["checkpoint_path"] = f"{root}/{entry.checkpoint_path}"
        if entry.config_path is not None:
            record["config_path"] = f"{root}/{entry.config_path}"
        records.append(record)
    texts: list[str | None] = [
        entry.legacy_display_option if is_old else entry.display_option for entry in told.entries
    ]
    if is_old:
        return Answer(records, texts, None, None)
    return Answer(
        records,
        texts,
        [f"{root}/{path}" for path in sorted(told.skipped)],
        [f"{root}/{path}" for path in sorted(told.problems)],
    )


def right_answer(one: Contestant, variant: Variant) -> Answer:
    """What a contestant answers that is right; a floor answers with nameless records."""
    if one.is_floor:
        return Answer([{} for _ in variant.expected.entries], [None] * variant.listed, None, None)
    told = variant.expected_with_runs if one.is_asking_wandb else variant.expected
    return answer_of(told, one.fields, variant.root)


def measurement_of(
    setting: Setting,
    variant: Variant,
    *,
    answers: Mapping[str, Sequence[Answer]] | None = None,
    failures: Iterable[Failure] = (),
    groups: int = 6,
    rounds: int = 4,
) -> Measurement:
    """Everybody right and steady, V2 in all its forms 1 ms a call, unless said otherwise."""
    names = tuple(one.name for one in setting.contestants)
    given: dict[str, tuple[Answer, ...]] = {
        one.name: (right_answer(one, variant),) for one in setting.contestants
    }
    given |= {name: tuple(told) for name, told in (answers or {}).items()}
    failed = tuple(failures)
    return Measurement(
        plan=Plan(processes=groups, rounds=rounds),
        groups=tuple(_group(names, number, rounds) for number in range(groups)),
        answers={name: told for name, told in given.items() if name not in {one.arm for one in failed}},
        failures=failed,
        calls_per_round=dict.fromkeys(names, 1),
        complete=True,
        elapsed_s=1.0,
    )


def _group(names: tuple[str, ...], number: int, rounds: int) -> Group:
    loaded = Loaded(import_ns=1_000, origin=None, python="3.11", hash_seed="0", affinity=None)
    # A little spread between processes and between rounds, or there is no interval to speak of.
    taken = [
        Round(
            order=names,
            samples={
                name: (Sample(TIMES_NS.get(name, 1_000_000) * (1000 + number + turn) // 1000, 1, 14),)
                for name in names
            },
        )
        for turn in range(rounds)
    ]
    return Group(number, names, dict.fromkeys(names, loaded), tuple(taken))
