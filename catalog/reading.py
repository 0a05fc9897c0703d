"""Answers read afresh: by the files first, then for all that still lack something by their runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.evidence import Evidence, Reader
from catalog.merge import Merging
from catalog.records import Answer, Problem
from catalog.shortcut import by_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from catalog.fallback import RunAsker
    from catalog.filesystem import FileSystem, Signature
    from catalog.index import Unknown
    from catalog.records import Kind
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
        self._fresh: dict[str, Answer] = {}
        self._wanting: list[Merging] = []
        self._asker: RunAsker | None = None

    @property
    def signatures(self) -> Mapping[str, Signature | None]:
        """What stood at each path that was looked at, before it was read; `None` where reading was refused."""
        signatures, refused = self._reader.signatures, self._reader.refused
        if self._asker is not None and signatures:  # it looked at more than answers depend on
            wanted = {path for one in self._fresh.values() for path in one.dependencies}
            signatures = {path: signature for path, signature in signatures.items() if path in wanted}
        return signatures | dict.fromkeys(refused) if refused else signatures

    def answers(self, unknown: Sequence[Unknown]) -> dict[str, Answer]:
        """The answers for checkpoints, by their paths."""
        fresh = self._fresh
        reader, progress = self._reader, self._progress
        try:
            for done, (folder, name, kind) in enumerate(self._in_turn(unknown)):
                if progress is not None:
                    progress(done, len(unknown))
                answer = by_sidecar(reader, folder, name, kind) or self._by_all(folder.path, name, kind)
                if answer is not None:
                    fresh[answer.path] = answer
            if progress is not None:
                progress(len(unknown), len(unknown))
            if self._asker is not None:
                fresh.update(self._with_runs(self._asker))
        finally:
            if self._asker is not None:
                self._asker.give_up()
        return fresh

    def _in_turn(self, unknown: Sequence[Unknown]) -> Iterator[Unknown]:
        """All of them; once a server is to be asked, the first of each folder first.

        Often these tell all runs to ask for, so that the others can be read while the answer is on its way.
        """
        remaining = iter(unknown)
        seen: set[str] = set()
        for one in remaining:
            yield one
            if self._asker is not None and self._asker.is_wanted:
                seen.add(one[0].path)
                break
        others: list[Unknown] = []
        for one in remaining:
            if one[0].path in seen:
                others.append(one)
            else:
                seen.add(one[0].path)
                yield one
        if self._asker is not None:
            unread = (Evidence(self._reader, folder.path, name, kind) for folder, name, kind in others)
            self._asker.ask_ahead(unread)
        yield from others

    def _by_all(self, folder: str, name: str, kind: Kind) -> Answer | None:
        """The answer of a checkpoint whose sidecar does not tell all of it; `None` where its run is wanted."""
        evidence = Evidence(self._reader, folder, name, kind)
        if kind == "nothing":
            return _dangling(evidence)
        merging = Merging(evidence)
        if not merging.is_run_wanted or self._wandb_deadline_s is None:
            return merging.answer()
        self._wanting.append(merging)
        self._find_asker(self._wandb_deadline_s).want(merging)
        return None

    def _find_asker(self, deadline_s: float) -> RunAsker:
        if self._asker is None:
            # Most trees need no run, and W&B's share of the code is the largest to load.
            from catalog.fallback import RunAsker

            self._asker = RunAsker(deadline_s=deadline_s)
        return self._asker

    def _with_runs(self, asker: RunAsker) -> dict[str, Answer]:
        """The answers, with what their runs tell, for checkpoints that lack something."""
        delays = asker.answer()
        now_ns = self._files.now_ns()
        fresh = {}
        for merging in self._wanting:
            path = merging.evidence.path
            delay_ns = delays.get(path)
            if merging.evidence.runs:
                merging.hear_run()
            fresh[path] = merging.answer(expires_ns=None if delay_ns is None else now_ns + delay_ns)
        asker.warn(fresh)
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
