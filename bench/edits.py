"""Edits of a tree between two calls: everything that a remembered answer must notice.

Each edit is a case of three states: before, after, and before again. No time of modification tells of an
edit: every file and folder keeps the one that it had, as `rsync --times` or an unpacked archive leaves it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bench.case import Case, case_of
from fixtures.changes import Change, changed
from fixtures.draw import draw
from fixtures.plan import UNREADABLE, Checkpoint, Document, Folder, Link, TreePlan
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fixtures.plan import Node

SETTLING_S: Final = 3.2
"""How long a tree rests before it is edited: a catalog may believe what has not changed for three seconds."""

_SPEC: Final = TreeSpec(
    experiments=2,
    checkpoints_per_experiment=2,
    checkpoint_bytes=1,
    sidecar_share=1.0,
    metrics_share=1.0,
    seed=5,
)
_BARE: Final = replace(_SPEC, sidecar_share=0.0)

Nodes = dict[str, "Node"]


def edited_cases() -> Iterator[Case]:
    """Every edit, in a tree with sidecars or without, forth and back."""
    for edit, spec in _EDITS:
        before = draw(spec)
        after = with_folders(replace(before, nodes=edit(dict(before.nodes))))
        name = (
            f"edit/{edit.__name__.strip('_').replace('_', ' ')}{'' if spec.sidecar_share else ' (no sidecars)'}"
        )
        yield case_of(name, "Which checkpoints", before, after, before)


def with_folders(plan: TreePlan) -> TreePlan:
    """The plan with every folder that something stands in."""
    nodes = dict(plan.nodes)
    for path in list(nodes):
        while path := path.rpartition("/")[0]:
            nodes.setdefault(path, Folder(path=path, mtime_ns=plan.root_mtime_ns))
    return replace(plan, nodes=nodes)


def edit_between(before: TreePlan, after: TreePlan) -> Iterator[str]:
    """What was done to the files of a tree, a line each."""
    for path in sorted(before.nodes.keys() | after.nodes.keys()):
        old, new = before.nodes.get(path), after.nodes.get(path)
        if old != new and not all(one is None or isinstance(one, Folder) for one in (old, new)):
            yield f"{path}: {_did(old, new)}"


def _did(old: Node | None, new: Node | None) -> str:
    if old is None or new is None:
        return "made" if old is None else "removed"
    return "rewritten" if type(old) is type(new) else f"a {type(new).__name__.lower()} now"


def _first(nodes: Mapping[str, Node], ending: str, place: int = 0) -> str:
    return sorted(path for path in nodes if path.endswith(ending))[place]


def _change(nodes: Nodes, ending: str, keys: str, value: Any) -> Nodes:
    path = _first(nodes, ending)
    node = nodes[path]
    if isinstance(node, Document | Checkpoint) and isinstance(node.content, dict):
        nodes[path] = replace(node, content=changed(node.content, Change(tuple(keys.split(".")), value)))
    return nodes


def renamed(nodes: Nodes, old: str, new: str) -> Nodes:
    """Everything at and below a path under another."""
    moved: Nodes = {}
    for path, node in nodes.items():
        below = path == old or path.startswith(f"{old}/")
        name = new + path.removeprefix(old) if below else path
        moved[name] = replace(node, path=name)
    return moved


def _sidecar_rewritten(nodes: Nodes) -> Nodes:
    return _change(nodes, ".metadata.yaml", "exp_name", "said after the edit")


def _sidecar_of_the_same_size(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".metadata.yaml")
    node = nodes[path]
    if isinstance(node, Document) and isinstance(node.content, dict):
        name = str(node.content["exp_name"])
        return _change(nodes, ".metadata.yaml", "exp_name", name[::-1])
    return nodes


def _sidecar_removed(nodes: Nodes) -> Nodes:
    del nodes[_first(nodes, ".metadata.yaml")]
    return nodes


def _sidecar_broken(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".metadata.yaml")
    nodes[path] = Document(
        path=path, content=UNREADABLE, raw=b"{", mtime_ns=nodes[path].mtime_ns, role="sidecar"
    )
    return nodes


def _sidecars_exchanged(nodes: Nodes) -> Nodes:
    one, two = _first(nodes, ".metadata.yaml"), _first(nodes, ".metadata.yaml", 1)
    nodes[one], nodes[two] = replace(nodes[two], path=one), replace(nodes[one], path=two)
    return nodes


def _sidecar_added(nodes: Nodes) -> Nodes:
    stem = _first(nodes, ".ckpt").removesuffix(".ckpt")
    path = f"{stem}.metadata.yaml"
    content = {"training": {"epoch": 41}, "exp_name": "added"}
    nodes[path] = Document(path=path, content=content, mtime_ns=1, role="sidecar")
    return nodes


def _sidecar_in_json_added(nodes: Nodes) -> Nodes:
    stem = _first(nodes, ".ckpt").removesuffix(".ckpt")
    path = f"{stem}.metadata.json"
    content = {"training": {"epoch": 42}}
    nodes[path] = Document(path=path, content=content, form="json", mtime_ns=1, role="sidecar")
    return nodes


def _hydra_config_rewritten(nodes: Nodes) -> Nodes:
    return _change(nodes, ".hydra/config.yaml", "model.architecture_name", "edited")


def _hydra_config_removed(nodes: Nodes) -> Nodes:
    del nodes[_first(nodes, ".hydra/config.yaml")]
    return nodes


def _hydra_folder_linked(nodes: Nodes) -> Nodes:
    folder = _first(nodes, "/.hydra")
    nodes = renamed(nodes, folder, f"{folder}-moved")
    nodes[folder] = Link(path=folder, target=".hydra-moved", mtime_ns=1)
    return nodes


def _own_config_added(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt").removesuffix(".ckpt") + ".config.yaml"
    nodes[path] = Document(path=path, content={"model": {"architecture": "own"}}, mtime_ns=1)
    return nodes


def _config_beside_added(nodes: Nodes) -> Nodes:
    nodes = _hydra_config_removed(nodes)
    path = _first(nodes, ".ckpt").rpartition("/")[0] + "/config.yaml"
    nodes[path] = Document(path=path, content={"model": {"architecture": "beside"}}, mtime_ns=1)
    return nodes


def _checkpoint_rewritten(nodes: Nodes) -> Nodes:
    return _change(nodes, ".ckpt", "epoch", 77)


def _checkpoint_removed(nodes: Nodes) -> Nodes:
    del nodes[_first(nodes, ".ckpt")]
    return nodes


def _checkpoint_renamed(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt")
    return renamed(nodes, path, f"{path.rpartition('/')[0]}/renamed.ckpt")


def _checkpoint_added(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt").rpartition("/")[0] + "/added.ckpt"
    nodes[path] = Checkpoint(path=path, content={"epoch": 6}, mtime_ns=1, size_bytes=1)
    return nodes


def _checkpoint_left_out(nodes: Nodes) -> Nodes:
    return _change(nodes, ".ckpt", "epoch", 0)


def _checkpoint_to_folder(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt")
    nodes[path] = Folder(path=path, mtime_ns=nodes[path].mtime_ns)
    return nodes


def _checkpoint_broken(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt")
    nodes[path] = Checkpoint(path=path, content=UNREADABLE, raw=b"PK", mtime_ns=nodes[path].mtime_ns)
    return nodes


def _checkpoint_touched(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt")
    nodes[path] = replace(nodes[path], mtime_ns=nodes[path].mtime_ns + 3_600_000_000_000)
    return nodes


def _link_added(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt")
    folder, _, name = path.rpartition("/")
    nodes[f"{folder}/zz.ckpt"] = Link(path=f"{folder}/zz.ckpt", target=name, mtime_ns=1)
    return nodes


def _dangling_link_added(nodes: Nodes) -> Nodes:
    path = _first(nodes, ".ckpt").rpartition("/")[0] + "/zz.ckpt"
    nodes[path] = Link(path=path, target="gone", mtime_ns=1)
    return nodes


def _experiment_renamed(nodes: Nodes) -> Nodes:
    return renamed(nodes, _first(nodes, ".ckpt").partition("/")[0], "renamed-pan-resnet50")


def _experiments_exchanged(nodes: Nodes) -> Nodes:
    one, two = sorted(path for path in nodes if "/" not in path)[:2]
    return renamed(renamed(renamed(nodes, one, "aside"), two, one), "aside", two)


_EDITS: Final[tuple[tuple[Callable[[Nodes], Nodes], TreeSpec], ...]] = (
    *(
        (edit, _SPEC)
        for edit in (
            _sidecar_rewritten,
            _sidecar_of_the_same_size,
            _sidecar_removed,
            _sidecar_broken,
            _sidecars_exchanged,
            _checkpoint_removed,
            _checkpoint_renamed,
            _link_added,
            _experiments_exchanged,
        )
    ),
    *(
        (edit, _BARE)
        for edit in (
            _sidecar_added,
            _sidecar_in_json_added,
            _hydra_config_rewritten,
            _hydra_config_removed,
            _hydra_folder_linked,
            _own_config_added,
            _config_beside_added,
            _checkpoint_rewritten,
            _checkpoint_added,
            _checkpoint_left_out,
            _checkpoint_to_folder,
            _checkpoint_broken,
            _checkpoint_touched,
            _dangling_link_added,
            _experiment_renamed,
        )
    ),
)
