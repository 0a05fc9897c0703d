"""Trees drawn by Hypothesis until a count or a budget is spent; the first that fails is shrunk by it.

What is drawn is a `TreeSpec`, then which of its files are left away, then single values of its documents
and checkpoints. Each part shrinks towards less, so that a failing tree ends with the files that matter.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, NoSuchExample

from bench.case import Case, case_of
from fixtures import untidy_configs, untidy_contents, untidy_sidecars
from fixtures.changes import Change, changed
from fixtures.draw import draw
from fixtures.plan import Checkpoint, Document, Folder
from fixtures.spec import TreeSpec
from fixtures.witnesses import checkpoint_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.trial import Finding
    from fixtures.plan import Node, TreePlan

MOST_CHECKPOINTS: Final = 5
"""No drawn tree has more checkpoints than this, so that no shrunk one has."""

_CHUNK: Final = 100
_SHRINK_S: Final = 30.0
_SHARES: Final = st.sampled_from((1.0, 0.5, 0.0, 0.75, 0.25))

_TEXTS: Final = st.text(alphabet="abz_-. /=0159EN№é実PR", max_size=12)
_VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from((2**63 - 1, 2**63, -1, 10**30, 100_000)),
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.sampled_from((0.0, 1.0, -0.0, 1e-9, 12.0, 1.0000001, 0.9999999)),
    _TEXTS,
    st.sampled_from(("unknown", "Unknown", " ", "007", "1_0", " 7 ", "7.0", "0.5", "1e0", "inf", "nan", "٣")),
    st.sampled_from(("min", "max", "Max", "2024-05-06", "2024-05-06T07:08:09+05:30", "20240506")),
    st.lists(st.integers(0, 1), max_size=2),
    st.dictionaries(st.sampled_from(("monitor", "mode", "hmean")), st.integers(0, 1), max_size=1),
)


def _changes_of(table: tuple[Change, ...]) -> st.SearchStrategy[Change]:
    keys = list(dict.fromkeys(one.keys for one in table))
    return st.one_of(st.sampled_from(table), st.builds(Change, st.sampled_from(keys), _VALUES))


_SIDECAR_CHANGES: Final = _changes_of(untidy_sidecars.VALUES)
_CONFIG_CHANGES: Final = _changes_of(untidy_configs.VALUES)
_CHECKPOINT_CHANGES: Final = st.one_of(
    st.sampled_from(untidy_contents.VALUES),
    st.builds(
        Change,
        st.sampled_from((("epoch",), *(("cleval_metrics", name) for name in ("hmean", "precision", "recall")))),
        _VALUES,
    ),
)

_SPECS: Final = st.builds(
    TreeSpec,
    experiments=st.integers(0, 2),
    checkpoints_per_experiment=st.integers(1, 2),
    checkpoint_bytes=st.just(1),
    sidecar_share=_SHARES,
    metrics_share=_SHARES,
    untidiness=st.sampled_from((0.0, 0.5, 1.0)),
    seed=st.integers(0, 2**32),
)


@st.composite
def tree_plans(draw_one: st.DrawFn) -> TreePlan:
    """Plans of trees of at most `MOST_CHECKPOINTS` checkpoints, links to them and folders included."""
    plan = draw(draw_one(_SPECS))
    left, checkpoints = dict(plan.nodes), 0
    named = {path for path, _ in checkpoint_paths(plan.nodes)}
    for path in sorted(plan.nodes):
        node = plan.nodes[path]
        if any(path.startswith(f"{gone}/") for gone in named - left.keys()):
            del left[path]  # what stood in a sharded checkpoint goes with it
            continue
        is_filled = any(other.startswith(f"{path}/") for other in plan.nodes)
        if isinstance(node, Folder) and is_filled and path not in named:
            continue
        # 0 leaves the file away, and is what a draw shrinks to.
        is_kept = draw_one(st.integers(0, 11)) > 0
        checkpoints += is_kept and path in named
        if not is_kept or (path in named and checkpoints > MOST_CHECKPOINTS):
            del left[path]
        elif isinstance(node, Document | Checkpoint) and isinstance(node.content, dict) and node.raw is None:
            left[path] = _changed(draw_one, node, node.content)
    return replace(plan, nodes=_without_empty_folders(left, plan.nodes), runs=())


def _changed(draw_one: st.DrawFn, node: Document | Checkpoint, content: Mapping[str, object]) -> Node:
    """Now and then a file with one or two of its values changed."""
    return changed_file(draw_one, node, content, draw_one(st.sampled_from((0, 0, 0, 1, 1, 2))))


def changed_file(
    draw_one: st.DrawFn, node: Document | Checkpoint, content: Mapping[str, object], count: int
) -> Node:
    """A file with so many of its values changed."""
    for _ in range(count):
        if isinstance(node, Checkpoint):
            one = draw_one(_CHECKPOINT_CHANGES)
        else:
            one = draw_one(_SIDECAR_CHANGES if node.role == "sidecar" else _CONFIG_CHANGES)
            if node.form == "json" and not _is_json(one.value):
                continue
        content = changed(content, one)
    return replace(node, content=content)


def _without_empty_folders(left: Mapping[str, Node], drawn: Mapping[str, Node]) -> dict[str, Node]:
    """Folders go with what stood in them; one that was drawn empty stays."""
    filled = {path[:place] for path in drawn for place in range(len(path)) if path[place] == "/"}
    stays = [path for path, node in left.items() if not (isinstance(node, Folder) and path in filled)]
    held = {path[:place] for path in stays for place in range(len(path)) if path[place] == "/"}
    return {path: node for path, node in left.items() if path in held or path in stays}


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


@dataclass(slots=True)
class Searched:
    """What a search did: trees that were examined, seconds, and what was found, in shrunk form."""

    trees: int = 0
    elapsed_s: float = 0.0
    finding: Finding | None = None

    @property
    def trees_per_s(self) -> float:
        """Trees examined in a second, shrinking included."""
        return self.trees / self.elapsed_s if self.elapsed_s > 0 else 0.0


class _Hunt:
    """One search: examines what Hypothesis draws, and keeps the smallest tree that fails as the first did."""

    def __init__(
        self, examine: Callable[[Case], Finding | None], count: int, budget_s: float, clock: Callable[[], float]
    ) -> None:
        self.trees = 0
        self.finding: Finding | None = None
        self._examine = examine
        self._count = count
        self._clock = clock
        self._end_s = clock() + budget_s

    @property
    def is_over(self) -> bool:
        """Whether everything is spent, or something was found."""
        return self.finding is not None or self.trees >= self._count or self._clock() >= self._end_s

    def is_failing(self, plan: TreePlan) -> bool:
        """Whether a tree fails: in any way before the first did, in the same way after it."""
        if self.finding is None and self.is_over:
            return False
        if self.finding is not None and self._clock() >= self._end_s:
            return False
        self.trees += 1
        found = self._examine(case_of(f"drawn/{self.trees}", "Fields", plan))
        if found is None or (self.finding is not None and not found.signature & self.finding.signature):
            return False
        if self.finding is None:
            self._end_s = self._clock() + _SHRINK_S
        if self.finding is None or _size(found.case) <= _size(self.finding.case):
            self.finding = found
        return True


def _size(case: Case) -> tuple[int, int, int]:
    plan = case.plans[0]
    return case.checkpoints, len(plan.nodes), len(repr(plan.nodes))


def search(
    examine: Callable[[Case], Finding | None],
    *,
    count: int,
    budget_s: float,
    seed: int,
    clock: Callable[[], float] = time.monotonic,
) -> Searched:
    """Examine drawn trees until `count` or `budget_s` seconds are spent, or one fails, which is then shrunk.

    The same seed draws the same trees as long as none fails. Shrinking has half a minute of its own.
    """
    begun_s = clock()
    hunt = _Hunt(examine, count, budget_s, clock)
    chunk = 0
    while not hunt.is_over:
        wanted = min(_CHUNK, count - hunt.trees)
        limits = settings(
            max_examples=wanted,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        # Flaky: the time for shrinking ended, so that the last tree no longer counted as failing.
        with suppress(NoSuchExample, Flaky):
            find(tree_plans(), hunt.is_failing, settings=limits, random=random.Random(f"{seed}/{chunk}"))
        chunk += 1
    return Searched(hunt.trees, clock() - begun_s, hunt.finding)
