"""Excerpts of canonical sidecars: what is taken, what is left; the fuzz is in `tests/property`."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest
import yaml

from catalog.excerpt import ExcerptReader
from catalog.scalars import MAX_BYTES, Unproven

DOCUMENT: dict[str, Any] = {
    "schema_version": "1.0",
    "exp_name": "dbnet run (1)",
    "created_at": "2025-08-01T12:00:00.140891",
    "training": {"epoch": 3, "global_step": 3750, "max_epochs": 100},
    "model": {
        "architecture": "dbnet",
        "encoder": {"model_name": "resnet18", "pretrained": True},
        "decoder": {"name": "fpn", "channels": [64, 128], "params": {"eps": 1e-6, "deep": {"er": {}}}},
    },
    "metrics": {
        "hmean": 0.91,
        "precision": 1,
        "recall": 0.0,
        "additional_metrics": {"val/loss": -1.5, "x": "y"},
    },
    "checkpointing": {"monitor": "val/hmean", "mode": "max", "save_top_k": -1},
}


def dumped(document: dict[str, Any] = DOCUMENT, **options: Any) -> bytes:
    return str(yaml.safe_dump(document, **options)).encode()


def changed(path: str, value: object) -> dict[str, Any]:
    """The document with another value under a dotted key."""
    head, _, tail = path.partition(".")
    if not tail:
        return {**DOCUMENT, head: value}
    return {**DOCUMENT, head: {**DOCUMENT[head], tail: value}}


@pytest.mark.parametrize("sort_keys", [False, True])
def test_an_excerpt_tells_the_fields_in_their_types(sort_keys: bool) -> None:
    taken = ExcerptReader().read(dumped(sort_keys=sort_keys))
    assert taken is not None
    assert repr(taken[:-1]) == repr(
        (
            "dbnet",
            "resnet18",
            "dbnet run (1)",
            DOCUMENT["created_at"],
            3,
            0.91,
            1.0,
            0.0,
            None,
            "val/hmean",
            "max",
        )
    )
    assert taken.additional_metric("val/loss") == -1.5
    assert taken.additional_metric("nothing") is None
    with pytest.raises(Unproven):
        taken.additional_metric("x")


LEFT = {
    "another schema": dumped(changed("schema_version", "2.0")),
    "a number as an architecture": dumped(changed("model.architecture", 18)),
    "a word that is none": dumped(changed("exp_name", True)),
    "a text that tells nothing": dumped(changed("exp_name", "unknown")),
    "an epoch that is no whole number": dumped(changed("training.epoch", 3.0)),
    "no mode": dumped(changed("checkpointing.mode", None)),
    "a mode that is a number": dumped().replace(b"mode: max", b"mode: 1.0e-3"),
    "an octal epoch": dumped().replace(b"epoch: 3", b"epoch: 012"),
    "an epoch beyond 64 bits": dumped(changed("training.epoch", 10**18)),
    "an epoch in sixties": dumped().replace(b"epoch: 3", b"epoch: 1:30"),
    "a metric with an octal look": dumped().replace(b"hmean: 0.91", b"hmean: 01.5"),
    "a metric below nothing": dumped().replace(b"hmean: 0.91", b"hmean: -0"),
    "an epoch below zero": dumped(changed("training.epoch", -3)),
    "a metric that is a text": dumped(changed("metrics.hmean", "0.9")),
    "a metric that is absent": dumped(changed("metrics.hmean", None)),
    "an encoder in the old form": dumped(changed("model.encoder", "resnet18")),
    "a mapping where a text was meant": dumped(changed("checkpointing.monitor", {})),
    "a list of mappings": dumped(changed("model.head", [{"a": 1}])),
    "a date": dumped(changed("note", dt.date(2025, 1, 1))),
    "an accent": dumped(changed("note", "größe"), allow_unicode=True),
    "an alias": dumped().replace(b"epoch: 3", b"epoch: &a 3"),
    "a comment": dumped().replace(b"epoch: 3", b"epoch: 3 # three"),
    "a tag": dumped().replace(b"pretrained: true", b"pretrained: !!str true"),
    "an invalid date nobody looks for": dumped().replace(b"max_epochs: 100", b"max_epochs: 2024-99-99"),
    "training twice": dumped() + b"training:\n  epoch: 4\n",
    "a training that hides its key": dumped() + b"'training': 4\n",
    "a model twice": dumped() + b"model:\n  architecture: craft\n",
    "an encoder twice": dumped().replace(b"  architecture", b"  encoder:\n    a: b\n  architecture"),
    "a line too far right": dumped().replace(b"  save_top_k", b"   save_top_k"),
    "a line too far left": dumped().replace(b"  save_top_k", b" save_top_k"),
    "an item below a scalar": dumped() + b"z: 1\n- a\n",
    "a half line": dumped()[:-1],
    "nothing": b"",
    "bytes that are no text": dumped() + b"\xff: 1\n",
    "more than the largest size": dumped() + b"".join(b"a%d: 1\n" % at for at in range(MAX_BYTES // 6)),
}


@pytest.mark.parametrize("data", LEFT.values(), ids=LEFT.keys())
def test_what_is_not_proven_or_not_told_is_left(data: bytes) -> None:
    reader = ExcerptReader()
    assert reader.read(dumped()) is not None
    assert reader.read(data) is None
    assert ExcerptReader().read(data) is None


def test_of_a_repeated_key_the_last_one_counts() -> None:
    data = (
        dumped()
        .replace(b"  epoch: 3\n", b"  epoch: 3\n  epoch: 4\n")
        .replace(b"    x: y\n", b"    val/loss: 2\n")
    )
    taken = ExcerptReader().read(data)
    assert taken is not None
    assert (taken.epoch, taken.additional_metric("val/loss")) == (4, 2.0)
    assert yaml.safe_load(data)["training"]["epoch"] == 4


def test_the_model_of_the_sidecar_before_is_told_from_a_longer_one() -> None:
    reader = ExcerptReader()
    assert reader.read(dumped(sort_keys=False)) is not None
    longer = changed("model.encoder", {"model_name": "resnet50"})
    for document in (longer, DOCUMENT, changed("model.zoo", {"a": 1}), longer):
        taken = reader.read(dumped(document, sort_keys=False))
        assert taken is not None
        assert taken.encoder == document["model"]["encoder"]["model_name"]


def test_a_reader_that_another_thread_uses_in_between_tells_its_own_model() -> None:
    other = changed("model.encoder", {"model_name": "resnet50"})

    class Interrupted(ExcerptReader):
        """Between any two looks at the model before, another thread has read another sidecar."""

        def __getattribute__(self, name: str) -> object:
            value = super().__getattribute__(name)
            if name == "_last_model":
                self._last_model = str(yaml.safe_dump({"model": other["model"]}, sort_keys=False))
            return value

    reader = Interrupted()
    for document in (DOCUMENT, other, DOCUMENT):
        taken = reader.read(dumped(document, sort_keys=False))
        assert taken is not None
        assert taken.encoder == document["model"]["encoder"]["model_name"]


def test_what_is_remembered_stays_within_its_budget_and_changes_no_answer() -> None:
    reader = ExcerptReader(memo_chars=2_000)
    for number in range(200):
        taken = reader.read(dumped(changed("model.architecture", f"a{number % 9}")))
        assert taken is not None
        assert taken.architecture == f"a{number % 9}"
    assert 0 < reader._models.size_chars <= 2_000


@pytest.mark.parametrize("end", [b"\tx", b"a: *b\n", b"   c: 1\n", b"a: 'b\n"])
def test_a_long_document_that_fails_at_its_end_fails_in_linear_time(end: bytes) -> None:
    def spent_ns(lines: int) -> int:
        data = dumped() + b"z:\n" + b"  a:\n    b: 1\n    c:\n    - 1\n" * lines + end
        begun_ns = time.process_time_ns()
        assert len(data) < MAX_BYTES
        assert ExcerptReader().read(data) is None
        return time.process_time_ns() - begun_ns

    spent_ns(10)
    # A quadratic time would be a hundred times as long; what is asserted is the growth, not the speed.
    assert spent_ns(3000) < 1_000 * max(spent_ns(30), 100_000)
