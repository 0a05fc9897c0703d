"""Verdicts: the four of a comparison, the three of a target, and which exit code wins."""

from __future__ import annotations

from itertools import permutations

import pytest

from bench.statistics import RatioEstimate
from bench.verdict import ExitCode, TargetVerdict, Verdict, exit_code_of, judge, judge_target, worst

NAN = float("nan")


def between(low: float, high: float) -> RatioEstimate:
    """A ratio with this interval; nothing else of it is judged."""
    return RatioEstimate(
        estimate=(low + high) / 2,
        low=low,
        high=high,
        confidence=0.95,
        groups=6,
        pairs=60,
        standard_error=0.01,
        degrees_of_freedom=5,
        method="processes",
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.011, 1.05, Verdict.SLOWER),
        (0.8, 0.98, Verdict.FASTER),
        (0.995, 1.005, Verdict.EQUIVALENT),
        (0.995, 1.02, Verdict.INCONCLUSIVE),
        (1.0, 1.05, Verdict.INCONCLUSIVE),
        (1.01, 1.05, Verdict.INCONCLUSIVE),
        (1.005, 1.01, Verdict.INCONCLUSIVE),
        (0.5, 2.0, Verdict.INCONCLUSIVE),
    ],
)
def test_the_interval_decides_and_not_the_estimate(low: float, high: float, verdict: Verdict) -> None:
    assert judge(between(low, high), margin=0.01) is verdict


def test_no_margin_never_gives_equivalent() -> None:
    assert judge(between(1.0, 1.0), margin=0.0) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("low", "high"), [(NAN, 1.0), (1.0, NAN), (2.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, 1e999)]
)
def test_what_is_no_interval_is_inconclusive(low: float, high: float) -> None:
    assert judge(between(low, high), margin=0.5) is Verdict.INCONCLUSIVE


def test_no_ratio_is_inconclusive() -> None:
    assert judge(None) is Verdict.INCONCLUSIVE


def test_a_margin_below_the_noise_floor_cannot_give_equivalent() -> None:
    estimate = between(0.995, 1.005)
    assert judge(estimate, margin=0.01, noise_floor=0.01) is Verdict.EQUIVALENT
    assert judge(estimate, margin=0.01, noise_floor=0.02) is Verdict.INCONCLUSIVE


def test_a_margin_below_what_the_run_could_see_cannot_give_equivalent() -> None:
    estimate = between(0.995, 1.005)
    assert judge(estimate, margin=0.01, smallest_detectable=0.01) is Verdict.EQUIVALENT
    assert judge(estimate, margin=0.01, smallest_detectable=0.011) is Verdict.INCONCLUSIVE


def test_a_gain_within_the_noise_floor_and_a_loss_within_the_bias_are_no_change() -> None:
    assert judge(between(0.96, 0.98), margin=0.01, noise_floor=0.03) is Verdict.INCONCLUSIVE
    assert judge(between(1.02, 1.04), margin=0.01, noise_floor=0.03) is Verdict.SLOWER
    assert judge(between(1.02, 1.04), margin=0.01, noise_floor=0.03, bias=0.02) is Verdict.INCONCLUSIVE


def test_slower_and_faster_ask_for_more_confidence_than_equivalent() -> None:
    assert judge(between(1.02, 1.04), strict=between(1.005, 1.055)) is Verdict.INCONCLUSIVE
    assert judge(between(0.96, 0.98), strict=between(0.94, 0.995)) is Verdict.INCONCLUSIVE
    assert judge(between(0.995, 1.005), strict=between(0.98, 1.02)) is Verdict.EQUIVALENT
    assert judge(between(0.995, 1.005), strict=between(NAN, 1.02)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("share", [-0.01, NAN, float("inf")])
def test_an_impossible_margin_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="shares of 0 or more"):
        judge(between(1.0, 1.1), margin=share)
    with pytest.raises(ValueError, match="shares of 0 or more"):
        judge(between(1.0, 1.1), noise_floor=share)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 1.0, TargetVerdict.MET),
        (0.9, 1.1, TargetVerdict.MISSED),
        (1.1, 1.2, TargetVerdict.MISSED),
        (NAN, 0.5, TargetVerdict.NOTHING_MEASURED),
        (-0.1, 0.5, TargetVerdict.NOTHING_MEASURED),
        (0.0, 0.0, TargetVerdict.NOTHING_MEASURED),
    ],
)
def test_a_target_is_met_by_the_whole_interval(low: float, high: float, verdict: TargetVerdict) -> None:
    assert judge_target(low, high, 1.0) is verdict


@pytest.mark.parametrize("target", [0.0, -1.0, NAN, float("inf")])
def test_an_impossible_target_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="a target above 0"):
        judge_target(0.1, 0.2, target)


def test_only_a_pass_exits_with_zero() -> None:
    passing = {Verdict.FASTER, Verdict.EQUIVALENT, TargetVerdict.MET}
    for verdict in (*Verdict, *TargetVerdict):
        assert (exit_code_of(verdict) is ExitCode.PASS) == (verdict in passing)


def test_exit_codes_are_the_documented_numbers() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5]


def test_the_worst_code_wins_in_any_order() -> None:
    codes = [ExitCode.PASS, ExitCode.INCONCLUSIVE, ExitCode.MISSED, ExitCode.NOTHING_MEASURED]
    for order in permutations([*codes, ExitCode.OUTPUTS_DIFFER]):
        assert worst(order) is ExitCode.OUTPUTS_DIFFER
    for order in permutations(codes):
        assert worst(order) is ExitCode.NOTHING_MEASURED
    assert worst(codes[:3]) is ExitCode.MISSED
    assert worst(codes[:2]) is ExitCode.INCONCLUSIVE


def test_nothing_judged_is_nothing_measured() -> None:
    assert worst([]) is ExitCode.NOTHING_MEASURED


def test_every_code_has_its_rank() -> None:
    assert {worst([code]) for code in ExitCode} == set(ExitCode)
