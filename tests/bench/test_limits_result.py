"""What a figure's verdict is, and what a session may say of itself."""

from __future__ import annotations

import msgspec
import pytest

from bench.limits_result import Figure, exit_code, in_words, judged
from bench.result import Interval, TargetState
from bench.verdict import ExitCode


def figure(low: float | None, high: float | None, limit: float | None) -> Figure:
    value = Interval(estimate=1.0, low=low, high=high)
    return Figure(name="first-load", title="first load", checkpoints=14, value=value, limit=limit)


@pytest.mark.parametrize(
    ("low", "high", "limit", "verdict"),
    [
        (8.0, 10.0, 10.0, TargetState.MET),
        (8.0, 10.1, 10.0, TargetState.MISSED),
        (0.0, 0.0, 0.0, TargetState.MET),
        (1.0, 1.0, 0.0, TargetState.MISSED),
        (-0.4, 1.0, 5.0, TargetState.MET),
        (None, None, 5.0, TargetState.NOTHING_MEASURED),
        (1.0, float("inf"), 5.0, TargetState.NOTHING_MEASURED),
        (8.0, float("nan"), 10.0, TargetState.NOTHING_MEASURED),
        (1.0, 2.0, None, None),
    ],
)
def test_a_limit_is_met_only_by_the_whole_interval(
    low: float | None, high: float | None, limit: float | None, verdict: TargetState | None
) -> None:
    assert judged(figure(low, high, limit)).verdict is verdict


def test_what_must_be_reached_is_met_only_by_the_whole_interval() -> None:
    for limit, verdict in ((19.0, TargetState.MET), (19.5, TargetState.MISSED)):
        faster = msgspec.structs.replace(figure(19.2, 22.0, limit), is_least=True)
        assert judged(faster).verdict is verdict


def test_a_figure_without_a_value_was_not_measured() -> None:
    nothing = Figure(name="opens", title="opens", checkpoints=14, limit=0.0)
    assert judged(nothing).verdict is TargetState.NOTHING_MEASURED


MET, MISSED, SHOWN = (judged(figure(1.0, 2.0, limit)) for limit in (3.0, 1.5, None))


def test_the_exit_code_is_the_worst_and_shown_figures_prove_nothing() -> None:
    assert exit_code([MET, SHOWN]) is ExitCode.PASS
    assert exit_code([MET, MISSED]) is ExitCode.MISSED
    assert exit_code([SHOWN]) is ExitCode.NOTHING_MEASURED


def test_only_a_whole_session_says_that_everything_is_met() -> None:
    assert "everything is met" in in_words([MET, SHOWN], [])
    assert "everything" not in in_words([MET], ["memory at 10,000"])
    assert "everything" not in in_words([MET, MISSED], [])
    assert "everything" not in in_words([SHOWN], [])
