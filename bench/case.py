"""A case: a tree in one or more states, what each must answer, and the rule of the contract that decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from fixtures.expected import Expected, expected
from fixtures.plan import Checkpoint, Document, Folder, TreePlan
from fixtures.spec import TreeSpec
from fixtures.witnesses import checkpoint_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from fixtures.plan import Node

ONE: Final = TreeSpec(
    experiments=1, checkpoints_per_experiment=1, checkpoint_bytes=1, metrics_share=1.0, seed=3
)
"""A tidy tree of one checkpoint, which every table's entry is laid into."""

BARE: Final = replace(ONE, sidecar_share=0.0)
SECOND_NS: Final = 1_000_000_000
NOON_NS: Final = 1_720_000_000 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Case:
    """A tree, perhaps edited in `plans` one after the other, and what each of its states must answer.

    `rule` is a field of the contract's table or a heading of it, for whoever asks which rule decides.
    `damage` is applied to the written tree. `raises` names the exception that a call must raise instead.
    """

    name: str
    rule: str
    plans: tuple[TreePlan, ...]
    expected: tuple[Expected, ...]
    damage: Callable[[Path], None] | None = None
    raises: str | None = None

    @property
    def checkpoints(self) -> int:
        """How many checkpoints its largest state has, those that are none by their kind included."""
        return max((len(list(checkpoint_paths(plan.nodes))) for plan in self.plans), default=0)


def case_of(name: str, rule: str, *plans: TreePlan, damage: Callable[[Path], None] | None = None) -> Case:
    """A case whose answers follow from its plans."""
    return Case(name, rule, plans, tuple(expected(one) for one in plans), damage)


def plan_of(nodes: Iterable[Node], spec: TreeSpec = BARE) -> TreePlan:
    """A tree of these nodes; the folders that hold them are added, later nodes replace earlier ones."""
    found: dict[str, Node] = {node.path: node for node in nodes}
    for path in list(found):
        while path := path.rpartition("/")[0]:
            found.setdefault(path, Folder(path=path, mtime_ns=NOON_NS))
    return TreePlan(spec=spec, nodes=found, root_mtime_ns=NOON_NS)


def checkpoint(path: str, **content: Any) -> Checkpoint:
    """A checkpoint that says this."""
    return Checkpoint(path=path, content=content, mtime_ns=NOON_NS, size_bytes=1)


def sidecar(path: str, content: object) -> Document:
    """A sidecar in YAML."""
    return Document(path=path, content=content, mtime_ns=NOON_NS, role="sidecar")


def config(path: str, content: object) -> Document:
    """A config, in JSON where its name says so."""
    form = "json" if path.endswith(".json") else "yaml"
    return Document(path=path, content=content, mtime_ns=NOON_NS, form="json" if form == "json" else "yaml")


def with_document(plan: TreePlan, suffix: str, change: Callable[[Any], Any]) -> TreePlan:
    """The plan with the content of the first document of this ending changed."""
    path = next(path for path in sorted(plan.nodes) if path.endswith(suffix))
    node = plan.nodes[path]
    if not isinstance(node, Document | Checkpoint):
        raise TypeError(f"{path}: expected a document or a checkpoint, found {type(node).__name__}")
    return replace(plan, nodes={**plan.nodes, path: replace(node, content=change(node.content))})
