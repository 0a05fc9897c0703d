"""What a reproduction is asked for, and what it says beforehand. Pure: nothing is generated or measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.asking import SPECS as ASKED_TREES
from bench.further import measured_too
from bench.scenario import chosen_settings

if TYPE_CHECKING:
    from pathlib import Path

    from bench.scenario import Setting
    from bench.subject import Subject
    from bench.targets import Target
    from fixtures.spec import TreeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be reproduced: the trees of a profile, within a budget of measuring time.

    `further` implementations are measured beside legacy and V2 where `bench.further` can. Generating the trees,
    looking at memory and asking W&B come on top of `budget_s`.
    """

    profile: str
    specs: tuple[TreeSpec, ...]
    seed: int
    targets: tuple[Target, ...]
    trees_dir: Path
    budget_s: float
    is_quick: bool = False
    is_cold_wanted: bool = True
    is_kept: bool = False
    further: tuple[Subject, ...] = ()

    def settings(self, number: int) -> tuple[Setting, ...]:
        """What is measured on the tree of this number (from 0), if its files can be made cold."""
        chosen = chosen_settings(
            is_cold_wanted=self.is_cold_wanted, is_quick=self.is_quick, is_first_tree=number == 0
        )
        return tuple(measured_too(self.further, one) for one in chosen)

    @property
    def asked(self) -> tuple[TreeSpec, ...]:
        """The trees on which W&B is asked, in one question and one by one, which a quick run leaves out."""
        sizes = () if self.is_quick else dict.fromkeys(spec.checkpoints for spec in self.specs)
        return tuple(replace(ASKED_TREES[size], seed=self.seed) for size in sizes if size in ASKED_TREES)


def announcement(request: Request) -> tuple[str, ...]:
    """What a run will do, said before it does any of it."""
    peak_bytes = max((spec.total_bytes for spec in request.specs), default=0)
    trees = ", then ".join(
        f"{spec.checkpoints} x {spec.checkpoint_bytes / 1e6:.3g} MB" for spec in request.specs
    )
    asked = " and ".join(str(spec.checkpoints) for spec in request.asked)
    stays = "kept afterwards" if request.is_kept else "removed afterwards"
    return (
        f"Generates {trees} checkpoints (at most {peak_bytes / 1e9:.2g} GB at a time, {stays}).",
        *(
            f"Measures on {spec.checkpoints}: {', '.join(one.name for one in request.settings(number))}."
            for number, spec in enumerate(request.specs)
        ),
        "Compares the answers of all implementations on each of them, and on a small untidy tree.",
        *(
            (f"Asks a local W&B server about {asked} small checkpoints, at once and one by one.",)
            if asked
            else ()
        ),
        f"Takes about {request.budget_s:.0f} s of measuring, and the time to write the trees"
        f"{' and to ask' if asked else ''}.",
    )
