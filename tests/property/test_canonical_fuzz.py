"""The fast reader against PyYAML: what it takes is what `yaml.safe_load` returns, and it takes enough.

`python -m tests.property.test_canonical_fuzz --documents 100000` runs the mutations at length.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, field

import yaml
from hypothesis import HealthCheck, given, settings

from catalog.canonical import CanonicalReader
from tests.property.canonical_mutations import mutated
from tests.property.canonical_strategies import dumped, v1_records

_SUITE_DOCUMENTS = 2_500
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


@dataclass
class Tally:
    """What a run saw: documents, those that were taken, and those that were taken wrongly."""

    documents: int = 0
    taken: int = 0
    differences: list[bytes] = field(default_factory=list)


class Comparison:
    """Readers in three states (cold, warm, forgetting all the time) beside PyYAML."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.warm = CanonicalReader()
        self.forgetful = CanonicalReader(budget_chars=500)

    def check(self, data: bytes) -> None:
        """Read `data` with all three, and with PyYAML if one of them took it."""
        taken = CanonicalReader().parse(data)
        answers = {repr(taken), repr(self.warm.parse(data)), repr(self.forgetful.parse(data))}
        self.tally.documents += 1
        self.tally.taken += taken is not None
        if answers != {"None"} and answers != {told_by_pyyaml(data)}:
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


def compared(documents: list[bytes]) -> Tally:
    """All the documents, read and compared."""
    comparison = Comparison()
    for data in documents:
        comparison.check(data)
    return comparison.tally


def fuzzed(count: int, seed: int) -> Tally:
    """`count` damaged documents, read and compared."""
    rng = random.Random(seed)
    corpus = drawn_documents(200)
    comparison = Comparison()
    for _ in range(count):
        comparison.check(mutated(corpus, rng))
    return comparison.tally


def test_nineteen_of_twenty_dumped_records_are_taken_and_all_as_pyyaml_reads_them() -> None:
    tally = compared(drawn_documents(400))
    assert tally.differences == []
    assert tally.taken >= 0.95 * tally.documents


def test_damaged_documents_are_left_alone_or_read_as_pyyaml_reads_them() -> None:
    tally = fuzzed(_SUITE_DOCUMENTS, seed=20_250_801)
    assert tally.differences == []
    assert tally.documents == _SUITE_DOCUMENTS
    assert tally.taken >= tally.documents / 10


def main() -> None:
    """Fuzz at length and print what came of it; ends with status 1 if anything was taken wrongly."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tally = fuzzed(arguments.documents, arguments.seed)
    sys.stdout.write(
        f"documents {tally.documents}, taken {tally.taken}, differences {len(tally.differences)}\n"
    )
    sys.stdout.writelines(f"{data!r}\n" for data in tally.differences[:10])
    raise SystemExit(bool(tally.differences))


if __name__ == "__main__":
    main()
