"""The trees of a run: one at a time on the disk, its variants made of it by exchanging sidecars."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixtures.draw import draw
from fixtures.expected import expected
from fixtures.generate import exchange_sidecars, temporary_tree
from fixtures.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fixtures.expected import Expected
    from fixtures.runs import Run
    from fixtures.spec import TreeSpec


@dataclass(frozen=True, slots=True)
class Variant:
    """A tree as it stands now, and what a catalog must answer for it without and with its W&B runs."""

    name: str
    root: Path
    spec: TreeSpec
    expected: Expected
    expected_with_runs: Expected
    runs: tuple[Run, ...]

    @property
    def listed(self) -> int:
        """How many checkpoints a catalog must list."""
        return len(self.expected.entries)


def standing_in(root: Path) -> dict[str, int]:
    """What stands below `root`, with its time of modification in ns: a catalog leaves it as it is."""
    found = {}
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            found[path] = os.lstat(path).st_mtime_ns
    return found


class GrownTree:
    """A generated tree whose share of sidecars can be changed; no checkpoint is written twice."""

    def __init__(self, root: Path, spec: TreeSpec) -> None:
        self.root = root
        self.spec = spec
        size = f"{spec.checkpoints} x {spec.checkpoint_bytes / 1e6:.3g} MB"
        self.name = "untidy" if spec.untidiness else size

    def with_sidecars(self, share: float) -> Variant:
        """This tree with sidecars for `share` of its checkpoints."""
        wanted = dataclasses.replace(self.spec, sidecar_share=share)
        if wanted != self.spec:
            exchange_sidecars(self.root, self.spec, wanted)
            self.spec = wanted
        plan = draw(wanted)
        return Variant(
            self.name,
            self.root,
            wanted,
            expected(plan, runs=False, outputs_name=self.root.name),
            expected(plan, runs=True, outputs_name=self.root.name),
            plan.runs,
        )


@contextlib.contextmanager
def grow(spec: TreeSpec, parent: Path, *, keep: bool) -> Iterator[GrownTree]:
    """Generate a tree below `parent`, with a progress bar, and remove it at the end unless it is to be kept.

    Raises `DiskSpaceError` where the disk has too little space.
    """
    with contextlib.ExitStack() as stack:
        with progress_bar(f"{spec.checkpoints} checkpoints") as progress:
            tree = stack.enter_context(temporary_tree(spec, parent=parent, keep=keep, progress=progress))
        yield GrownTree(tree.root, tree.spec)
