"""The neighbour is beside what is done, on one core, and is gone afterwards."""

from __future__ import annotations

import time

import psutil
import pytest

from bench.neighbour import bursty_neighbour


def test_the_neighbour_burns_one_core_and_ends_with_its_context() -> None:
    with bursty_neighbour(1) as number:
        neighbour = psutil.Process(number)
        deadline_s = time.monotonic() + 20.0
        while neighbour.cpu_times().user < 0.1 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert neighbour.cpu_times().user >= 0.1
        if hasattr(neighbour, "cpu_affinity"):
            assert len(neighbour.cpu_affinity()) == 1
    assert not psutil.pid_exists(number)


def test_the_neighbour_ends_where_what_is_done_fails() -> None:
    numbers = []

    def interrupted() -> None:
        with bursty_neighbour(1) as number:
            numbers.append(number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not psutil.pid_exists(numbers[0])
