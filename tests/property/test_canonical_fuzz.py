"""The fast readers against PyYAML: what they take is what `yaml.safe_load` returns, and they take enough.

`python -m tests.property.test_canonical_fuzz --documents 100000` runs the mutations at length, and ends with
1 where a document was taken wrongly, or too few were taken.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from catalog.canonical import CanonicalReader
from catalog.excerpt import Excerpt, ExcerptReader
from catalog.scalars import WORDS, Unproven
from fixtures.documents import document_bytes
from fixtures.draw import draw
from fixtures.plan import Document
from fixtures.spec import scale
from tests.property.canonical_mutations import mutated
from tests.property.canonical_strategies import dumped, v1_records

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUITE_DOCUMENTS = 2_500
_ENOUGH_TAKEN = 10_000
_ENOUGH_ONE_IN = 10
_drawn = settings(database=None, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told_by_pyyaml(data: bytes) -> str:
    """What `yaml.safe_load` returns, as its `repr`: types, signs of zeros and order of keys included.

    The plain loader decides. Where libyaml accepts a document too, it must say the same.
    """
    try:
        told = repr(yaml.safe_load(data))
    # PyYAML's constructors let ValueError and others through.
    except Exception as error:  # noqa: BLE001
        return f"refused: {error}"
    try:
        by_libyaml = repr(yaml.load(data, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return told  # libyaml refuses a lone surrogate's escape
    return told if by_libyaml == told else f"told as {told} or {by_libyaml}"


def excerpt_by_pyyaml(data: bytes) -> dict[str, object]:
    """The fields of an excerpt by `yaml.safe_load`, `additional` as a mapping. Raises what it raises."""
    told = yaml.safe_load(data)
    if repr(told) != repr(yaml.load(data, Loader=yaml.CSafeLoader)) or told["schema_version"] != "1.0":
        raise ValueError
    metrics = told["metrics"]
    loss = metrics.get("validation_loss")
    return {
        "architecture": told["model"]["architecture"],
        "encoder": told["model"]["encoder"]["model_name"],
        "exp_name": told["exp_name"],
        "created_at": told["created_at"],
        "epoch": told["training"]["epoch"],
        "hmean": float(metrics["hmean"]),
        "precision": float(metrics["precision"]),
        "recall": float(metrics["recall"]),
        "validation_loss": None if loss is None else float(loss),
        "monitor": told["checkpointing"]["monitor"],
        "mode": told["checkpointing"]["mode"],
        "additional": metrics.get("additional_metrics") or {},
    }


def is_right_excerpt(taken: Excerpt, data: bytes) -> bool:
    """Whether an excerpt tells what PyYAML tells, key by key of its additional metrics."""
    try:
        expected = excerpt_by_pyyaml(data)
    # PyYAML's constructors let ValueError and others through.
    except Exception:  # noqa: BLE001
        return False
    additional = expected.pop("additional")
    assert isinstance(additional, dict)
    for key, value in additional.items():
        if isinstance(key, str) and key not in WORDS and repr(_additional(taken, key)) != repr(_number(value)):
            return False
    told = taken._asdict()
    keys = {line.partition(":")[0] for line in told.pop("additional").split("\n") if line}
    return len(keys) == len(additional) and repr(told) == repr({name: expected[name] for name in told})


def _number(value: object) -> object:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else "no number"


def _additional(taken: Excerpt, key: str) -> object:
    try:
        return taken.additional_metric(key)
    except Unproven:
        return "no number"


@dataclass
class Tally:
    """What a run saw: documents, those that a reader took (whole, or for an excerpt), and took wrongly."""

    documents: int = 0
    taken: int = 0
    excerpts: int = 0
    differences: list[bytes] = field(default_factory=list)


class Comparison:
    """Readers in three states (cold, warm, forgetting all the time) beside PyYAML."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.warm = CanonicalReader()
        self.forgetful = CanonicalReader(budget_chars=500)
        self.warm_excerpts = ExcerptReader()
        self.forgetful_excerpts = ExcerptReader(memo_chars=500)

    def check(self, data: bytes) -> None:
        """Read `data` with all of them, and with PyYAML if one of them took it."""
        taken = CanonicalReader().parse(data)
        answers = {repr(taken), repr(self.warm.parse(data)), repr(self.forgetful.parse(data))}
        excerpt = ExcerptReader().read(data)
        again = (self.warm_excerpts.read(data), self.forgetful_excerpts.read(data))
        self.tally.documents += 1
        self.tally.taken += taken is not None
        self.tally.excerpts += excerpt is not None
        is_right = answers == {"None"} or answers == {told_by_pyyaml(data)}
        if not is_right or again != (excerpt, excerpt) or (excerpt and not is_right_excerpt(excerpt, data)):
            self.tally.differences.append(data)


def drawn_documents(count: int) -> list[bytes]:
    """What `safe_dump` writes from `count` drawn records, and from the same ones again in each run."""
    documents: list[bytes] = []

    @settings(_drawn, max_examples=count)
    @given(dumped(v1_records))
    def collect(data: bytes) -> None:
        documents.append(data)

    collect()
    return documents


def generated_documents(count: int) -> list[bytes]:
    """Sidecars as the fixtures write them: what a tree is full of."""
    plan = draw(scale(count))
    return [
        document_bytes(node)
        for path, node in plan.nodes.items()
        if isinstance(node, Document) and path.endswith(".metadata.yaml")
    ]


def compared(documents: list[bytes]) -> Tally:
    """All the documents, read and compared."""
    comparison = Comparison()
    for data in documents:
        comparison.check(data)
    return comparison.tally


def fuzzed(count: int, seed: int) -> Tally:
    """`count` damaged documents, read and compared."""
    rng = random.Random(seed)
    corpus = drawn_documents(200) + generated_documents(200)
    comparison = Comparison()
    for _ in range(count):
        comparison.check(mutated(corpus, rng))
    return comparison.tally


def broken(tally: Tally) -> list[str]:
    """What of the promise a run over damaged documents broke, in words: none taken wrongly, enough taken."""
    found = []
    if tally.documents == 0:
        found.append("expected documents to read, found none")
    if tally.differences:
        found.append(f"expected 0 differences from yaml.safe_load, found {len(tally.differences)}")
    if tally.taken < enough(tally.documents):
        found.append(f"expected at least {enough(tally.documents):g} documents taken, found {tally.taken}")
    return found


def enough(documents: int) -> float:
    """How many of so many damaged documents the fast path must take, or it was hardly put to the test."""
    return min(documents / _ENOUGH_ONE_IN, _ENOUGH_TAKEN)


def test_nineteen_of_twenty_dumped_records_are_taken_and_all_as_pyyaml_reads_them() -> None:
    tally = compared(drawn_documents(400))
    assert tally.differences == []
    assert tally.taken >= 0.95 * tally.documents


def test_a_generated_tree_is_read_by_excerpts_alone() -> None:
    tally = compared(generated_documents(100))
    assert tally.differences == []
    assert tally.excerpts == tally.documents == 100


def test_damaged_documents_are_left_alone_or_read_as_pyyaml_reads_them() -> None:
    tally = fuzzed(_SUITE_DOCUMENTS, seed=20_250_801)
    assert broken(tally) == []
    assert tally.documents == _SUITE_DOCUMENTS
    assert tally.excerpts >= tally.documents / 40


@pytest.mark.parametrize(
    ("tally", "told"),
    [
        (Tally(100_000, taken=10_000), []),
        (Tally(400_000, taken=10_000), []),
        (Tally(1_000, taken=100), []),
        (Tally(100_000, taken=9_999), ["at least 10000 documents taken, found 9999"]),
        (Tally(400_000, taken=9_999), ["at least 10000 documents taken, found 9999"]),
        (Tally(1_000, taken=99), ["at least 100 documents taken, found 99"]),
        (Tally(1_000, taken=100, differences=[b"a: 1"]), ["0 differences from yaml.safe_load, found 1"]),
        (Tally(0), ["documents to read, found none"]),
    ],
)
def test_a_run_is_judged_by_what_is_promised(
    tally: Tally, told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [one.removeprefix("expected ") for one in broken(tally)] == told
    monkeypatch.setattr(sys.modules[__name__], "fuzzed", lambda *_: tally)
    assert main(["--documents", "1"]) == bool(told)
    assert capsys.readouterr().out.splitlines()[-1].startswith("broken" if told else "kept")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz at length, print what came of it, and judge it; the exit code is 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    tally = fuzzed(options.documents, options.seed)
    sys.stdout.write(
        f"documents {tally.documents}, taken whole {tally.taken}, excerpts taken {tally.excerpts}, "
        f"differences {len(tally.differences)}\n"
    )
    sys.stdout.writelines(f"{data!r}\n" for data in tally.differences[:10])
    found = broken(tally)
    promise = f"0 differences from yaml.safe_load, and at least {enough(tally.documents):g} documents taken"
    sys.stdout.write(f"broken: {'; '.join(found)}\n" if found else f"kept: {promise}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
