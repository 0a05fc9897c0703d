"""`compat` as its user meets it: what is wrong is found, explained and kept; what is right passes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import msgspec
import pytest

from bench import compat as compat_module
from bench import trial as trial_module
from bench.case import BARE, case_of, checkpoint, plan_of, sidecar
from bench.cli import main
from bench.compat import Request, both_ways, compat, smallest_of_each
from bench.differences import Declared, KnownDifferences
from bench.equality import Difference, Listing
from bench.explanation import explanation
from bench.rule_cases import rule_cases
from bench.saved_failure import SWITCH
from bench.subject import Subject
from bench.trial import MOST_HANGS, Finding, Raised, Told, Trial, Witness
from bench.verdict import ExitCode
from bench.worker import WorkerHung
from bench.zone import time_zone
from fixtures.draw import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.case import Case
    from bench.worker import Call

CATALOGS = str(Path(__file__).parent)
V2 = Subject("v2", "catalog.subjects:v2")


def catalog(name: str) -> Subject:
    return Subject(name, f"catalogs:{name}", search_path=(CATALOGS,))


@pytest.fixture
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    def few() -> Iterator[Case]:
        yield case_of("tidy", "Fields", draw(BARE))
        told = {"training": {"epoch": 3}, "metrics": {"recall": float("nan")}}
        yield case_of("nan", "recall", plan_of([checkpoint("r/x.ckpt"), sidecar("r/x.metadata.yaml", told)]))

    monkeypatch.setattr(compat_module, "named_cases", few)
    monkeypatch.setattr(compat_module, "edited_cases", lambda: ())
    monkeypatch.setattr(compat_module, "drawn_edits", lambda _count, _seed: iter(()))


def request(tmp_path: Path, *candidates: Subject, known: tuple[Declared, ...] = (), trees: int = 5) -> Request:
    return Request(
        reference=V2,
        candidates=candidates,
        output=tmp_path,
        known=known,
        trees=trees,
        budget_s=1e9,
        speed_budget_s=0,
    )


def examined(asked: Request, said: list[str]) -> ExitCode:
    """Compat without its rests: no case of these tests is edited."""
    return compat(asked, said.append, rest=lambda _: None)


@pytest.mark.usefixtures("_few_cases")
def test_two_that_answer_alike_agree(tmp_path: Path) -> None:
    said: list[str] = []
    assert examined(request(tmp_path, catalog("same")), said) == ExitCode.PASS
    assert said[-1] == "they agree"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_few_cases")
def test_a_wrong_one_is_found_shrunk_explained_and_kept(tmp_path: Path) -> None:
    said: list[str] = []
    asked = request(tmp_path, catalog("recall_never_none"), trees=40)
    assert examined(asked, said) == ExitCode.OUTPUTS_DIFFER
    text = "\n".join(said)
    assert "recall_never_none        0.0  <- strays" in text
    assert "the contract             None" in text
    assert "legacy (witness)         None" in text
    assert "rule: sidecar `metrics.<name>`; checkpoint `cleval_metrics.<name>`" in text
    assert "right: v2; wrong: recall_never_none" in text
    kept = [one for one in tmp_path.iterdir() if one.name.startswith("drawn-")]
    assert len(kept) == 1
    assert len(list((kept[0] / "state-0").rglob("*.ckpt"))) == 1


@pytest.mark.usefixtures("_few_cases")
def test_two_that_are_wrong_alike_do_not_pass(tmp_path: Path) -> None:
    said: list[str] = []
    wrong = catalog("recall_never_none")
    asked = msgspec.structs.replace(wrong, name="again")
    code = examined(
        Request(reference=wrong, candidates=(asked,), output=tmp_path, trees=1, speed_budget_s=0), said
    )
    assert code == ExitCode.OUTPUTS_DIFFER
    assert any(
        "are wrong alike; the contract is held by the tree itself and legacy and v2" in one for one in said
    )


@pytest.mark.usefixtures("_few_cases")
def test_a_declared_difference_is_counted_and_hides_no_other(tmp_path: Path) -> None:
    declared = [
        Declared(subject="recall_never_none", field=name, reason="ours")
        for name in ("recall", "display_option")
    ]
    said: list[str] = []
    both = request(tmp_path, catalog("recall_never_none"), known=tuple(declared))
    assert examined(both, said) == ExitCode.PASS
    assert any(one.startswith("known difference: recall_never_none: recall in *:") for one in said)
    one = request(tmp_path, catalog("recall_never_none"), known=tuple(declared[:1]))
    assert examined(one, said) == ExitCode.OUTPUTS_DIFFER


@pytest.mark.usefixtures("_few_cases")
def test_one_that_fails_on_a_tidy_tree_is_not_compared(tmp_path: Path) -> None:
    said: list[str] = []
    assert examined(request(tmp_path, catalog("raising")), said) == ExitCode.NOTHING_MEASURED
    assert "raising: expected an answer about a tidy tree, found ValueError: " in said[0]


class _Stuck:
    """A worker whose calls give no answer, without the wait."""

    def call(self, _call: Call) -> NoReturn:
        raise WorkerHung("stuck", "no answer")

    def __exit__(self, *_: object) -> None:
        pass


def test_one_that_hangs_is_asked_a_few_times_and_nothing_more_is_compared(tmp_path: Path) -> None:
    stuck = Witness(Subject("stuck", "a:b"), start_worker=cast("Any", lambda *_, **__: _Stuck()))
    cases = [case_of(f"tidy/{number}", "Fields", draw(BARE)) for number in range(9)]
    with Trial([stuck], KnownDifferences(()), tmp_path) as trial:
        found = [trial.examine(one) for one in cases]
        assert list(trial.examine_edited(cases, lambda _: None)) == []
    assert [one is not None for one in found] == [True] * MOST_HANGS + [False] * (9 - MOST_HANGS)
    assert trial.hung == (stuck,)


def test_an_index_of_trees_that_are_gone_is_emptied_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_module, "_MOST_INDEXED", 2)
    index = tmp_path / "index"
    witness = Witness(catalog("names"), fields=("checkpoint_path",), index=index)
    left = []
    with Trial([witness], KnownDifferences(()), tmp_path / "trees") as trial:
        for number in range(4):
            index.mkdir(exist_ok=True)
            (index / f"{number}.index").touch()
            trial.examine(case_of(f"tidy/{number}", "Fields", draw(BARE)))
            left.append(len(list(index.glob("*"))))
    assert left == [1, 2, 0, 1]


@pytest.mark.usefixtures("_few_cases")
def test_the_switch_is_tried_both_ways(tmp_path: Path) -> None:
    found = both_ways([Subject("adapter", "catalog.subjects:adapter", environment={"A": "1"})])
    assert [dict(one.environment) for one in found] == [{"A": "1"}, {"A": "1", SWITCH: "0"}]
    said: list[str] = []
    assert examined(request(tmp_path, *found), said) == ExitCode.PASS
    assert [one for one in said if "the old API's records, 12 fields" in one] == said[1:3]


@pytest.mark.parametrize(
    "arguments", [["v2"], ["v2", "no-such"], ["v2", "v2"], ["v2", "legacy", "--known", "gone.toml"]]
)
def test_a_request_that_makes_no_sense_is_a_matter_of_usage(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compat", *arguments]) == ExitCode.USAGE


def test_what_is_written_into_a_tree_is_told_with_who_wrote_it(tmp_path: Path) -> None:
    asked = [Witness(catalog(name), fields=("checkpoint_path",)) for name in ("names", "writing")]
    case = case_of("tidy", "Fields", draw(BARE))
    with Trial(asked, KnownDifferences(()), tmp_path) as trial:
        found = trial.examine(case)
    assert found is not None
    assert found.told["names"].differences == ()
    assert found.told["writing"].differences == (Difference("cache.json", "written", "made", "left as it was"),)


def test_a_missing_entry_hides_no_wrong_order() -> None:
    plan = plan_of(checkpoint(f"r/{name}.ckpt", epoch=2) for name in "abc")
    with time_zone():
        case = case_of("three", "Order", plan)
    wrong = Listing(tuple({"checkpoint_path": f"r/{name}.ckpt"} for name in "ca"))
    witness = Witness(V2, fields=("checkpoint_path",))
    found = {(one.path, one.field) for one in witness.differences(wrong, case, 0)}
    assert found == {("r/b.ckpt", "listed"), ("r/c.ckpt", "order")}


def test_a_command_refuses_by_its_exit_code(tmp_path: Path) -> None:
    failing = Witness(Subject("lines", "cmd:false {dir}"), fields=("checkpoint_path",))
    with time_zone():
        cases = {one.name: one for one in rule_cases()}
    with Trial([failing], KnownDifferences(()), tmp_path) as trial:
        assert trial.examine(cases["root/a file"]) is None
        assert trial.examine(cases["root/missing"]) is not None


def test_of_each_kind_of_finding_the_smallest_is_explained() -> None:
    def finding(name: str, field: str, count: int) -> Finding:
        plan = plan_of(checkpoint(f"{place}.ckpt", epoch=1) for place in range(count))
        told = Told(Listing(()), (Difference("0.ckpt", field, "1", "2"),))
        return Finding(case_of(name, "Fields", plan), 0, {"mine": told})

    large, small, other = finding("a", "epochs", 3), finding("b", "epochs", 1), finding("c", "score", 2)
    drawn = finding("drawn/9", "hmean", 4)
    assert smallest_of_each([large, small, other, drawn]) == [drawn, small, other]


def test_an_explanation_tells_who_raised() -> None:
    case = case_of("one", "Fields", plan_of([checkpoint("r/x.ckpt", epoch=2)]))
    told = Told(Raised("KeyError", "KeyError: 'x'"), (Difference(".", "raises", "KeyError: 'x'", "no error"),))
    text = "\n".join(explanation(Finding(case, 0, {"mine": told}), {"legacy": Listing(())}))
    assert "mine                     KeyError: 'x'  <- strays" in text
    assert "legacy (witness)         no error, 0 entries" in text
    assert "rule: Nothing inside the directory raises" in text
