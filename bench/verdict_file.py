"""What a gate found, and `verdict.json`, which keeps it: the one object that every report and exit code is of.

Every reason not to pass stands in `reasons`, by name; the exit code follows from them alone. A wrapper that
swallows the exit code changes nothing here: `ckpt-bench report verdict.json` ends with it again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bench.instructions import InstructionChange
from bench.result import EqualityOutcome, Interval, ResultError, TargetOutcome
from bench.verdict import ExitCode, worst

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Written = TypeVar("_Written", bound=msgspec.Struct)

SCHEMA_VERSION = 2
KIND = "gate"


class Cause(StrEnum):
    """Why a gate does not pass."""

    SLOWER = "slower"
    STEEPER = "grows faster with size"
    TARGET_MISSED = "target missed"
    OUTPUTS_DIFFER = "outputs differ"
    TREE_WRITTEN = "tree written to"
    CHANGE_UNSEEN = "change not seen"
    MORE_INSTRUCTIONS = "more instructions"
    NOT_COUNTED = "instructions not counted"
    UNCLEAR = "inconclusive"
    GROWTH_UNCLEAR = "growth inconclusive"
    TARGET_UNCLEAR = "target inconclusive"
    TARGET_NOT_MEASURED = "target not measured"
    TOO_FEW_SAMPLES = "too few samples"
    UNUSABLE_TIMES = "unusable times"
    UNKNOWN_COLD = "files not cold"
    CRASHED = "crashed"
    HUNG = "hung"
    RAISED = "raised"
    NOT_FOUND = "callable not found"
    CLOCK = "clock stepped"
    COUNT = "count changed"
    NO_ANSWER = "no answer"
    OTHER_CODE = "other code measured"
    INTERPRETER = "other interpreter"
    DEPENDENCIES = "other dependency versions"
    NO_REFERENCE = "no reference"
    NO_BENCHMARK = "no benchmark"
    REMOVED = "benchmark removed or renamed"
    NOT_IN_BASELINE = "benchmark not in baseline"
    BASELINE_MISSING = "baseline missing"
    BASELINE_EMPTY = "baseline empty"
    BASELINE_UNREADABLE = "baseline unreadable"
    BASELINE_FOREIGN = "baseline foreign"
    BASELINE_STALE = "baseline stale"
    BASELINE_FUTURE = "baseline from the future"
    BASELINE_ABSOLUTE = "baseline of absolute times"
    DISK = "disk refused"
    HARNESS = "fault of the harness"
    UNFINISHED = "not finished"


_CODES = {
    Cause.SLOWER: ExitCode.MISSED,
    Cause.MORE_INSTRUCTIONS: ExitCode.MISSED,
    Cause.STEEPER: ExitCode.MISSED,
    Cause.TARGET_MISSED: ExitCode.MISSED,
    Cause.OUTPUTS_DIFFER: ExitCode.OUTPUTS_DIFFER,
    Cause.TREE_WRITTEN: ExitCode.OUTPUTS_DIFFER,
    Cause.CHANGE_UNSEEN: ExitCode.OUTPUTS_DIFFER,
    Cause.UNCLEAR: ExitCode.INCONCLUSIVE,
    Cause.GROWTH_UNCLEAR: ExitCode.INCONCLUSIVE,
    Cause.TARGET_UNCLEAR: ExitCode.INCONCLUSIVE,
    Cause.TOO_FEW_SAMPLES: ExitCode.INCONCLUSIVE,
}
"""All other causes leave something unmeasured."""

WORDS = {
    ExitCode.PASS: "nothing is slower, outputs agree, and every target that this run measured is met",
    ExitCode.MISSED: "something is slower, or a target is missed",
    ExitCode.USAGE: "the request makes no sense as it stands; nothing was run",
    ExitCode.OUTPUTS_DIFFER: "outputs differ, so that no ratio of theirs counts",
    ExitCode.INCONCLUSIVE: "the measurement cannot tell",
    ExitCode.NOTHING_MEASURED: "nothing, or not everything that was asked for, was measured",
}
"""What each exit code of a gate says."""


class Reason(msgspec.Struct, frozen=True):
    """One reason not to pass: its name, the benchmark or target that it is about (or none), and the details."""

    cause: Cause
    about: str
    told: str


class Refusal(Exception):  # noqa: N818 - the name says what happens
    """Something cannot be compared with; says why by name and in words."""

    def __init__(self, cause: Cause, told: str) -> None:
        super().__init__(f"{cause}: {told}")
        self.cause = cause
        self.told = told

    def reason(self, about: str = "") -> Reason:
        """It as a reason not to pass."""
        return Reason(self.cause, about, self.told)


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of an arm needs besides wall time; None is what the system does not tell.

    `cpu_ns` is the median of the timed calls. The rest is of calls in a process of its own, and not timed.
    """

    arm: str
    cpu_ns: float | None = None
    peak_bytes: int | None = None
    read_bytes: int | None = None
    disk_read_bytes: int | None = None
    read_calls: int | None = None
    system_calls: int | None = None


class GrowthFound(msgspec.Struct, frozen=True, kw_only=True):
    """How one benchmark's time grows over trees of several sizes (in checkpoints): exponents with intervals."""

    verdict: str
    sizes: tuple[int, ...]
    candidate: Interval
    reference: Interval
    difference: Interval


class ComparedWith(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate's candidate was compared with; `commit` is None where the reference is of no revision.

    `is_stored` is a baseline. `runs_with` tells versions that are not the candidate's.
    """

    name: str
    commit: str | None = None
    is_stored: bool = False
    runs_with: str = ""


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's verdict beside one reference; `ratio` is candidate to reference, above 1 is slower.

    `name` is the scenario's, and names the reference too where the gate has several; `against` is its number
    among the result's references. `noise_floor` is the change that the same code on both sides may have shown,
    `smallest_detectable` the smallest one that this run would have told from none, both as shares.
    `instructions` is the second witness, where it was asked for.
    """

    name: str
    scenario: str
    title: str
    tree: str
    cache_state: str
    candidate: str
    reference: str
    against: int = 0
    verdict: str = Cause.UNFINISHED.value
    ratio: Interval | None = None
    noise_floor: float | None = None
    smallest_detectable: float | None = None
    groups: int = 0
    elapsed_s: float = 0.0
    needs: tuple[Needs, ...] = ()
    growth: GrowthFound | None = None
    remarks: tuple[str, ...] = ()
    profile: str = ""
    instructions: InstructionChange | None = None


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """A whole gate, or what of it was finished when the file was written."""

    schema_version: int = SCHEMA_VERSION
    kind: str = KIND
    exit_code: int = int(ExitCode.NOTHING_MEASURED)
    verdict: str = ""
    reasons: tuple[Reason, ...] = ()
    started_at: str
    candidate: str = ""
    candidate_commit: str | None = None
    references: tuple[ComparedWith, ...] = ()
    margin: float
    seed: int
    budget_s: float
    is_quick: bool = False
    tree: dict[str, Any] = {}
    benchmarks: tuple[Benchmark, ...] = ()
    targets: tuple[TargetOutcome, ...] = ()
    equality: tuple[EqualityOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = {}
    elapsed_s: float = 0.0


class _Header(msgspec.Struct):
    kind: str = ""


def encodable(result: _Written) -> _Written:
    """`result` as it can be written: what a subject says may hold what is no character."""
    try:
        msgspec.json.encode(result)
    except UnicodeEncodeError:
        return msgspec.convert(_characters(msgspec.to_builtins(result)), type(result))
    return result


def _characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_characters(key): _characters(one) for key, one in value.items()}
    return [_characters(one) for one in value] if isinstance(value, list | tuple) else value


def code_of(reasons: Iterable[Reason]) -> ExitCode:
    """The exit code that reasons not to pass lead to; without any it is a pass."""
    codes = [_CODES.get(one.cause, ExitCode.NOTHING_MEASURED) for one in reasons]
    return worst(codes) if codes else ExitCode.PASS


def concluded(result: GateResult) -> GateResult:
    """`result` with the exit code and the words that its reasons lead to; no benchmark is a reason too."""
    reasons = result.reasons
    if not result.benchmarks and not reasons:
        reasons = (Reason(Cause.NO_BENCHMARK, "", "expected at least one benchmark, found none"),)
    code = code_of(reasons)
    return msgspec.structs.replace(result, reasons=reasons, exit_code=int(code), verdict=WORDS[code])


def is_verdict(path: Path) -> bool:
    """Whether a file says of itself that it is a gate's verdict."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Header).kind == KIND
    except (OSError, msgspec.DecodeError):
        return False


def load_verdict(path: Path) -> GateResult:
    """Read a `verdict.json`. Raises ResultError for anything else, and where its parts do not agree."""
    remedy = "run `ckpt-bench gate` again"
    try:
        result = msgspec.json.decode(path.read_bytes(), type=GateResult)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultError(f"{path}: expected a verdict, found {error}; {remedy}") from error
    if (result.schema_version, result.kind) != (SCHEMA_VERSION, KIND):
        found = f"{result.kind!r} of version {result.schema_version}"
        raise ResultError(f"{path}: expected {KIND!r} of version {SCHEMA_VERSION}, found {found}; {remedy}")
    if result != concluded(result):
        raise ResultError(
            f"{path}: expected exit code {code_of(result.reasons):d} for its reasons, found "
            f"{result.exit_code}; {remedy}"
        )
    if any(not 0 <= one.against < len(result.references) for one in result.benchmarks):
        numbers = [one.against for one in result.benchmarks]
        raise ResultError(
            f"{path}: expected numbers of {len(result.references)} references, found {numbers}; {remedy}"
        )
    return result
