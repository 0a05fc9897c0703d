"""What is measured: which implementation, on which tree, in which state, beside what, for which claim.

A *scenario* is one row of a report. Scenarios that share a tree and the state of the page cache share a
*setting*: their implementations take turns in one measurement, so that every ratio is one of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.equality import ENTRY_FIELDS, INFO_FIELDS
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from bench.subject import Subject

CONFIG_FILENAMES = ("config.yaml", "hparams.yaml")
"""The configured names that every subject is called with: the contract's defaults."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One implementation that takes part: its name, what is called, and what its answer is held to.

    `fields` are compared (none: a floor, whose answer is only counted). `is_asking_wandb`: its answer is
    held to what the runs tell too, and a server with `latency_ms` serves it. `subject` is given where it is
    somebody else's: with its folders, interpreter and names of fields. `is_remembering`: it answers from what
    it remembers, if the tree has settled.
    """

    name: str
    target: str
    fields: tuple[str, ...] = ENTRY_FIELDS
    is_asking_wandb: bool = False
    latency_ms: int = 0
    subject: Subject | None = field(default=None, hash=False)
    is_remembering: bool = False

    @property
    def is_floor(self) -> bool:
        """Whether it only reads or stats, and has no answer to compare."""
        return not self.fields

    @property
    def has_old_records(self) -> bool:
        """Whether it answers in the old API's records, whose display text is another."""
        return self.fields == INFO_FIELDS


LEGACY = Contestant("legacy", "catalog.subjects:legacy")
V2 = Contestant("v2", "catalog.subjects:v2")
V2_AGAIN = replace(V2, name="v2-again")
ADAPTER = Contestant("adapter", "catalog.subjects:adapter", INFO_FIELDS)
REMEMBERED = Contestant("v2-remembered", "catalog.subjects:v2_remembered", is_remembering=True)
INDEX = Contestant("v2-index", "catalog.subjects:v2_index", is_remembering=True)
READ_FLOOR = Contestant("floor-read", "bench.floor:read_files", ())
STAT_FLOOR = Contestant("floor-stat", "bench.floor:stat_files", ())


def asking_wandb(latency_ms: int) -> Contestant:
    """V2 with the W&B fallback, each answer of the server delayed by `latency_ms`."""
    return Contestant(
        f"v2-wandb-{latency_ms}ms",
        "catalog.subjects:v2_wandb",
        is_asking_wandb=True,
        latency_ms=latency_ms,
    )


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: `candidate` against `reference`, its distance to `floor`, beside `claim` (empty: none)."""

    name: str
    title: str
    candidate: Contestant
    floor: Contestant
    claim: str
    reference: Contestant = LEGACY


@dataclass(frozen=True, slots=True)
class Setting:
    """What scenarios have in common: the share of sidecars and the page cache; and who takes part besides.

    `weight` is its part of the time budget. `is_first_call`: only the first call of each process counts,
    with all that it imports and starts on the way; otherwise calls before it have done that.
    `is_for_every_tree`: measured on each tree of a profile, and not on the first alone.
    """

    name: str
    sidecar_share: float
    is_cold: bool
    scenarios: tuple[Scenario, ...]
    besides: tuple[Contestant, ...] = ()
    weight: float = 1.0
    is_first_call: bool = False
    is_for_every_tree: bool = False

    @property
    def contestants(self) -> tuple[Contestant, ...]:
        """Everybody who takes part, each once."""
        chosen: dict[str, Contestant] = {}
        for scenario in self.scenarios:
            for one in (scenario.reference, scenario.candidate, scenario.floor):
                chosen[one.name] = one
        chosen |= {one.name: one for one in self.besides}
        return tuple(chosen.values())

    @property
    def cache_state(self) -> str:
        """The state of the page cache in a word."""
        return "cold" if self.is_cold else "warm"


WANDB_LATENCIES_MS = (0, 20, 100)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "sidecars-warm",
        1.0,
        False,
        (
            Scenario("sidecars-warm", "sidecars, first load", V2, READ_FLOOR, "sidecars"),
            Scenario("remembered", "remembered, same process", REMEMBERED, STAT_FLOOR, "remembered"),
            Scenario("remembered-index", "remembered, index on disk", INDEX, STAT_FLOOR, "remembered"),
        ),
        besides=(V2_AGAIN, ADAPTER),
        weight=2.0,
        is_for_every_tree=True,
    ),
    Setting(
        "sidecars-cold",
        1.0,
        True,
        (Scenario("sidecars-cold", "sidecars, first load", V2, READ_FLOOR, "sidecars"),),
        is_for_every_tree=True,
    ),
    Setting(
        "mix-warm",
        0.5,
        False,
        (Scenario("mix-warm", "some sidecars, first load", V2, READ_FLOOR, "coverage"),),
        besides=(ADAPTER,),
        is_for_every_tree=True,
    ),
    Setting(
        "mix-cold",
        0.5,
        True,
        (Scenario("mix-cold", "some sidecars, first load", V2, READ_FLOOR, "coverage"),),
    ),
    Setting(
        "header-warm",
        0.0,
        False,
        (Scenario("header-warm", "no sidecars, first load", V2, READ_FLOOR, "fallback"),),
        besides=(ADAPTER,),
        is_for_every_tree=True,
    ),
    Setting(
        "header-cold",
        0.0,
        True,
        (Scenario("header-cold", "no sidecars, first load", V2, READ_FLOOR, "fallback"),),
    ),
    Setting(
        "wandb",
        0.0,
        False,
        tuple(
            Scenario(
                f"wandb-{latency_ms}ms",
                f"W&B, server {latency_ms} ms",
                asking_wandb(latency_ms),
                READ_FLOOR,
                "wandb",
            )
            for latency_ms in WANDB_LATENCIES_MS
        ),
        weight=2.0,
    ),
    Setting(
        "wandb-first-call",
        0.0,
        False,
        (
            Scenario(
                "wandb-first-call",
                "W&B, server 20 ms, first call",
                asking_wandb(20),
                READ_FLOOR,
                "wandb",
            ),
        ),
        is_first_call=True,
    ),
)
"""In the order in which a tree changes least: only sidecars come and go between them."""

UNTIDY = Setting("untidy", 0.6, False, (), besides=(LEGACY, V2, ADAPTER))
"""Compared and not timed: nested experiments, odd names, older and damaged sidecars, links, wrong types."""

UNTIDY_SPEC = TreeSpec(
    experiments=8, checkpoints_per_experiment=3, checkpoint_bytes=10_000, sidecar_share=0.6, untidiness=1.0
)

SCENARIOS = {scenario.name: scenario for setting in SETTINGS for scenario in setting.scenarios}
"""Every scenario by name; a target speaks of one of these."""


def chosen_settings(*, is_cold_wanted: bool, is_quick: bool, is_first_tree: bool) -> tuple[Setting, ...]:
    """The settings for one tree of a run.

    A quick one has each claim once, warm, and W&B without latency. Trees after the first show how the rows
    grow with the number of checkpoints.
    """
    chosen = [one for one in SETTINGS if is_cold_wanted or not one.is_cold]
    if not is_first_tree:
        chosen = [one for one in chosen if one.is_for_every_tree]
    if not is_quick:
        return tuple(chosen)
    return tuple(_quick(one) for one in chosen if not one.is_cold and not one.is_first_call)


def _quick(setting: Setting) -> Setting:
    return replace(setting, scenarios=setting.scenarios[:1]) if setting.name == "wandb" else setting
