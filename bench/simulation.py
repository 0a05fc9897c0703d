"""How often the gate is wrong, by simulation: gates of process groups drawn from a pool, decided as real ones.

The pool holds whole groups, recorded or made up, of three arms of the same code. A simulated gate draws groups
from it with replacement, exchanges the arms' labels at random in each, and adds a known change to the
candidate's times. What decides is `bench.family`, the same as in a real gate. Run
`python -m bench.simulation --gates 20000`; `--recorded FILE` draws from recorded groups as well: a line of JSON
for each, `{"times": {arm: [ns of each round], ...}}` with three arms of the same code.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from math import log, log1p
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from scipy.stats import binomtest  # type: ignore[import-untyped]  # scipy ships no types

from bench.family import Family
from bench.sampling import pairs_per_group, values_of
from bench.statistics import ratio_of_values
from bench.verdict import DEFAULT_MARGIN, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from numpy.random import Generator
    from numpy.typing import NDArray

    from bench.sampling import Final

ARMS = 3
OFF = log(1.5)
"""What an injected outlier is off by."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Groups to draw from: `values[group, arm, other]` is the group value of two arms of the same code."""

    name: str
    values: NDArray[np.float64]

    def draw(
        self, rng: Generator, groups: int, *, change: float = 0.0, outliers: float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of the candidate, which takes 1 + `change` times as long, and of the A/A arm.

        `outliers` is the share of groups in which the candidate is off by half, in either direction.
        """
        chosen = rng.integers(len(self.values), size=groups)
        candidate, reference, again = rng.permuted(np.tile(np.arange(ARMS), (groups, 1)), axis=1).T
        off = np.where(rng.random(groups) < outliers, rng.choice([-OFF, OFF], size=groups), 0.0)
        ours = self.values[chosen, candidate, reference] + log1p(change) + off
        return ours, self.values[chosen, again, reference]


def pool_of(name: str, groups: Sequence[Mapping[str, Sequence[float]]]) -> Pool:
    """A pool of recorded groups: in each, the times of its arms' rounds in order.

    Raises ValueError for fewer than two groups, or another number of arms than three; InsufficientData for
    times that are not above 0 and finite.
    """
    if len(groups) < 2 or any(len(group) != ARMS for group in groups):
        raise ValueError(f"expected two groups or more of {ARMS} arms of the same code each, found others")
    arms = [[list(group.values())[arm] for group in groups] for arm in range(ARMS)]
    values = np.zeros((len(groups), ARMS, ARMS))
    for reference in range(ARMS):
        one, other = (reference + 1) % ARMS, (reference + 2) % ARMS
        found = values_of(arms[one], arms[reference], arms[other])
        values[:, one, reference], values[:, other, reference] = found
    return Pool(name, values)


def made_up(rng: Generator, *, between_sd: float, pair_sd: float = 0.06, pairs: int = 30) -> Pool:
    """A pool of 4,000 groups with normal noise of log-ratios: between processes, and between pairs."""
    groups = 4000
    process = rng.normal(0.0, between_sd / np.sqrt(2.0), (groups, ARMS, 1))
    times = np.exp(process + rng.normal(0.0, pair_sd / np.sqrt(2.0), (groups, ARMS, pairs)))
    return pool_of(
        f"normal, {100 * between_sd:g} % between processes, {100 * pair_sd:g} % between {pairs} pairs a group",
        [dict(zip("abc", group, strict=True)) for group in times.tolist()],
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """What all gates of a simulation have in common."""

    group_s: float
    benchmarks: int = 1
    budget_s: float = 60.0
    benchmark_budget_s: float = 60.0
    margin: float = DEFAULT_MARGIN
    change: float = 0.0
    outliers: float = 0.0


class Gate(NamedTuple):
    """A simulated gate: its finals by benchmark, and the time that it would have taken."""

    finals: dict[str, Final]
    elapsed_s: float


CHANGED = "0"
"""The benchmark that a change is injected into, among all of a simulated gate."""


def gates(pool: Pool, setting: Setting, rng: Generator, count: int) -> Iterator[Gate]:
    """Simulate `count` gates, each independent of the others."""
    names = [str(index) for index in range(setting.benchmarks)]
    for _ in range(count):
        family = Family(
            names,
            budget_s=setting.budget_s,
            benchmark_budget_s=setting.benchmark_budget_s,
            margin=setting.margin,
        )
        elapsed_s = 0.0
        while (request := family.next()) is not None:
            change = setting.change if request.name == CHANGED else 0.0
            values, again = pool.draw(rng, request.groups, change=change, outliers=setting.outliers)
            took_s = request.groups * setting.group_s
            family.record(request.name, values, again, took_s)
            elapsed_s += took_s
        yield Gate(family.finals(), elapsed_s)


class Cost(NamedTuple):
    """What a group's time is made of: starting its processes, and calls of three arms in each of its pairs."""

    start_s: float
    call_s: float

    @property
    def pairs(self) -> int:
        """As many as a real gate would take."""
        return pairs_per_group(self.start_s, ARMS * self.call_s)

    @property
    def group_s(self) -> float:
        """The time of a group."""
        return self.start_s + self.pairs * ARMS * self.call_s


class Rate(NamedTuple):
    """How often something happened, with the exact interval (Clopper-Pearson, 95 %)."""

    happened: int
    of: int

    def __str__(self) -> str:
        interval = binomtest(self.happened, self.of).proportion_ci()
        low, high = 100 * interval.low, 100 * interval.high
        return f"{self.happened} of {self.of} ({low:.3g} to {high:.3g} %)"


class Row(NamedTuple):
    """The answers of many gates about one benchmark (or, of a family without a change, about any)."""

    gates: int
    slower: int
    verdicts: Mapping[Verdict, int]
    covered: Rate
    median_s: float


def tally(setting: Setting, simulated: Iterator[Gate]) -> Row:
    """Count verdicts.

    `slower` counts gates in which the changed benchmark is called slower, or any at all where nothing is
    changed; `verdicts` and `covered` speak of the benchmark `CHANGED`.
    """
    slower = covered = of = 0
    verdicts = dict.fromkeys(Verdict, 0)
    times_s = []
    for gate in simulated:
        looked_at = [gate.finals[CHANGED]] if setting.change else list(gate.finals.values())
        slower += any(final.verdict is Verdict.SLOWER for final in looked_at)
        final = gate.finals[CHANGED]
        verdicts[final.verdict] += 1
        if final.ratio is not None:
            of += 1
            covered += final.ratio.low <= 1.0 + setting.change <= final.ratio.high
        times_s.append(gate.elapsed_s)
    return Row(len(times_s), slower, verdicts, Rate(covered, of), float(np.median(times_s)))


def coverage(pool: Pool, rng: Generator, *, groups: int, count: int, confidence: float = 0.95) -> Rate:
    """How often the interval at a fixed number of groups holds the true ratio, which is 1."""
    held = 0
    for _ in range(count):
        ratio = ratio_of_values(pool.draw(rng, groups)[0], confidence=confidence)
        held += ratio.low <= 1.0 <= ratio.high
    return Rate(held, count)


BETWEEN_SDS = (0.005, 0.012, 0.02)
"""Noise between processes of the pools that are made up."""

COST = Cost(start_s=0.4, call_s=0.005)
"""What a group of a pool that is made up costs in the whole table."""

COSTS = tuple(Cost(start_s, call_s) for start_s in (0.35, 0.5, 0.8) for call_s in (0.001, 0.005, 0.01))
"""The same in the table of costs, beside the largest noise between processes."""

FIXED_GROUPS = (16, 64, 128)
CHANGES = ((0.0, 0.0), (0.0, 0.01), (0.03, 0.0), (0.03, 0.01), (0.05, 0.0), (0.1, 0.0))
"""Changes, each with its share of outliers."""

FAMILY = 50
FAMILY_BUDGET_S = 600.0
GATES_A_FAMILY = 10
"""For so many gates of each kind one family is simulated."""


def table(pool: Pool, rng: Generator, *, count: int, group_s: float) -> Iterator[str]:
    """The rates as lines of Markdown: `count` gates of each kind, and families among them."""
    yield f"\n### {pool.name}; {len(pool.values)} groups to draw from, {group_s:g} s a group\n"
    yield "| gate | slower | equivalent | faster | inconclusive | 95 % interval covers | median time |"
    yield "|---|---|---|---|---|---|---|"
    for change, outliers in CHANGES:
        setting = Setting(group_s=group_s, change=change, outliers=outliers)
        yield _line(setting, tally(setting, gates(pool, setting, rng, count)))
    for change in (0.0, 0.03):
        setting = Setting(group_s=group_s, benchmarks=FAMILY, budget_s=FAMILY_BUDGET_S, change=change)
        yield _line(setting, tally(setting, gates(pool, setting, rng, max(1, count // GATES_A_FAMILY))))
    yield ""
    for groups in FIXED_GROUPS:
        held = coverage(pool, rng, groups=groups, count=max(count, 1))
        yield f"- at {groups} groups, fixed, the 95 % interval covers in {held}"


def table_of_costs(rng: Generator, *, count: int) -> Iterator[str]:
    """What is found, and what passes, where starts and calls are dear; as lines of Markdown."""
    between_sd = max(BETWEEN_SDS, default=0.02)
    yield f"\n### {100 * between_sd:g} % between processes, by what a group costs\n"
    yield "| start | call | pairs | group | +3 % found | A/A slower | A/A equivalent | +3 % in one of 50 |"
    yield "|---|---|---|---|---|---|---|---|"
    for cost in COSTS:
        pool = made_up(rng, between_sd=between_sd, pairs=cost.pairs)
        setting = Setting(group_s=cost.group_s)
        same = tally(setting, gates(pool, setting, rng, count))
        changed = replace(setting, change=0.03)
        found = tally(changed, gates(pool, changed, rng, count))
        many = replace(changed, benchmarks=FAMILY, budget_s=FAMILY_BUDGET_S)
        families = tally(many, gates(pool, many, rng, max(1, count // GATES_A_FAMILY)))
        rates = " | ".join(
            str(Rate(happened, of))
            for happened, of in (
                (found.slower, count),
                (same.slower, count),
                (same.verdicts[Verdict.EQUIVALENT], count),
                (families.slower, families.gates),
            )
        )
        yield (
            f"| {cost.start_s:g} s | {1e3 * cost.call_s:g} ms | {cost.pairs} | {cost.group_s:.2f} s | {rates} |"
        )


def _line(setting: Setting, row: Row) -> str:
    name = f"{100 * setting.change:+g} %" if setting.change else "A/A"
    if setting.outliers:
        name += f", {100 * setting.outliers:g} % of groups off by half"
    if setting.benchmarks > 1:
        name = f"{setting.benchmarks} benchmarks, {name}{' in one' if setting.change else ''}"
    others = [Verdict.EQUIVALENT, Verdict.FASTER, Verdict.INCONCLUSIVE]
    counts = " | ".join(str(row.verdicts[one]) for one in others)
    return f"| {name} | {Rate(row.slower, row.gates)} | {counts} | {row.covered} | {row.median_s:.0f} s |"


def main(arguments: Sequence[str], out: TextIO) -> None:
    """Print the table of rates."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulation", description="error rates of the gate")
    parser.add_argument("--gates", type=int, default=1000, help="gates of each kind (default: %(default)s)")
    parser.add_argument(
        "--group-s", type=float, default=0.6, help="seconds a recorded group (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recorded", action="append", default=[], metavar="FILE", help="draw from these, too")
    wanted = parser.parse_args(arguments)
    rng = np.random.default_rng(wanted.seed)
    for path in wanted.recorded:
        with open(path, "rb") as lines:
            groups = [msgspec.json.decode(line)["times"] for line in lines]
        _print(table(pool_of(path, groups), rng, count=wanted.gates, group_s=wanted.group_s), out)
    for between_sd in BETWEEN_SDS:
        pool = made_up(rng, between_sd=between_sd, pairs=COST.pairs)
        _print(table(pool, rng, count=wanted.gates, group_s=COST.group_s), out)
    _print(table_of_costs(rng, count=wanted.gates), out)


def _print(lines: Iterator[str], out: TextIO) -> None:
    for line in lines:
        out.write(f"{line}\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdout)
