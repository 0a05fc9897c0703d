"""Nothing remembered is ever stale: random edits, coarse clocks, and blindnesses that must be caught.

Every round makes a few edits and compares the remembered answer with a build from nothing, field by
field. `python -m tests.property.test_remembered 100000` makes so many edits for each granularity, and ends
with 1 where an answer differed, or too few were served from memory.
"""

from __future__ import annotations

import os
import random
import stat
import sys
import tempfile
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.property.comparison import CONFIG_FILENAMES, PAUSES_S, Comparison, Tally, real_checkpoints
from tests.property.edits import ALL, rewrite_last
from tests.property.simulated_clock import GRANULARITIES_NS, CoarseStat, SimulatedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from catalog.filesystem import FileSystem, Stat

PROMISE = "0 differences, and at least half of the answers served from memory"
_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - only to be fast; elsewhere the usual folder for temporary files


def play_round(comparison: Comparison) -> None:
    """Edits at once, in quick succession around a build, in the middle of one, or none; then a comparison."""
    rng, clock = comparison.rng, comparison.clock
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        comparison.edit(rng.choice(ALL))
        clock.advance(rng.choice(PAUSES_S))
    turn = rng.random()
    if turn < 0.15:
        comparison.edit(rng.choice((rewrite_last, rng.choice(ALL))))
        comparison.build()
        comparison.edit(rng.choice((rewrite_last, rng.choice(ALL))))
    elif turn < 0.35:
        make, pause_s = rng.choice((rewrite_last, rng.choice(ALL))), rng.choice(PAUSES_S)
        share, is_before = rng.random() ** 0.25, rng.random() < 0.5  # files are read late in a build
        comparison.build_interrupted(make, share, is_before=is_before, pause_s=pause_s)
    elif turn < 0.9:
        clock.advance(8)
        comparison.build()  # everything has settled: what follows may believe it
    if rng.random() < 0.2:
        comparison.start_process(rng.choice(CONFIG_FILENAMES))
    comparison.compare()


def play(
    seed: int,
    granularity_ns: int,
    checkpoints: Sequence[bytes],
    rounds: int,
    blind: Callable[[FileSystem], FileSystem] = lambda files: files,
) -> Tally:
    """The tally of one tree's rounds; in every third, W&B runs tell what else is lacking."""
    folder = _MEMORY_FOLDER if os.path.isdir(_MEMORY_FOLDER) else None
    with tempfile.TemporaryDirectory(dir=folder) as root, Comparison.offline():
        clock = SimulatedClock(Path(root), granularity_ns)
        comparison = Comparison(
            clock, random.Random(seed), checkpoints, blind, use_wandb_fallback=seed % 3 == 2
        )
        for _ in range(rounds):
            play_round(comparison)
    return comparison.tally


def broken(tally: Tally) -> list[str]:
    """What of the promise a run broke, in words: no difference, and half of all answers from memory."""
    found = []
    if tally.compared == 0:
        found.append("expected answers to compare, found none")
    if tally.differences > 0:
        found.append(f"expected 0 differences, found {tally.differences}")
    if tally.remembered < tally.compared / 2:
        told = f"{tally.remembered} of {tally.compared}"
        found.append(f"expected at least half of the answers from memory, found {told}")
    return found


@pytest.fixture(scope="module")
def checkpoints() -> list[bytes]:
    return real_checkpoints()


@pytest.mark.parametrize("granularity_ns", GRANULARITIES_NS.values(), ids=GRANULARITIES_NS.keys())
def test_a_remembered_answer_is_never_stale(granularity_ns: int, checkpoints: list[bytes]) -> None:
    tally = Tally()
    for seed in (1, 2):
        tally.add(play(seed, granularity_ns, checkpoints, rounds=150))
    assert broken(tally) == []


KEPT = Tally(edits=10, compared=100, remembered=50)


@pytest.mark.parametrize(
    ("tally", "told"),
    [
        (KEPT, []),
        (replace(KEPT, differences=1), ["0 differences, found 1"]),
        (replace(KEPT, remembered=49), ["at least half of the answers from memory, found 49 of 100"]),
        (Tally(edits=10), ["answers to compare, found none"]),
    ],
)
def test_a_run_is_judged_by_what_is_promised(
    tally: Tally, told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [one.removeprefix("expected ") for one in broken(tally)] == told
    monkeypatch.setattr(sys.modules[__name__], "play", lambda *_, **__: replace(tally))
    assert main(10) == bool(told)
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.startswith("broken" if told else "kept")


def test_a_promise_that_one_clock_breaks_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = GRANULARITIES_NS.values()

    def play_at(_seed: int, granularity_ns: int, *_: object, **__: object) -> Tally:
        return replace(KEPT, remembered=0 if granularity_ns == first else 100)

    monkeypatch.setattr(sys.modules[__name__], "play", play_at)
    assert main(10) == 1


def answering(files: FileSystem, answer: Callable[[str, Stat], CoarseStat]) -> FileSystem:
    """A file system whose `stat` answers something else."""
    return msgspec.structs.replace(files, stat=lambda path: answer(path, files.stat(path)))


def as_told(status: Stat, *, times_ns: int | None = None) -> CoarseStat:
    mtime_ns = status.st_mtime_ns if times_ns is None else times_ns
    ctime_ns = status.st_ctime_ns if times_ns is None else times_ns
    return CoarseStat(status.st_mode, status.st_ino, status.st_size, mtime_ns, ctime_ns)


def settled_at_once(files: FileSystem) -> FileSystem:
    """As if there were no racy rule: by this clock every change lies an hour back."""
    return msgspec.structs.replace(files, now_ns=lambda: files.now_ns() + 3600 * 10**9)


def settled_too_soon(files: FileSystem) -> FileSystem:
    """As if a change had settled a second after it was made, when a coarse clock may not have moved on."""
    return msgspec.structs.replace(files, now_ns=lambda: files.now_ns() + 2 * 10**9)


def without_ctime(files: FileSystem) -> FileSystem:
    """As if a signature had no ctime."""
    return answering(files, lambda _, status: replace(as_told(status), st_ctime_ns=0))


def without_folder_times(files: FileSystem) -> FileSystem:
    """As if only files were looked at."""
    return answering(
        files, lambda _, status: as_told(status, times_ns=0 if stat.S_ISDIR(status.st_mode) else None)
    )


def without_absences(files: FileSystem) -> FileSystem:
    """As if only the names of checkpoints and folders mattered, and not those of files that were missing."""

    def answer(path: str, status: Stat) -> CoarseStat:
        if not stat.S_ISDIR(status.st_mode):
            return as_told(status)
        with os.scandir(path) as entries:
            names = sorted(one.name for one in entries if one.name.endswith(".ckpt") or one.is_dir())
        return as_told(status, times_ns=zlib.crc32("/".join(names).encode()))

    return answering(files, answer)


def without_targets(files: FileSystem) -> FileSystem:
    """As if a link were what it led to when it was first looked at."""
    first = cache(files.stat)
    return msgspec.structs.replace(
        files, stat=lambda path: (first if os.path.islink(path) else files.stat)(path)
    )


BLINDNESSES = (settled_at_once, without_ctime, without_folder_times, without_absences, without_targets)
"""Size, inode and mtime are not among them: where ctime and the racy rule hold, they prove nothing more."""


CASES = [
    *((blind, name) for blind in BLINDNESSES for name in GRANULARITIES_NS),
    (settled_too_soon, "2 s"),
]


@pytest.mark.parametrize(("blind", "granularity"), CASES, ids=[f"{one.__name__}-{name}" for one, name in CASES])
def test_the_edits_catch_an_index_that_does_not_see_something(
    blind: Callable[[FileSystem], FileSystem], granularity: str, checkpoints: list[bytes]
) -> None:
    granularity_ns = GRANULARITIES_NS[granularity]
    assert any(play(seed, granularity_ns, checkpoints, 40, blind).differences for seed in range(40))


def main(edits: int) -> int:
    """Make so many edits at each granularity, and judge each; the exit code is 1 where a promise is broken."""
    found = []
    checkpoints = real_checkpoints()
    for name, granularity_ns in GRANULARITIES_NS.items():
        total = Tally()
        seed = 0
        while total.edits < edits:
            tally = play(seed, granularity_ns, checkpoints, rounds=300)
            if tally.differences:
                print(f"{name}: seed {seed}: {tally}")  # noqa: T201 - a program of its own, by `python -m`
            total.add(tally)
            seed += 1
        share = total.remembered / max(total.compared, 1)
        print(f"{name}: {total}, {share:.1%} served from memory", flush=True)  # noqa: T201
        found += [f"{name}: {one}" for one in broken(total)]
    print(f"broken: {'; '.join(found)}" if found else f"kept: {PROMISE}")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
