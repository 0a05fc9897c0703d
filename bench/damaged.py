"""The defects of `fixtures.damage` in a tidy tree, each with the plan that says what is left to answer."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import yaml

from fixtures.damage import DEFECTS
from fixtures.documents import document_bytes
from fixtures.draw import draw
from fixtures.plan import UNREADABLE, Bystander, Checkpoint, Document, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from fixtures.damage import Defect
    from fixtures.plan import Node, TreePlan
    from fixtures.spec import TreeSpec

_ENDINGS: Final = {"checkpoint": ".ckpt", "sidecar": ".metadata.yaml", "config": ".hydra/config.yaml"}

_NO_FILE: Final = frozenset({"dangling_symlink", "circular_symlink", "named_pipe", "unix_socket"})
_BEYOND_LIMITS: Final = frozenset(
    {
        "deep_nesting",
        "closed_deep_nesting",
        "alias_bomb",
        "merge_bomb",
        "self_reference",
        "huge_sidecar",
        "many_nodes",
    }
)
_STILL_TOLD: Final[Mapping[str, dict[str, object]]] = {
    "executing_pickle": {"epoch": 3},
    "unknown_class": {"epoch": 3},
    "nested_graph_bomb": {"epoch": 3, "state_dict": [], "callbacks": []},
}
_LEFT_OUT: Final = frozenset({"two_data_pkl", "prepended_bytes", "deflated_data_pkl", "memo_bomb_pickle"})
"""The contract does not say which of two records counts, or how large a pickle may swell; and a memo of 2^30
places costs a reader that trusts it a minute and 8 GB."""


def damaged_cases(spec: TreeSpec) -> Iterator[tuple[str, str, TreePlan, Callable[[Path], None]]]:
    """Name, rule, plan and damage of every defect of every kind of file."""
    for defect in DEFECTS.values():
        for kind in defect.kinds:
            if defect.name in _LEFT_OUT or (defect.name == "unreadable" and os.geteuid() == 0):
                continue
            # A sidecar would leave nothing to ask the other files for.
            plan = draw(spec if kind == "sidecar" else replace(spec, sidecar_share=0.0))
            path = next(path for path in plan.nodes if path.endswith(_ENDINGS[kind]))
            nodes: dict[str, Node] = {**plan.nodes, path: _damaged(plan.nodes[path], defect)}
            told = f"damage/{kind}/{defect.name}"
            yield told, _RULES[kind], replace(plan, nodes=nodes), partial(_apply, plan, path, defect)


_RULES: Final = {
    "checkpoint": "Sources: checkpoint",
    "sidecar": "Sources: sidecar",
    "config": "Sources: config",
}


def _damaged(node: Node, defect: Defect) -> Node:
    """What the defect leaves of a sound file, as far as the contract asks for it; `_apply` writes its bytes."""
    if defect.name in {"dangling_symlink", "circular_symlink"}:
        target = node.path.rpartition("/")[2] + (".gone" if defect.name == "dangling_symlink" else "")
        return Link(path=node.path, target=target, mtime_ns=node.mtime_ns)
    if defect.name in _NO_FILE:
        return Bystander(path=node.path, raw=b"", mtime_ns=node.mtime_ns)
    if isinstance(node, Checkpoint):
        return replace(node, content=_STILL_TOLD.get(defect.name, UNREADABLE), raw=b"")
    if isinstance(node, Document):
        return replace(node, content=_read_again(node, defect), raw=b"")
    return node


def _read_again(node: Document, defect: Defect) -> object:
    """The damaged document as PyYAML reads it, which the contract names as the measure."""
    import tempfile
    from pathlib import Path

    if defect.name in _BEYOND_LIMITS or defect.name == "unreadable":
        return UNREADABLE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.yaml"
        path.write_bytes(document_bytes(node))
        defect.apply(path)
        try:
            return yaml.safe_load(path.read_bytes())
        except (yaml.YAMLError, UnicodeDecodeError):
            return UNREADABLE


def _apply(sound: TreePlan, path: str, defect: Defect, root: Path) -> None:
    """Write the sound file, spoil it, and set the times to what they were."""
    from fixtures.checkpoints import CheckpointWriter

    node, spoiled = sound.nodes[path], root / path
    folder_mtime_ns = spoiled.parent.stat().st_mtime_ns
    spoiled.unlink()
    if isinstance(node, Checkpoint):
        CheckpointWriter().write(node, spoiled)
    elif isinstance(node, Document):
        spoiled.write_bytes(document_bytes(node))
    defect.apply(spoiled)
    os.utime(spoiled, ns=(node.mtime_ns, node.mtime_ns), follow_symlinks=False)
    os.utime(spoiled.parent, ns=(folder_mtime_ns, folder_mtime_ns))
