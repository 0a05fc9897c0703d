"""What is asked of a gate: which scenarios, on which tree, within which budget and margin. Pure data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Literal

from bench.scenario import SETTINGS, V2
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.scenario import Scenario, Setting
    from bench.targets import Target

TREE = TreeSpec(experiments=10, checkpoints_per_experiment=5, wandb_share=1.0, metrics_share=0.0)
QUICK_TREE = TreeSpec(wandb_share=1.0, metrics_share=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """What is to be gated: the scenarios that `pattern` chooses, `budget_s` each, all times within `margin`.

    `is_growing`: how times grow over trees of several sizes is compared besides, for as much again.
    `instructions`: whether they are counted too, and then explain or decide.
    """

    started_at: str
    targets: tuple[Target, ...]
    trees_dir: Path
    pattern: str = ""
    budget_s: float = 60.0
    margin: float = 0.01
    seed: int = 0
    is_quick: bool = False
    instructions: Literal["", "explain", "gate"] = ""
    is_growing: bool = False

    @property
    def spec(self) -> TreeSpec:
        """The tree on which everything is measured."""
        return replace(QUICK_TREE if self.is_quick else TREE, seed=self.seed)

    def is_chosen(self, name: str) -> bool:
        """Whether a benchmark of this name was asked for."""
        return self.pattern in name or fnmatch(name, self.pattern)

    def scenarios(self, *, is_any_callable: bool = False) -> tuple[tuple[Setting, Scenario], ...]:
        """Every scenario to be measured beside a reference, which may be a callable of somebody's.

        Such a callable knows of no state to be measured in. Only if the pattern chooses them: those that wait
        for a W&B server, which is not the catalog's work.
        """
        return tuple(
            (setting, scenario)
            for setting in SETTINGS
            for scenario in setting.scenarios
            if self.is_chosen(scenario.name)
            and (self.pattern or not scenario.candidate.is_asking_wandb)
            and not (self.is_quick and setting.is_cold)
            and not setting.is_first_call
            and not (is_any_callable and scenario.candidate != V2)
        )


def announcement(request: GateRequest, are_any_callables: Sequence[bool] = (False,)) -> tuple[str, ...]:
    """What a gate will do, said before it does any of it; for each reference whether it is a callable."""
    beside = [
        [scenario.name for _, scenario in request.scenarios(is_any_callable=one)] for one in are_any_callables
    ]
    names = dict.fromkeys(name for some in beside for name in some)
    total_s = sum(map(len, beside)) * request.budget_s * (2 if request.is_growing else 1)
    references = f", beside each of {len(beside)} references" if len(beside) > 1 else ""
    return (
        f"Measures {', '.join(names) or 'nothing'} on {request.spec.checkpoints} checkpoints{references}.",
        f"{request.budget_s:g} s a benchmark, at most {total_s:g} s in all; less where the answer is clear.",
        *(["Counts instructions after that, some 40 s a benchmark."] if request.instructions else []),
    )


def tree_of(request: GateRequest) -> dict[str, object]:
    """The tree of a gate as a baseline names it."""
    return asdict(request.spec)
