"""How often a trend finds what is not there, and what is: by simulation, through the trend's own search.

A history is looked at again after every commit, as a project does that shows its trend each day; a change that
is found in any of these looks counts, near ones once.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Literal, TextIO

import numpy as np

from bench.changes import LEAST_COMMITS, find_changes
from bench.simulation import Rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

Noise = Literal["normal", "heavy tails", "outliers"]
NOISES: tuple[Noise, ...] = ("normal", "heavy tails", "outliers")
SDS = (0.005, 0.0075, 0.01)
_NEAR = 5


def noise(rng: Generator, commits: int, kind: Noise) -> Values:
    """Noise of standard deviation 1: normal, Student's with 4 degrees of freedom, or 2 % of commits far off."""
    if kind == "heavy tails":
        return np.asarray(rng.standard_t(4, commits) / np.sqrt(2.0))
    drawn = rng.normal(size=commits)
    if kind == "outliers":
        drawn += (rng.random(commits) < 0.02) * rng.choice([-1.0, 1.0], commits) * rng.uniform(3, 50, commits)
    return drawn


def course(before: int, during: int, after: int, change: float) -> Values:
    """Logarithms of ratios without noise: level, then up by `change` over `during` commits, then level."""
    size = np.log1p(change)
    rising = np.linspace(0.0, size, during + 1)[1:]
    return np.concatenate([np.zeros(before), rising, np.full(after, size)])


def false_changes(rng: Generator, commits: int, kind: Noise, *, sd: float = 0.01) -> int:
    """How many changes a history of nothing but noise shows in any look after any commit.

    No change is too small to count here, so that the standard deviation makes no difference.
    """
    ratios = np.exp(noise(rng, commits, kind) * sd).tolist()
    found: set[int] = set()
    for count in range(LEAST_COMMITS, commits + 1):
        changes = find_changes(ratios[:count], least_change=1e-9).changes
        found |= {one.first // _NEAR for one in changes}
    return len(found)


def is_found(rng: Generator, lengths: tuple[int, int, int], sd: float, change: float = 0.03) -> bool:
    """Whether the last look at a history shows a change in the right direction where it was made."""
    before, during, _ = lengths
    clean = course(*lengths, change)
    found = find_changes(np.exp(clean + noise(rng, clean.size, "normal") * sd).tolist()).changes
    return any(one.size.estimate > 0 and one.first <= before + during and one.last >= before for one in found)


COURSES = {
    "3 % over 20 commits, 20 before, when it ends": (20, 20, 0),
    "3 % over 20 commits, 200 before, when it ends": (200, 20, 0),
    "3 % over 20 commits, 20 before, 20 after": (20, 20, 20),
    "3 % at once, 20 before, 5 commits later": (20, 1, 4),
    "3 % at once, 20 before, 20 commits later": (20, 1, 19),
}


def main(arguments: Sequence[str], out: TextIO) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.change_rates", description="error rates of trends")
    parser.add_argument("--histories", type=int, default=20, help="of noise alone, of each kind")
    parser.add_argument("--commits", type=int, default=1000, help="in each of them")
    parser.add_argument("--changes", type=int, default=1000, help="histories with a change, of each kind")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args(arguments)
    rng = np.random.default_rng(wanted.seed)
    out.write("| noise | histories | false changes | histories with one |\n|---|---|---|---|\n")
    for kind in NOISES if wanted.histories else ():
        counts = [false_changes(rng, wanted.commits, kind) for _ in range(wanted.histories)]
        with_one = Rate(sum(one > 0 for one in counts), len(counts))
        out.write(f"| {kind} | {wanted.histories} of {wanted.commits} commits | {sum(counts)} | {with_one} |\n")
        out.flush()
    heads = " | ".join(f"sd {100 * sd:g} %" for sd in SDS)
    out.write(f"\n| change | {heads} |\n|---|{'---|' * len(SDS)}\n")
    for name, lengths in COURSES.items():
        rates = (
            Rate(sum(is_found(rng, lengths, sd) for _ in range(wanted.changes)), wanted.changes) for sd in SDS
        )
        out.write(f"| {name} | {' | '.join(str(one) for one in rates)} |\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout)
