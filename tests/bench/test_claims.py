"""Claimed ranges and how a measured interval stands to them."""

from __future__ import annotations

import pytest

from bench.claims import BY_NAME, CLAIMS, MS, Range, Standing


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (210.0, 490.0, Standing.HOLDS),
        (200.0, 500.0, Standing.HOLDS),
        (20.0, 199.0, Standing.BELOW),
        (501.0, 900.0, Standing.ABOVE),
        (190.0, 210.0, Standing.UNCLEAR),
        (490.0, 510.0, Standing.UNCLEAR),
        (100.0, 900.0, Standing.UNCLEAR),
    ],
)
def test_a_whole_interval_decides(low: float, high: float, standing: Standing) -> None:
    assert Range("200-500x", 200, 500).judge(low, high) is standing


def test_an_open_end_is_never_crossed() -> None:
    assert Range("1000x+", 1_000, None).judge(2_000, 1e9) is Standing.HOLDS
    assert Range("< 10 ms", None, 10 * MS).judge(1, 9 * MS) is Standing.HOLDS
    assert Range("< 10 ms", None, 10 * MS).judge(11 * MS, 12 * MS) is Standing.ABOVE


def test_nan_is_never_a_claim_that_holds() -> None:
    nan = float("nan")
    assert Range("200-500x", 200, 500).judge(nan, nan) is Standing.UNCLEAR


def test_claims_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(CLAIMS) == 5


@pytest.mark.parametrize(
    ("name", "v2", "speedup"),
    [
        ("sidecars", "< 10 ms", "200-500x"),
        ("wandb", "100-500 ms", "4-50x"),
        ("remembered", "< 1 ms in all", "~1000x+"),
        ("fallback", "2-5 s", "~1x"),
    ],
)
def test_every_row_of_the_changelog_stands_here(name: str, v2: str, speedup: str) -> None:
    claim = BY_NAME[name]
    assert (claim.legacy_ns.text, claim.v2_ns.text, claim.speedup.text) == ("2-5 s", v2, speedup)
