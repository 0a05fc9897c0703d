"""What a result keeps of each setting: its tree, its raw samples, what was declared, and what was cut short."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from bench.result import Declared, SettingRecord, TreeRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measurement import Measurement
    from bench.scenario import Setting
    from bench.trees import Variant


def unfinished_note(settings: Sequence[SettingRecord]) -> str | None:
    """How many settings have fewer rounds than planned; `None` where all of them have theirs."""
    count = sum(not one.is_complete for one in settings)
    counted = f"in {count} of {len(settings)} settings"
    return f"fewer rounds than planned {counted}, for want of time or by failure" if count else None


def with_tree(trees: tuple[TreeRecord, ...], variant: Variant) -> tuple[TreeRecord, ...]:
    """The trees, with this one where it is new among them."""
    if any(tree.name == variant.name for tree in trees):
        return trees
    return (
        *trees,
        TreeRecord(
            name=variant.name,
            spec=asdict(variant.spec),
            checkpoints=variant.spec.checkpoints,
            listed=variant.listed,
            size_bytes=variant.spec.total_bytes,
        ),
    )


def with_declared(declared: tuple[Declared, ...], setting: Setting, variant: Variant) -> tuple[Declared, ...]:
    """The entries in which a W&B run tells something that legacy, which never asks, cannot know."""
    if not any(one.is_asking_wandb for one in setting.contestants):
        return declared
    alone = {entry.checkpoint_path: entry for entry in variant.expected.entries}
    told = sum(alone.get(entry.checkpoint_path) != entry for entry in variant.expected_with_runs.entries)
    what = f"{variant.name}, {setting.name}: legacy never asks W&B, so that its fields stay untold"
    return (*declared, Declared(what=what, checkpoints=told))


def setting_record(setting: Setting, variant: Variant, measurement: Measurement) -> SettingRecord:
    """The raw samples; the answers were compared and stay out, being as long as the catalog."""
    samples = msgspec.to_builtins(measurement)
    samples.pop("answers")
    return SettingRecord(
        setting=setting.name, tree=variant.name, is_complete=measurement.complete, samples=samples
    )
