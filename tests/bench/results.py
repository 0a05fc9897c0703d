"""A result with something of everything: a good row, a void one, a difference, a missed target."""

from __future__ import annotations

from bench.asking_cell import AskingCell
from bench.result import (
    Declared,
    EqualityOutcome,
    EqualityVerdict,
    Interval,
    Noise,
    Result,
    Row,
    RowVerdict,
    SettingRecord,
    TargetOutcome,
    TargetState,
    Timing,
    TreeRecord,
)

TREE = "50 x 48 MB"
ESCAPE = "evil\x1b[31m|name`<b>"

GOOD = Row(
    scenario="sidecars-warm",
    title="sidecars, first load",
    setting="sidecars-warm",
    tree=TREE,
    checkpoints=50,
    checkpoint_bytes=48_000_000,
    sidecar_share=1.0,
    cache_state="warm",
    claimed_legacy="2-5 s",
    claimed_v2="< 10 ms",
    claimed_ratio="200-500x",
    reference=Timing(
        contestant="legacy",
        total_ns=Interval(estimate=1.25e9, low=1.2e9, high=1.3e9),
        per_checkpoint_ns=25e6,
        calls=12,
        processes=3,
    ),
    candidate=Timing(
        contestant="v2",
        total_ns=Interval(estimate=4.5e6, low=4.4e6, high=4.6e6),
        per_checkpoint_ns=90e3,
        calls=120,
        processes=3,
    ),
    ratio=Interval(estimate=277.8, low=260.0, high=295.0),
    times_floor=3.2,
    verdict=RowVerdict.HOLDS,
)
VOID = Row(
    scenario="header-warm",
    title="no sidecars, first load",
    setting="header-warm",
    tree=TREE,
    checkpoints=50,
    checkpoint_bytes=48_000_000,
    sidecar_share=0.0,
    cache_state="warm",
    claimed_legacy="2-5 s",
    claimed_v2="2-5 s",
    claimed_ratio="~1x",
    verdict=RowVerdict.OUTPUTS_DIFFER,
    remarks=(f"{ESCAPE}: epochs: v2 says 3, expected says 4",),
)
EQUAL = EqualityOutcome(
    setting="sidecars-warm",
    tree=TREE,
    left="v2",
    right="expected",
    entries=50,
    fields=16,
    differences=0,
    verdict=EqualityVerdict.EQUAL,
)
UNEQUAL = EqualityOutcome(
    setting="header-warm",
    tree=TREE,
    left="v2",
    right="expected",
    entries=50,
    fields=16,
    differences=2,
    verdict=EqualityVerdict.DIFFER,
    reason=f"{ESCAPE}: epochs: v2 says 3, expected says 4 (and 1 more)",
)
MET = TargetOutcome(
    name="first-load-small",
    limit="< 1 s, up to 50 checkpoints",
    scenario="sidecars-warm",
    tree=TREE,
    measured=Interval(estimate=0.0045, low=0.0044, high=0.0046),
    unit="s",
    verdict=TargetState.MET,
)
MISSED = TargetOutcome(
    name="memory",
    limit="< 100 MB",
    scenario="sidecars-warm",
    tree=TREE,
    measured=Interval(estimate=123.0, low=123.0, high=123.0),
    unit="MB",
    verdict=TargetState.MISSED,
)
RESULT = Result(
    started_at="2026-01-01T00:00:00+00:00",
    is_complete=True,
    profile="small",
    seed=7,
    is_quick=False,
    budget_s=200.0,
    environment={"commit": "abc", "libraries": {"torch": "2.13.0"}, "dirty": None, "affinity": [0, 1]},
    contestants={"v2": "catalog.subjects:v2"},
    trees=(TreeRecord(name=TREE, spec={"seed": 7}, checkpoints=50, listed=50, size_bytes=2_400_000_000),),
    rows=(GOOD, VOID),
    targets=(MET, MISSED),
    equality=(EQUAL, UNEQUAL),
    declared=(Declared(what="legacy never asks W&B", checkpoints=9),),
    noise=(Noise(setting="sidecars-warm", tree=TREE, ratio=Interval(estimate=1.002, low=0.99, high=1.01)),),
    notes=("legacy takes 25.0 ms to 30.0 ms for a checkpoint here, and not the 2-5 s that was claimed",),
    settings=(SettingRecord(setting="sidecars-warm", tree=TREE, is_complete=True, samples={"groups": []}),),
    asking=(
        AskingCell(
            checkpoints=50,
            runs=10,
            latency_ms=20,
            is_whole_process=True,
            new_ns=(1.5e9, 1.45e9),
            once_ns=(1.5e9, 1.4e9),
            old_ns=(4.2e9,),
            least_ns=(1.2e9, 1.3e9),
            operations={"Viewer": 1, "Runs": 1, "RunSampledHistory": 10},
            old_operations={"Viewer": 1, "Run": 100},
            again=0,
        ),
    ),
    exit_code=3,
    verdict="outputs differ, so that no ratio of theirs counts",
)
