"""A gate without processes, trees or waiting: what is measured is as a test wishes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from bench.family import Family, Request
from bench.gate import gate
from bench.gate_case import AGAIN, CANDIDATE, REFERENCE
from bench.gate_collaborators import Collaborators
from bench.gate_request import TREE, GateRequest
from bench.measurement import Failure, Group, Measurement, Plan, Resources, Round
from bench.revision import Runtime, Side
from bench.sampling import Final
from bench.statistics import RatioEstimate
from bench.targets import Target
from bench.verdict import Verdict
from bench.worker import InputOutput, Loaded, Memory, Sample
from tests.bench.fakes import answer_of, variant_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from bench.baseline import Baseline
    from bench.environment import Environment
    from bench.gate_case import Case
    from bench.instructions import InstructionChange
    from bench.measurement import Arm
    from bench.trees import Variant
    from bench.verdict_file import Cause, GateResult
    from bench.worker import Answer, Call
    from fixtures.spec import TreeSpec

HOME = Path("/code/candidate")
RUNTIME = Runtime(
    python="3.11.7", build="3.11.7 (main)", implementation="CPython", libraries={"msgspec": "0.22.0"}
)
SIDE = Side(name="working tree at aaa", commit="aaa", home=HOME, python="python", runtime=RUNTIME)
REFERENCE_SIDE = replace(SIDE, name="main at bbb", commit="bbb", home=Path("/code/reference"))
LIMIT = Target("first-load", "sidecars-warm", "seconds", 1.0, 50)
WEIGHED = Resources(
    Memory(peak_bytes=20_000_000, before_bytes=None, method="VmHWM"), InputOutput(12_345, 0, 51), 230
)
FINAL = Final(
    verdict=Verdict.EQUIVALENT,
    reason="no change beyond the margin of 1 %",
    groups=16,
    looks=1,
    ratio=RatioEstimate(
        estimate=1.001,
        low=0.997,
        high=1.004,
        confidence=0.95,
        groups=16,
        pairs=480,
        standard_error=0.001,
        degrees_of_freedom=9,
        method="processes",
    ),
    noise_floor=0.004,
    smallest_detectable=0.015,
)


def changed(**changes: object) -> Final:
    """The steady answer of a family, with changes."""
    return msgspec.structs.replace(FINAL, **changes)


SLOWER = changed(
    verdict=Verdict.SLOWER,
    reason="slower by more than 1 %, and 16 fresh groups confirm it",
    ratio=msgspec.structs.replace(cast("RatioEstimate", FINAL.ratio), estimate=1.05, low=1.04, high=1.06),
)


class StandInTree:
    """A tree that nobody wrote."""

    name = "50 x 0.064 MB"

    def __init__(self, spec: TreeSpec, root: Path) -> None:
        self.spec = spec
        self.root = root

    def with_sidecars(self, share: float) -> Variant:
        self.spec = replace(self.spec, sidecar_share=share)
        return variant_of(self.spec, self.root)


class StandInFamily(Family):
    """Asks for one measurement of each benchmark, and answers as it was told."""

    def __init__(self, names: Sequence[str], answers: Mapping[str, Final], groups: int) -> None:
        super().__init__(names)
        self._unasked = list(names)
        self._names = list(names)
        self._answers = answers
        self._groups = groups

    def next(self) -> Request | None:
        return Request(self._unasked.pop(0), self._groups) if self._unasked else None

    def record(self, name: str, values: Any, again: Any, elapsed_s: float) -> None:
        assert name not in self._unasked
        assert len(values) == len(again) > 0
        assert elapsed_s > 0

    def withdraw(self, name: str) -> None:
        self._names.remove(name)

    def finals(self) -> dict[str, Final]:
        return {name: self._answers.get(name, FINAL) for name in self._names}


@dataclass
class World:
    """Collaborators of a gate that note what is published; the fields are what may go wrong."""

    folder: Path
    references: tuple[Side | Baseline, ...] = (REFERENCE_SIDE,)
    sides_error: BaseException | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    origins: dict[str, str | None] = field(default_factory=dict)
    elapsed_ns: float = 1_000_000
    elapsed_by_arm: dict[str, float] = field(default_factory=dict)
    groups: int = 16
    rounds: int = 4
    finals: dict[str, Final] = field(default_factory=dict)
    decide: Any = None
    publish_errors: dict[int, OSError] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    is_cold_possible: bool = True
    published: list[GateResult] = field(default_factory=list)
    stored: list[Sequence[Case]] = field(default_factory=list)
    profiled: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    instructions: InstructionChange | None = None
    clock_s: float = 0.0
    written: str | None = None
    exponents: dict[str, float] = field(default_factory=dict)
    grown: dict[Path, TreeSpec] = field(default_factory=dict)
    weighed: Resources = WEIGHED
    unseen: tuple[Cause, str] | None = None

    def right_answer(self) -> Answer:
        """What a catalog answers that is right."""
        return answer_of(variant_of(TREE, self.root).expected, root=self.root)

    @property
    def root(self) -> Path:
        """Where the tree would stand."""
        outputs = self.folder / "outputs"
        outputs.mkdir(exist_ok=True)
        return outputs

    def run(self, **request: Any) -> GateResult:
        """A gate of one scenario, unless asked otherwise."""
        asked = {"pattern": "sidecars-warm", "targets": (LIMIT,)} | request
        return gate(
            GateRequest(started_at="2026-01-01T00:00:00+00:00", trees_dir=self.folder, **asked), self._with()
        )

    def _with(self) -> Collaborators:
        return Collaborators(
            sides=self._sides,
            grow=cast("Any", self._grow),
            measure=self._measure,
            weigh=self._weigh,
            serve=cast("Any", lambda _runs, **_: contextlib.nullcontext({})),
            decide=self.decide or (lambda names, **_: StandInFamily(names, self.finals, self.groups)),
            profile=self._profile,
            environment=lambda _: cast("Environment", StandInEnvironment(**self.machine)),
            count_instructions=self._count_instructions,
            look_again=lambda _subject, _call: self.unseen,
            settle=lambda _: None,
            is_cold_possible=lambda _: self.is_cold_possible,
            monotonic_s=self._monotonic_s,
            publish=self._publish,
            keep_samples=lambda cases: self.kept.extend(case.name for case in cases),
            keep_baseline=lambda _, cases: self.stored.append(cases),
            say=lambda _: None,
            home=self.folder / "home",
        )

    def _weigh(self, arms: Sequence[Arm], call: Call, *, rng: random.Random) -> dict[str, Resources]:
        assert call.outputs_dir == self.root
        rng.random()
        return {arm.name: self.weighed for arm in arms}

    def _sides(self) -> tuple[Side, tuple[Side | Baseline, ...]]:
        if self.sides_error is not None:
            raise self.sides_error
        return SIDE, self.references

    @contextlib.contextmanager
    def _grow(self, spec: TreeSpec, _parent: Path, *, keep: bool) -> Iterator[StandInTree]:
        assert not keep
        root = self.root if spec.checkpoints == TREE.checkpoints else self._root_of(spec)
        self.grown[root] = spec
        yield StandInTree(spec, root)

    def _root_of(self, spec: TreeSpec) -> Path:
        """Where a tree of another size would stand."""
        root = self.folder / str(spec.checkpoints) / "outputs"
        root.mkdir(parents=True, exist_ok=True)
        return root

    def _monotonic_s(self) -> float:
        self.clock_s += 1.0
        return self.clock_s

    def _count_instructions(self, case: Case) -> InstructionChange | None:
        self.counted.append(case.name)
        return self.instructions

    def _profile(self, case: Case) -> str:
        self.profiled.append(case.name)
        return "believe (catalog/sidecar.py): +0.500 ms"

    def _publish(self, result: GateResult) -> None:
        error = self.publish_errors.get(len(self.published))
        if error is not None:
            raise error
        self.published.append(result)

    def _measure(self, arms: Sequence[Arm], call: Call, plan: Plan, *, rng: random.Random) -> Measurement:
        spec = self.grown[call.outputs_dir]
        rng.random()
        names = tuple(arm.name for arm in arms)
        failed = {one.arm for one in self.failures}
        right = answer_of(variant_of(spec, call.outputs_dir).expected, root=call.outputs_dir)
        if self.written is not None:
            (self.root / self.written).write_text("mine", encoding="utf-8")
        return Measurement(
            plan=plan,
            groups=tuple(self._group(names, number, spec.checkpoints) for number in range(self.groups)),
            answers={name: (self.answers.get(name, right),) for name in names if name not in failed},
            failures=self.failures,
            calls_per_round=dict.fromkeys(names, 1),
            complete=not self.failures,
            elapsed_s=1.0,
        )

    def _group(self, names: tuple[str, ...], number: int, checkpoints: int) -> Group:
        there = REFERENCE in names
        again = "/code/reference/catalog/subjects.py" if there else f"{HOME}/catalog/subjects.py"
        ours = dict.fromkeys((CANDIDATE, "times_legacy"), f"{HOME}/catalog/subjects.py")
        origins = {**ours, REFERENCE: again, AGAIN: again} | self.origins
        loaded = {
            name: Loaded(import_ns=1, origin=origins.get(name), python="3.11.7", hash_seed="0", affinity=None)
            for name in names
        }
        rounds = tuple(
            Round(names, {name: (self._sample(name, number + turn, checkpoints),) for name in names})
            for turn in range(self.rounds)
        )
        return Group(number, names, loaded, rounds)

    def _sample(self, name: str, step: int, checkpoints: int) -> Sample:
        grown = (checkpoints / TREE.checkpoints) ** self.exponents.get(name, 0.0)
        taken_ns = self.elapsed_by_arm.get(name, self.elapsed_ns) * grown
        return Sample(cast("int", taken_ns * (1 + step % 7 / 1000)), 1, checkpoints)


class StandInEnvironment(msgspec.Struct):
    """What a machine says of itself."""

    cpu_model: str = "a processor"
    logical_cores: int = 2
    memory_bytes: int = 1
    kernel: str = "Linux"
    architecture: str = "x86_64"
