"""The course of a run, with nothing generated, started or waited for."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from bench.asking_cell import AskingCell
from bench.environment import Environment
from bench.measurement import Failure, Resources
from bench.reproduce import Collaborators, reproduce
from bench.reproduce_request import Request, announcement
from bench.result import Result, RowVerdict, TargetState
from bench.scenario import SCENARIOS, SETTINGS, UNTIDY, UNTIDY_SPEC
from bench.targets import Target
from bench.worker import Memory
from fixtures.spec import TreeSpec
from tests.bench.fakes import ROOT, measurement_of, right_answer, variant_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.measurement import Arm, Measurement, Plan
    from bench.scenario import Setting
    from bench.trees import Variant
    from bench.worker import Answer, Call

ASKED = AskingCell(
    checkpoints=14,
    runs=7,
    latency_ms=0,
    is_whole_process=False,
    new_ns=(2e7, 3e7),
    once_ns=(1e7, 1e7),
    old_ns=(3e8,),
    least_ns=(1e7,),
    operations={"Runs": 1},
    old_operations={"Run": 28},
    again=0,
)
SECOND = Target("first-load", "sidecars-warm", "seconds", 1.0, 50)
MEMORY = Target("memory", "sidecars-warm", "megabytes", 100.0)


class StandInTree:
    """A tree that nobody wrote."""

    def __init__(self, spec: TreeSpec) -> None:
        self.root = ROOT
        self.name = "14 x 0.06 MB"
        self.spec = spec

    def with_sidecars(self, share: float) -> Variant:
        self.spec = replace(self.spec, sidecar_share=share)
        return variant_of(self.spec)


@dataclass
class World:
    """Collaborators that note what is asked of them; `wrong` maps an arm to what becomes of its answer."""

    wrong: dict[str, Any] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    is_cold_possible: bool = True
    peak_bytes: int | None = 30_000_000
    interrupted_at: str | None = None
    asking_fails_after: int | None = None
    events: list[str] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    kept: list[Result] = field(default_factory=list)

    def collaborators(self, home: Path) -> Collaborators:
        return Collaborators(
            grow=cast("Any", self.grow),  # a stand-in has what is used of a tree
            measure=self.measure,
            weigh=self.weigh,
            serve=self.serve,
            environment=lambda _: ENVIRONMENT,
            is_cold_possible=lambda _: self.is_cold_possible,
            monotonic_s=lambda: 0.0,
            keep_result=self.kept.append,
            say=self.events.append,
            home=home,
            ask=self.ask,
        )

    def ask(self, spec: TreeSpec, _parent: Path) -> Iterator[AskingCell]:
        assert spec.sidecar_share == spec.metrics_share == 0.0
        for number, latency_ms in enumerate((0, 20)):
            if number == self.asking_fails_after:
                raise ValueError("expected exit code 0, found 1")
            yield msgspec.structs.replace(ASKED, checkpoints=spec.checkpoints, latency_ms=latency_ms)

    @contextlib.contextmanager
    def grow(self, spec: TreeSpec, _parent: Path, *, keep: bool) -> Iterator[StandInTree]:
        assert keep is False
        if spec.untidiness:
            yield StandInTree(spec)
            return
        assert spec.wandb_share == spec.sidecar_share == 1.0
        self.events.append("grown")
        try:
            yield StandInTree(spec)
        finally:
            self.events.append("removed")

    @contextlib.contextmanager
    def serve(self, _runs: Any, *, latency_s: float, home: Path) -> Iterator[Mapping[str, str]]:
        assert latency_s in {0.0, 0.02, 0.1}
        assert home.is_dir()
        yield {}

    def measure(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        assert call.outputs_dir == ROOT
        assert isinstance(rng, random.Random)
        names = {arm.name for arm in arms}
        if names == {one.name for one in UNTIDY.contestants} and "untidy" in self.events[-1]:
            return self._answered(UNTIDY, variant_of(UNTIDY_SPEC))
        self.plans.append(plan)
        # What is measured was announced just before.
        setting = next(one for one in SETTINGS if f": {one.name}, " in self.events[-1])
        if setting.name == self.interrupted_at:
            raise KeyboardInterrupt
        chosen = tuple(one for one in setting.scenarios if one.candidate.name in names)
        setting = replace(setting, scenarios=chosen)
        assert {one.name for one in setting.contestants} == names
        assert setting.is_cold == plan.cold
        return self._answered(
            setting,
            variant_of(TreeSpec(wandb_share=1.0, metrics_share=0.0, sidecar_share=setting.sidecar_share)),
        )

    def _answered(self, setting: Setting, variant: Variant) -> Measurement:
        answers: dict[str, Sequence[Answer]] = {
            one.name: (self.wrong[one.name](right_answer(one, variant)),)
            for one in setting.contestants
            if one.name in self.wrong
        }
        return measurement_of(setting, variant, answers=answers, failures=self.failures)

    def weigh(self, arms: Sequence[Arm], call: Call, *, rng: random.Random) -> dict[str, Resources]:
        assert call.outputs_dir == ROOT
        assert isinstance(rng, random.Random)
        memory = None if self.peak_bytes is None else Memory(self.peak_bytes, None, "VmHWM")
        return {arm.name: Resources(memory) for arm in arms}


ENVIRONMENT = Environment(
    commit="abc",
    dirty=False,
    python="3.11",
    implementation="CPython",
    libraries={},
    cpu_model=None,
    logical_cores=2,
    physical_cores=2,
    affinity=(0, 1),
    memory_bytes=1,
    kernel="k",
    architecture="a",
    file_system="ext4",
    virtualisation=None,
    governor=None,
    load_average=None,
    clock_resolution_ns=1,
    missing={},
)


def request_of(**changes: Any) -> Request:
    return Request(
        **{
            "profile": "smoke",
            "specs": (TreeSpec(metrics_share=0.0),),
            "seed": 0,
            "targets": (SECOND, MEMORY),
            "trees_dir": Path("/trees"),
            "budget_s": 60.0,
            **changes,
        }
    )


def ran(world: World, home: Path, **changes: Any) -> Result:
    return reproduce(request_of(**changes), world.collaborators(home))


def dropped(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, records=[], display_options=[])


def renamed(answer: Answer) -> Answer:
    first, *others = answer.records
    return msgspec.structs.replace(answer, records=[{**first, "architecture": "other"}, *others])


def test_a_run_without_fault_passes_and_measures_every_scenario(tmp_path: Path) -> None:
    result = ran(World(), tmp_path)
    assert (result.exit_code, result.is_complete) == (0, True)
    assert [row.scenario for row in result.rows] == [
        one.name for setting in SETTINGS for one in setting.scenarios
    ]
    assert {one.verdict for one in result.targets} == {TargetState.MET}
    assert {one.name for one in result.targets} == {"first-load", "memory"}
    assert len(result.noise) == 1
    assert result.environment["commit"] == "abc"


def test_a_quick_run_covers_fewer_settings_in_less_time(tmp_path: Path) -> None:
    world = World()
    result = ran(world, tmp_path, is_quick=True)
    assert {row.setting for row in result.rows} == {"sidecars-warm", "mix-warm", "header-warm", "wandb"}
    assert all(plan.processes == 1 for plan in world.plans)
    assert result.exit_code == 0


def test_wandb_is_asked_about_every_tree_that_is_small_enough_for_asking_one_by_one(tmp_path: Path) -> None:
    second = TreeSpec(experiments=10, checkpoints_per_experiment=5)
    large = TreeSpec(experiments=100, checkpoints_per_experiment=10)
    request = request_of(specs=(TreeSpec(), second, large), seed=3)
    assert [spec.checkpoints for spec in request.asked] == [14, 50]
    assert {spec.seed for spec in request.asked} == {3}
    assert "Asks a local W&B server about 14 and 50 small checkpoints" in "\n".join(announcement(request))
    result = ran(World(), tmp_path)
    assert [(one.checkpoints, one.latency_ms) for one in result.asking] == [(14, 0), (14, 20)]


def test_a_quick_run_does_not_ask_one_by_one(tmp_path: Path) -> None:
    assert ran(World(), tmp_path, is_quick=True).asking == ()
    assert "W&B server" not in "\n".join(announcement(request_of(is_quick=True)))


def test_asking_that_fails_keeps_what_was_measured_and_is_no_success(tmp_path: Path) -> None:
    result = ran(World(asking_fails_after=1), tmp_path)
    assert len(result.asking) == 1
    assert result.exit_code == 5
    assert any("found 1" in note for note in result.notes)


def test_the_result_is_kept_after_every_setting(tmp_path: Path) -> None:
    world = World()
    ran(world, tmp_path)
    counts = [len(result.settings) for result in world.kept]
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]
    assert [len(result.asking) for result in world.kept] == [0] * 9 + [1, 2, 2]
    assert [result.is_complete for result in world.kept] == [False] * 11 + [True]


def test_an_interruption_removes_the_tree_and_keeps_what_was_measured(tmp_path: Path) -> None:
    world = World(interrupted_at="header-warm")
    with pytest.raises(KeyboardInterrupt):
        ran(world, tmp_path)
    assert world.events[-1] == "removed"
    assert {row.setting for row in world.kept[-1].rows} == {
        "sidecars-warm",
        "sidecars-cold",
        "mix-warm",
        "mix-cold",
    }


def test_raw_samples_are_kept_and_answers_are_not(tmp_path: Path) -> None:
    record = ran(World(), tmp_path).settings[0]
    assert record.samples["groups"][0]["rounds"][0]["samples"]["v2"][0]["elapsed_ns"] > 0
    assert "answers" not in record.samples


def test_fast_and_wrong_fails(tmp_path: Path) -> None:
    result = ran(World(wrong={"v2": renamed}), tmp_path)
    assert result.exit_code == 3
    row = result.rows[0]
    assert (row.verdict, row.ratio) == (RowVerdict.OUTPUTS_DIFFER, None)
    assert "architecture: v2 says 'other'" in row.remarks[0]
    assert {one.verdict for one in result.targets} == {TargetState.OUTPUTS_DIFFER}


def test_a_wrong_adapter_fails_though_it_has_no_row(tmp_path: Path) -> None:
    result = ran(World(wrong={"adapter": renamed}), tmp_path)
    assert result.exit_code == 3
    assert {row.verdict for row in result.rows}.isdisjoint({RowVerdict.OUTPUTS_DIFFER})


def test_a_catalog_that_lists_nothing_measures_nothing(tmp_path: Path) -> None:
    result = ran(World(wrong={"v2": dropped}), tmp_path)
    assert result.exit_code == 5
    assert result.rows[0].verdict is RowVerdict.NOTHING_MEASURED
    assert result.rows[0].remarks == ("v2 listed 0 of 14 checkpoints",)


def test_a_crash_measures_nothing_and_the_rest_goes_on(tmp_path: Path) -> None:
    result = ran(World(failures=(Failure("v2", "crashed", 0, 0, "signal SIGSEGV"),)), tmp_path)
    verdicts = {row.scenario: row.verdict for row in result.rows}
    assert result.exit_code == 5
    assert verdicts["sidecars-warm"] is RowVerdict.NOTHING_MEASURED
    assert verdicts["remembered"] is RowVerdict.BELOW


def test_a_missed_target_fails(tmp_path: Path) -> None:
    slow = Target("first-load", "sidecars-warm", "seconds", 0.0001)
    assert ran(World(), tmp_path, targets=(slow,)).exit_code == 1
    assert ran(World(peak_bytes=200_000_000), tmp_path).exit_code == 1


def test_memory_that_was_not_seen_is_no_memory_kept(tmp_path: Path) -> None:
    result = ran(World(peak_bytes=None), tmp_path)
    assert result.exit_code == 5


def test_where_nothing_can_be_made_cold_the_report_says_so(tmp_path: Path) -> None:
    result = ran(World(is_cold_possible=False), tmp_path)
    assert not any(row.cache_state == "cold" for row in result.rows)
    assert any("no cold row is measured" in note for note in result.notes)


def test_trees_follow_each_other_and_share_the_budget(tmp_path: Path) -> None:
    world = World()
    result = ran(world, tmp_path, specs=(TreeSpec(metrics_share=0.0), TreeSpec(metrics_share=0.0)))
    assert [event for event in world.events if event in {"grown", "removed"}] == ["grown", "removed"] * 2
    assert [row.scenario for row in result.rows[: len(SCENARIOS)]] == list(SCENARIOS)
    assert len(result.rows) == len(SCENARIOS) + 6
    # The stand-in's clock stands still, so that the last setting of a tree still has all of its share.
    assert world.plans[7].budget_s + world.plans[11].budget_s == pytest.approx(60.0)


def test_what_legacy_cannot_know_is_declared_with_its_count(tmp_path: Path) -> None:
    declared, _ = ran(World(), tmp_path).declared
    variant = variant_of(TreeSpec(metrics_share=0.0, wandb_share=1.0, sidecar_share=0.0))
    told = sum(
        one != other
        for one, other in zip(variant.expected.entries, variant.expected_with_runs.entries, strict=True)
    )
    assert declared.checkpoints == told


def test_a_first_call_is_the_only_one_of_its_process(tmp_path: Path) -> None:
    world = World()
    ran(world, tmp_path)
    assert [(plan.warmups, plan.rounds) for plan in world.plans] == [(1, 5)] * 7 + [(0, 1)]


def test_the_announcement_names_trees_disk_and_time() -> None:
    text = " ".join(announcement(request_of(specs=(TreeSpec(checkpoint_bytes=48_000_000),))))
    for part in ("14 x 48 MB", "0.67 GB", "removed afterwards", "sidecars-cold", "60 s"):
        assert part in text
    assert "kept afterwards" in " ".join(announcement(request_of(is_kept=True)))


def test_a_catalog_that_writes_into_its_tree_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(range(1_000))
    monkeypatch.setattr("bench.reproduce.standing_in", lambda root: {f"{root}/x": next(states)})
    result = ran(World(), tmp_path)
    assert result.exit_code == 3
    assert any(one.left == "the tree" and "x: written" in one.reason for one in result.equality)
