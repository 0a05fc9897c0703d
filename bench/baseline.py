"""A stored baseline: what a candidate took beside a yardstick, to be compared with in a later session.

The yardstick (the scenario's floor: its files only read, or only stat-ed) is measured in both sessions and in
alternation with the candidate, so that what is compared are ratios. Absolute times are refused: those of the
same code differ by several percent between processes of one machine, and by any factor between machines.
"""

from __future__ import annotations

import difflib
import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import fixtures
from bench.result import save
from bench.revision import Runtime, differences
from bench.verdict_file import Cause, Reason, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from bench.environment import Environment

SCHEMA_VERSION = 1
KIND = "ckpt-bench baseline"
OLDEST = timedelta(days=90)
CLOCKS_MAY_DIFFER_BY = timedelta(days=1)
_TIMING = ("arms", "engine", "exchange", "floor", "gate_case", "measurement", "pagecache", "scenario", "worker")
_REMEDY = "make one with `ckpt-bench gate --save-baseline FILE`"

Groups = tuple[tuple[tuple[float, float], ...], ...]
"""`groups[process][pair]` = (candidate, yardstick) in nanoseconds."""


class StoredBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark's pairs of times, and on what they were taken."""

    name: str
    target: str
    yardstick: str
    tree: dict[str, Any]
    groups: Groups


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """Benchmarks with their provenance. `harness` stands for the code that times, and the yardsticks'."""

    kind: str = KIND
    schema_version: int = SCHEMA_VERSION
    made_at: str
    commit: str
    code: str
    runtime: Runtime
    machine: dict[str, str | int | None]
    harness: str
    benchmarks: tuple[StoredBenchmark, ...]


class _Header(msgspec.Struct):
    kind: str = ""
    schema_version: int = 0


def harness_digest() -> str:
    """What tells the code that times, the yardsticks, and what writes the trees, from any other."""
    own = Path(__file__).parent
    files = [own / f"{name}.py" for name in _TIMING]
    for folder in (own / "subject_host", Path(str(fixtures.__file__)).parent):
        files += sorted(folder.glob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def machine_of(environment: Environment) -> dict[str, str | int | None]:
    """What tells one machine from another, as far as it decides how fast something is."""
    names = ("cpu_model", "logical_cores", "memory_bytes", "kernel", "architecture")
    return {name: getattr(environment, name) for name in names}


def store(baseline: Baseline, path: Path) -> None:
    """Write it whole or not at all. Raises OSError where the disk refuses."""
    save(baseline, path)


def load_baseline(
    path: Path, runtime: Runtime, *, now: datetime, is_known_commit: Callable[[str], bool]
) -> Baseline:
    """Read a baseline and check where it comes from.

    Raises Refusal for one that is missing, empty, of another tool or repository, of another version of this
    one, too old, from the future, or made with another interpreter, other dependencies or another harness.
    """
    baseline = _decoded(path)
    _check_age(path, baseline, now)
    if not is_known_commit(baseline.commit):
        raise Refusal(
            Cause.BASELINE_FOREIGN,
            f"{path}: expected a baseline of this repository, found commit {baseline.commit}, which it does "
            f"not know; fetch it, or {_REMEDY}",
        )
    for cause, told in differences(runtime, baseline.runtime):
        raise Refusal(cause, f"{path}: {told}; {_REMEDY}")
    if baseline.harness != harness_digest():
        found = f"{baseline.harness}, not {harness_digest()}"
        raise Refusal(
            Cause.BASELINE_STALE, f"{path}: expected the times of this harness, found {found}; {_REMEDY}"
        )
    if not baseline.benchmarks:
        raise Refusal(Cause.BASELINE_EMPTY, f"{path}: expected benchmarks, found none; {_REMEDY}")
    return baseline


def stored(baseline: Baseline, name: str, target: str, yardstick: str, tree: dict[str, Any]) -> Groups:
    """The pairs of one benchmark, of a target beside a yardstick on a tree.

    Raises Refusal where they are none to compare with.
    """
    found = {one.name: one for one in baseline.benchmarks}.get(name)
    if found is None:
        raise Refusal(Cause.NOT_IN_BASELINE, f"expected it in the baseline, found none; {_REMEDY}")
    if not found.yardstick:
        raise Refusal(
            Cause.BASELINE_ABSOLUTE, f"expected ratios to a yardstick, found absolute times; {_REMEDY}"
        )
    if (found.target, found.yardstick, found.tree) != (target, yardstick, tree):
        then = f"{found.target} beside {found.yardstick} on {found.tree}"
        changed = f"{then}, not {target} beside {yardstick} on {tree}"
        raise Refusal(Cause.BASELINE_STALE, f"expected the same benchmark, found {changed}; {_REMEDY}")
    for taken_ns in (one for group in found.groups for pair in group for one in pair):
        if not (math.isfinite(taken_ns) and taken_ns > 0):
            raise Refusal(Cause.UNUSABLE_TIMES, f"expected times above 0, found {taken_ns} ns; {_REMEDY}")
    if sum(bool(group) for group in found.groups) < 2:
        raise Refusal(
            Cause.TOO_FEW_SAMPLES, f"expected several processes, found {len(found.groups)}; {_REMEDY}"
        )
    return found.groups


def removed(baseline: Baseline, known: Collection[str], chosen: Callable[[str], bool]) -> Iterator[Reason]:
    """A reason for each benchmark of the baseline that was asked for and that nobody knows any more."""
    for one in baseline.benchmarks:
        if chosen(one.name) and one.name not in known:
            near = difflib.get_close_matches(one.name, known, n=1)
            renamed = f"; was it renamed to {near[0]}?" if near else ""
            told = f"expected a benchmark of this name, as in the baseline, found none{renamed}; {_REMEDY}"
            yield Reason(Cause.REMOVED, one.name, told)


def _decoded(path: Path) -> Baseline:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(
            Cause.BASELINE_MISSING, f"{path}: expected a baseline, found {error.strerror}; {_REMEDY}"
        ) from error
    if not content.strip():
        raise Refusal(Cause.BASELINE_EMPTY, f"{path}: expected a baseline, found an empty file; {_REMEDY}")
    try:
        msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise Refusal(Cause.BASELINE_UNREADABLE, f"{path}: expected JSON, found {error}; {_REMEDY}") from error
    try:
        header = msgspec.json.decode(content, type=_Header)
    except msgspec.DecodeError:
        header = _Header()
    if header.kind != KIND:
        raise Refusal(Cause.BASELINE_FOREIGN, f"{path}: expected a {KIND}, found another file; {_REMEDY}")
    if header.schema_version != SCHEMA_VERSION:
        cause = Cause.BASELINE_FUTURE if header.schema_version > SCHEMA_VERSION else Cause.BASELINE_STALE
        raise Refusal(
            cause, f"{path}: expected version {SCHEMA_VERSION}, found {header.schema_version}; {_REMEDY}"
        )
    try:
        return msgspec.json.decode(content, type=Baseline)
    except msgspec.DecodeError as error:
        raise Refusal(
            Cause.BASELINE_UNREADABLE, f"{path}: expected a {KIND}, found {error}; {_REMEDY}"
        ) from error


def _check_age(path: Path, baseline: Baseline, now: datetime) -> None:
    try:
        made_at = datetime.fromisoformat(baseline.made_at).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal(
            Cause.BASELINE_UNREADABLE, f"{path}: expected a date, found {error}; {_REMEDY}"
        ) from error
    if made_at > now + CLOCKS_MAY_DIFFER_BY:
        told = f"{path}: expected a date before {now:%Y-%m-%d}, found {baseline.made_at}; look at the clock"
        raise Refusal(Cause.BASELINE_FUTURE, told)
    if now - made_at > OLDEST:
        told = f"{path}: expected at most {OLDEST.days} days of age, found {(now - made_at).days}; {_REMEDY}"
        raise Refusal(Cause.BASELINE_STALE, told)
