"""The fast reader of canonical sidecars: its structure is PyYAML's, its memory changes no answer."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest
import yaml

from catalog import canonical
from catalog.canonical import MAX_DEPTH, CanonicalReader, parse
from catalog.scalars import MAX_BYTES

SIDECAR: dict[str, Any] = {
    "schema_version": "1.0",
    "checkpoint_path": "outputs/dbnet/checkpoints/epoch-03_step-003750.ckpt",
    "exp_name": "dbnet",
    "created_at": "2025-08-01T12:00:00.140891",
    "training": {"epoch": 3, "global_step": 3750, "training_phase": "training", "max_epochs": 100},
    "model": {
        "architecture": "dbnet",
        "encoder": {"model_name": "resnet18", "pretrained": True, "frozen": False},
        "decoder": {
            "name": "fpn",
            "in_channels": [64, 128, 256, 512],
            "params": {"eps": 1e-6, "stages": [{"act": "relu", "k": [[1, 2], []]}, {}], "note": "a: b"},
        },
        "head": {"name": "db_head", "params": {}},
        "loss": {"name": "db_loss"},
    },
    "metrics": {"hmean": 0.91, "additional_metrics": {"val/hmean": 0.91, "val/loss": 1.5}},
    "checkpointing": {"monitor": "val/hmean", "mode": "max", "save_top_k": -1, "save_last": True},
}

# Lines that begin, go on with, end and break structures.
LINES = (
    *("a: 1", "b:", "  a: x", "  b:", "- a", "- a: 1", "  - 1", "- - 2", "    c: 2", "  c", "'q': 'x", "  y'"),
    *("", "-", "- ", "b: ", "a:b: c", "  b: [] ", "x: {}", "a: b c", "  d e", "  - d e", "---", "# c", "? a"),
    *(": b", "x: &a 1", "x: *a", "<<: 1", "1: 2", "true: 3", "- b: foo bar", "      c d", "-a: 1", "  ? a"),
    *("  : 1", 'a: "x\\', '  \\ y"', "\ta: 1", "...", "a : 1", "   a: 1", "- 'a': 1"),
)


def refuses_or_agrees(reader: CanonicalReader, data: bytes) -> bool:
    taken = reader.parse(data)
    if taken is None:
        return True
    try:
        return repr(yaml.safe_load(data)) == repr(taken)
    # PyYAML's constructors let ValueError and others through.
    except Exception:  # noqa: BLE001
        return False


@pytest.mark.parametrize("sort_keys", [False, True])
def test_a_sidecar_is_read_as_pyyaml_reads_it(sort_keys: bool) -> None:
    data = yaml.safe_dump(SIDECAR, sort_keys=sort_keys).encode()
    assert repr(parse(data)) == repr(yaml.safe_load(data))


def test_any_three_lines_are_read_as_pyyaml_reads_them_or_left() -> None:
    reader = CanonicalReader()
    documents = (
        "".join(f"{line}\n" for line in lines).encode()
        for count in (1, 2, 3)
        for lines in itertools.product(LINES, repeat=count)
    )
    assert [data for data in documents if not refuses_or_agrees(reader, data)] == []


TAKEN = {
    "an indented sequence": "a:\n  - 1\n  - 2\nb: 3\n",
    "a sequence on the column of its key": "a:\n- 1\n- b: 2\n  c: 3\nd: 4\n",
    "sequences in each other": "a:\n- - 1\n  - - 2\n- 3\n",
    "a key without a value": "a:\nb:\n  c:\nd: 1\n",
    "a key without a value in a sequence": "a:\n- b:\n- c:\n  - d\n",
    "a key on lines of its own": "a:\n  ? ''\n  : 1\n  b: 2\n",
    "keys that are no strings": "2: a\ntrue: b\nnull: c\n",
    "a number in a text": "a: 'b: 12\n\n  c'\nd: 1\n",
    "two texts that differ in a number": "a: 'b: 1'\nb: 'b: 2'\n",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN.keys())
def test_canonical_structure_is_taken(text: str) -> None:
    taken = CanonicalReader().parse(text.encode())
    assert taken is not None
    assert repr(taken) == repr(yaml.safe_load(text))


LEFT = {
    "nothing": b"",
    "a scalar": b"a\n",
    "a sequence": b"- a\n",
    "an empty mapping": b"{}\n",
    "a repeated key": b"a: 1\nb: 2\na: 1\n",
    "a repeated key inside": b"a:\n  b: 1\n  b: 2\n",
    "keys that are equal": b"1: a\ntrue: b\n",
    "no line feed at the end": b"a: 1\nb: 2",
    "a blank line": b"a: 1\n\nb: 2\n",
    "a carriage return": b"a: 1\r\n",
    "a document start": b"--- \na: 1\n",
    "a comment": b"a: 1 # b\n",
    "an alias": b"a: &b 1\nc: *b\n",
    "a merge key": b"a:\n  <<: {}\n",
    "a mapping deeper than by two": b"a:\n    b: 1\n",
    "a date as a key": b"2025-08-01: 1\n",
    "a key of 1,001 characters": b"'%s': 1\n" % (b"a" * 999),
    "invalid UTF-8": b"a: \xff\n",
    "UTF-16": "a: 1\n".encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbfa: 1\n",
    "a NUL byte": b"a: \0\n",
    "more than the largest size": b"".join(b"a%d: 1\n" % at for at in range(MAX_BYTES // 6)),
}


@pytest.mark.parametrize("data", LEFT.values(), ids=LEFT.keys())
def test_what_is_not_canonical_is_left(data: bytes) -> None:
    assert CanonicalReader().parse(data) is None


def nested(depth: int, innermost: str) -> bytes:
    return "".join(f"{' ' * level * 2}a:\n" for level in range(depth - 1)).encode() + (
        b"%sa: %s\n" % (b" " * (depth - 1) * 2, innermost.encode())
    )


def test_nesting_ends_at_the_contracts_limit() -> None:
    deepest = nested(MAX_DEPTH, "[]")  # 64 collections in each other
    assert repr(CanonicalReader().parse(deepest)) == repr(yaml.safe_load(deepest))
    assert CanonicalReader().parse(nested(MAX_DEPTH + 1, "[]")) is None
    assert CanonicalReader().parse(b"a:\n" + b"- " * 100 + b"1\n") is None


HOSTILE = {
    "open brackets": b"a: " + b"[" * 90_000 + b"\n",
    "dashes": b"a:\n" + b"- " * 49_000 + b"1\n",
    "spaces": b"a:" + b" " * 90_000 + b"\n",
    "open quotes": b"a:\n" + b"  b: 'x\n" * 12_000,
    "odd quotes": b"a: " + b"'" * 90_001 + b"\n",
    "open double quotes": b"a:\n" + b'  b: "x\\\n' * 10_000,
    "folds": b"a: b c\n" + b"  d e\n" * 15_000 + b"  f: g\n",
    "colons": b"a: " + b":" * 90_000 + b"\n",
    "spaced colons": b"a: b" + b" :" * 45_000 + b"\n",
    "a long number": b"a: " + b"1" * 90_000 + b"\n",
    "a long fraction": b"a: 0." + b"1" * 90_000 + b"\n",
    "a huge exponent": b"a: 1.0e+" + b"9" * 90_000 + b"\n",
    "blank lines": b"a: 'b" + b"\n" * 90_000 + b"  c'\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_documents_of_the_largest_size_are_left_or_read_as_pyyaml_reads_them(data: bytes) -> None:
    assert len(data) <= MAX_BYTES
    taken = CanonicalReader().parse(data)
    assert taken is None or taken == yaml.load(data, Loader=yaml.CSafeLoader)


def test_documents_do_not_share_their_top_level() -> None:
    reader = CanonicalReader()
    first = reader.parse(b"a: 1\nb: 2\n")
    assert first is not None
    first.clear()
    assert reader.parse(b"a: 1\nb: 2\n") == {"a": 1, "b": 2}


def test_memory_is_bounded_by_the_text_it_stands_for() -> None:
    reader = CanonicalReader(budget_chars=1_000)
    for number in range(500):
        reader.parse(f"a{number}:\n  b: {number}\n  c: 'x{number}'\n".encode())
    assert 0 < reader._sections.size_chars <= 1_000


def test_a_refused_section_is_not_remembered() -> None:
    reader = CanonicalReader()
    for _ in range(2):
        assert reader.parse(b"a:\n  b: 1\n  b: 2\n") is None


def test_reading_imports_no_yaml() -> None:
    code = "import sys, catalog.canonical as c; c.parse(b'a: 1\\n'); sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_parse_keeps_one_reader_for_the_process() -> None:
    parse(b"kept:\n  here: x\n")
    assert canonical._READER._sections.get("kept:\n  here: x") == {"kept": {"here": "x"}}
