"""The statistical claim about trends, by a small simulation; `bench.change_rates` makes the large one."""

from __future__ import annotations

import io

import numpy as np
import pytest

from bench.change_rates import NOISES, Noise, course, false_changes, is_found, main, noise


@pytest.mark.parametrize("kind", NOISES)
def test_noise_alone_shows_at_most_one_change_in_hundreds_of_commits(kind: Noise) -> None:
    rng = np.random.default_rng(3)
    assert sum(false_changes(rng, 60, kind) for _ in range(6)) <= 1


def test_a_drift_of_three_percent_over_twenty_commits_is_found() -> None:
    rng = np.random.default_rng(4)
    assert sum(is_found(rng, (20, 20, 20), 0.0075) for _ in range(60)) >= 58


def test_a_series_without_a_change_is_not_found() -> None:
    rng = np.random.default_rng(5)
    assert not any(is_found(rng, (20, 20, 20), 0.0075, change=1e-9) for _ in range(30))


def test_a_course_rises_where_it_is_said_to() -> None:
    risen = np.exp(course(3, 2, 2, 0.1))
    assert risen == pytest.approx([1, 1, 1, 1.1**0.5, 1.1, 1.1, 1.1])


@pytest.mark.parametrize("kind", ["normal", "heavy tails"])
def test_noise_has_a_standard_deviation_of_one(kind: Noise) -> None:
    assert noise(np.random.default_rng(6), 20_000, kind).std() == pytest.approx(1.0, abs=0.1)


def test_the_tables_have_a_line_for_each_kind() -> None:
    out = io.StringIO()
    main(["--histories", "1", "--commits", "12", "--changes", "2"], out)
    told = out.getvalue()
    assert all(f"| {kind} | 1 of 12 commits |" in told for kind in NOISES)
    assert "when it ends |" in told
