"""The contract as a test suite that anybody runs with pytest on a catalog of their own.

    from bench.contract_suite import ContractSuite

    class TestMyCatalog(ContractSuite):
        target = "mycatalog:build"

Every named case of the contract is a test. The catalog runs in a process of its own, so that it may be a
command, need another interpreter, or crash, and nothing of the harness is imported beside it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest

from bench.arms import isolated
from bench.cases import named_cases
from bench.conformity import expected_judge, written_between, wrong_with
from bench.equality import ENTRY_FIELDS
from bench.scenario import CONFIG_FILENAMES
from bench.subject import Subject, parse_subject
from bench.trees import grow, standing_in
from bench.worker import Call, SubjectRaised, UnusableAnswer, Worker, WorkerCrashed, WorkerHung
from fixtures.generate import write_plan
from fixtures.spec import TreeSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bench.cases import Case
    from bench.worker import Answer

__all__ = ["ContractSuite"]

EDITED = TreeSpec(experiments=3, checkpoints_per_experiment=2, checkpoint_bytes=1, seed=2)
"""The tree whose sidecars come and go between two calls."""


class Caller:
    """One subject in a process that is started again when it ended."""

    def __init__(self, subject: Subject, start: Callable[[], Worker]) -> None:
        self.subject = subject
        self._start = start
        self._worker: Worker | None = None

    def answer(self, root: Path) -> Answer:
        """What it answers for a tree. Raises what a worker raises."""
        if self._worker is None:
            self._worker = self._start()
        try:
            self._worker.call(Call(root, CONFIG_FILENAMES))
            return self._worker.answer()
        except (WorkerCrashed, WorkerHung):
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None


class ContractSuite:
    """The contract's tests; a subclass names its catalog in `target`, as `bench.subject` has it.

    `search_path` are the folders of code that is not installed, `python` the interpreter, `field_map` leads
    from their names to the contract's, `fields` are those to compare, `environment` what its process is given.
    """

    target: ClassVar[str]
    search_path: ClassVar[tuple[str, ...]] = ()
    python: ClassVar[str] = sys.executable
    field_map: ClassVar[Mapping[str, str]] = {}
    fields: ClassVar[tuple[str, ...]] = ENTRY_FIELDS
    environment: ClassVar[Mapping[str, str]] = {}
    timeout_s: ClassVar[float] = 60.0

    @pytest.fixture(scope="class")
    @classmethod
    def caller(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
        """The catalog under test."""
        parsed = parse_subject(cls.target)
        subject = Subject(
            name=parsed.name,
            target=parsed.target,
            search_path=cls.search_path,
            python=cls.python,
            environment={**isolated(tmp_path_factory.mktemp("home")), **cls.environment},
            field_map=cls.field_map,
            fields=cls.fields,
        )
        caller = Caller(subject, lambda: Worker.start(subject, hash_seed=0, timeout_s=cls.timeout_s))
        yield caller
        caller.close()

    @pytest.mark.parametrize("case", list(named_cases()), ids=lambda case: case.name)
    def test_case(self, case: Case, caller: Caller, tmp_path: Path) -> None:
        """A small tree is answered as the contract says, and left as it is."""
        root = tmp_path / "outputs"
        for plan, expected in zip(case.plans, case.expected, strict=True):
            write_plan(plan, root)
            if case.damage is not None:
                case.damage(root)
            with _left_as_it_is(root):
                if case.raises is not None:
                    _check_raised(caller, case, root)
                else:
                    judge = expected_judge(caller.subject, expected)
                    _check(wrong_with(caller.subject, _answer(caller, root), judge, root), case.rule)

    def test_an_edit_is_seen(self, caller: Caller, tmp_path: Path) -> None:
        """Sidecars that go, and come again, change the answer of the same process."""
        with grow(EDITED, tmp_path, keep=False) as tree:
            for share in (1.0, 0.0, 1.0):
                variant = tree.with_sidecars(share)
                judge = expected_judge(caller.subject, variant.expected)
                wrong = wrong_with(caller.subject, _answer(caller, variant.root), judge, variant.root)
                _check(wrong, f"with sidecars for {share:.0%}")


def _answer(caller: Caller, root: Path) -> Answer:
    try:
        return caller.answer(root)
    except (SubjectRaised, UnusableAnswer, WorkerCrashed, WorkerHung) as error:
        pytest.fail(str(error), pytrace=False)


def _check(wrong: str, where: str) -> None:
    if wrong:
        pytest.fail(f"{where}: {wrong}", pytrace=False)


def _check_raised(caller: Caller, case: Case, root: Path) -> None:
    """A callable raises the exception of this name; a command fails with an exit code and a message."""
    try:
        answer = caller.answer(root)
    except SubjectRaised as error:
        raised = error.told.splitlines()[-1]
        _check(
            "" if f"{case.raises}" in raised.partition(":")[0] else f"expected {case.raises}, found {raised}",
            case.rule,
        )
    except UnusableAnswer:
        if not caller.subject.is_command:
            raise
    else:
        _check(f"expected {case.raises}, found an answer of {len(answer.records)} records", case.rule)


@contextmanager
def _left_as_it_is(root: Path) -> Iterator[None]:
    before = standing_in(root)
    yield
    written = written_between(before, standing_in(root), root)
    _check(f"{written[0]}: written, or removed, by the catalog" if written else "", "the tree")
