from __future__ import annotations

import json
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from catalog import build_catalog, inert
from catalog.header import HeaderError, read_header
from catalog.plain import plain_value
from catalog.refusal import DEFAULT_LIMITS
from tests.checkpoint_files import rewritten, saved, with_pickle, written

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]


def text(value: str) -> bytes:
    """The operation that pushes text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def called(module: str, name: str, arguments: bytes) -> bytes:
    """The operations that call a global with one argument."""
    return b"c%s\n%s\n" % (module.encode(), name.encode()) + arguments + b"\x85R"


def pickle_of(operations: bytes) -> bytes:
    """A pickle of a mapping that holds what the operations push."""
    return b"\x80\x02}" + text("epoch") + operations + b"s."


def nested_lists(levels: int) -> bytes:
    """Lists that hold the one before twice."""
    return b"]" + b"".join(b"q%c0](h%ch%ce" % (n, n, n) for n in range(levels))


TOUCHED = "import os; os.mkdir('touched')"

# Pickles that are read, because what they name is never run.
READ = {
    "exec by reduce": pickle_of(called("builtins", "exec", text(TOUCHED))),
    "eval by reduce": pickle_of(called("__builtin__", "eval", text("__import__('os').mkdir('touched')"))),
    "system by reduce": pickle_of(called("os", "system", text("mkdir touched"))),
    "system by inst": pickle_of(b"(" + text("mkdir touched") + b"ios\nsystem\n"),
    "system by obj": pickle_of(b"(cos\nsystem\n" + text("mkdir touched") + b"o"),
    "import of a module": pickle_of(b"cthis\ns\n"),
    "bytearray of a number": pickle_of(called("builtins", "bytearray", b"\x8a\x06\0\0\0\0\0\1")),
    "range as list": pickle_of(called("builtins", "list", called("builtins", "range", b"J\xff\xff\xff\x7f"))),
    "int of digits": pickle_of(called("builtins", "int", text("9" * 1_000_000))),
    "memo index of 2 billion": pickle_of(b"K\x01r\xff\xff\xff\x7f"),
    "memo index of 16 million": pickle_of(b"K\x01r\xff\xff\xff\x00"),
    "lists 200,000 deep": pickle_of(b"]" * 200_000 + b"a" * 199_999),
    "lists that double 60 times": pickle_of(nested_lists(60)),
    "a list of itself": pickle_of(b"]q\x01h\x01a"),
    "a mapping of itself": b"\x80\x02}q\x00" + text("callbacks") + b"h\x00s.",
    "tuples 39,000 deep as a key": b"\x80\x02})" + b"\x85" * 39_000 + b"K\x01s.",
    "lists by the two million": b"\x80\x02" + b"}" * (2 * MIB - 9) + b".",
    "objects that nest deeply": pickle_of(b"K\x01" + b"q\x00cx\ny\nh\x00\x85R" * 20_000),
    "an attribute set on a class": pickle_of(b"cos\nsystem\n)Rq\x01N}" + text("x") + b"K\x01s\x86b"),
}

# Pickles that are refused.
REFUSED = {
    "memo index in text": b"\x80\x02}p" + b"9" * 5_000 + b"\n.",
    "bytearray of a length": pickle_of(b"\x96" + struct.pack("<Q", 10**12)),
    "bytes of a length": pickle_of(b"\x8e" + struct.pack("<Q", 10**12)),
    "text of a length": pickle_of(b"\x8d" + struct.pack("<Q", 10**12)),
    "text of a shorter length": pickle_of(b"X\xff\xff\xff\x7f"),
    "frame of a length": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
    "whole number of a length": pickle_of(b"\x8b\xff\xff\xff\x7f"),
    "whole number of a negative length": pickle_of(b"\x8b\xff\xff\xff\xff"),
    "whole number of a million digits": pickle_of(b"L" + b"9" * 1_000_000 + b"L\n"),
    "tuples 300,000 deep as a key": b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.",
    "tuples 300,000 deep in a set": b"\x80\x04})" + b"\x85" * 300_000 + b"\x8f(" + b"K\x01\x90s.",
    "sets by the million": pickle_of(b"\x8f" * 1_100_000),
    "lists by the million": b"\x80\x02}" + b"]" * (17 * MIB) + b".",
    "pairs copied again and again": pickle_of(
        b"ccollections\nOrderedDict\nq\x01]("
        + b"](K\x01K\x02e" * 9_000
        + b"eq\x020"
        + b"h\x01h\x02\x85R0" * 9_000
        + b"N"
    ),
    "globals by the thousand": b"\x80\x02}" + b"".join(b"cm\nn%d\n0" % n for n in range(2_000)) + b".",
    "extension code": pickle_of(b"\x82\x01"),
    "next buffer": pickle_of(b"\x97"),
    "persistent id in text": pickle_of(b"Pos.system\n"),
    "persistent id that is a number": pickle_of(b"K\x01Q"),
    "persistent id without a storage": pickle_of(text("storage") + b"\x85Q"),
    "storage of a negative size": pickle_of(
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"J\xff\xff\xff\xfftQ"
    ),
    "attribute set on the tensor maker": pickle_of(
        b"ctorch._utils\n_rebuild_tensor_v2\nN}" + text("dtype") + b"K\x01s\x86b"
    ),
    "attribute set on a storage type": pickle_of(
        b"ctorch\nFloatStorage\nN}" + text("element") + b"K\x01s\x86b"
    ),
    "attribute set on a stand-in's class": pickle_of(b"cos\nsystem\nN}" + text("x") + b"K\x01s\x86b"),
    "attribute set on the maker of mappings": pickle_of(
        b"ccollections\nOrderedDict\nN}" + text("x") + b"K\x01s\x86b"
    ),
    "tensor made of nothing": pickle_of(b"ctorch._utils\n_rebuild_tensor_v2\n)R"),
    "key that is a list": b"\x80\x02}]K\x01s.",
    "stack that is empty": b"\x80\x02.",
    "mark that is missing": b"\x80\x02}u.",
    "memo that is empty": b"\x80\x02h\x07.",
    "stop that is missing": b"\x80\x02}",
    "protocol of the future": b"\x80\x09}.",
    "no pickle": b"",
    "text that is no UTF-8": pickle_of(b"X\x01\0\0\0\xff"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What became of all of them, in one process with little memory."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, data in (READ | REFUSED).items():
        written(folder / f"{name}.ckpt", with_pickle(data))
    for name, data in (READ | REFUSED).items():
        written(folder / f"{name}, old format.ckpt", old_file(data))
    command = [sys.executable, "-m", "tests.faults.read_hostile", str(folder)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not (ROOT / "touched").exists()
    return json.loads(done.stdout)


def old_file(pickled: bytes) -> bytes:
    """A file of the format before 1.6 around a pickle."""
    old = saved({"epoch": 1}, _use_new_zipfile_serialization=False)
    return old.replace(pickle.dumps({"epoch": 1}, 2), pickled)


@pytest.mark.parametrize("name", READ)
def test_a_pickle_whose_names_are_dangerous_is_read_and_nothing_is_run(report: Any, name: str) -> None:
    assert report["outcomes"][name] == "read"
    assert report["outcomes"][f"{name}, old format"] == "read"


@pytest.mark.parametrize("name", REFUSED)
def test_a_pickle_that_is_damaged_or_a_trap_is_refused(report: Any, name: str) -> None:
    assert report["outcomes"][name].startswith("expected ")
    assert report["outcomes"][f"{name}, old format"].startswith("expected ")


def test_no_pickle_takes_much_memory(report: Any) -> None:
    assert report["peak_bytes"] < 400 * MIB


def test_no_pickle_changes_the_stand_ins_of_later_ones() -> None:
    before = dict(vars(inert.TensorInfo)), dict(vars(inert.StorageType)), dict(vars(inert.Opaque))
    for data in (READ | REFUSED).values():
        if len(data) < 10_000:
            try:
                inert_content(data)
            except HeaderError:
                continue
    assert before == (dict(vars(inert.TensorInfo)), dict(vars(inert.StorageType)), dict(vars(inert.Opaque)))


def test_a_persistent_id_of_a_module_is_refused_in_an_archive(tmp_path: Path) -> None:
    data = with_pickle(pickle_of(text("module") + b"cos\nsystem\n\x86Q"))
    with pytest.raises(HeaderError, match="persistent ids"):
        read_header(written(tmp_path / "a.ckpt", data))


def inert_content(data: bytes) -> object:
    """Read a pickle by itself."""
    from catalog.opcodes import load_pickle

    return load_pickle(data, DEFAULT_LIMITS).value


def test_a_value_that_never_ends_is_not_made_plain() -> None:
    for name in ("lists that double 60 times", "a list of itself", "lists 200,000 deep"):
        with pytest.raises(HeaderError, match="nodes"):
            plain_value(inert_content(READ[name]), DEFAULT_LIMITS)


@pytest.mark.parametrize(
    "archive",
    {
        "two pickles": rewritten(saved({"epoch": 1}), last=[("archive/data.pkl", b"\x80\x02}.")]),
        "two pickles by case": rewritten(saved({"epoch": 1}), last=[("archive/DATA.PKL", b"\x80\x02}.")]),
        "another folder first": rewritten(saved({"epoch": 1}), first=[("evil/data.pkl", b"\x80\x02}.")]),
        "another folder last": rewritten(saved({"epoch": 1}), last=[("evil/data.pkl", b"\x80\x02}.")]),
        "no folder": rewritten(saved({"epoch": 1}), first=[("data.pkl", b"\x80\x02}.")]),
        "deflated": rewritten(saved({"epoch": "1" * 9_000}), method=zipfile.ZIP_DEFLATED),
        "something before": b"PK\3\4" + saved({"epoch": 1}),
        "cut off": saved({"epoch": 1})[:-1],
        "far too much behind": saved({"epoch": 1}) + b"x" * 70_000,
        "no records": b"PK\3\4PK\5\6" + b"\0" * 18,
    }.items(),
    ids=lambda case: case[0],
)
def test_an_archive_that_two_readers_could_understand_differently_is_refused(
    tmp_path: Path, archive: tuple[str, bytes]
) -> None:
    with pytest.raises(HeaderError):
        read_header(written(tmp_path / "a.ckpt", archive[1]))


TENSORS = saved({"epoch": 1, "one": torch.ones(100), "two": torch.ones(100)})


def overlapping() -> bytes:
    """An archive whose second storage begins within the first, and is as long as it shall be."""
    data = bytearray(TENSORS)
    first, second = (data.index(b"archive/data/%d" % n, data.index(b"PK\1\2")) - 46 for n in (0, 1))
    (start,) = struct.unpack_from("<I", data, first + 42)
    struct.pack_into("<I", data, second + 42, start + 100)
    return bytes(data)


REASONS = {
    "record missing": (rewritten(TENSORS, {"data/1": None}), "a record 'data/1'"),
    "record short": (rewritten(TENSORS, {"data/1": b"1" * 399}), "as many bytes in 'data/1'"),
    "record long": (rewritten(TENSORS, {"data/1": b"1" * 401}), "as many bytes in 'data/1'"),
    "record twice": (rewritten(TENSORS, last=[("archive/data/1", b"1" * 400)]), "one record of each name"),
    "records that overlap": (overlapping(), "records apart from each other"),
    "several prefixes": (rewritten(TENSORS, last=[("other/data/2", b"1")]), "records in"),
    "pickle missing": (rewritten(TENSORS, {"data.pkl": None}), "a record 'data.pkl'"),
    "pickle deflated": (rewritten(TENSORS, method=zipfile.ZIP_DEFLATED), "not compressed"),
    "pickle cut off": (rewritten(TENSORS, {"data.pkl": b"\x80\x02}"}), "a pickle as torch.save writes it"),
    "version missing": (rewritten(TENSORS, {"version": None}), "a record 'version'"),
    "version of the future": (rewritten(TENSORS, {"version": b"11\n"}), "a file format version"),
    "byte order of nobody": (rewritten(TENSORS, {"byteorder": b"middle"}), "byte order little or big"),
    "file cut off": (TENSORS[:-1], "the directory of a zip archive at the end"),
    "file empty": (b"", "a checkpoint of torch.save"),
    "old format cut off": (old_file(b"\x80\x02}.")[:-9], "a pickle as torch.save writes it"),
}


def test_each_refusal_is_a_problem_with_its_reason_and_stops_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "tag-dbnet" / "checkpoints"
    folder.mkdir(parents=True)
    for name, (data, _) in REASONS.items():
        written(folder / f"epoch=3 {name}.ckpt", data)
    written(folder / "good.ckpt", TENSORS)
    for name in ("epoch=5 deepspeed", "epoch=6 distributed"):
        (folder / f"{name}.ckpt").mkdir()
    written(folder / "epoch=5 deepspeed.ckpt" / "mp_rank_00_model_states.pt", TENSORS)
    written(folder / "epoch=6 distributed.ckpt" / ".metadata", b"\x80\x02}.")

    catalog = build_catalog(tmp_path, use_cache=False, use_wandb_fallback=False)

    problems = {problem.path.stem.removeprefix("epoch=3 "): problem for problem in catalog.problems}
    assert problems.keys() == REASONS.keys()
    for name, (_, expected) in REASONS.items():
        assert expected in problems[name].expected
        assert problems[name].found
    listed = {entry.checkpoint_path.stem: entry.epochs for entry in catalog.entries}
    # A damaged file is listed by what its name tells.
    damaged = {f"epoch=3 {name}": 3 for name in REASONS}
    assert listed == damaged | {"good": 1, "epoch=5 deepspeed": 5, "epoch=6 distributed": 6}


def test_something_behind_the_archive_is_passed_over_as_torch_does(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({"epoch": 1}) + b"more")
    assert read_header(path).content == torch.load(path, weights_only=False) == {"epoch": 1}


def test_a_damaged_directory_is_refused_wherever_torch_refuses_it(tmp_path: Path) -> None:
    rng = random.Random(5)
    whole = saved({"epoch": 1, "a": torch.ones(3), "b": torch.arange(400)})
    begin = whole.index(b"PK\1\2")
    agreed = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(begin, len(data))] = rng.choice([0, 1, 255, rng.randrange(256)])
        path = written(tmp_path / "a.ckpt", bytes(data))
        try:
            torch.load(path, weights_only=False)
        except (RuntimeError, ValueError, OSError, pickle.UnpicklingError, AssertionError) as error:
            if "reading file data/" in str(error):
                continue  # only a tensor's own record shows it
            with pytest.raises(HeaderError):
                read_header(path)
            agreed += 1
    assert agreed > 100


def test_any_damage_is_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(6)
    content = {"epoch": 1, "state_dict": {f"k{n}": torch.ones(n) for n in range(9)}, "text": "x" * 300}
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        whole = saved(content, **options)
        outcomes = set()
        for _ in range(500):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            del data[rng.choice([len(data), rng.randrange(len(data))]) :]
            try:
                read_header(written(tmp_path / "a.ckpt", bytes(data)))
                outcomes.add("read")
            except HeaderError:
                outcomes.add("refused")
        assert outcomes == {"read", "refused"}
