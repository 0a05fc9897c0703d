"""Gates that are resampled from recorded groups: what is counted, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace as changed

from bench import selftest_resampled
from bench.selftest_resampled import covered, noise_of, simulated
from bench.selftest_result import Gates, Noise, State
from bench.simulation import Rate, Row, Setting
from bench.verdict import Verdict
from tests.bench.selftests import groups_of

GROUPS = groups_of(60, sd=0.004)
NOISE = noise_of("quiet", "14 checkpoints", GROUPS)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    """Few gates, or the counts that a test wishes by change."""
    told: dict[str, Row] = {}

    def tally(setting: Setting, _: object) -> Row:
        return told[f"{setting.change:g}"]

    monkeypatch.setattr(selftest_resampled, "tally", tally)
    sound = Row(4000, 0, {Verdict.EQUIVALENT: 4000}, Rate(3900, 4000), 20.0)
    found = Row(1000, 1000, {Verdict.SLOWER: 1000}, Rate(970, 1000), 20.0)
    told |= {"0": sound, "0.03": found, "0.05": found, "0.1": found}
    return told


def rows(noise: Noise = NOISE) -> list[Gates]:
    return list(simulated(noise, GROUPS, np.random.default_rng(0)))


def test_noise_is_that_of_the_groups() -> None:
    noise = noise_of("quiet", "14 checkpoints", groups_of(2000, sd=0.01))
    # The difference of two arms, and what the mean of ten pairs adds to it.
    expected = (2 * 0.01**2 + 2 * 0.01**2 / 10) ** 0.5
    assert noise.between_sd == pytest.approx(expected, rel=0.05)
    assert noise.between_mad_sd == pytest.approx(expected, rel=0.05)
    assert noise.pair_sd == pytest.approx(2**0.5 * 0.01, rel=0.05)
    assert (noise.groups, noise.pairs) == (2000, 10.0)
    assert noise.group_s == pytest.approx(0.6)
    assert noise.call_ns == pytest.approx(2e6, rel=0.01)


def test_an_outlier_shows_in_the_deviation_and_not_in_the_median_of_deviations() -> None:
    one, *rest = GROUPS
    odd = changed(one, times={**one.times, "candidate": [3e6] * 10})
    noise = noise_of("quiet", "14 checkpoints", [odd, *rest])
    assert noise.between_sd > 5 * NOISE.between_sd
    assert noise.between_mad_sd < 1.2 * NOISE.between_mad_sd


def test_groups_of_one_pair_tell_nothing_between_pairs() -> None:
    single = [changed(one, times={arm: times[:1] for arm, times in one.times.items()}) for one in GROUPS]
    noise = noise_of("quiet", "14 checkpoints", single)
    assert (noise.pairs, noise.pair_sd) == (1.0, 0.0)
    assert noise.between_sd > NOISE.between_sd


@pytest.mark.usefixtures("counted")
def test_rates_as_promised_hold() -> None:
    found = rows()
    assert [row.change for row in found] == [0.0, 0.03, 0.05, 0.1]
    assert {row.state for row in found} == {State.HOLDS}
    assert not any(row.real for row in found)


@pytest.mark.parametrize(
    ("verdicts", "slower", "state"),
    [
        ({Verdict.SLOWER: 1, Verdict.EQUIVALENT: 3999}, 1, State.HOLDS),
        ({Verdict.SLOWER: 2, Verdict.EQUIVALENT: 3998}, 2, State.FAILED),
        ({Verdict.SLOWER: 1, Verdict.FASTER: 1, Verdict.EQUIVALENT: 3998}, 1, State.FAILED),
        ({Verdict.INCONCLUSIVE: 4000}, 0, State.HOLDS),
    ],
)
def test_one_false_answer_in_3000_is_allowed(
    counted: dict[str, Row], verdicts: dict[Verdict, int], slower: int, state: State
) -> None:
    counted["0"] = Row(4000, slower, verdicts, Rate(3900, 4000), 20.0)
    assert rows()[0].state is state


def test_less_found_than_promised_is_a_failure_unless_the_noise_exceeds_what_is_promised(
    counted: dict[str, Row],
) -> None:
    counted["0.03"] = Row(1000, 900, {Verdict.SLOWER: 900, Verdict.INCONCLUSIVE: 100}, Rate(970, 1000), 60.0)
    assert rows()[1].state is State.FAILED
    assert rows(changed(NOISE, between_mad_sd=0.021))[1].state is State.NOISY


def test_a_slow_down_called_equivalent_is_a_failure_in_any_noise(counted: dict[str, Row]) -> None:
    counted["0.05"] = Row(1000, 999, {Verdict.SLOWER: 999, Verdict.EQUIVALENT: 1}, Rate(970, 1000), 60.0)
    assert rows(changed(NOISE, between_mad_sd=0.1))[2].state is State.FAILED


def test_intervals_that_cover_too_seldom_where_a_gate_stopped_are_a_failure(counted: dict[str, Row]) -> None:
    counted["0"] = Row(4000, 0, {Verdict.EQUIVALENT: 4000}, Rate(3700, 4000), 20.0)
    assert rows()[0].state is State.FAILED


@pytest.mark.parametrize(("held", "state"), [(3800, State.HOLDS), (3700, State.FAILED), (3900, State.FAILED)])
def test_coverage_at_a_fixed_number_has_to_lie_between_94_and_96_percent(
    monkeypatch: pytest.MonkeyPatch, held: int, state: State
) -> None:
    monkeypatch.setattr(selftest_resampled, "coverage", lambda *_args, count, **_: Rate(held, count))
    found = covered(NOISE, GROUPS, np.random.default_rng(0))
    assert {(row.rate.happened, row.rate.of, row.state) for row in found} == {(held, 4000, state)}


@pytest.mark.parametrize(("held", "state"), [(3800, State.HOLDS), (3700, State.FAILED), (3900, State.NOISY)])
def test_wide_intervals_are_no_failure_in_more_noise_than_is_promised_for(
    monkeypatch: pytest.MonkeyPatch, held: int, state: State
) -> None:
    monkeypatch.setattr(selftest_resampled, "coverage", lambda *_args, count, **_: Rate(held, count))
    found = covered(changed(NOISE, between_mad_sd=0.021), GROUPS, np.random.default_rng(0))
    assert {row.state for row in found} == {state}


def test_resampled_gates_are_those_of_the_gates_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest_resampled, "SIMULATED_SAME", 20)
    monkeypatch.setattr(selftest_resampled, "SIMULATED_CHANGED", 20)
    same, *others = rows(changed(NOISE, group_s=0.5))
    assert same.rate.happened == 0
    assert all(row.rate.happened == 20 for row in others)
    assert all(row.median_s is not None and 0.0 < row.median_s <= 60.0 for row in (same, *others))
