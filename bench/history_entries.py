"""Results as entries of a history: what of a gate, a run and a reproduction can be compared over commits.

Only ratios to a reference that was measured beside them are kept. A reference is named by what decides how fast
it is: a commit, a stored baseline, or the digest of the files of a floor or of legacy.
"""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.baseline import harness_digest
from bench.history import Commit, Entry, Ratio
from bench.result import Interval, RowVerdict
from bench.scenario import LEGACY
from bench.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.result import Result, Row
    from bench.run import RunResult
    from bench.verdict_file import Benchmark, ComparedWith, GateResult

_LEGACY_FILE = Path(__file__).parent.parent / "catalog" / "legacy.py"
_MACHINE = ("cpu_model", "logical_cores", "memory_bytes", "kernel", "architecture")
_PATIENCE_S = 30.0
_VOID = {RowVerdict.OUTPUTS_DIFFER, RowVerdict.NOTHING_MEASURED}


def gate_entry(result: GateResult, project: Path) -> Entry:
    """A gate's comparisons; none of those whose answers were wrong, or that were made for a baseline."""
    ratios = tuple(
        Ratio(
            scenario=one.scenario,
            tree=_canonical({**result.tree, "cache": one.cache_state}),
            subject=one.candidate,
            reference=_named(result.references[one.against]),
            value=one.ratio,
            verdict=one.verdict,
        )
        for one in result.benchmarks
        if one.ratio is not None and _is_compared(one)
    )
    return _entry("gate", result, result.started_at, result.exit_code, result.environment, ratios, project)


def reproduce_entry(result: Result, project: Path) -> Entry:
    """A reproduction's rows, each beside legacy and beside its floor."""
    specs = {tree.name: tree.spec for tree in result.trees}
    ratios = tuple(
        ratio
        for row in result.rows
        if row.verdict not in _VOID
        for ratio in _row_ratios(
            row, {**specs.get(row.tree, {}), "sidecar_share": row.sidecar_share}, result.contestants
        )
    )
    return _entry("reproduce", result, result.started_at, result.exit_code, result.environment, ratios, project)


def run_entry(results: Sequence[RunResult], started_at: str, exit_code: int, seed: int, project: Path) -> Entry:
    """A run's subjects beside its first, each under its own name; `seed` is that of generated trees."""
    ratios = tuple(
        Ratio(
            scenario=row.subject,
            tree=_canonical({"tree": one.tree, "seed": seed}),
            subject=row.target,
            reference=next(first.target for first in one.rows if first.subject == one.reference),
            value=_inverse(row.ratio),
            verdict=row.verdict.value,
        )
        for one in results
        for row in one.rows
        if row.ratio is not None
    )
    environment = results[0].environment if results else {}
    told = {"started_at": started_at, "results": results}
    return _entry("run", told, started_at, exit_code, environment, ratios, project)


def commit_at(project: Path, name: str | None, *, is_dirty: bool | None) -> Commit:
    """When a commit was made and how many came before it, as far as the repository can tell."""
    if name is None:
        return Commit(is_dirty=is_dirty)
    time_s = _git(project, "show", "--no-patch", "--format=%ct", name)
    is_whole = _git(project, "rev-parse", "--is-shallow-repository") == "false"
    count = _git(project, "rev-list", "--count", name) if is_whole else None
    return Commit(
        name=name,
        time_s=int(time_s) if time_s else None,
        ancestors=int(count) if count else None,
        is_dirty=is_dirty,
    )


def ancestors_of_head(project: Path) -> frozenset[str] | None:
    """The commits that HEAD contains; None where nobody knows: no repository, or a shallow clone."""
    if _git(project, "rev-parse", "--is-shallow-repository") != "false":
        return None
    told = _git(project, "rev-list", "HEAD")
    return None if told is None else frozenset(told.split())


def _named(reference: ComparedWith) -> str:
    if reference.commit is not None and not reference.is_stored:
        return f"commit {reference.commit}"
    return f"{reference.name} on {reference.runs_with}" if reference.runs_with else reference.name


def _is_compared(one: Benchmark) -> bool:
    return one.verdict in {verdict.value for verdict in Verdict}


def _row_ratios(row: Row, tree: Mapping[str, Any], targets: Mapping[str, str]) -> Iterator[Ratio]:
    """A row's ratios; `targets` tells what was called under a contestant's name."""
    told = _canonical({**tree, "cache": row.cache_state})
    subject = row.scenario if row.candidate is None else targets.get(row.candidate.contestant, row.scenario)
    if row.ratio is not None and row.reference is not None and row.reference.contestant == LEGACY.name:
        name = f"legacy {_digest(_LEGACY_FILE.read_bytes())}"
        yield Ratio(
            scenario=row.scenario, tree=told, subject=subject, reference=name,
            value=_inverse(row.ratio), verdict=row.verdict.value,
        )  # fmt: skip
    if row.times_floor is not None and row.floor is not None:
        name = f"{row.floor.contestant} {harness_digest()}"
        value = Interval(estimate=row.times_floor)
        yield Ratio(
            scenario=row.scenario, tree=told, subject=subject, reference=name,
            value=value, verdict=row.verdict.value,
        )  # fmt: skip


def _inverse(ratio: Interval) -> Interval:
    """The candidate's time over the reference's, where the ratio told how many times as fast it is."""
    return Interval(
        estimate=1.0 / ratio.estimate,
        low=None if ratio.high is None else 1.0 / ratio.high,
        high=None if ratio.low is None else 1.0 / ratio.low,
    )


def _entry(
    command: str,
    result: object,
    started_at: str,
    exit_code: int | None,
    environment: Mapping[str, Any],
    ratios: tuple[Ratio, ...],
    project: Path,
) -> Entry:
    runtime = f"{environment.get('implementation', '?')} {environment.get('python', '?')}"
    return Entry(
        digest=_digest(msgspec.json.encode([command, result])),
        command=command,
        started_at=started_at,
        exit_code=exit_code,
        commit=commit_at(project, environment.get("commit"), is_dirty=environment.get("dirty")),
        machine=_canonical({name: environment.get(name) for name in _MACHINE}),
        runtime=runtime,
        libraries=_canonical(environment.get("libraries", {})),
        environment=_canonical(environment),
        ratios=ratios,
    )


def _canonical(values: Mapping[str, Any]) -> str:
    return msgspec.json.encode(values, order="sorted").decode()


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


def _git(project: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, cwd=project, capture_output=True, check=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
