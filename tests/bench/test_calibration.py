"""The injected work is as much as was asked for, and is measured by processes."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.arms import isolated
from bench.calibration import ProcessTimer, Timed, achieved, calibrated, main, time_calls
from bench.injected import Laden
from tests.bench.selftest_catalog import tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CATALOG = "tests.bench.selftest_catalog:build"


class Machine:
    """On which a line takes 0.01 % of a call, every 30th opens a file besides, and processes differ."""

    def __init__(self, differences: Sequence[float] = (0.0,)) -> None:
        self.asked: list[tuple[int, ...]] = []
        self._differences = differences

    def __call__(self, lines: Sequence[int]) -> Timed:
        factor = 1.0 + self._differences[len(self.asked) % len(self._differences)]
        self.asked.append(tuple(lines))
        return Timed(2e6, {count: factor * self.share(count) for count in lines})

    @staticmethod
    def share(count: int) -> float:
        return 1e-4 * count + 0.004 * (1 + count // 30)


def test_calibrated_work_comes_close_to_every_change() -> None:
    for change, lines in calibrated((0.03, 0.05, 0.1), Machine()).items():
        assert Machine.share(lines) == pytest.approx(change, abs=0.003)


def test_the_best_of_all_tries_is_taken() -> None:
    machine = Machine()
    (lines,) = calibrated((0.03,), machine).values()
    tried = {count for asked in machine.asked[1:] for count in asked}
    assert abs(Machine.share(lines) - 0.03) == min(abs(Machine.share(count) - 0.03) for count in tried)


def test_a_change_of_less_than_a_line_is_a_line() -> None:
    assert calibrated((1e-9,), Machine()) == {1e-9: 1}


def test_what_was_achieved_is_the_mean_over_processes_with_its_range() -> None:
    (found,) = achieved({0.05: 300}, Machine((-0.1, 0.0, 0.1)), processes=3)
    share = Machine.share(300)
    assert (found.change, found.lines, found.processes) == (0.05, 300, 3)
    assert (found.low, found.mean, found.high) == pytest.approx((0.9 * share, share, 1.1 * share))


def test_a_process_times_calls_and_work_apart(tmp_path: Path) -> None:
    timer = ProcessTimer(CATALOG, tree_of(tmp_path), isolated(tmp_path), calls=4)
    timed = timer((5, 500))
    assert timed.call_ns > 0.0
    assert timed.shares[500] > timed.shares[5] > 0.0


def test_the_first_call_is_not_counted_and_one_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 calls"):
        time_calls(Laden(CATALOG, 0), tree_of(tmp_path), 1, [5])


def test_the_program_prints_what_it_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    main([CATALOG, str(tree_of(tmp_path)), "3", "5"])
    assert set(msgspec.json.decode(out.getvalue(), type=Timed).shares) == {5}
