"""Answers read afresh: by the files first, then for all that still lack something by their runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from catalog.evidence import Evidence, Reader
from catalog.merge import merge
from catalog.records import Answer, Problem
from catalog.shortcut import by_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catalog.filesystem import FileSystem, Signature
    from catalog.index import Unknown
    from catalog.scan import Tree


class Reading:
    """One build's reading of a tree.

    `progress` is told how many checkpoints of how many have been read. `wandb_deadline_s` bounds what asking
    W&B may take in all; without it nobody is asked.
    """

    def __init__(
        self,
        tree: Tree,
        config_filenames: tuple[str, ...],
        files: FileSystem,
        *,
        is_remembering: bool,
        progress: Callable[[int, int], None] | None,
        wandb_deadline_s: float | None,
    ) -> None:
        self._reader = Reader(tree, config_filenames, files, is_remembering)
        self._files = files
        self._progress = progress
        self._wandb_deadline_s = wandb_deadline_s

    @property
    def signatures(self) -> Mapping[str, Signature | None]:
        """What stood at each path that was looked at, before it was read; `None` where reading was refused."""
        refused = self._reader.refused
        return self._reader.signatures | dict.fromkeys(refused) if refused else self._reader.signatures

    def answers(self, unknown: Sequence[Unknown]) -> dict[str, Answer]:
        """The answers for checkpoints, by their paths."""
        fresh: dict[str, Answer] = {}
        wanting: list[Evidence] = []
        reader, progress = self._reader, self._progress
        for done, (folder, name, kind) in enumerate(unknown):
            if progress is not None:
                progress(done, len(unknown))
            answer = by_sidecar(reader, folder, name, kind)
            if answer is None:
                evidence = Evidence(reader, folder.path, name, kind)
                answer = _dangling(evidence) if kind == "nothing" else merge(evidence)
                if evidence.is_run_wanted:
                    wanting.append(evidence)
            fresh[answer.path] = answer
        if progress is not None:
            progress(len(unknown), len(unknown))
        if wanting and self._wandb_deadline_s is not None:
            fresh |= self._with_runs(wanting, self._wandb_deadline_s)
        return fresh

    def _with_runs(self, wanting: Sequence[Evidence], deadline_s: float) -> dict[str, Answer]:
        """The answers, with what their runs tell, for checkpoints that lack something."""
        # Most trees need no run, and W&B's share of the code is the largest to load.
        from catalog.fallback import RunAsker

        delays = RunAsker(deadline_s=deadline_s).ask(wanting)
        now_ns = self._files.now_ns()
        fresh = {}
        for evidence in wanting:
            delay_ns = delays.get(evidence.path)
            expires_ns = None if delay_ns is None else now_ns + delay_ns
            fresh[evidence.path] = msgspec.structs.replace(merge(evidence), expires_ns=expires_ns)
        return fresh


def _dangling(evidence: Evidence) -> Answer:
    problem = Problem(
        path=Path(evidence.reader.tree.absolute(evidence.path)),
        source="scan",
        expected="a checkpoint file or folder",
        found="a link that leads nowhere, or a special file",
        remedy="delete it, or restore what it leads to",
    )
    return Answer(evidence.path, None, None, (problem,), evidence.kind, ())
