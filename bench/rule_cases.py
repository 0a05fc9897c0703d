"""Named cases that no table of `fixtures` holds: orders, choices of files, thresholds, roots that are none."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.case import NOON_NS, SECOND_NS, Case, case_of, checkpoint, config, plan_of, sidecar
from fixtures.changes import ABSENT
from fixtures.expected import Expected
from fixtures.experiments import ARCHITECTURES, ENCODERS, joined
from fixtures.plan import UNREADABLE, Link, Scalar, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.plan import Node


def rule_cases() -> Iterator[Case]:
    """Every case that was written for a rule."""
    yield from _experiment_names()
    yield from _orders()
    yield from _config_files()
    yield from _shapes()
    yield from _metrics()
    yield from _scores()
    yield from _callback_choices()
    yield from _moments()
    yield from _roots()


def _experiment_names() -> Iterator[Case]:
    folders = (
        "", "checkpoints", "run", "run/checkpoints", "a/checkpoints/checkpoints", "a/checkpoints/top",
        "checkpoints/a", "checkpoints/a/checkpoints/b", "run/Checkpoints", "companion/checkpoints",
        "x-PAN-1/checkpoints", "étude-pan実験/checkpoints", "№pan_№craft/checkpoints",
        "dbnetpp-dbnet/checkpoints",
        "x_resnet101_resnet18/checkpoints", "polygons_add_1/checkpoints", "big_polygons_add_2/checkpoints",
        "big_polygons_no_2/checkpoints", "one-2-three_four-five/checkpoints", "a_12_b/checkpoints",
        "dbnet-vgg16-with-a-very-long-tail_polygon/checkpoints", "exactly_twenty_three_ab/checkpoints",
        "exactly_twenty_four_abcd/checkpoints",
        "unknown/checkpoints", "a..b/checkpoints", "x²pan/checkpoints",
    )  # fmt: skip
    told = [f"x_{name}_y/checkpoints" for name in (*ENCODERS, *ARCHITECTURES)]
    for names in (ENCODERS, ARCHITECTURES):
        told += [f"{after}_{before}/checkpoints" for before, after in pairwise(names)]
    for folder in (*folders, *told):
        node = checkpoint(joined(folder, "epoch=2.ckpt"), epoch=2)
        yield case_of(f"folder/{folder or '(root)'}", "exp_name", plan_of([node]))


def _orders() -> Iterator[Case]:
    pairs = {
        "path": ("b/checkpoints/x.ckpt", "a/checkpoints/x.ckpt"),
        "file name": ("a/checkpoints/x.ckpt", "b/checkpoints/w.ckpt"),
        "code points": ("a/checkpoints/Zebra.ckpt", "a/checkpoints/ant.ckpt"),
        "astral": ("a/checkpoints/\U0001f600.ckpt", "a/checkpoints/\uff5e.ckpt"),
        "separator": ("a/checkpoints/x.ckpt", "a-b/checkpoints/x.ckpt"),
    }
    for name, paths in pairs.items():
        yield case_of(f"order/{name}", "Order", plan_of(checkpoint(path, epoch=4) for path in paths))
    epochs = plan_of(checkpoint(f"a/checkpoints/{name}.ckpt", epoch=n) for name, n in (("a", 10), ("b", 9)))
    yield case_of("order/epochs as numbers", "Order", epochs)
    told = [("a", "pan", "resnet50"), ("b", "Pan", "resnet18"), ("c", "craft", "x"), ("d", "pan", "resnet18")]
    nodes: list[Node] = []
    for stem, architecture, encoder in told:
        model = {"architecture": architecture, "encoder": {"model_name": encoder}}
        nodes += [
            checkpoint(f"run/{stem}.ckpt", epoch=4),
            sidecar(f"run/{stem}.metadata.yaml", {"training": {"epoch": 9}, "model": model}),
        ]
    yield case_of("order/architecture and backbone", "Order", plan_of(nodes))


def _config_files() -> Iterator[Case]:
    names = (
        "run/checkpoints/x.config.json", "run/checkpoints/x.config.yaml", "run/checkpoints/x.config.yml",
        "run/checkpoints/x.resolved.config.json", "run/.hydra/config.yaml", ".hydra/config.yaml",
        "run/checkpoints/config.yaml", "run/checkpoints/hparams.yaml", "run/config.yaml", "run/hparams.yaml",
    )  # fmt: skip
    documents = [
        config(name, {"model": {"architecture": f"a{place}", "encoder": {"name": f"e{place}"}}})
        for place, name in enumerate(names)
    ]
    node = checkpoint("run/checkpoints/x.ckpt", epoch=4)
    for place, name in enumerate(names):
        yield case_of(
            f"config file/{name} before those after it", "config_path", plan_of([node, *documents[place:]])
        )
    for place in (0, 6):
        empty = replace(documents[place], content={})
        yield case_of(
            f"config file/{names[place]} silent", "Sources: config", plan_of([node, empty, documents[4]])
        )
    broken = replace(documents[0], content=UNREADABLE, raw=b"{")
    yield case_of("config file/broken before Hydra", "Sources: config", plan_of([node, broken, documents[4]]))
    link = Link(path="run/checkpoints/x.config.yaml", target="../../shared.yaml", mtime_ns=NOON_NS)
    shared = config("shared.yaml", {"model": {"architecture": "linked"}})
    yield case_of("config file/a symlink", "config_path", plan_of([node, link, shared]))
    too_far = config("config.yaml", {"model": {"architecture": "far"}})
    yield case_of("config file/two above", "config_path", plan_of([node, too_far]))
    yield case_of(
        "config file/beside the outputs directory",
        "config_path",
        plan_of(
            [checkpoint("x.ckpt", epoch=4), config(".hydra/config.yaml", {"model": {"architecture": "far"}})]
        ),
    )


def _shapes() -> Iterator[Case]:
    stems = {"conv_stem.weight": (16, 17, 24, 25), "features.0.0.weight": (40, 41)}
    stems |= {f"layer{layer}.0.conv1.weight": (255, 256) for layer in (1, 2, 3)}
    for name, counts in stems.items():
        for count in counts:
            weights = {f"m.encoder.model.{name}": Tensor((count, 1))}
            yield _shape_case(f"shapes/{name} {count}", weights)
    first = {
        "encoder.model.layer1.0.conv1.weight": Tensor((64, 1)),
        "encoder.model.conv_stem.weight": Tensor((30, 1)),
    }
    yield _shape_case("shapes/rules before keys", first)
    two = {
        "a.encoder.model.layer2.0.conv1.weight": Tensor((64,)),
        "encoder.model.layer1.0.conv1.weight": Tensor((256,)),
    }
    yield _shape_case("shapes/keys in the order of the file", two)
    yield _shape_case("shapes/no dimension", {"encoder.model.conv_stem.weight": Scalar(0.5)})
    node = checkpoint(
        "run/x.ckpt", epoch=4, model_state_dict={"encoder.model.conv_stem.weight": Tensor((8, 1))}
    )
    yield case_of("shapes/model_state_dict", "backbone", plan_of([node]))


def _shape_case(name: str, weights: dict[str, Any]) -> Case:
    return case_of(name, "backbone", plan_of([checkpoint("run/x.ckpt", epoch=4, state_dict=weights)]))


def _metrics() -> Iterator[Case]:
    for value in (0, 1, "0", "1", 0.0, 1.0, -0.0, "1.0001"):
        node = checkpoint("run/x.ckpt", epoch=4, cleval_metrics={"hmean": value, "recall": value})
        yield case_of(f"metrics/a checkpoint's {value!r}", "hmean", plan_of([node]))
    older = {"training": {"epoch": 4}, "config": {"monitor": "val/hmean", "mode": "max"}}
    nodes: list[Node] = [checkpoint("run/x.ckpt", epoch=4), sidecar("run/x.metadata.yaml", older)]
    yield case_of("metrics/an older sidecar alone", "monitor", plan_of(nodes))


def _scores() -> Iterator[Case]:
    metrics = {"hmean": 0.5, "precision": 0.25, "recall": 0.75, "validation_loss": 1.5}
    for monitor in ("val/hmean", "precision", "x/y/recall", "val/loss", "validation_loss", "val/f1", "hmean/"):
        for kind, more in (("told", {monitor: 0.125}), ("untold", {}), ("not finite", {monitor: float("inf")})):
            said: dict[str, Any] = {
                "training": {"epoch": 4},
                "metrics": {**metrics, "additional_metrics": more},
                "checkpointing": {"monitor": monitor},
            }
            state: dict[str, Any] = {
                "monitor": monitor,
                "best_k_models": {"/d/x.ckpt": 0.875},
                "current_score": 0.0625,
            }
            node = checkpoint("run/x.ckpt", epoch=4, callbacks={"ModelCheckpoint": state})
            tree = plan_of([node, sidecar("run/x.metadata.yaml", said)])
            yield case_of(f"score/{monitor} {kind}", "score", tree)
    for value in (-1.0, -1e-9, 0, "0.5", "-0.5", True, float("nan"), 10**400, "9" * 400):
        for key in ("validation_loss", "val/loss"):
            said = {"training": {"epoch": 4}, "metrics": {key: value}, "checkpointing": {"monitor": "val/loss"}}
            tree = plan_of([checkpoint("run/x.ckpt", epoch=4), sidecar("run/x.metadata.yaml", said)])
            yield case_of(f"score/{key} is {str(value)[:9]!r}", "score", tree)
    states: dict[str, dict[str, Any]] = {
        "of the file": {},
        "current": {"best_k_models": {"/d/xx.ckpt": 0.9}},
        "best is no mapping": {"best_k_models": 5},
        "best not finite": {"best_k_models": {"/d/x.ckpt": float("nan")}},
        "of a file of Windows": {"best_k_models": {"C:\\d\\x.ckpt": 0.75, "/d/x.ckpt": 0.5}},
    }
    for kind, changes in states.items():
        state = {"monitor": "val/f1", "best_k_models": {"/d/x.ckpt": 0.875}, "current_score": 0.0625} | changes
        node = checkpoint("run/x.ckpt", epoch=4, callbacks={"ModelCheckpoint{'mode': 'max'}": state})
        yield case_of(f"score/{kind}", "score", plan_of([node]))


def _callback_choices() -> Iterator[Case]:
    saving = {"_target_": "a.ModelCheckpoint", "monitor": "m1", "mode": "max"}
    stopping = {"_target_": "a.EarlyStopping", "monitor": "m2", "mode": "min"}
    own = {"ModelCheckpoint{'monitor': 'm3', 'mode': 'min'}": {"monitor": "m3"}}
    listed: dict[str, Any] = {
        "ModelCheckpoint first": [saving, stopping],
        "ModelCheckpoint later": [stopping, saving],
        "none": [stopping],
        "monitor and mode of one": [{"_target_": "ModelCheckpoint"}, saving],
        "mode untold": [{"_target_": "ModelCheckpoint", "monitor": "m4"}],
        "no monitor at all": [{"_target_": "a.Timer"}],
    }
    for name, callbacks in listed.items():
        for kind, states in (("alone", ABSENT), ("beside the checkpoint's", own)):
            content = {"epoch": 4} if states is ABSENT else {"epoch": 4, "callbacks": states}
            nodes: list[Node] = [
                checkpoint("run/x.ckpt", **content),
                config("run/config.yaml", {"callbacks": callbacks}),
            ]
            yield case_of(f"callbacks/{name} {kind}", "Callbacks", plan_of(nodes))
    two: list[Node] = [
        checkpoint("run/x.ckpt", epoch=4),
        config("run/x.config.yaml", {"callbacks": [{"_target_": "ModelCheckpoint", "mode": "max"}]}),
        config(".hydra/config.yaml", {"callbacks": [saving]}),
    ]
    yield case_of("callbacks/the first file that has one", "Callbacks", plan_of(two))


def _moments() -> Iterator[Case]:
    for name, at_s in {
        "summer": 1_720_000_000,
        "winter": 1_705_000_000,
        "midnight": 1_704_078_000,
        "1970": 0,
    }.items():
        node = replace(checkpoint("run/x.ckpt", epoch=4), mtime_ns=at_s * SECOND_NS + 999_999_999)
        link = Link(path="run/y.ckpt", target="x.ckpt", mtime_ns=NOON_NS)
        yield case_of(f"mtime/{name}", "created_timestamp", plan_of([node, link]))
    for text in (
        "2024-02-29T23:59",
        "2024-02-29T23",
        "2024-02-29X23:59:58",
        "2024-02-29T23:59:59",
        "2024-01-01T00:30:00+14:00",
        "1000-01-01",
        "24-1-1",
        "2024-13-01",
        "2024-W01-1",
    ):
        nodes: list[Node] = [
            checkpoint("run/x.ckpt", epoch=4),
            sidecar("run/x.metadata.yaml", {"training": {"epoch": 4}, "created_at": text}),
        ]
        yield case_of(f"created_at/{text}", "created_timestamp", plan_of(nodes))


def _roots() -> Iterator[Case]:
    nothing = Expected(entries=(), skipped=frozenset(), problems=frozenset())
    empty = plan_of(())
    rule = "Which checkpoints"
    yield Case("root/missing", rule, (empty,), (nothing,), Path.rmdir)
    yield Case("root/dangling symlink", rule, (empty,), (nothing,), _dangle)
    yield Case("root/a file", rule, (empty,), (nothing,), _to_file, raises="NotADirectoryError")
    if os.geteuid() != 0:  # the superuser may read everything
        yield Case("root/unreadable", rule, (empty,), (nothing,), _close, raises="PermissionError")


def _dangle(root: Path) -> None:
    root.rmdir()
    root.symlink_to("gone")


def _to_file(root: Path) -> None:
    root.rmdir()
    root.write_bytes(b"")


def _close(root: Path) -> None:
    root.chmod(0)
