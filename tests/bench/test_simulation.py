"""Error rates by simulation, with modest counts and fixed seeds; the pool gives what was put into it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from bench.simulation import Cost, Pool, Rate, Setting, coverage, gates, made_up, main, pool_of, tally
from bench.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

GROUP_S = 0.6


@pytest.fixture(scope="module")
def noisy() -> Pool:
    """Noise at the limit of what the gate is made for."""
    return made_up(np.random.default_rng(1), between_sd=0.02, pairs=20)


def slower(pool: Pool, setting: Setting, count: int) -> int:
    """How many of the gates call the changed benchmark slower, or any where none is changed."""
    return tally(setting, gates(pool, setting, np.random.default_rng(2), count)).slower


def test_identical_code_raises_no_alarm_and_is_never_called_faster(noisy: Pool) -> None:
    setting = Setting(group_s=GROUP_S)
    row = tally(setting, gates(noisy, setting, np.random.default_rng(3), 300))
    assert row.slower == 0
    assert row.verdicts[Verdict.FASTER] == 0
    assert row.covered.happened / row.covered.of >= 0.95
    assert row.median_s <= setting.budget_s


# 95 and 99 of 100 are what is asked for; by chance 93 and 97 may be seen.
@pytest.mark.parametrize(("change", "outliers", "least"), [(0.03, 0.0, 93), (0.03, 0.01, 93), (0.05, 0.0, 97)])
def test_a_slow_down_is_found(noisy: Pool, change: float, outliers: float, least: int) -> None:
    assert slower(noisy, Setting(group_s=GROUP_S, change=change, outliers=outliers), 100) >= least


def test_noise_beyond_the_gate_gives_inconclusive_and_no_pass() -> None:
    pool = made_up(np.random.default_rng(4), between_sd=0.15, pairs=20)
    for change in (0.0, 0.03):
        setting = Setting(group_s=GROUP_S, change=change)
        row = tally(setting, gates(pool, setting, np.random.default_rng(5), 60))
        assert row.verdicts[Verdict.EQUIVALENT] == row.verdicts[Verdict.FASTER] == 0
        assert row.verdicts[Verdict.INCONCLUSIVE] >= 58


def test_a_slow_down_of_one_of_fifty_is_found_within_the_total(noisy: Pool) -> None:
    setting = Setting(group_s=GROUP_S, benchmarks=50, budget_s=600.0, change=0.03)
    for gate in gates(noisy, setting, np.random.default_rng(6), 3):
        assert [name for name, final in gate.finals.items() if final.verdict is Verdict.SLOWER] == ["0"]
        assert gate.elapsed_s == pytest.approx(600.0, abs=GROUP_S)


@pytest.mark.parametrize("groups", [16, 64])
def test_the_interval_at_a_fixed_number_of_groups_covers(noisy: Pool, groups: int) -> None:
    held = coverage(noisy, np.random.default_rng(7), groups=groups, count=2000)
    assert 0.935 <= held.happened / held.of <= 0.965


def test_skewed_noise_of_identical_code_makes_no_bias() -> None:
    rng = np.random.default_rng(11)
    times = np.exp(0.02 * rng.exponential(1.0, (2000, 3, 1)) + 0.05 * rng.exponential(1.0, (2000, 3, 20)))
    skewed = pool_of("skewed", [dict(zip("abc", group, strict=True)) for group in times.tolist()])
    held = coverage(skewed, rng, groups=64, count=1000)
    assert 0.93 <= held.happened / held.of <= 0.97


def test_a_draw_exchanges_labels_and_adds_the_change() -> None:
    biased = [{"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [2.0, 2.0]}] * 2
    pool = pool_of("biased", biased)
    values, again = pool.draw(np.random.default_rng(8), 6000, change=0.1)
    assert np.mean(values) == pytest.approx(np.log(1.1), abs=0.02)
    assert np.mean(again) == pytest.approx(0.0, abs=0.03)
    assert np.exp(sorted(set(np.round(values, 6)))) == pytest.approx([0.55, 1.1, 2.2], rel=1e-4)


def test_outliers_are_as_many_as_asked_for(noisy: Pool) -> None:
    values, _ = noisy.draw(np.random.default_rng(9), 20_000, outliers=0.01)
    assert np.mean(np.abs(values) > 0.3) == pytest.approx(0.01, abs=0.003)


@pytest.mark.parametrize("groups", [[], [{"a": [1.0], "b": [1.0], "c": [1.0]}], [{"a": [1.0], "b": [1.0]}] * 2])
def test_no_pool_is_made_of_too_little(groups: list[dict[str, list[float]]]) -> None:
    with pytest.raises(ValueError, match="two groups or more"):
        pool_of("little", groups)


def test_a_rate_tells_its_exact_interval() -> None:
    assert str(Rate(0, 3000)) == "0 of 3000 (0 to 0.123 %)"


def test_the_table_of_recorded_groups_says_what_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.simulation.BETWEEN_SDS", ())
    monkeypatch.setattr("bench.simulation.COSTS", (Cost(0.5, 0.01),))
    rng = np.random.default_rng(10)
    path = f"{tmp_path}/groups.jsonl"
    with open(path, "wb") as lines:
        for times in np.exp(0.02 * rng.standard_normal((40, 3, 5))).tolist():
            lines.write(msgspec.json.encode({"times": dict(zip("abc", times, strict=True))}) + b"\n")
    out = io.StringIO()
    main(["--gates", "2", "--recorded", path], out)
    assert f"{path}; 40 groups to draw from" in out.getvalue()
    assert "| A/A | 0 of 2 " in out.getvalue()
    assert "| 0.5 s | 10 ms | 12 | 0.86 s | " in out.getvalue()
