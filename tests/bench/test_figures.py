"""Figures with three significant digits, and foreign text that steers nothing."""

from __future__ import annotations

import pytest

from bench.figures import bounds, duration, printable, significant, size, times
from bench.result import Interval


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0.4, "0.400 ns"),
        (12.0, "12.0 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 µs"),
        (90_000.0, "90.0 µs"),
        (25_300_000.0, "25.3 ms"),
        (999_700_000.0, "1.00 s"),
        (1.25e9, "1.25 s"),
        (125e9, "125 s"),
        (None, "-"),
    ],
)
def test_a_time_stands_in_the_unit_that_suits_it(time_ns: float | None, text: str) -> None:
    assert duration(time_ns) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0045, "0.00450"),
        (0.98, "0.980"),
        (1.0, "1.00"),
        (27.78, "27.8"),
        (277.8, "278"),
        (912_345.0, "912,000"),
    ],
)
def test_a_number_has_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_bounds_are_told_only_where_there_are_any() -> None:
    assert bounds(Interval(estimate=1.0, low=0.5, high=2.0)) == "0.500-2.00"
    assert bounds(Interval(estimate=1.0)) == "no interval"
    assert bounds(None) == times(None) == "-"


def test_sizes_count_in_thousands() -> None:
    assert [size(one) for one in (512, 64_000, 48e6, 2.4e9)] == ["512 B", "64 kB", "48 MB", "2.4 GB"]


def test_text_that_would_steer_a_terminal_is_escaped() -> None:
    assert printable("a\x1b[31m\nb\u202ec") == "a\\u001b[31m\\u000ab\\u202ec"
