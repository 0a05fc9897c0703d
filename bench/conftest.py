"""What the benchmarks share: the trees of a profile, one at a time, the targets, and private homes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.arms import isolated, serve_wandb
from bench.pagecache import cold_supported
from bench.targets import find_pyproject, read_targets
from bench.trees import grow
from fixtures.spec import PROFILES, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.scenario import Contestant
    from bench.targets import Target
    from bench.trees import GrownTree, Variant


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the trees be chosen."""
    parser.addoption(
        "--ckpt-profile", choices=sorted(PROFILES), default="smoke", help="trees to measure on (default: smoke)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run everything that asks for a tree once for each tree of the profile."""
    if "tree" in metafunc.fixturenames:
        specs = profile(metafunc.config.getoption("--ckpt-profile"))
        names = [f"{spec.checkpoints}x{spec.checkpoint_bytes / 1e6:.3g}MB" for spec in specs]
        metafunc.parametrize("tree", specs, ids=names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrownTree]:
    """A generated tree whose experiments all have a W&B run; it is removed before the next one is written."""
    spec = replace(request.param, wandb_share=1.0, sidecar_share=1.0)
    with grow(spec, tmp_path_factory.mktemp("trees"), keep=False) as grown:
        yield grown


@pytest.fixture(scope="session")
def is_cold_possible(tree: GrownTree) -> bool:
    """Whether this system lets the tree's files be made cold."""
    return cold_supported(tree.root)


@pytest.fixture(scope="session")
def targets() -> tuple[Target, ...]:
    """The targets of `[tool.ckpt-bench]`; without any, nothing could fail, so that this is an error."""
    return read_targets(find_pyproject(Path(__file__).parent))


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Contestant, Variant], None]]:
    """Give this process the environment that a contestant runs in, its W&B server included."""
    import contextlib

    with contextlib.ExitStack() as stack:

        def prepare(contestant: Contestant, variant: Variant) -> None:
            environment = isolated(tmp_path)
            if contestant.is_asking_wandb:
                served = serve_wandb(variant.runs, latency_s=contestant.latency_ms / 1000, home=tmp_path)
                environment |= stack.enter_context(served)
            for name, value in environment.items():
                monkeypatch.setenv(name, value)

        yield prepare


def pytest_report_header() -> str:
    """Say on how many processors the figures are taken."""
    return f"ckpt-bench: {os.cpu_count()} processors; times of one process, for trends and not for verdicts"
