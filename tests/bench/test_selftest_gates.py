"""The real gates of a self-test: one is run for real, the others by stand-ins."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench import engine, environment, selftest_gates
from bench.arms import serve_wandb
from bench.calibration import Achieved
from bench.gate_case import AGAIN, CANDIDATE, REFERENCE, TIMEOUT_S
from bench.injected import MODULE, write_subjects
from bench.revision import probe
from bench.selftest_gates import Ground
from bench.selftest_plan import CHANGES, TARGET, Kind, Step
from bench.trees import grow
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.measurement import Arm, Measurement, Plan
    from bench.worker import Call

SCENARIO = "2 checkpoints"
SPEC = TreeSpec(experiments=1, checkpoints_per_experiment=2, metrics_share=0.0)


class Engine:
    """The real engine, cut down to few groups of two rounds; it notes what it was asked for."""

    def __init__(self) -> None:
        self.arms: list[dict[str, str]] = []
        self.plans: list[Plan] = []

    def __call__(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        self.arms.append({arm.name: arm.subject.target for arm in arms})
        self.plans.append(plan)
        short = msgspec.structs.replace(plan, processes=2, rounds=2)
        return engine.measure(arms, call, short, rng=rng)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    write_subjects(tmp_path / "home" / "subjects" / "2-checkpoints", TARGET, dict.fromkeys(CHANGES, 10))
    with grow(SPEC, tmp_path, keep=False) as tree:
        yield Ground(
            trees={SCENARIO: tree},
            home=tmp_path / "home",
            runtime=probe(sys.executable, ()),
            environment=environment.collect(tmp_path),
            measure=Engine(),
            serve=serve_wandb,
            seed=0,
            say=lambda _: None,
            look_for_mutants=lambda _tell, **_: None,
            lines={SCENARIO: dict.fromkeys(CHANGES, 10)},
        )


def step(kind: Kind, **changes: object) -> Step:
    asked = Step(kind=kind, condition="quiet", scenario=SCENARIO, budget_s=30.0)
    return replace(asked, **changes)  # type: ignore[arg-type]  # fields by name


def asked_of(ground: Ground) -> Engine:
    assert isinstance(ground.measure, Engine)
    return ground.measure


def test_a_wrong_answer_is_caught_by_the_whole_gate_and_the_form_of_the_answer_is_not_the_reason(
    ground: Ground,
) -> None:
    result = ground.run_gate(step(Kind.WRONG, fault="one epoch off by one"))
    assert result.exit_code == 3
    assert {reason.cause.value for reason in result.reasons} == {"outputs differ"}
    assert all("candidate" in reason.told for reason in result.reasons)
    assert "epochs" in result.reasons[0].told
    targets = asked_of(ground).arms[0]
    assert targets[REFERENCE] == targets[AGAIN] == f"{MODULE}:wrong_0"
    assert targets[CANDIDATE] == f"{MODULE}:wrong_4"


def test_recorded_groups_are_three_arms_of_the_same_code_measured_as_a_gate_does(ground: Ground) -> None:
    groups = ground.record(step(Kind.RECORD), "now")
    assert len(groups) == 2
    assert all(set(group.times) == {CANDIDATE, REFERENCE, AGAIN} for group in groups)
    assert all(len(times) == 2 and min(times) > 0 for group in groups for times in group.times.values())
    assert all(group.took_s > 0.0 and group.at == "now" for group in groups)
    (arms,) = asked_of(ground).arms
    assert set(arms.values()) == {TARGET}
    (plan,) = asked_of(ground).plans
    assert (plan.processes, plan.timeout_s, plan.balanced) == (16, TIMEOUT_S, True)


@pytest.mark.parametrize(("drift", "counts"), [(0.05, [100]), (0.3, [100, 77])])
def test_work_that_is_off_is_measured_out_anew(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, drift: float, counts: list[int]
) -> None:
    asked: list[int] = []

    def achieved(lines: Mapping[float, int], _: object) -> tuple[Achieved, ...]:
        asked.append(lines[0.03])
        share = 0.03 * lines[0.03] / 100 * (1.0 + drift)
        return (Achieved(0.03, lines[0.03], share, share, share, 3),)

    monkeypatch.setattr(selftest_gates, "achieved", achieved)
    monkeypatch.setattr(selftest_gates, "calibrated", lambda *_: dict.fromkeys(CHANGES, 77))
    ground.lines[SCENARIO] = dict.fromkeys(CHANGES, 100)
    found = ground.weigh(step(Kind.WEIGH))
    assert asked == [one.lines for one in found] == counts
    assert ground.lines[SCENARIO][0.05] == counts[-1]
