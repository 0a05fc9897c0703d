"""Hypothesis strategies for trees: small ones, which shrink towards the tidy and the few."""

from __future__ import annotations

from hypothesis import strategies as st

from fixtures.spec import TreeSpec


def tree_specs(*, most_experiments: int = 3, most_checkpoints: int = 3) -> st.SearchStrategy[TreeSpec]:
    """Specs of trees with checkpoints of the smallest size."""
    shares = st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0))
    return st.builds(
        TreeSpec,
        experiments=st.integers(0, most_experiments),
        checkpoints_per_experiment=st.integers(1, most_checkpoints),
        checkpoint_bytes=st.just(1),
        sidecar_share=shares,
        wandb_share=shares,
        metrics_share=shares,
        untidiness=shares,
        seed=st.integers(0, 2**32),
    )
