"""What a W&B run says, whoever handed it out: the server or the run's own folder."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalog.changes import LONGEST_BELIEF_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    _Numbered = tuple[int, Mapping[str, Any]]

STEP_KEY: Final = "trainer/global_step"
EPOCH_KEY: Final = "epoch"
METRIC_GROUPS: Final = tuple(
    tuple(f"{stage}/{name}" for name in ("hmean", "precision", "recall")) for stage in ("test", "val")
)
"""The logged keys that a history is asked for, those together that one stage logs together."""

LOCAL: Final = "local"
"""The state of a run that its own folder tells: its files are stat-ed, and need no time to expire."""

_NUMBERED_KEYS: Final = frozenset({EPOCH_KEY}).union(*METRIC_GROUPS)

_FINAL_STATES: Final = frozenset({"finished", "failed", "killed", LOCAL})
_INTERRUPTED_STATES: Final = frozenset({"crashed", "preempted"})

EXPIRES_NS: Final = 60_000_000_000
"""How long the answer of a run that had not finished, or could not be reached, is believed."""

INTERRUPTED_EXPIRES_NS: Final = LONGEST_BELIEF_NS
"""The same for a run that was interrupted: W&B calls *crashed* what it has not heard of for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run: its state, its config without W&B's wrapping, its last summary, and some of its history.

    `history` holds logged rows in the order of logging, each with whatever of `trainer/global_step`,
    `epoch` and the metrics asked for it logged; empty where none was asked for. `is_history_whole`: there is no
    more of it, as far as was asked for.
    """

    state: str = "finished"
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    is_history_whole: bool = True

    @property
    def expires_ns(self) -> int | None:
        """How long what it says may be believed; `None` where it will stay so."""
        if self.state in _FINAL_STATES:
            return None
        return INTERRUPTED_EXPIRES_NS if self.state in _INTERRUPTED_STATES else EXPIRES_NS


class RunDocuments(NamedTuple):
    """What a run says about one checkpoint, in the order of belief; an empty mapping says nothing."""

    history: Mapping[str, Any]
    summary: Mapping[str, Any]
    config: Mapping[str, Any]

    def not_finite(self) -> frozenset[str]:
        """The keys under which a NaN or an infinity stands where a number is looked for."""
        return frozenset(
            key
            for document in (self.history, self.summary)
            for key in _NUMBERED_KEYS & document.keys()
            if not _is_finite(document[key])
        )


class RunTeller:
    """Tells what a run says about each of its checkpoints, its history looked through once for all of them."""

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._by_epoch: dict[int | None, list[_Numbered]] = {}
        self._by_step: dict[int, list[_Numbered]] = {}
        self._with_step: set[int | None] = set()  # the epochs in which a step was logged
        for numbered in enumerate(record.history):
            row = numbered[1]
            epoch, step = _whole(row.get(EPOCH_KEY)), _whole(row.get(STEP_KEY))
            self._by_epoch.setdefault(epoch, []).append(numbered)
            if step is not None:
                self._by_step.setdefault(step, []).append(numbered)
                self._with_step.add(epoch)

    def about(self, epoch: int | None, global_step: int | None) -> RunDocuments:
        """The documents of a checkpoint that was saved in `epoch` (from 0) after `global_step` steps."""
        return RunDocuments(
            history_at(self._rows(epoch, global_step), epoch, global_step),
            self.record.summary,
            self.record.config,
        )

    def _rows(self, epoch: int | None, global_step: int | None) -> list[Mapping[str, Any]]:
        """The rows among which `history_at` finds what it finds among all of them, in their order."""
        has_step = bool(self._with_step if epoch is None else self._with_step & {None, epoch})
        if global_step is not None and has_step:
            near = (self._by_step.get(step, []) for step in (global_step - 1, global_step))
            return [row for _, row in sorted(chain(*near), key=itemgetter(0))]
        return [row for _, row in self._by_epoch.get(epoch, [])] if epoch is not None else []


def history_at(rows: Sequence[Mapping[str, Any]], epoch: int | None, global_step: int | None) -> dict[str, Any]:
    """What a run logged of the very weights that a checkpoint holds; empty where no row is surely theirs.

    Lightning counts a checkpoint's `global_step` after the step, and logs a validation of the same
    weights under the batch before it: `trainer/global_step` = `global_step` - 1. Loggers of one's own
    use the checkpoint's number. Lightning's is looked for first. A row of another epoch never counts:
    `trainer.test` logs under the last step whichever checkpoint it tested, and one epoch further on.
    Where no step can be compared, a key counts that was logged once in the whole epoch.
    """
    own = [row for row in rows if epoch is None or _whole(row.get(EPOCH_KEY)) in {None, epoch}]
    if global_step is not None and any(_whole(row.get(STEP_KEY)) is not None for row in own):
        exact = _united(row for row in own if _whole(row.get(STEP_KEY)) == global_step)
        before = _united(row for row in own if _whole(row.get(STEP_KEY)) == global_step - 1)
        return exact | before
    if epoch is None:
        return {}
    of_epoch = [row for row in own if _whole(row.get(EPOCH_KEY)) == epoch]
    united = _united(of_epoch)
    return {key: value for key, value in united.items() if sum(key in row for row in of_epoch) == 1}


def plain_config(config: object) -> dict[str, Any]:
    """A run's config as it was given to W&B: parsed where it is JSON text, `{"value": ...}` unwrapped.

    W&B's own keys are left out. What is no mapping is empty.
    """
    parsed = _parsed(config)
    if not isinstance(parsed, dict):
        return {}
    return {
        key: value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in parsed.items()
        if key not in {"_wandb", "wandb_version"}
    }


def plain_summary(summary: object) -> dict[str, Any]:
    """A run's summary as a mapping: parsed where it is JSON text; what is no mapping is empty."""
    parsed = _parsed(summary)
    return parsed if isinstance(parsed, dict) else {}


def _parsed(value: object) -> object:
    """The value of a text that holds JSON, however often it was wrapped; any other value as it is."""
    for _ in range(3):
        if not isinstance(value, str):
            return value
        try:
            value = json.loads(value, strict=False)
        except (ValueError, RecursionError):
            return None
    return value


def _united(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All keys of some rows; the later row's value where several log the same key."""
    united: dict[str, Any] = {}
    for row in rows:
        united.update({key: value for key, value in row.items() if value is not None})
    return united


def _is_finite(value: object) -> bool:
    """Whether a value is no NaN or infinity, which W&B hands out as text too; what is no number is neither."""
    try:
        return not isinstance(value, float | str) or math.isfinite(float(value))
    except ValueError:
        return True


def _whole(value: object) -> int | None:
    """A count as W&B hands it out: JSON makes 3 and 3.0 of the same number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 else None
