"""Nothing remembered is ever stale: Hypothesis draws the edits, the clock, and what meets in between.

The edits are those of the fuzz, and so is the comparison; here the shortest sequence is told that breaks it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.property.comparison import CONFIG_FILENAMES, PAUSES_S, Comparison, Tally, real_checkpoints
from tests.property.edits import ALL
from tests.property.simulated_clock import GRANULARITIES_NS, SimulatedClock

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from tests.property.edits import Edits

_EDITS = st.sampled_from(ALL)
_PAUSES = st.sampled_from(PAUSES_S)
_RANDOMS = st.randoms(use_true_random=False)


class Remembering(RuleBasedStateMachine):
    """A tree whose remembered catalog is compared after each step with a build from nothing."""

    checkpoints: Sequence[bytes] = ()
    remembered = 0
    compared = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.tally = Tally()

    @initialize(granularity_ns=st.sampled_from(list(GRANULARITIES_NS.values())), rng=_RANDOMS)
    def make_tree(self, granularity_ns: int, rng: random.Random) -> None:
        self.clock = SimulatedClock(Path(self.folder.name), granularity_ns)
        self.comparison = Comparison(self.clock, rng, self.checkpoints, tally=self.tally)

    @rule(edits=st.lists(st.tuples(_EDITS, _PAUSES), min_size=1, max_size=3), rng=_RANDOMS)
    def edit(self, edits: list[tuple[Callable[[Edits], None], float]], rng: random.Random) -> None:
        self.comparison.edits.rng = rng
        for make, pause_s in edits:
            self.comparison.edit(make)
            self.clock.advance(pause_s)

    @rule(make=_EDITS, rng=_RANDOMS, percent=st.integers(0, 110), is_before=st.booleans(), pause_s=_PAUSES)
    def edit_during_a_build(
        self, make: Callable[[Edits], None], rng: random.Random, percent: int, is_before: bool, pause_s: float
    ) -> None:
        self.comparison.edits.rng = rng
        self.comparison.build_interrupted(make, percent / 100, is_before=is_before, pause_s=pause_s)

    @rule(pause_s=_PAUSES)
    def wait(self, pause_s: float) -> None:
        self.clock.advance(pause_s)

    @rule()
    def settle(self) -> None:
        self.clock.advance(8)
        self.comparison.build()

    @rule(config_filenames=st.sampled_from(CONFIG_FILENAMES))
    def start_process(self, config_filenames: Sequence[str]) -> None:
        self.comparison.start_process(config_filenames)

    @invariant()
    def is_never_stale(self) -> None:
        assert self.comparison.compare()

    def teardown(self) -> None:
        self.folder.cleanup()
        type(self).remembered += self.tally.remembered
        type(self).compared += self.tally.compared


def test_whatever_happens_to_a_tree_the_remembered_answer_is_that_of_a_build_from_nothing() -> None:
    class Counted(Remembering):
        checkpoints = real_checkpoints()

    drawn = settings(
        max_examples=40,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    with Comparison.offline():
        run_state_machine_as_test(Counted, settings=drawn)
    assert Counted.remembered >= Counted.compared / 2
