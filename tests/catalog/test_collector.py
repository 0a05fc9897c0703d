"""The pause of the garbage collector ends in the state that it found, whatever happens inside."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest

from catalog.collector import Paused


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_state_before_comes_back_though_the_block_raised(was_enabled: bool) -> None:
    (gc.enable if was_enabled else gc.disable)()
    states = []
    try:
        with suppress(RuntimeError), Paused():
            states.append(gc.isenabled())
            raise RuntimeError
        states.append(gc.isenabled())
    finally:
        gc.enable()
    assert states == [False, was_enabled]
