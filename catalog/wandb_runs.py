"""Facts of W&B runs from their server: all at once, within one deadline, and never with an exception."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import logging
import os
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from catalog.records import printable
from catalog.run_ids import RunId
from catalog.run_records import METRIC_GROUPS, RunRecord, plain_config, plain_summary
from catalog.wandb_credentials import find_access
from catalog.wandb_process import WorkerEndedError, WorkerShelf, shelf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from catalog.wandb_process import WorkerProcess

logger = logging.getLogger(__name__)

DEADLINE_S: Final = 10.0

_METRICS: Final = frozenset().union(*METRIC_GROUPS)
# A server may repeat what it was sent, and of an identity's token nothing here knows.
_CREDENTIALS: Final = re.compile(r"\b(Basic|Bearer) [^\s'\"]+", re.IGNORECASE)

_NETWORK_REMEDY: Final = "check the network and WANDB_BASE_URL, or build without W&B"
_LATER_REMEDY: Final = "try again later, or build without W&B"
_REMEDIES: Final[Mapping[str | int, str]] = {
    "refused": "correct WANDB_API_KEY, or whichever WANDB_ variable or setting is meant",
    "too long": "log less in the run's config, summary or metrics, or build without W&B",
    401: "set WANDB_API_KEY to a valid key, or run `wandb login`",
    403: "ask for access to the project, or set WANDB_API_KEY to a key that has it",
    404: "check WANDB_BASE_URL, and the run's entity and project",
    429: "wait until the server's rate limit is reset, then build again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """Why one run told nothing, or no history: what was found instead, and what mends that."""

    run_id: RunId
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class FetchedRuns:
    """What arrived before the deadline, and what did not."""

    runs: Mapping[RunId, RunRecord] = field(default_factory=dict)
    failures: tuple[RunFailure, ...] = ()


def fetch_runs(
    run_ids: Collection[RunId],
    *,
    with_history: Collection[RunId] = (),
    deadline_s: float = DEADLINE_S,
    environ: Mapping[str, str] = os.environ,
    workers: WorkerShelf = shelf,
) -> FetchedRuns:
    """Ask W&B for all `run_ids` in one go, and for the logged metrics of those `with_history`.

    Takes `deadline_s` seconds at most. Raises nothing: what went wrong stands in `failures`, and in one
    warning. Without ids, or without a key, nothing is asked and no process is started.
    """
    access = find_access(environ)
    if not access.can_ask:
        return FetchedRuns()
    asker = Asker(environ, access.key, workers=workers)
    try:
        asker.ask(run_ids, with_history=with_history)
        return asker.answer(deadline_s)
    finally:
        asker.give_up()


@dataclass(slots=True)
class Asker:
    """Puts one question to W&B at a time, so that who asks may do something else until the answer is needed.

    `key` must never be shown. Raises nothing but `RuntimeError` for a second question before the first answer.
    """

    environ: Mapping[str, str]
    key: str
    workers: WorkerShelf = shelf
    _question: Mapping[str, Sequence[RunId]] = field(default_factory=dict)
    _worker: WorkerProcess | None = None
    _is_installed: bool | None = None
    _collected: _Collected = field(default_factory=lambda: _Collected(()))

    def warm(self) -> None:
        """Let the client be loaded: there is something to ask, and not all of it is known yet."""
        if self._is_possible():
            with contextlib.suppress(OSError):  # told when it is asked
                self._worker = self.workers.take(self.environ, self.key)

    def ask(self, run_ids: Collection[RunId], *, with_history: Collection[RunId] = ()) -> None:
        """Send the question for `run_ids`, and for the logged metrics of those `with_history`."""
        if self._question:
            raise RuntimeError("asked again before the answer was taken")
        wanted = dict.fromkeys(run_ids)
        if not wanted:
            return
        self._question = {"runs": list(wanted), "history": [one for one in with_history if one in wanted]}
        self._collected = _Collected(_secrets(self.key))
        if not self._is_possible():
            self._collected.fail(wanted, "no package `wandb`", "install it: pip install 'ckpt-bench[wandb]'")
            return
        try:
            if self._worker is None or not self._worker.is_alive:
                self._drop_worker()  # one that waited too long has ended by itself
                self._worker = self.workers.take(self.environ, self.key)
            self._worker.send({**self._question, "metrics": METRIC_GROUPS})
        except (OSError, WorkerEndedError) as error:
            self._collected.end(error)

    def answer(self, deadline_s: float = DEADLINE_S) -> FetchedRuns:
        """What arrives within `deadline_s` seconds; nothing where nothing was asked."""
        question, self._question = self._question, {}
        if not question:
            return FetchedRuns()
        if self._worker is not None:
            self._collect(self._worker, time.monotonic() + deadline_s)
        collected = self._collected
        collected.fail_others(question, deadline_s)
        _warn(collected, len(question["runs"]))
        return FetchedRuns(collected.runs, tuple(collected.failures.values()))

    def _is_possible(self) -> bool:
        if self._is_installed is None:
            self._is_installed = _is_installed()
        return self._is_installed

    def give_up(self) -> None:
        """Leave nobody asking whom nobody hears."""
        self._question = {}
        self._drop_worker()

    def _drop_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close(in_a_hurry=True)

    def _collect(self, worker: WorkerProcess, until_s: float) -> None:
        """Take what a worker answers before the time is up, and keep it if it came to the end of its answer."""
        is_at_its_end = False
        try:
            for answer in worker.answers(until_s):
                self._collected.take(answer)
            is_at_its_end = True
        except TimeoutError:
            self._collected.is_late = True
        except (OSError, WorkerEndedError) as error:
            self._collected.end(error)
        finally:
            if is_at_its_end and self._collected.is_sound:
                self._worker = None
                self.workers.put(worker)
            else:
                self.give_up()


@dataclass(slots=True)
class _Collected:
    """What has arrived so far. `secrets` must never be shown.

    `is_sound`: nothing went wrong but what the server answered, so that the worker may be asked again. `ended`:
    how its process ended before its answer did.
    """

    secrets: tuple[str, ...]
    runs: dict[RunId, RunRecord] = field(default_factory=dict)
    failures: dict[RunId, RunFailure] = field(default_factory=dict)
    histories: set[RunId] = field(default_factory=set)
    is_late: bool = False
    is_sound: bool = True
    ended: str = ""

    def take(self, answer: Mapping[str, Any]) -> None:
        """Keep one answer of the worker."""
        if "failed" in answer:
            self.is_sound = self.is_sound and (answer["status"] > 0 or answer["cause"] == "too long")
            self.fail((RunId(*one) for one in answer["failed"]), answer["found"], _remedy(answer))
            return
        run_id = RunId(*answer["run"])
        if "rows" in answer:
            if run_id not in self.runs:  # it said too much, and is a failure already
                return
            self.histories.add(run_id)
            rows = (row for row in answer["rows"] if isinstance(row, dict))
            telling = tuple(row for row in rows if not _METRICS.isdisjoint(row))
            self.runs[run_id] = replace(self.runs[run_id], history=telling)
        else:
            self.runs[run_id] = RunRecord(
                state=answer["state"] if isinstance(answer["state"], str) else "unknown",
                config=plain_config(answer["config"]),
                summary=plain_summary(answer["summaryMetrics"]),
            )

    def end(self, error: OSError | WorkerEndedError) -> None:
        """Note that the process is no more, or never came to be."""
        self.ended = f"the process that asks W&B ended {error}".strip()

    def fail(self, run_ids: Iterable[RunId], found: str, remedy: str) -> None:
        """Note what went wrong, in one line of bounded length."""
        for secret in self.secrets:
            found = found.replace(secret, "***")
        found = _CREDENTIALS.sub(r"\1 ***", found)
        found = printable(" ".join(found.split())[:200])
        for run_id in run_ids:
            self.failures.setdefault(run_id, RunFailure(run_id=run_id, found=found, remedy=remedy))

    def fail_others(self, question: Mapping[str, Sequence[RunId]], deadline_s: float) -> None:
        """Note the runs that nothing was heard of, and those whose history was wanted and did not come.

        Without its history a run speaks of its last step alone, which must not pass for the whole answer.
        """
        unheard = [one for one in question["runs"] if one not in self.runs]
        untold = [one for one in question["history"] if one in self.runs and one not in self.histories]
        if self.ended:
            self.fail([*unheard, *untold], self.ended, "check that `import wandb` works")
        elif self.is_late:
            found = f"no answer within {deadline_s:g} s"
            self.fail([*unheard, *untold], found, f"{_NETWORK_REMEDY}; a rate limit shows so too")
        else:
            self.fail(unheard, "no such run", "correct the run's id, entity and project")
            self.fail(untold, "no history that the client can read", _LATER_REMEDY)


def _remedy(answer: Mapping[str, Any]) -> str:
    status = answer["status"]
    return _LATER_REMEDY if status >= 500 else _REMEDIES.get(answer["cause"] or status, _NETWORK_REMEDY)


def _secrets(key: str) -> tuple[str, ...]:
    """A key, as it is and as HTTP's basic authorization sends it."""
    return (key, base64.b64encode(f"api:{key}".encode()).decode()) if key else ()


def _is_installed() -> bool:
    """Whether there is a package, and not just a folder of runs, named `wandb`."""
    try:
        spec = importlib.util.find_spec("wandb")
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _warn(collected: _Collected, wanted_count: int) -> None:
    """One line for all failures: how many, why, and what to do."""
    reasons = dict.fromkeys((one.found, one.remedy) for one in collected.failures.values())
    if not reasons:
        return
    logger.warning(
        "W&B: %d of %d runs told nothing, or not all: %s",
        len(collected.failures),
        wanted_count,
        "; ".join(f"{found} ({remedy})" for found, remedy in list(reasons)[:3]),
    )
