"""Named cases of sidecars that tell every field, so that a catalog may take them as text by a fast reader.

Each is a sidecar as `yaml.safe_dump` writes it with one thing that a pattern of text mistakes: keys that stand
twice, texts that look like keys, numbers in other forms, a score under another name, and the sidecar beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import yaml

from bench.case import ONE, Case, case_of, checkpoint, plan_of, sidecar
from fixtures.changes import ABSENT, Change, changed
from fixtures.draw import draw
from fixtures.plan import UNREADABLE, Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RULE: Final = "Sources: sidecar"


def whole_sidecar_cases() -> Iterator[Case]:
    """Every case of a whole sidecar."""
    document = _document()
    yield from _texts(_text(document))
    yield from _values(document)
    yield from _scores(document)
    yield from _neighbours(document)


def _document() -> dict[str, Any]:
    """The tidy sidecar of a small tree; it tells its monitor under no name but that of a metric."""
    sound = next(one for one in draw(ONE).nodes.values() if isinstance(one, Document) and one.role == "sidecar")
    if not isinstance(sound.content, dict):
        raise TypeError(f"{sound.path}: expected a mapping, found {type(sound.content).__name__}")
    return _with(sound.content, **{"metrics.additional_metrics": {"first": 3.5, "val/f1": 0.625}})


def _with(document: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    told = dict(document)
    for keys, value in values.items():
        told = changed(told, Change(tuple(keys.split(".")), value))
    return told


def _text(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=True)


def _case(name: str, *texts: str) -> Case:
    """Checkpoints `a`, `b`, ... in one folder, each with a sidecar of this text beside it."""
    nodes: list[Any] = []
    for stem, text in zip("abc", texts, strict=False):
        path = f"run/checkpoints/{stem}.metadata.yaml"
        nodes += [
            checkpoint(f"run/checkpoints/{stem}.ckpt", epoch=2, cleval_metrics={"hmean": 0.0625}),
            replace(sidecar(path, _loaded(text)), raw=text.encode()),
        ]
    return case_of(f"whole sidecar/{name}", _RULE, plan_of(nodes))


def _loaded(text: str) -> Any:
    """The document as PyYAML reads it, which the contract names as the measure."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return UNREADABLE


# But for the model, what stands there again tells less: nothing of the first is left.
_AGAIN: Final = {
    "model": "model:\n  architecture: pan\n  encoder:\n    model_name: resnet18\n",
    "training": "training:\n  max_epochs: 77\n",
    "metrics": "metrics:\n  hmean: 0.125\n",
    "checkpointing": "checkpointing:\n  mode: min\n",
    "exp_name": "exp_name: said again\n",
    "schema_version": "schema_version: '2.0'\n",
}
_INSIDE: Final = {
    "model.encoder": ("  head:\n", "  encoder:\n    model_name: resnet18\n"),
    "model.architecture": ("  head:\n", "  architecture: pan\n"),
    "metrics.additional_metrics": ("  hmean:", "  additional_metrics:\n    val/f1: 0.25\n"),
    "metrics.hmean": ("  precision:", "  hmean: 0.375\n"),
    "training.epoch": ("  global_step:", "  epoch: 78\n"),
}
_LOOKALIKES: Final = {
    "a block of text that reads like keys": "notes: |\n  training:\n    epoch: 99\n  exp_name: block\n",
    "a folded text that reads like keys": "notes: >-\n  exp_name: folded\n",
    "a text over two lines": "notes: one\n  exp_name\n",
    "a mapping in braces": "training: {epoch: 41}\n",
    "a sequence in brackets": "notes: [model, training]\n",
    "a comment": "exp_name: told # and explained\n",
    "a comment alone": "# exp_name: not told\n",
    "a key in quotes": "'exp_name': in quotes\n",
    "a key in double quotes": '"exp_name": in double quotes\n',
    "a quote in a text": "exp_name: 'it''s mine'\n",
    "an escape": 'exp_name: "a\\x41b"\n',
    "an anchor": "notes: &kept 5\nlater: *kept\n",
    "a tag": "exp_name: !!str 12\n",
    "a merged mapping": "training:\n  <<: {epoch: 43}\n",
    "a question mark": "? exp_name\n: asked\n",
    "two spaces after the colon": "exp_name:  wide\n",
    "trailing white space": "exp_name: trailing  \n",
    "an end of the document": "...\n",
    "a second document": "---\nexp_name: second\n",
    "a tab": "exp_name:\ttab\n",
    "items without indentation": "notes:\n- a\n- exp_name: b\n",
    "an empty key": "notes:\nexp_name: after an empty one\n",
    "nothing under exp_name": "exp_name:\n",
    "a sentence": "exp_name: tidy text, with (brackets) and = signs\n",
    "a line that is no YAML": "exp_name: a: b\n",
}


def _texts(text: str) -> Iterator[Case]:
    for key, again in _AGAIN.items():
        yield _case(f"{key} twice", text + again)
        yield _case(f"{key} twice, told first by the other", again + text)
    for name, (before, again) in _INSIDE.items():
        yield _case(f"{name} twice", text.replace(before, again + before, 1))
    for name, line in _LOOKALIKES.items():
        yield _case(name, text + line)
    yield _case("line ends of Windows", text.replace("\n", "\r\n"))
    yield _case("a byte order mark", "\ufeff" + text)
    yield _case("a directive", "%YAML 1.1\n---\n" + text)
    yield _case("blank lines", text.replace("\nmodel:", "\n\nmodel:"))
    yield _case("four columns to a level", yaml.safe_dump(yaml.safe_load(text), indent=4))
    for name, cut in {
        "in its model": "  head:\n",
        "after its model": "schema_version",
        "in a line": "recall",
    }.items():
        yield _case(f"cut off {name}", text[: text.index(cut)])
        yield _case(f"cut off {name}, without a line end", text[: text.index(cut)].rstrip("\n"))
    keys = [key for key in yaml.safe_load(text) if key != "model"]
    told = yaml.safe_load(text)
    last = yaml.safe_dump({key: told[key] for key in (*keys, "model")}, sort_keys=False)
    yield _case("its model last", last)
    yield _case("its model last, without a line end", last.rstrip("\n"))


_WRITTEN: Final = {
    "  epoch: 3\n": ("012", "0x1F", "1_0", "0b11", "1:30", "+5", "7.0", "1e1", "'8'", "0o17", "-0", "~", "yes",
        "'9223372036854775807'", "9223372036854775808"),
    "  hmean: 0.5962\n": (
        ".5", "0", "1", "-0.0", "-0", "1e-3", "1.0e-1", "+0.5", "1.", ".inf", "-.inf", ".nan", "'0.25'", "0_1",
        "1.5",
    ),
    "  mode: max\n": ("Max", "'min'", "min # the least", "null", "maximum", "[max]"),
    "schema_version: '1.0'\n": ("1.0", '"1.0"', "1.00", "'1.00'", "1", "'1'"),
    "exp_name: ": (
        "2024-05-06", "'2024-05-06'", "12", "'12'", "null", "'null'", "~", "yes", "'yes'", "unknown",
        "'unknown'", "Unknown", "''", "' '", "' lead'", "1:30", "1_0", "=", "a#b", "a #b", "'#b'", "-", "-a",
        "[]", "{}", ".5", "é", "x" * 200,
    ),
}  # fmt: skip
"""Lines of the tidy sidecar, or their beginnings, and what may be written there instead."""


def _values(document: Mapping[str, Any]) -> Iterator[Case]:
    text = _text(document)
    for line, values in _WRITTEN.items():
        begin = text.index(line)
        end = text.index("\n", begin)
        key = line.partition(":")[0]
        for value in values:
            made = f"{text[:begin]}{key}: {value}{text[end:]}"
            yield _case(f"{key.strip()}: {value[:30]}", made)
    for name in ("precision", "recall", "validation_loss"):
        for metric in (0, 1, 1.0000001, -0.25, -1e-9, None, ABSENT):
            shown = "(absent)" if metric is ABSENT else metric
            yield _case(f"metrics.{name}={shown}", _text(_with(document, **{f"metrics.{name}": metric})))
    yield _case("texts in quotes", _text(_with(document, exp_name="12", **{"model.architecture": "null"})))


def _scores(document: Mapping[str, Any]) -> Iterator[Case]:
    """What stands under the monitor: beside other names, before and after them, and what is no number."""
    values = (
        12.5,
        -0.5,
        7,
        0,
        0.0,
        123456,
        "text",
        "0.5",
        "007",
        None,
        True,
        [0.5],
        float("inf"),
        float("nan"),
        1e308,
    )
    for monitor in ("val/hmean", "val/f1", "loss", "a-metric", "zz.last@k"):
        for value in values if monitor == "val/f1" else values[:2]:
            metrics = {"first": 3.5, monitor: value, f"{monitor}2": 0.0625, f"pre{monitor}": 0.03125}
            told = {"checkpointing.monitor": monitor, "metrics.additional_metrics": metrics}
            yield _case(f"monitor {monitor} is {value!r}", _text(_with(document, **told)))
    for loss in (-1.0, -1, 0, 0.0, -0.0, 1.5, "-1.0", None, ABSENT):
        values_told: dict[str, object] = {"checkpointing.monitor": "val/loss", "metrics.validation_loss": loss}
        name = "(absent)" if loss is ABSENT else repr(loss)
        yield _case(f"monitored loss is {name}", _text(_with(document, **values_told)))
    for monitor in (
        "first",
        "hmean",
        "x/recall",
        "no such",
        "a: b",
        "val/f1 ",
        "null",
        "12",
        "unknown",
        "val/.*",
    ):
        yield _case(f"monitor is {monitor!r}", _text(_with(document, **{"checkpointing.monitor": monitor})))
    nothing: dict[str, object] = {"none at all": ABSENT, "none": {}, "untold": None}
    for name, told_metrics in nothing.items():
        values_told = {"checkpointing.monitor": "val/hmean", "metrics.additional_metrics": told_metrics}
        yield _case(f"additional metrics: {name}", _text(_with(document, **values_told)))
    digits = _text(document).replace("    first: 3.5\n", f"    first: 3.5\n    loss: {'9' * 400}.0\n")
    yield _case("a monitored number beyond all", digits.replace("monitor: val/recall", "monitor: loss"))


def _neighbours(document: Mapping[str, Any]) -> Iterator[Case]:
    """Two sidecars read one after the other, of which the second is nearly like the first."""
    one = _text(document)
    for name, key, value in (
        ("architecture of the same length", "model.architecture", "craft"),
        ("encoder of the same length", "model.encoder.model_name", "efficientnet_b3"),
        ("all but the epoch", "training.epoch", 4),
    ):
        other = _text(_with(document, **{key: value}))
        yield _case(f"beside one with {name}", one, other, one)
    for line in (
        "  recall: 0.25\n",
        "  zz_more:\n    recall: 0.25\n",
        "    eps2: 0.25\n",
        "exp_name: after the model\n",
    ):
        longer = one.replace("schema_version:", f"{line}schema_version:")
        yield _case(f"beside one whose model goes on with {line.strip()!r}", one, longer)
        yield _case(f"beside one whose model ends before {line.strip()!r}", longer, one)
