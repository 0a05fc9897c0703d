"""Every contestant of every setting timed; wrong answers and missed targets fail.

pytest-benchmark times in one process, one benchmark after the other: good for trends and for other tools.
A comparison of two implementations is what `ckpt-bench reproduce` is for, which lets them take turns.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench.arms import isolated
from bench.equality import compare, listing_of, listing_of_expected
from bench.operations import count_operations
from bench.pagecache import drop
from bench.scenario import CONFIG_FILENAMES, SETTINGS
from bench.subject import Subject, resolve
from bench.subject_host import plain_answer
from bench.worker import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from bench.scenario import Contestant, Setting
    from bench.targets import Target
    from bench.trees import GrownTree, Variant

ROUNDS = 7
BENCHMARKS = [
    pytest.param(setting, one, id=f"{setting.name}-{one.name}")
    for setting in SETTINGS
    for one in setting.contestants
]


class TimedCatalog:
    """A contestant on a tree: what is run before each call, the call, and its last answer."""

    def __init__(self, contestant: Contestant, variant: Variant, *, is_cold: bool) -> None:
        self._subject = resolve(contestant.target)
        self._arguments = (variant.root, CONFIG_FILENAMES)
        self._is_cold = is_cold
        self._last: tuple[object, list[Any]] = ((), [])

    def prepare(self) -> None:
        """Run the subject's own preparation, then make the tree cold where that is meant."""
        preparation = getattr(self._subject, "prepare", None)
        if preparation is not None:
            preparation(*self._arguments)
        if self._is_cold and not drop(self._arguments[0]).cold:
            pytest.fail(f"{self._arguments[0]}: expected its files out of the page cache, found them in it")

    def call(self) -> None:
        """List the tree, every record taken."""
        answer = self._subject(*self._arguments)
        self._last = (answer, list(answer))

    @property
    def answer(self) -> Answer:
        """The last answer as plain values."""
        return msgspec.convert(plain_answer(*self._last), Answer)


@pytest.mark.parametrize(("setting", "contestant"), BENCHMARKS)
def test_catalog(
    setting: Setting,
    contestant: Contestant,
    tree: GrownTree,
    is_cold_possible: bool,
    targets: tuple[Target, ...],
    settle: Callable[[Contestant, Variant], None],
    benchmark: BenchmarkFixture,
    tmp_path: Path,
) -> None:
    """Time one contestant in one setting, check its answer, then hold its median against its targets."""
    if setting.is_cold and not is_cold_possible:
        pytest.skip("this system does not let files be made cold")
    variant = tree.with_sidecars(setting.sidecar_share)
    settle(contestant, variant)
    benchmark.group = f"{setting.name}, {variant.name}"
    timed = TimedCatalog(contestant, variant, is_cold=setting.is_cold)
    benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark has no types
        timed.call, setup=timed.prepare, rounds=ROUNDS, warmup_rounds=1
    )
    check_answer(contestant, variant, timed.answer)
    if contestant.is_asking_wandb:
        subject = Subject(contestant.name, contestant.target, environment=isolated(tmp_path))
        call = Call(variant.root, CONFIG_FILENAMES)
        benchmark.extra_info["operations"] = count_operations(subject, variant.runs, call)
    if benchmark.stats is not None:
        median_s = median(benchmark.stats.stats.data)
        benchmark.extra_info["checkpoints"] = variant.listed
        check_targets(setting, contestant, variant.listed, median_s, targets)


def check_answer(contestant: Contestant, variant: Variant, answer: Answer) -> None:
    """Fail where nothing was listed, or the answer is not the one that the tree was generated to have."""
    if variant.listed < 1 or len(answer.records) < variant.listed:
        pytest.fail(f"nothing measured: {len(answer.records)} of {variant.listed} checkpoints listed")
    expected = variant.expected_with_runs if contestant.is_asking_wandb else variant.expected
    right = listing_of_expected(expected, as_old_records=contestant.has_old_records)
    differences = (
        ()
        if contestant.is_floor
        else compare(listing_of(answer, variant.root), right, fields=contestant.fields)
    )
    for one in differences[:1]:
        says = f"{contestant.name} says {one.left}, expected {one.right}"
        pytest.fail(f"outputs differ: {one.path}: {one.field}: {says}")


def check_targets(
    setting: Setting, contestant: Contestant, listed: int, median_s: float, targets: Sequence[Target]
) -> None:
    """Fail on a missed time target; memory is looked at by `ckpt-bench reproduce`, in a process of its own."""
    scenarios = {one.name for one in setting.scenarios if one.candidate == contestant}
    units_s = {"seconds": 1.0, "milliseconds_per_checkpoint": listed / 1000}
    for target in targets:
        is_meant = target.scenario in scenarios and target.is_for(target.scenario, listed)
        # Not `>`: a NaN keeps no target.
        if is_meant and target.measure in units_s and not median_s <= target.limit * units_s[target.measure]:
            pytest.fail(f"target {target.name} missed: expected {target.text}, found {median_s:.4g} s")
