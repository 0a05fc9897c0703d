"""What a self-test found: the one object that every report and the exit code are of, and its file."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.result import ResultError
from bench.verdict import ExitCode, worst
from bench.verdict_file import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA_VERSION: Final = 1
KIND: Final = "selftest"


class State(StrEnum):
    """What a row says about the gate."""

    HOLDS = "as it should be"
    FAILED = "not as it should be"
    NOISY = "too noisy to tell"
    UNMEASURED = "not measured"
    BROKEN = "gates without a verdict"


_CODES: Final = {
    State.HOLDS: ExitCode.PASS,
    State.FAILED: ExitCode.MISSED,
    State.NOISY: ExitCode.INCONCLUSIVE,
    State.UNMEASURED: ExitCode.INCONCLUSIVE,
    State.BROKEN: ExitCode.NOTHING_MEASURED,
}

WORDS: Final = {
    ExitCode.PASS: "the gate does here what it promises, as far as this self-test can tell",
    ExitCode.MISSED: "the gate does not do here what it promises",
    ExitCode.INCONCLUSIVE: "too noisy, or too short, to tell",
    ExitCode.NOTHING_MEASURED: "gates ended without a verdict",
}


CAUGHT: Final = (Cause.OUTPUTS_DIFFER.value, Cause.NO_ANSWER.value)
"""How a gate ends whose candidate answers wrongly; with *no answer* where records are missing."""


class Rate(msgspec.Struct, frozen=True):
    """How often something happened, with the exact interval (Clopper-Pearson, 95 %)."""

    happened: int
    of: int
    low: float
    high: float


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """Gates of one kind; `real` ones ran, the others were resampled from recorded groups.

    `change` is what was asked for, `called` counts the answers by verdict or cause. `rate` is that of *slower*;
    where a `fault` was injected, of the causes in `CAUGHT`. Budgets and times in seconds.
    """

    condition: str
    scenario: str
    real: bool
    change: float
    fault: bool = False
    budget_s: float
    gates: int
    called: dict[str, int]
    rate: Rate
    promise: str
    median_s: float | None = None
    longest_s: float | None = None
    smallest_detectable: float | None = None
    covered: Rate | None = None
    state: State


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How often the 95 % interval at a fixed number of groups holds the truth, in simulations."""

    condition: str
    scenario: str
    groups: int
    rate: Rate
    state: State


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """The noise of recorded groups of the same code, as shares; `group_s` is what a group took with all starts.

    `between_sd` is that of the groups' values, `between_mad_sd` the same by the median absolute deviation
    (times 1.4826), `pair_sd` that of the pairs in a group.
    """

    condition: str
    scenario: str
    groups: int
    pairs: float
    call_ns: float
    group_s: float
    between_sd: float
    between_mad_sd: float
    pair_sd: float
    first_at: str
    last_at: str


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """What share the injected work came to over all processes in which it was measured."""

    condition: str
    scenario: str
    change: float
    mean: float
    low: float
    high: float
    processes: int


class MutantFate(msgspec.Struct, frozen=True, kw_only=True):
    """One mutant: who made it, and the case that caught it, or why that counts for nothing, or nothing did."""

    name: str
    maker: str
    caught_by: str


class Mutants(msgspec.Struct, frozen=True, kw_only=True):
    """Mutants of the catalog, looked for by the comparison of answers with what the contract expects.

    `survivors` have no reason that is known; `by_tool` are those that a mutation tool made, some of which say
    the same as the sound code.
    """

    caught: Rate
    survivors: tuple[str, ...]
    state: State
    by_hand: Rate | None = None
    by_tool: Rate | None = None
    fates: tuple[MutantFate, ...] = ()


class SelfTestResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole self-test, or what of it was finished."""

    schema_version: int = SCHEMA_VERSION
    kind: str = KIND
    exit_code: int = int(ExitCode.NOTHING_MEASURED)
    verdict: str = ""
    is_complete: bool = False
    started_at: str
    target: str
    is_quick: bool
    seed: int
    budget_s: float
    elapsed_s: float = 0.0
    noise: tuple[Noise, ...] = ()
    injected: tuple[Injected, ...] = ()
    gates: tuple[Gates, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    mutants: Mutants | None = None
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = {}


class _Header(msgspec.Struct):
    kind: str = ""


def states(result: SelfTestResult) -> tuple[State, ...]:
    """What every row says."""
    mutants = () if result.mutants is None else (result.mutants.state,)
    return (*(one.state for one in result.gates), *(one.state for one in result.coverage), *mutants)


def code_of(found: Iterable[State]) -> ExitCode:
    """The exit code of all rows; a broken promise is told before anything that could not be told."""
    rows = set(found)
    return ExitCode.MISSED if State.FAILED in rows else worst(_CODES[one] for one in rows)


def concluded(result: SelfTestResult) -> SelfTestResult:
    """`result` with the exit code and the words that its rows lead to; what was not finished cannot pass."""
    code = code_of(states(result))
    if not result.is_complete:
        code = worst([code, ExitCode.INCONCLUSIVE])
    return msgspec.structs.replace(result, exit_code=int(code), verdict=WORDS[code])


def is_selftest(path: Path) -> bool:
    """Whether a file says of itself that it is a self-test's result."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Header).kind == KIND
    except (OSError, msgspec.DecodeError):
        return False


def load_selftest(path: Path) -> SelfTestResult:
    """Read a `selftest.json`. Raises ResultError for anything else, and where its parts do not agree."""
    remedy = "run `ckpt-bench selftest` again"
    try:
        result = msgspec.json.decode(path.read_bytes(), type=SelfTestResult)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultError(f"{path}: expected a self-test's result, found {error}; {remedy}") from error
    if (result.schema_version, result.kind) != (SCHEMA_VERSION, KIND) or result != concluded(result):
        raise ResultError(
            f"{path}: expected {KIND!r} of version {SCHEMA_VERSION} whose exit code follows from its rows, "
            f"found {result.kind!r} of version {result.schema_version}, exit code {result.exit_code}; {remedy}"
        )
    return result
