"""The short way to an entry gives what the long way gives, wherever it gives anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog import excerpt
from catalog.evidence import Evidence, Reader
from catalog.layout import DEFAULT_CONFIG_FILENAMES
from catalog.merge import merge
from catalog.scan import Scanner
from catalog.shortcut import by_sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.records import Answer


FOLDER = "exp/checkpoints"


def document(**changes: Any) -> dict[str, Any]:
    """A sidecar that tells everything, with other values under some dotted keys; `...` drops a key."""
    told: dict[str, Any] = {
        "schema_version": "1.0",
        "exp_name": "exp",
        "created_at": "2025-08-01T12:34:56",
        "training": {"epoch": 3},
        "model": {"architecture": "dbnet", "encoder": {"model_name": "resnet18"}},
        "metrics": {
            "hmean": 0.5,
            "precision": 0.25,
            "recall": 1,
            "validation_loss": 2.5,
            "additional_metrics": {},
        },
        "checkpointing": {"monitor": "val/hmean", "mode": "max"},
    }
    for dotted, value in changes.items():
        place = told
        *above, last = dotted.split(".")
        for step in above:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return told


def taken(root: Path, content: dict[str, Any] | bytes, name: str = "a.ckpt") -> Answer | None:
    """The short way's answer, held against the long way's."""
    data = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    (folder / f"{name.removesuffix('.ckpt')}.metadata.yaml").write_bytes(data)
    excerpt.forget()
    tree = Scanner().scan(str(root))
    short = by_sidecar(Reader(tree, DEFAULT_CONFIG_FILENAMES), tree.folders[FOLDER], name, "file")
    if short is not None:
        evidence = Evidence(Reader(tree, DEFAULT_CONFIG_FILENAMES), FOLDER, name)
        assert short == merge(evidence)
        assert repr(short) == repr(merge(evidence)), "types and the order of provenance too"
    return short


def score_of(root: Path, **changes: Any) -> object:
    found = taken(root, document(**changes))
    if found is None:
        return "the long way"
    assert found.entry is not None
    return found.entry.score


def test_a_sidecar_that_tells_everything_is_enough(tmp_path: Path) -> None:
    assert score_of(tmp_path) == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"training.epoch": 0},
        {"metrics.hmean": 1.5},
        {"metrics.recall": -0.25},
        {"created_at": "yesterday"},
        {"checkpointing.mode": "best"},
        {"checkpointing.monitor": ...},
        {"metrics.precision": ...},
        {"model.encoder": "resnet18"},
        {"metrics.additional_metrics": {"val/hmean": "high"}},
        {"metrics.additional_metrics": {"val/hmean": float("inf")}},
        {"checkpointing.monitor": "val/loss", "metrics.validation_loss": ...},
        {"checkpointing.monitor": "val/loss", "metrics.validation_loss": -1.0},
    ],
    ids=repr,
)
def test_what_it_does_not_tell_takes_the_long_way(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert score_of(tmp_path, **changes) == "the long way"


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({"metrics.additional_metrics": {"val/hmean": 0.75, "val/loss": 9}}, 0.75),
        ({"metrics.additional_metrics": {"val/hmean": 0}}, 0.0),
        ({"checkpointing.monitor": "val/recall"}, 1.0),
        ({"checkpointing.monitor": "loss"}, 2.5),
        ({"checkpointing.monitor": "val/other"}, None),
    ],
    ids=repr,
)
def test_the_score_is_the_monitors_own_value(tmp_path: Path, changes: dict[str, Any], score: float) -> None:
    assert score_of(tmp_path, **changes) == score


@pytest.mark.parametrize(
    "config", ["exp/.hydra/config.yaml", "exp/checkpoints/a.config.json", "exp/config.yaml"]
)
def test_the_config_is_the_one_that_the_long_way_finds(tmp_path: Path, config: str) -> None:
    (tmp_path / config).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / config).touch()
    found = taken(tmp_path, document())
    assert found is not None
    assert found.entry is not None
    assert found.entry.config_path == tmp_path / config


def test_a_checkpoint_without_this_sidecar_and_one_that_is_nothing_take_the_long_way(tmp_path: Path) -> None:
    assert taken(tmp_path, document()) is not None
    tree = Scanner().scan(str(tmp_path))
    reader = Reader(tree, ())
    assert by_sidecar(reader, tree.folders[FOLDER], "b.ckpt", "file") is None
    assert by_sidecar(reader, tree.folders[FOLDER], "a.ckpt", "nothing") is None
    (tmp_path / FOLDER / "a.metadata.yaml").unlink()
    assert by_sidecar(Reader(tree, ()), tree.folders[FOLDER], "a.ckpt", "file") is None


_numbers = st.one_of(
    st.floats(), st.integers(-(10**20), 10**20), st.floats(0, 1), st.none(), st.booleans(), st.text(max_size=3)
)
_texts = st.one_of(
    st.sampled_from(
        ["val/hmean", "val/loss", "loss", "recall", "yes", "null", "unknown", "", " ", "a b", "1e3"]
    ),
    st.text(max_size=6),
    st.none(),
    st.integers(),
)
_names = st.sampled_from(["val/hmean", "val/loss", "yes", "x"])
_changes = st.fixed_dictionaries(
    {},
    optional={
        "metrics.hmean": _numbers,
        "metrics.validation_loss": _numbers,
        "metrics.additional_metrics": st.one_of(
            st.none(),
            st.dictionaries(st.sampled_from(["val/hmean", "val/loss", "yes", "x"]), _numbers, max_size=3),
        ),
        "training.epoch": _numbers,
        "checkpointing.monitor": _texts,
        "checkpointing.mode": st.sampled_from(["min", "max", "MIN", None]),
        "exp_name": _texts,
        "model.architecture": _texts,
        "created_at": st.one_of(_texts, st.datetimes().map(str), st.datetimes(), st.dates()),
    },
)


@settings(max_examples=300, deadline=None)
@example(changes={})
@given(changes=_changes)
def test_whatever_a_sidecar_says_both_ways_agree(
    changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "both-ways"
    short = taken(root, document(**changes))
    assert short is not None or changes, "the whole sidecar takes the short way"
