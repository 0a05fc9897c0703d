"""Drawn trees that drawn edits change between two calls; what fails is reduced to the files that matter.

Every case has three states: a tree as `bench.search` draws one, the same after an edit or two, and after more
of them, or as it was at first. What remembers has to notice each, though no time of modification tells of it.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from bench.case import NOON_NS, Case, case_of
from bench.edits import Nodes, renamed, with_folders
from bench.search import MOST_CHECKPOINTS, changed_file, tree_plans
from fixtures.plan import UNREADABLE, Checkpoint, Document, Folder, Link
from fixtures.witnesses import checkpoint_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bench.trial import Finding
    from fixtures.plan import TreePlan

BATCH: Final = 100
"""How many trees stand at once, so that they share one rest."""

_RULE: Final = "Which checkpoints"
_REDUCING_S: Final = 30.0
_HOUR_NS: Final = 3_600_000_000_000


def drawn_edits(count: int, seed: int) -> Iterator[Case]:
    """So many cases of three states; the same ones for a seed."""
    drawn: list[Case] = []

    def keep(plans: tuple[TreePlan, ...]) -> bool:
        drawn.append(case_of(f"drawn edit/{len(drawn) + 1}", _RULE, *plans))
        return False

    limits = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with suppress(NoSuchExample):
        find(edited_plans(), keep, settings=limits, random=random.Random(f"{seed}/edits"))
    yield from drawn[:count]


@st.composite
def edited_plans(draw_one: st.DrawFn) -> tuple[TreePlan, ...]:
    """Three states of a tree, none with more than `MOST_CHECKPOINTS` checkpoints."""
    first = with_folders(draw_one(tree_plans()))
    second = _edited(draw_one, first)
    is_undone = draw_one(st.booleans())
    return first, second, first if is_undone else _edited(draw_one, second)


def _edited(draw_one: st.DrawFn, plan: TreePlan) -> TreePlan:
    nodes = dict(plan.nodes)
    for _ in range(draw_one(st.integers(1, 2))):
        # Files more often than folders, because most folders hold one thing.
        files = sorted(path for path, node in nodes.items() if not isinstance(node, Folder))
        if nodes:
            path = draw_one(st.sampled_from([*files, *files, *sorted(nodes)]))
            made = draw_one(st.sampled_from(_EDITS))(draw_one, dict(nodes), path)
            is_small = sum(1 for _ in checkpoint_paths(made)) <= MOST_CHECKPOINTS
            nodes = made if is_small else nodes
    return with_folders(replace(plan, nodes=nodes))


def _remove(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    return _without(nodes, path)


def _change_value(draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    node = nodes[path]
    if isinstance(node, Document | Checkpoint) and isinstance(node.content, dict) and node.raw is None:
        nodes[path] = changed_file(draw_one, node, node.content, 1)
    return nodes


def _exchange(draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    """Two files of one kind, each under the name of the other."""
    ending = path.partition(".")[2]
    alike = [
        other
        for other, node in sorted(nodes.items())
        if type(node) is type(nodes[path]) and other.partition(".")[2] == ending and other != path
    ]
    if alike and not isinstance(nodes[path], Folder):
        other = draw_one(st.sampled_from(alike))
        nodes[path], nodes[other] = replace(nodes[other], path=path), replace(nodes[path], path=other)
    return nodes


def _rename(draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    folder, _, name = path.rpartition("/")
    new = draw_one(st.sampled_from((f"new-{name}", f"pan-{name}", f"epoch=8.{name}")))
    return renamed(nodes, path, f"{folder}/{new}" if folder else new)


def _move_up(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    folder, _, name = path.rpartition("/")
    above = folder.rpartition("/")[0]
    target = f"{above}/{name}" if above else name
    return renamed(nodes, path, target) if folder and target not in nodes else nodes


def _copy(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    folder, _, name = path.rpartition("/")
    new = f"{folder}/copy-{name}" if folder else f"copy-{name}"
    if not isinstance(nodes[path], Folder):
        nodes[new] = replace(nodes[path], path=new)
    return nodes


def _link(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    """The file beside itself under another name, and a link in its place."""
    folder, _, name = path.rpartition("/")
    new = f"{folder}/linked-{name}.kept" if folder else f"linked-{name}.kept"
    nodes = renamed(nodes, path, new)
    nodes[path] = Link(path=path, target=new.rpartition("/")[2], mtime_ns=NOON_NS)
    return nodes


def _spoil(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    node = nodes[path]
    if isinstance(node, Document):
        nodes[path] = replace(node, content=UNREADABLE, raw=b"{")
    elif isinstance(node, Checkpoint):
        nodes[path] = replace(node, content=UNREADABLE, raw=b"PK")
    return nodes


def _to_folder(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    nodes[path] = Folder(path=path, mtime_ns=nodes[path].mtime_ns)
    return nodes


def _touch(_draw_one: st.DrawFn, nodes: Nodes, path: str) -> Nodes:
    nodes[path] = replace(nodes[path], mtime_ns=nodes[path].mtime_ns + _HOUR_NS)
    return nodes


_EDITS: Final[tuple[Callable[[st.DrawFn, Nodes, str], Nodes], ...]] = (
    _remove, _change_value, _exchange, _rename, _move_up, _copy, _link, _spoil, _to_folder, _touch,
)  # fmt: skip


def _without(nodes: Nodes, path: str) -> Nodes:
    return {other: node for other, node in nodes.items() if other != path and not other.startswith(f"{path}/")}


@dataclass(slots=True)
class Reducing:
    """Makes a case that fails smaller, many attempts at a time because each has to rest before its edit."""

    examine: Callable[[Sequence[Case]], Iterable[Finding]]
    clock: Callable[[], float] = time.monotonic

    def reduced(self, finding: Finding) -> Finding:
        """The finding with no later states, and without all files that it does not need."""
        end_s = self.clock() + _REDUCING_S
        finding = self._smallest(finding, [_until(finding)]) or finding
        while self.clock() < end_s:
            smaller = self._smallest(finding, list(_smaller(finding.case)))
            if smaller is None:
                break
            finding = smaller
        return finding

    def _smallest(self, finding: Finding, attempts: Sequence[Case]) -> Finding | None:
        found = [one for one in self.examine(attempts) if one.signature & finding.signature]
        return min(found, key=lambda one: sum(len(plan.nodes) for plan in one.case.plans), default=None)


def _until(finding: Finding) -> Case:
    case = finding.case
    return case_of(case.name, case.rule, *case.plans[: finding.state + 1])


def _smaller(case: Case) -> Iterator[Case]:
    """The case without one of its files or folders, in all states; large ones first."""
    paths = sorted(
        {path for plan in case.plans for path in plan.nodes}, key=lambda path: (path.count("/"), path)
    )
    for path in paths[:BATCH]:
        plans = [replace(plan, nodes=_without(dict(plan.nodes), path)) for plan in case.plans]
        yield case_of(case.name, case.rule, *plans)
