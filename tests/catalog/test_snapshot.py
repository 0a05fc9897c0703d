"""Index files: what is written comes back the same, in its order, and nothing else is taken for it."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalog import snapshot
from catalog.builder import CheckpointCatalogBuilder, Collaborators
from catalog.filesystem import SETTLING_NS, FileSystem
from catalog.index import Memory
from catalog.keys import key_of
from catalog.outline import outline_of
from catalog.records import Answer, Problem, Provenance, SkippedCheckpoint
from catalog.scan import Folder
from catalog.snapshot import SnapshotError
from catalog.store import CatalogCache
from fixtures.generate import generate
from fixtures.spec import TreeSpec
from tests.catalog.memories import KEY, ROOT, SIGNATURE, answer, memory_of


def encoded(memory: Memory) -> bytes:
    return snapshot.encode(KEY, memory, outline_of(memory))


def back_of(memory: Memory) -> Memory:
    """A memory once written and read."""
    return snapshot.decode(encoded(memory), KEY).memory()


PROBLEM = Problem(path=ROOT / "a", source="sidecar", key="k", expected="e", found="f", remedy="r")
UNLIKE_A_ROW = {
    "left out": answer("x", entry=None, skipped=SkippedCheckpoint(ROOT / "exp/x.ckpt", "why")),
    "a problem": answer("x", problems=(PROBLEM,)),
    "an expiry": answer("x", expires_ns=12),
    "no dependency": answer("x", dependencies=()),
    "two dependencies": answer("x", dependencies=("exp/x.yaml", "config.yaml")),
    "a dependency elsewhere": answer("x", dependencies=("config.yaml",)),
    "a dependency outside": answer("x", dependencies=("/home/somebody/.netrc",)),
    "another name": answer("x", display_name="y"),
    "in the outputs directory itself": answer("x", folder="", dependencies=("x.yaml",)),
    "no config": answer("x", config_path=None),
    "other sources": answer("x", provenance=Provenance({"epochs": "names"})),
    "all numbers": answer("x", precision=0.0, recall=1.0, score=-0.5, monitor="val/loss"),
}


@pytest.mark.parametrize("odd", UNLIKE_A_ROW.values(), ids=UNLIKE_A_ROW.keys())
@pytest.mark.parametrize("position", [0, 1, 3])
def test_every_kind_of_answer_comes_back_in_its_place(odd: Answer, position: int) -> None:
    answers = [answer("a"), answer("b"), answer("c")]
    answers.insert(position, odd)
    memory = memory_of(*answers)
    found = snapshot.decode(encoded(memory), KEY)
    assert found.outline == outline_of(memory)
    back = found.memory()
    assert back == memory
    assert list(back.answers) == list(memory.answers)
    assert repr(list(back.answers.values())) == repr(list(memory.answers.values()))


def test_answers_that_no_row_holds_may_stand_together() -> None:
    odd = [answer(name, problems=(PROBLEM,)) for name in "bde"]
    memory = memory_of(answer("a"), odd[0], answer("c"), odd[1], odd[2])
    assert list(back_of(memory).answers) == list(memory.answers)
    assert back_of(memory_of(*odd)) == memory_of(*odd)
    assert back_of(Memory()) == Memory()


def test_a_file_that_was_not_settled_still_is_not() -> None:
    memory = memory_of(answer("a"))
    unsettled = msgspec.structs.replace(memory, dependencies={"exp/a.yaml": None})
    assert back_of(unsettled).dependencies == {"exp/a.yaml": None}


def test_an_untidy_tree_comes_back_as_it_was_built(tmp_path: Path) -> None:
    root = tmp_path / "outputs"
    generate(TreeSpec(experiments=8, checkpoints_per_experiment=4, checkpoint_bytes=1, untidiness=1.0), root)
    later = FileSystem(now_ns=lambda: 2 * SETTLING_NS + max(one.stat().st_ctime_ns for one in root.iterdir()))
    cache = CatalogCache(tmp_path / "index")
    collaborators = Collaborators(files=later, cache=cache)
    CheckpointCatalogBuilder(root, use_wandb_fallback=False, collaborators=collaborators).build_catalog()
    (key,) = cache._memories
    memory = cache._memories[key].memory
    assert len(memory.answers) >= 32
    found = CatalogCache(tmp_path / "index").load(key)
    assert found.outline == outline_of(memory)
    back = found.memory
    assert back == memory
    assert repr(list(back.answers.values())) == repr(list(memory.answers.values())), "order and types too"


DATA = encoded(memory_of(answer("a"), UNLIKE_A_ROW["a problem"]))


def test_another_key_is_told() -> None:
    other = key_of(str(ROOT), ("config.yaml",), use_wandb_fallback=True, environment={})
    with pytest.raises(SnapshotError, match="another tree or other options"):
        snapshot.decode(DATA, other)


def test_every_truncation_and_a_thousand_flipped_bits_are_told() -> None:
    damaged = [DATA[:length] for length in range(len(DATA))]
    rng = random.Random(7)
    for _ in range(1000):
        position = rng.randrange(len(DATA))
        damaged.append(DATA[:position] + bytes([DATA[position] ^ 1 << rng.randrange(8)]) + DATA[position + 1 :])
    for data in damaged:
        with pytest.raises(SnapshotError):
            snapshot.decode(data, KEY)


def stored_of(memory: Memory) -> snapshot._Snapshot:
    return snapshot._decode_snapshot(snapshot._Writer(KEY, memory, outline_of(memory)).payload())


HONEST = memory_of(answer("a"))


def sealed(stored: snapshot._Snapshot) -> bytes:
    """A file of any content, with the checksum that belongs to it."""
    payload = msgspec.msgpack.encode(stored)
    return b"".join((DATA[: snapshot._HEAD_BYTES - 4], zlib.crc32(payload).to_bytes(4, "big"), payload))


COLUMNS: tuple[Any, ...] = stored_of(HONEST).entries


def with_column(at: int, column: object) -> bytes:
    """The file of an honest memory but for one column of its entries."""
    columns: Any = (*COLUMNS[:at], column, *COLUMNS[at + 1 :])
    return sealed(msgspec.structs.replace(stored_of(HONEST), entries=columns))


def deep(levels: int) -> msgspec.Raw:
    return msgspec.Raw(b"\x91" * levels + b"\xc0")


def test_numbers_that_lead_nowhere_are_told_even_under_a_right_checksum() -> None:
    shared = [at for at, column in enumerate(COLUMNS) if isinstance(column, tuple)]
    assert len(shared) == 9
    for at in shared:
        values, _ = COLUMNS[at]
        with pytest.raises(SnapshotError, match="cannot be read"):
            snapshot.decode(with_column(at, (values, [len(values)])), KEY)


def test_columns_of_several_lengths_are_told_even_under_a_right_checksum() -> None:
    for at, column in enumerate(COLUMNS):
        longer = (column[0], [0, 0]) if isinstance(column, tuple) else column * 2
        with pytest.raises(SnapshotError, match="several lengths"):
            snapshot.decode(with_column(at, longer), KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"signatures": []},
        {"signatures": [SIGNATURE] * 9},
        {"entries": (*COLUMNS[:2], (["config.yaml"], [-1]), *COLUMNS[3:])},
        {"entries": (*COLUMNS[:13], (["middle"], [0]), *COLUMNS[14:])},
        {"told": msgspec.Raw(msgspec.msgpack.encode(([({"a": 1}, "why")], [])))},
        {"told": deep(100_000)},
        {"folders": [b"\xff"]},
    ],
    ids=["no signature", "more signatures", "config -1", "no mode", "no path", "deep", "no text"],
)
def test_an_outline_that_cannot_be_is_refused_under_a_right_checksum(changes: dict[str, Any]) -> None:
    assert snapshot.decode(sealed(stored_of(HONEST)), KEY).memory() == HONEST
    with pytest.raises(SnapshotError):
        snapshot.decode(sealed(msgspec.structs.replace(stored_of(HONEST), **changes)), KEY)


def test_a_text_that_is_no_utf_8_is_refused_under_a_right_checksum() -> None:
    data = sealed(stored_of(HONEST)).replace(b"dbnet", b"dbn\xfft")
    payload = data[snapshot._HEAD_BYTES :]
    whole = b"".join((data[: snapshot._HEAD_BYTES - 4], zlib.crc32(payload).to_bytes(4, "big"), payload))
    with pytest.raises(SnapshotError, match="cannot be read"):
        snapshot.decode(whole, KEY)


WRONG_RESTS = {
    "nothing": msgspec.Raw(b"\xc0"),
    "other folders": msgspec.Raw(msgspec.msgpack.encode(([], []))),
    "an answer nowhere": (("elsewhere/a.ckpt", 0, -1, (), "file", (0,), None),),
    "an answer of another kind": (("exp/a.ckpt", 0, -1, (), "folder", (0,), None),),
    "no answer": (),
    "two answers": (("exp/a.ckpt", 0, -1, (), "file", (0,), None),) * 2,
    "no such entry": (("exp/a.ckpt", 7, -1, (), "file", (0,), None),),
    "no such dependency": (("exp/a.ckpt", 0, -1, (), "file", (7,), None),),
}


@pytest.mark.parametrize("rest", WRONG_RESTS.values(), ids=WRONG_RESTS.keys())
def test_a_memory_that_cannot_be_is_refused_and_its_outline_stands(rest: Any) -> None:
    if isinstance(rest, tuple):
        rest = msgspec.Raw(msgspec.msgpack.encode((list(HONEST.folders.values()), rest)))
    found = snapshot.decode(sealed(msgspec.structs.replace(stored_of(HONEST), memory=rest)), KEY)
    assert found.outline == outline_of(HONEST)
    with pytest.raises(SnapshotError, match="cannot be read"):
        found.memory()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_folder_that_would_lead_the_walk_astray_is_refused(name: str) -> None:
    folders = [msgspec.structs.replace(one, folders=(name,)) for one in HONEST.folders.values()]
    answers = (("exp/a.ckpt", 0, -1, (), "file", (0,), None),)
    rest = msgspec.Raw(msgspec.msgpack.encode((folders, answers)))
    found = snapshot.decode(sealed(msgspec.structs.replace(stored_of(HONEST), memory=rest)), KEY)
    with pytest.raises(SnapshotError, match="no folder has"):
        found.memory()


def test_an_answer_by_a_path_that_is_not_its_checkpoints_is_refused() -> None:
    folders = [Folder("", SIGNATURE, (), {"a.ckpt": "file"}, frozenset(), {})]
    honest = memory_of(answer("a", ""))
    rest = msgspec.Raw(msgspec.msgpack.encode((folders, (("/a.ckpt", 0, -1, (), "file", (0,), None),))))
    stored = stored_of(honest)
    signatures = [SIGNATURE] * (1 + len(stored.dependencies))
    told = msgspec.structs.replace(stored, folders=[""], signatures=signatures, memory=rest)
    with pytest.raises(SnapshotError, match=r"an answer for '/a\.ckpt'"):
        snapshot.decode(sealed(told), KEY).memory()


def test_a_path_elsewhere_is_not_taken_for_one_below_the_outputs_directory() -> None:
    outside = msgspec.structs.replace(PROBLEM, path=Path("/home/somebody/wandb/run-1"))
    left_out = SkippedCheckpoint(Path("/elsewhere/x.ckpt"), "why")
    itself = msgspec.structs.replace(PROBLEM, path=ROOT, key="itself")
    memory = memory_of(answer("x", entry=None, skipped=left_out, problems=(outside, PROBLEM, itself)))
    assert back_of(memory) == memory
    assert snapshot.decode(encoded(memory), KEY).outline.problems == [itself, PROBLEM, outside]
