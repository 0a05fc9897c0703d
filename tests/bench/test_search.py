"""Drawn trees are small, the same for a seed, shrink to what matters, and end with their budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings

from bench.equality import Difference, Listing
from bench.search import MOST_CHECKPOINTS, search, tree_plans
from bench.trial import Finding, Told
from fixtures.plan import Document, Folder, Link, TreePlan
from fixtures.witnesses import checkpoint_paths

if TYPE_CHECKING:
    from bench.case import Case


def strays(case: Case, *fields: str) -> Finding:
    told = Told(Listing(()), tuple(Difference("x.ckpt", name, "1", "2") for name in fields))
    return Finding(case, 0, {"mine": told})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree_plans())
def test_a_drawn_tree_is_small_and_whole(plan: TreePlan) -> None:
    assert len(list(checkpoint_paths(plan.nodes))) <= MOST_CHECKPOINTS
    for path in plan.nodes:
        above = path.rpartition("/")[0]
        assert not above or isinstance(plan.nodes[above], Folder)


def drawn(seed: int) -> list[TreePlan]:
    trees: list[TreePlan] = []
    searched = search(lambda case: trees.append(case.plans[0]), count=130, budget_s=1e9, seed=seed)
    assert (searched.trees, searched.finding) == (130, None)
    return trees


def test_nothing_found_means_that_the_count_is_spent_and_the_seed_says_which_trees() -> None:
    seen = [drawn(1), drawn(1), drawn(2)]
    assert seen[0] == seen[1] != seen[2]


def test_a_failing_tree_is_shrunk_to_the_files_that_matter() -> None:
    def examine(case: Case) -> Finding | None:
        sidecars = [
            one for one in case.plans[0].nodes.values() if isinstance(one, Document) and one.role == "sidecar"
        ]
        has_links = any(isinstance(one, Link) for one in case.plans[0].nodes.values())
        return strays(case, "epochs") if sidecars else strays(case, "score") if has_links else None

    found = search(examine, count=500, budget_s=1e9, seed=3).finding
    assert found is not None
    files = [one for one in found.case.plans[0].nodes.values() if not isinstance(one, Folder)]
    assert len(files) == 1
    assert found.case.checkpoints <= 1


def test_a_budget_that_is_spent_ends_the_search() -> None:
    now = iter(range(10_000))
    searched = search(lambda _: None, count=1_000_000, budget_s=40, seed=0, clock=lambda: float(next(now)))
    assert 1 <= searched.trees <= 41
