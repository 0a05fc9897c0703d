"""Named cases out of the tables of `fixtures`: each value, spelling, shape, name and clutter is one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.case import BARE, NOON_NS, ONE, Case, case_of, checkpoint, plan_of, sidecar, with_document
from fixtures import clutter, untidy_configs, untidy_contents, untidy_sidecars
from fixtures.changes import ABSENT, Change, changed
from fixtures.draw import draw
from fixtures.experiments import draw_experiment, draw_moments, joined
from fixtures.layouts import FILE_NAMES
from fixtures.plan import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.experiments import Experiment, Moment
    from fixtures.plan import Node
    from fixtures.spec import TreeSpec


def table_cases() -> Iterator[Case]:
    """Every entry of every table."""
    yield from _sidecar_values()
    yield from _sidecar_spellings()
    yield from _config_values()
    yield from _checkpoint_contents()
    yield from _file_names()
    yield from _clutter()


def _facts(spec: TreeSpec) -> tuple[Experiment, Moment]:
    experiment = draw_experiment(spec, 0)
    return experiment, draw_moments(spec, experiment)[0]


def _sidecar_values() -> Iterator[Case]:
    plan = draw(ONE)
    for change in untidy_sidecars.VALUES:
        name = f"sidecar/{'.'.join(change.keys)}={_short(change.value)}"
        made = with_document(plan, ".metadata.yaml", _changing(change))
        yield case_of(name, _rule_of(change.keys), made)


def _sidecar_spellings() -> Iterator[Case]:
    experiment, moment = _facts(ONE)
    plan = draw(BARE)
    tidy = untidy_sidecars.sidecar_drafts(experiment, moment, "yaml", 0.0)[0]
    for spelling in untidy_sidecars.SPELLINGS:
        nodes: list[Node] = list(plan.nodes.values())
        for draft in spelling(tidy, experiment, moment):
            path = joined(moment.folder, draft.name.format(stem=moment.stem, file_name=moment.file_name))
            if draft.is_folder:
                nodes.append(Folder(path=path, mtime_ns=NOON_NS))
            else:
                nodes.append(replace(sidecar(path, draft.content), form=draft.form, raw=draft.raw))
        yield case_of(f"sidecar/{_of(spelling)}", "Sources: sidecar", plan_of(nodes))


def _config_values() -> Iterator[Case]:
    plan = draw(BARE)
    for change in untidy_configs.VALUES:
        name = f"config/{'.'.join(change.keys)}={_short(change.value)}"
        made = with_document(plan, ".hydra/config.yaml", _changing(change))
        # Without epochs of its own the checkpoint is listed by its config alone.
        made = with_document(made, ".ckpt", lambda content: {"state_dict": content["state_dict"]})
        yield case_of(name, _rule_of(change.keys), made)


def _checkpoint_contents() -> Iterator[Case]:
    experiment, moment = _facts(BARE)
    plan = draw(BARE)
    bare = replace(plan, nodes={path: one for path, one in plan.nodes.items() if ".hydra" not in path})
    unlike = {(one.keys, repr(one.value)): one for one in untidy_contents.VALUES}
    for change in unlike.values():
        name = f"checkpoint/{'.'.join(change.keys)}={_short(change.value)}"
        yield case_of(name, _rule_of(change.keys), with_document(bare, ".ckpt", _changing(change)))
    for shape in dict.fromkeys(untidy_contents.SHAPES):
        made = with_document(bare, ".ckpt", partial(_reshaped, shape, experiment, moment))
        yield case_of(f"checkpoint/{_of(shape)}", "Sources: checkpoint", made)


def _reshaped(shape: untidy_contents.Reshape, experiment: Experiment, moment: Moment, content: Any) -> Any:
    return shape(content, experiment, moment)


def _file_names() -> Iterator[Case]:
    more: tuple[str, ...] = ("epoch_5.ckpt", "Epoch-05.ckpt", "epoch5.ckpt", "epoch=3-epoch=4.ckpt")
    more += ("bestial.ckpt", "my-best.ckpt", "lastly.ckpt", "epoch=9223372036854775807.ckpt")
    more += ("pan_resnet34.ckpt", "PSENet-EfficientNet_B3.ckpt")
    for name in (*(one.format(epoch=7, step=70) for one in FILE_NAMES), *more):
        # Once where nothing else tells the epochs, once where the checkpoint does.
        for kind, content in (("alone", {}), ("told", {"epoch": 5})):
            node = checkpoint(f"run/checkpoints/{name}", **content)
            yield case_of(f"name/{kind}/{name}", "Sources: names", plan_of([node]))


def _clutter() -> Iterator[Case]:
    experiment, moment = _facts(ONE)
    for strew in clutter.CLUTTER:
        nodes = [*draw(ONE).nodes.values(), *strew(experiment, moment)]
        yield case_of(f"clutter/{_of(strew)}", "Which checkpoints", plan_of(nodes))
    empty = replace(ONE, experiments=0)
    yield case_of("clutter/nothing at all", "Which checkpoints", draw(empty))


_SECTIONS: Final = {
    "epoch": "epochs", "exp_name": "exp_name", "created_at": "created_timestamp",
    "schema_version": "Sources: sidecar",
    "cleval_metrics": "hmean", "state_dict": "backbone", "callbacks": "Callbacks", "trainer": "epochs",
    "training": "epochs", "metrics": "hmean", "checkpointing": "monitor", "config": "monitor",
}  # fmt: skip


def _changing(change: Change) -> Callable[[Any], Any]:
    return lambda content: changed(content, change)


def _rule_of(keys: tuple[str, ...]) -> str:
    """The row of the contract's table that a key belongs to."""
    if keys[0] == "model":
        return "backbone" if "encoder" in keys else "architecture"
    if keys[-1] in {"precision", "recall", "mode"}:
        return {"mode": "monitor_mode"}.get(keys[-1], keys[-1])
    return _SECTIONS.get(keys[0], "When a value is told")


def _short(value: object) -> str:
    return "(absent)" if value is ABSENT else repr(value)[:100]


def _of(function: Any) -> str:
    return str(function.__name__).strip("_").replace("_", " ")
