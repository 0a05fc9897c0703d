"""The table applied: who is believed first, what falls through, what is noted."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.contract import WANDB_SOURCES, Source
from catalog.evidence import Document, Evidence, Reader
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from catalog.merge import Merging, merge
from catalog.refusal import HeaderError
from catalog.scan import Scanner
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from catalog.records import Answer, CheckpointCatalogEntry


@dataclass
class Facts:
    """What a checkpoint would tell, without one."""

    document: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, list[object]] = field(default_factory=dict)

    def score(self, monitor: str, _file_name: str) -> Iterable[object]:
        return self.scores.get(monitor, [])


@dataclass
class Bench:
    """A tree with one checkpoint, and what reading that would tell."""

    root: Path
    facts: Facts | None = None
    opened: list[str] = field(default_factory=list)

    def read(self, path: str) -> Facts:
        self.opened.append(path)
        if self.facts is None:
            raise HeaderError("a checkpoint", "nothing of the kind", "write it anew")
        return self.facts

    def answer(
        self, below: str = "exp/checkpoints/best.ckpt", runs: Mapping[Source, Any] | None = None
    ) -> Answer:
        evidence = self.evidence(below)
        evidence.runs = {source: (Document(below, content),) for source, content in (runs or {}).items()}
        return merge(evidence)

    def evidence(self, below: str = "exp/checkpoints/best.ckpt") -> Evidence:
        write(self.root / below, b"x")
        folder, _, name = below.rpartition("/")
        return Evidence(Reader(Scanner().scan(str(self.root)), DEFAULT_CONFIG_FILENAMES), folder, name)

    def entry(self, below: str = "exp/checkpoints/best.ckpt", **runs: Any) -> CheckpointCatalogEntry:
        entry = self.answer(below, {Source[name]: content for name, content in runs.items()}).entry
        assert entry is not None
        return entry


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path / "outputs")
    monkeypatch.setattr("catalog.checkpoint.read_checkpoint", made.read)
    return made


def sidecar(bench: Bench, document: object, name: str = "best.metadata.yaml") -> None:
    write(bench.root / "exp" / "checkpoints" / name, document)


def hydra(bench: Bench, document: object) -> None:
    write(bench.root / "exp" / ".hydra" / "config.yaml", document)


def test_a_complete_sidecar_tells_everything_and_nothing_else_is_opened(bench: Bench) -> None:
    sidecar(bench, SIDECAR)
    hydra(bench, HYDRA)
    entry = bench.entry()
    assert (entry.architecture, entry.backbone, entry.exp_name) == ("dbnet", "resnet18", "told-experiment")
    assert (entry.epochs, entry.created_timestamp) == (7, "20251019_0807")
    assert (entry.hmean, entry.precision, entry.recall) == (0.85, 0.9, 0.8)
    assert (entry.monitor, entry.monitor_mode, entry.score) == ("val/hmean", "max", 0.86)
    assert entry.has_metadata
    assert set(entry.provenance.values()) == {"sidecar"}
    assert entry.config_path == bench.root / "exp" / ".hydra" / "config.yaml"
    assert bench.opened == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1.5, -0.1, "high", True, [0.5], {"a": 1}])
def test_an_unusable_metric_is_noted_and_asked_elsewhere_and_the_rest_stays_believed(
    bench: Bench, bad: object
) -> None:
    sidecar(bench, {**SIDECAR, "metrics": {**SIDECAR["metrics"], "hmean": bad}})
    bench.facts = Facts({"cleval_metrics": {"hmean": 0.5}})
    answer = bench.answer()
    assert answer.entry is not None
    assert (answer.entry.hmean, answer.entry.provenance["hmean"]) == (0.5, "checkpoint")
    assert answer.entry.recall == 0.8
    assert [(problem.source, problem.key) for problem in answer.problems] == [("sidecar", "metrics.hmean")]


@pytest.mark.parametrize("silent", [None, "", " ", "unknown"])
def test_a_silent_value_falls_through_without_a_problem(bench: Bench, silent: object) -> None:
    sidecar(bench, changed(SIDECAR, model__architecture=silent))
    hydra(bench, HYDRA)
    answer = bench.answer()
    assert answer.entry is not None
    assert (answer.entry.architecture, answer.entry.provenance["architecture"]) == ("craft", "config")
    assert answer.problems == ()


def test_a_section_that_is_no_mapping_is_noted_where_it_stands(bench: Bench) -> None:
    sidecar(bench, changed(SIDECAR, training=5))
    bench.facts = Facts({"epoch": 3})
    answer = bench.answer()
    assert answer.entry is not None
    assert answer.entry.epochs == 3
    assert [problem.key for problem in answer.problems] == ["training"]


def test_the_older_form_is_read_where_v1_is_silent(bench: Bench) -> None:
    older = {
        "training": {"epoch": "12"},
        "model": {"architecture": "pan", "encoder": "resnet34"},
        "config": {"monitor": "val/hmean", "mode": "max"},
        "metrics": {"val/hmean": "0.5", "val/precision": 0.25, "val/recall": 1},
    }
    sidecar(bench, older, "best.metadata.json")
    entry = bench.entry()
    assert (entry.epochs, entry.backbone, entry.hmean, entry.precision, entry.recall) == (
        12,
        "resnet34",
        0.5,
        0.25,
        1.0,
    )
    assert (entry.monitor, entry.monitor_mode, entry.score) == ("val/hmean", "max", 0.5)


def test_a_sidecar_that_is_not_believed_is_noted_and_the_next_name_is_read(bench: Bench) -> None:
    sidecar(bench, "a: [", "best.metadata.yaml")
    sidecar(bench, changed(SIDECAR, schema_version="2.0"), "best.ckpt.metadata.yaml")
    sidecar(bench, SIDECAR, "best.metadata.json")
    answer = bench.answer()
    assert answer.entry is not None
    assert answer.entry.hmean == 0.85
    assert {problem.path.name for problem in answer.problems} == {
        "best.metadata.yaml",
        "best.ckpt.metadata.yaml",
    }


def test_the_epoch_falls_from_sidecar_to_checkpoint_to_name_to_run_to_config_to_sentinel(bench: Bench) -> None:
    hydra(bench, HYDRA)
    name = "exp/checkpoints/best-epoch=4.ckpt"
    document = without(SIDECAR, "training")
    write(bench.root / "exp/checkpoints/best-epoch=4.metadata.yaml", changed(SIDECAR, training__epoch=9))
    bench.facts = Facts({"epoch": 8})
    assert bench.entry(name).epochs == 9
    write(bench.root / "exp/checkpoints/best-epoch=4.metadata.yaml", document)
    assert bench.entry(name).epochs == 8
    bench.facts = Facts()
    assert bench.entry(name).epochs == 4
    assert bench.entry("exp/checkpoints/best.ckpt", WANDB_SUMMARY={"epoch": 6}).epochs == 6
    assert bench.entry("exp/checkpoints/best.ckpt").epochs == 300
    hydra(bench, without(HYDRA, "trainer"))
    assert bench.entry("exp/checkpoints/best.ckpt").epochs == 999
    assert bench.entry("exp/checkpoints/last.ckpt").epochs == 998
    skipped = bench.answer("exp/checkpoints/other.ckpt").skipped
    assert skipped is not None
    assert "no source" in skipped.reason


def test_an_epoch_of_0_is_believed_and_the_checkpoint_left_out(bench: Bench) -> None:
    sidecar(bench, changed(SIDECAR, training__epoch=0))
    bench.facts = Facts({"epoch": 5})
    answer = bench.answer()
    assert answer.entry is None
    assert answer.skipped is not None
    assert "0" in answer.skipped.reason
    assert bench.opened == []


def test_shapes_tell_a_backbone_only_where_nothing_before_them_does(bench: Bench) -> None:
    bench.facts = Facts({"epoch": 5, "shapes": {"backbone": "resnet50"}})
    assert bench.entry().backbone == "resnet50"
    assert bench.entry("resnet18/checkpoints/best.ckpt").backbone == "resnet18"


def test_monitor_and_mode_fall_through_apart_but_come_from_one_callback_each(bench: Bench) -> None:
    bench.facts = Facts({"epoch": 5, "callbacks": {"monitor": "val/loss", "mode": "min"}}, {"val/loss": [0.25]})
    entry = bench.entry()
    assert (entry.monitor, entry.monitor_mode, entry.score) == ("val/loss", "min", 0.25)
    hydra(bench, without(HYDRA, "callbacks.model.mode"))
    entry = bench.entry()
    assert (entry.monitor, entry.monitor_mode, entry.score) == ("val/recall", "min", None)
    assert (entry.provenance["monitor"], entry.provenance["monitor_mode"]) == ("config", "checkpoint")


def test_a_score_that_its_sidecar_does_not_tell_is_none_and_opens_nothing(bench: Bench) -> None:
    sidecar(bench, changed(SIDECAR, checkpointing__monitor="val/speed"))
    bench.facts = Facts({}, {"val/speed": [1.0]})
    assert bench.entry().score is None
    assert bench.opened == []


@pytest.mark.parametrize(
    ("monitor", "score"),
    [
        ("val/hmean", 0.86),
        ("test/recall", 0.8),
        ("precision", 0.9),
        ("val/loss", 1.5),
        ("val/validation_loss", 1.5),
    ],
)
def test_a_sidecars_score_is_its_own_value_else_the_metric_of_that_name(
    bench: Bench, monitor: str, score: float
) -> None:
    sidecar(bench, changed(SIDECAR, checkpointing__monitor=monitor, metrics__validation_loss=1.5))
    assert bench.entry().score == score


def test_an_unusable_score_is_noted_and_the_next_candidate_taken(bench: Bench) -> None:
    bench.facts = Facts(
        {"epoch": 1, "callbacks": {"monitor": "val/loss", "mode": "min"}}, {"val/loss": [math.nan, 0.5]}
    )
    answer = bench.answer()
    assert answer.entry is not None
    assert answer.entry.score == 0.5
    assert [problem.source for problem in answer.problems] == ["checkpoint"]


def test_callbacks_that_are_none_are_noted_by_whoever_asks_for_them(bench: Bench) -> None:
    hydra(bench, HYDRA)
    bench.facts = Facts({"epoch": 1, "callbacks": 5})
    answer = bench.answer()
    assert answer.entry is not None
    assert (answer.entry.monitor, answer.entry.score) == ("val/recall", None)
    assert [(problem.source, problem.key) for problem in answer.problems] == [("checkpoint", "callbacks")]


def test_a_runs_history_stands_before_its_summary_and_both_count_as_metadata(bench: Bench) -> None:
    bench.facts = Facts({"epoch": 2})
    summary = {"test/hmean": 0.9, "val/hmean": 0.8, "val/recall": "NaN"}
    entry = bench.entry(WANDB_SUMMARY=summary)
    assert (entry.hmean, entry.provenance["hmean"], entry.recall) == (0.9, "wandb-summary", None)
    assert entry.has_metadata
    entry = bench.entry(WANDB_HISTORY={"val/hmean": 0.7}, WANDB_SUMMARY=summary)
    assert (entry.hmean, entry.provenance["hmean"]) == (0.7, "wandb-history")


def test_an_unreadable_checkpoint_is_noted_only_where_it_is_asked(bench: Bench) -> None:
    sidecar(bench, SIDECAR)
    assert bench.answer().problems == ()
    sidecar(bench, without(SIDECAR, "metrics.recall"))
    answer = bench.answer()
    assert answer.entry is not None
    assert answer.entry.recall is None
    assert [problem.source for problem in answer.problems] == ["checkpoint"]


def test_an_unreadable_config_is_noted_once_and_the_hydra_config_still_read(bench: Bench) -> None:
    bench.facts = Facts({"epoch": 1})
    write(bench.root / "exp/checkpoints/best.config.yaml", "a: [")
    hydra(bench, HYDRA)
    answer = bench.answer()
    assert answer.entry is not None
    assert answer.entry.architecture == "craft"
    assert [problem.source for problem in answer.problems] == ["config"]
    assert answer.entry.config_path == bench.root / "exp/checkpoints/best.config.yaml"


def test_without_a_created_at_the_files_time_counts_in_local_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.facts = Facts({"epoch": 1})
    path = write(bench.root / "exp/checkpoints/best.ckpt", b"x")
    for zone, stamp in (("UTC", "20200913_1226"), ("Asia/Tokyo", "20200913_2126")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        tree = Scanner().scan(str(bench.root))
        os.utime(path, (0, 1_600_000_000))
        answer = merge(Evidence(Reader(tree, ()), "exp/checkpoints", "best.ckpt", runs={}))
        assert answer.entry is not None
        assert answer.entry.created_timestamp == stamp
    monkeypatch.undo()
    time.tzset()


def test_a_config_that_nobody_needs_any_more_is_not_looked_into(bench: Bench) -> None:
    """The first one told everything that a config is asked for; what is wrong with the second is no problem."""
    bench.facts = Facts({"epoch": 3})
    callbacks = {"a": {"monitor": "val/hmean", "mode": "max"}}
    write(bench.root / "exp/checkpoints/best.config.yaml", HYDRA | {"callbacks": callbacks})
    write(bench.root / "exp/.hydra/config.yaml", b"a: {")
    answer = bench.answer()
    assert [problem for problem in answer.problems if problem.source == "config"] == []
    assert answer.entry is not None
    assert answer.entry.monitor == "val/hmean"


told = st.one_of(st.none(), st.sampled_from([0.25, 0.5, 2.0, "NaN", "craft", 3]))
keys = st.sampled_from(["val/hmean", "test/hmean", "val/recall", "epoch", "model", "callbacks"])
nested = {"model": {"architecture": "pan"}, "callbacks": {"monitor": "val/hmean", "mode": "max"}}
documents = st.dictionaries(keys, told).map(lambda one: {key: nested.get(key, one[key]) for key in one})
OWN: list[dict[str, Any]] = [{}, {"epoch": 1}, {"epoch": "x"}, {"cleval_metrics": {"hmean": 0.1}}]
CONFIGS = [
    {},
    {"trainer": {"max_epochs": "many"}},
    {"trainer": {"max_epochs": 9}, "model": {"architecture": 3}},
]
heard = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(WANDB_SOURCES), documents))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sayings=st.lists(heard, max_size=3), own=st.sampled_from(OWN), config=st.sampled_from(CONFIGS))
def test_a_run_that_is_heard_bit_by_bit_tells_what_it_tells_at_once(
    bench: Bench, sayings: list[dict[Source, dict[str, Any]]], own: dict[str, Any], config: dict[str, Any]
) -> None:
    bench.facts = Facts(own)
    hydra(bench, config)
    evidence = bench.evidence()
    merging = Merging(evidence)
    for saying in sayings:
        evidence.runs = {
            source: (*evidence.runs.get(source, ()), Document("run", saying.get(source, {})))
            for source in WANDB_SOURCES
        }
        merging.hear_run()
    at_once = bench.evidence()
    at_once.runs = evidence.runs
    answer, plain = merging.answer(), merge(at_once)
    assert answer == plain
    assert repr(answer) == repr(plain), "the order of provenance and problems too"
