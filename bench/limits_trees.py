"""The trees of the limits session: whole sidecars for every checkpoint, all sizes at once on the disk.

Checkpoints that a sidecar speaks for are never opened, so that theirs hold a few bytes: a hundred thousand
of them are written in the time of the sidecars.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from fixtures.documents import render
from fixtures.draw import draw
from fixtures.generate import write_plan
from fixtures.plan import Checkpoint, Document
from fixtures.space import DiskSpaceError, free_bytes
from fixtures.spec import TreeSpec, scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fixtures.plan import Node

_FEW: Final = {
    14: TreeSpec(experiments=7, checkpoints_per_experiment=2, metrics_share=0.0),
    50: TreeSpec(experiments=10, checkpoints_per_experiment=5, metrics_share=0.0),
}
_STAND_IN: Final = b"no tensors"
_NEEDED_BYTES: Final = (
    12_000  # a checkpoint and its sidecar, a block and an inode each, and its part of folders
)


def spec_of(checkpoints: int, *, seed: int = 0) -> TreeSpec:
    """The tree of so many checkpoints: 14, 50, or a multiple of 10. Raises `ValueError` for other numbers."""
    return replace(_FEW[checkpoints], seed=seed) if checkpoints in _FEW else scale(checkpoints, seed=seed)


@contextlib.contextmanager
def grow(sizes: Sequence[int], parent: Path, *, seed: int = 0, keep: bool = False) -> Iterator[dict[int, Path]]:
    """Write a tree for each size below a new folder in `parent`; yield their roots; remove them at the end.

    Several processes write, one a tree. Raises `DiskSpaceError` where the disk has too little space.
    """
    needed, free = sum(sizes) * _NEEDED_BYTES, free_bytes(parent)
    if needed > free:
        raise DiskSpaceError(parent, needed, free)
    folder = Path(tempfile.mkdtemp(prefix="ckpt-limits-", dir=parent))
    try:
        roots = {size: folder / str(size) / "outputs" for size in sorted(sizes, reverse=True)}
        work = [(size, str(root), seed) for size, root in roots.items()]
        # A new interpreter each: what draws a large tree goes with its memory before anything is measured.
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(max(len(work), 1), os.cpu_count() or 1), maxtasksperchild=1) as pool:
            pool.starmap(_write, work, chunksize=1)
        yield dict(sorted(roots.items()))
    finally:
        if not keep:
            shutil.rmtree(folder)


def _write(checkpoints: int, root: str, seed: int) -> None:
    plan = draw(spec_of(checkpoints, seed=seed))
    sidecars = _SidecarWriter()
    nodes: dict[str, Node] = {}
    for path, node in plan.nodes.items():
        if isinstance(node, Checkpoint):
            nodes[path] = replace(node, raw=_STAND_IN)
        elif isinstance(node, Document) and node.role == "sidecar":
            nodes[path] = replace(node, raw=sidecars.written(node))
        else:
            nodes[path] = node
    write_plan(replace(plan, nodes=nodes), Path(root), free=lambda _: sys.maxsize)  # looked at before


class _SidecarWriter:
    """Writes what `document_bytes` would, and keeps the last model: checkpoints of an experiment share it."""

    def __init__(self) -> None:
        self._model: tuple[object, str] = (None, "")
        self._model_bytes = b""

    def written(self, sidecar: Document) -> bytes:
        """The bytes of a whole sidecar of schema V1, whose top-level entries can be written apart."""
        content, form = dict(cast("dict[str, object]", sidecar.content)), sidecar.form
        keys = sorted(content) if form == "sorted yaml" else list(content)
        at = keys.index("model")
        if (content["model"], form) != self._model:
            self._model = (content["model"], form)
            self._model_bytes = render({"model": content["model"]}, form)
        before, after = ({key: content[key] for key in some} for some in (keys[:at], keys[at + 1 :]))
        return render(before, form) + self._model_bytes + render(after, form)
