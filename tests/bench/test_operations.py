"""What a call sends to W&B is counted by the server that answers it, and told in the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.agreement import examine
from bench.arms import isolated
from bench.measurement import Arm
from bench.operations import count_operations, with_operations
from bench.rows import rows_of
from bench.scenario import CONFIG_FILENAMES, SETTINGS
from bench.subject import Subject
from bench.worker import Call
from fixtures.generate import temporary_tree
from fixtures.spec import TreeSpec
from tests.bench.fakes import measurement_of, variant_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fixtures.runs import Run

WANDB = next(one for one in SETTINGS if one.name == "wandb")
HEADER = next(one for one in SETTINGS if one.name == "header-warm")
VARIANT = variant_of()
CALL = Call(VARIANT.root, CONFIG_FILENAMES)


def remarks_of(setting_name: str, sent: Mapping[str, int]) -> list[tuple[str, ...]]:
    """The remarks that counting adds to the rows of a setting, whose subject sends so much."""
    setting = WANDB if setting_name == WANDB.name else HEADER
    measurement = measurement_of(setting, VARIANT)
    rows = rows_of(setting, VARIANT, measurement, examine(setting, VARIANT, measurement))
    arms = [Arm(one.name, Subject(one.name, one.target)) for one in setting.contestants]
    asked: list[str] = []

    def count(subject: Subject, runs: Sequence[Run], call: Call) -> Mapping[str, int]:
        assert (tuple(runs), call) == (VARIANT.runs, CALL)
        asked.append(subject.target)
        return sent

    counted = with_operations(rows, setting, VARIANT, arms, CALL, count)
    assert asked == (["catalog.subjects:v2_wandb"] if setting is WANDB else [])
    assert with_operations(rows, setting, VARIANT, arms, CALL, None) == rows
    return [new.remarks[len(old.remarks) :] for new, old in zip(counted, rows, strict=True)]


def test_each_row_that_asks_tells_what_a_call_sends() -> None:
    projects = len({(run.entity, run.project) for run in VARIANT.runs})
    asked = f"14 checkpoints, 7 runs in {projects} projects"
    told = f"a first call sent W&B 5 operations for {asked}: Runs 4, Viewer 1"
    assert remarks_of("wandb", {"Viewer": 1, "Runs": 4}) == [(told,)] * 3
    assert "nothing" in remarks_of("wandb", {})[0][0]


def test_rows_that_do_not_ask_are_left_as_they_are() -> None:
    assert remarks_of("header-warm", {"Viewer": 1}) == [()]


def test_the_real_server_counts_a_first_call(tmp_path: Path) -> None:
    spec = TreeSpec(experiments=2, checkpoint_bytes=1, sidecar_share=0.0, metrics_share=0.0, wandb_share=1.0)
    with temporary_tree(spec, parent=tmp_path) as tree:
        subject = Subject("v2", "catalog.subjects:v2_wandb", environment=isolated(tmp_path))
        sent = count_operations(subject, tree.plan.runs, Call(tree.root, CONFIG_FILENAMES))
    projects = len({(run.entity, run.project) for run in tree.plan.runs})
    assert sent == {"Viewer": 1, "Runs": projects, "RunSampledHistory": 2}


def test_a_subject_that_fails_sent_nothing(tmp_path: Path) -> None:
    assert count_operations(Subject("none", "catalog.subjects:none"), (), Call(tmp_path)) == {}
