"""What a header tells, held against `torch.load`.

`python -m tests.catalog.test_header --checkpoints 5000` does so with more drawn checkpoints than the suite.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from catalog.header import HeaderError, Limits, open_header, read_header
from catalog.inert import Opaque
from tests.checkpoint_files import GENUINE, genuine_id, rewritten, saved, written
from tests.stand_ins import same_as_torch

FORMATS: list[dict[str, Any]] = [
    {},
    {"_use_new_zipfile_serialization": False},
    {"pickle_protocol": 4},
    {"pickle_protocol": 5},
]
NUMBER_TYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.bool,
]


# torch writes these into its old format, and then cannot read them.
UNTYPED = {torch.uint16, torch.uint32, torch.uint64}


def loaded(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=False)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype = draw(st.sampled_from([*NUMBER_TYPES, torch.complex64]))
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    seed = draw(st.integers(0, 99))
    generator = torch.Generator().manual_seed(seed)
    tensor = (torch.rand([*shape, 2], generator=generator) * 100).to(dtype)
    return tensor[..., draw(st.sampled_from([0, 1]))]


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.integers(-5, 300)
NUMPY_SCALARS = st.sampled_from(
    [
        np.float64(0.1),
        np.float32(0.1),
        np.float16(0.5),
        np.int64(-3),
        np.uint8(200),
        np.bool_(True),
        np.str_("né"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.binary(max_size=300)
    | tensors()
    | NUMPY_SCALARS
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=12,
)


CHECKPOINTS = st.fixed_dictionaries(
    {
        "content": st.dictionaries(KEYS, VALUES, max_size=6),
        "options": st.sampled_from(FORMATS),
        "is_shared": st.booleans(),
    }
)


def check_drawn(folder: Path, count: int) -> None:
    """Write `count` drawn checkpoints, and hold what is told of them against `torch.load`."""

    @settings(max_examples=count, deadline=None)
    @given(drawn=CHECKPOINTS)
    def check(drawn: dict[str, Any]) -> None:
        content = dict(drawn["content"])
        if drawn["is_shared"]:
            base = torch.arange(12.0)
            content["views"] = [base, base[3], base.view(3, 4)[1:, ::2]]
        path = written(folder / "a.ckpt", saved(content, **drawn["options"]))
        try:
            expected = loaded(path)
        except AttributeError:
            with pytest.raises(HeaderError, match="storages of known types"):
                read_header(path)
        else:
            header = read_header(path)
            assert same_as_torch(header, header.content, expected)

    check()


def test_it_tells_what_torch_load_tells(tmp_path: Path) -> None:
    check_drawn(tmp_path, 100)


@pytest.mark.parametrize("path", GENUINE, ids=genuine_id)
def test_it_tells_what_torch_load_tells_of_files_that_lightning_wrote(path: Path) -> None:
    header = read_header(path)
    content = loaded(path)
    assert content["pytorch-lightning_version"] == path.parent.name
    model = content.pop("hyper_parameters")["model"]
    told = dict(header.content)
    hyper_parameters: Any = header.plain(told.pop("hyper_parameters"))
    assert hyper_parameters["model"] == OmegaConf.to_container(model)
    for all_told in (told, content):  # version 1.2 has the classes themselves as keys
        all_told["callbacks"] = {
            _class_name(key): state for key, state in all_told.get("callbacks", {}).items()
        }
    assert same_as_torch(header, told, content)


def _class_name(key: Any) -> str:
    if isinstance(key, str):
        return key
    return str(key.global_name if issubclass(key, Opaque) else f"{key.__module__} {key.__name__}")


@pytest.mark.parametrize("options", FORMATS)
def test_values_of_omegaconf_are_recovered(tmp_path: Path, options: dict[str, Any]) -> None:
    content = {"a": {"b": [1, 2.5, "x", None, "${c}"]}, "c": True, "d": None, "e": {}, "f": [], "g": "???"}
    path = written(tmp_path / "a.ckpt", saved({"config": OmegaConf.create(content)}, **options))
    header = read_header(path)
    assert header.plain(header.content["config"]) == content


@pytest.mark.parametrize("options", FORMATS)
def test_sets_bytes_and_filled_mappings_are_made_plain(tmp_path: Path, options: dict[str, Any]) -> None:
    counts: defaultdict[str, int] = defaultdict(int, {"x": 1})
    content = {
        "set": {1, 2},
        "bytes": b"\xff\0",
        "counts": counts,
        "counter": Counter("aab"),
        "size": torch.Size([2, 3]),
    }
    header = read_header(written(tmp_path / "a.ckpt", saved(content, **options)))
    assert header.plain(header.content) == content | {"size": (2, 3)}


@pytest.mark.parametrize("options", FORMATS)
@pytest.mark.parametrize("dtype", NUMBER_TYPES)
def test_scalars_of_every_number_type_are_read(
    tmp_path: Path, dtype: torch.dtype, options: dict[str, Any]
) -> None:
    values = torch.tensor([0, 1, 1], dtype=dtype)
    path = written(tmp_path / "a.ckpt", saved({"first": values[0], "second": values[1]}, **options))
    if dtype in UNTYPED and "_use_new_zipfile_serialization" in options:
        with pytest.raises(HeaderError, match="storages of known types"):
            read_header(path)
        return
    header = read_header(path)
    assert header.scalar(header.content["first"]) == 0
    assert header.scalar(header.content["second"]) == 1
    assert type(header.scalar(header.content["second"])) is type(values[1].item())


def test_scalars_in_big_endian_files_are_read(tmp_path: Path) -> None:
    archive = rewritten(saved({"score": torch.tensor(0.5)}), {"byteorder": b"big", "data/0": b"\x3f\0\0\0"})
    header = read_header(written(tmp_path / "a.ckpt", archive))
    assert header.scalar(header.content["score"]) == 0.5


def test_tensors_with_dimensions_and_complex_numbers_are_no_scalars(tmp_path: Path) -> None:
    content = {"one": torch.ones(1), "complex": torch.tensor(1j)}
    header = read_header(written(tmp_path / "a.ckpt", saved(content)))
    assert [header.scalar(tensor) for tensor in header.content.values()] == [None, None]


def test_a_scalar_of_a_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({"score": torch.tensor(0.5)}))
    header = read_header(path)
    written(tmp_path / "b.ckpt", saved({"score": torch.tensor(0.25), "more": 1})).replace(path)
    with pytest.raises(HeaderError, match="another one"):
        header.scalar(header.content["score"])


def test_a_header_that_is_kept_open_reads_its_scalars_from_the_file_that_was_opened(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({"score": torch.tensor(0.5)}))
    with open_header(path) as (header, scalar):
        written(tmp_path / "b.ckpt", saved({"score": torch.tensor(0.25)})).replace(path)
        assert scalar(header.content["score"]) == 0.5


def test_a_scalar_whose_record_header_is_damaged_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved({"score": torch.tensor(0.5)}))
    start = data.index(b"archive/data/0") - 30
    data[start] = 0
    header = read_header(written(tmp_path / "a.ckpt", bytes(data)))
    with pytest.raises(HeaderError, match="record header"):
        header.scalar(header.content["score"])


def test_at_most_directory_pickle_and_64_kb_are_read(tmp_path: Path) -> None:
    content = {"state_dict": {f"layer{n}.weight": torch.zeros(20_000) for n in range(60)}}
    for options in FORMATS:
        path = written(tmp_path / "a.ckpt", saved(content, **options))
        header = read_header(path)
        assert header.bytes_read <= 64_000 + 60 * (200 + 80)
        assert header.bytes_read < path.stat().st_size / 50


def test_neither_torch_nor_numpy_is_imported(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", saved({"epoch": np.int64(1), "score": torch.tensor(0.5)}))
    code = (
        "import sys; from catalog.checkpoint import read_checkpoint; read_checkpoint(sys.argv[1]);"
        "assert not {'torch', 'numpy', 'wandb', 'zipfile', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True, cwd=Path(__file__).parents[2])


def test_the_globals_that_the_pickle_names_are_told(tmp_path: Path) -> None:
    header = read_header(written(tmp_path / "a.ckpt", saved({"where": Path("x"), "tensor": torch.ones(2)})))
    assert "torch._utils _rebuild_tensor_v2" in header.globals_seen
    assert any(name.endswith(" PosixPath") for name in header.globals_seen)
    assert isinstance(header.content["where"], Opaque)


@pytest.mark.parametrize(
    ("record", "data"),
    [
        ("data.pkl", None),
        ("version", None),
        ("data/0", None),
        ("data/0", b"1234"),
        ("data/0", b"1" * 500),
        ("version", b"0"),
        ("version", b"11"),
        ("version", b"x"),
        ("version", b""),
        ("version", b"-1"),
        ("version", b"0x3"),
        ("byteorder", b"middle"),
        ("byteorder", b"little\n"),
        (".storage_alignment", b"z"),
        ("data.pkl", b""),
        ("data.pkl", b"\x80\x02}"),
    ],
)
def test_what_torch_load_refuses_is_refused(tmp_path: Path, record: str, data: bytes | None) -> None:
    path = written(tmp_path / "a.ckpt", rewritten(saved({"tensor": torch.ones(100)}), {record: data}))
    with pytest.raises((RuntimeError, ValueError, EOFError)):
        loaded(path)
    with pytest.raises(HeaderError, match=r"a\.ckpt"):
        read_header(path)


@pytest.mark.parametrize(
    ("record", "data"),
    [
        ("byteorder", None),
        (".data/serialization_id", None),
        (".format_version", None),
        ("version", b"1"),
        ("version", b"10"),
        ("version", b" +3x"),
        (".storage_alignment", b" +64"),
    ],
)
def test_what_torch_load_accepts_is_accepted(tmp_path: Path, record: str, data: bytes | None) -> None:
    path = written(tmp_path / "a.ckpt", rewritten(saved({"tensor": torch.ones(100)}), {record: data}))
    header = read_header(path)
    assert same_as_torch(header, header.content, loaded(path))


@pytest.mark.parametrize("content", [[1, 2], 5, None, torch.ones(2), "text"])
def test_a_top_that_is_no_mapping_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(HeaderError, match="expected a mapping"):
        read_header(written(tmp_path / "a.ckpt", saved(content)))


def test_an_error_names_path_expectation_finding_and_remedy(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", b"")
    with pytest.raises(HeaderError) as caught:
        read_header(path)
    error = caught.value
    assert (error.path, error.found) == (str(path), "an empty file")
    assert str(error) == f"{path}: expected {error.expected}, found {error.found}; {error.remedy}"
    assert error.remedy


@pytest.mark.parametrize("data", [b"x", b"PK", b"PK\3\4", b"\x80\x02", b"not a checkpoint at all" * 99])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(HeaderError):
        read_header(written(tmp_path / "a.ckpt", data))


def test_a_torchscript_archive_is_refused(tmp_path: Path) -> None:
    archive = rewritten(saved({"epoch": 1}), last=[("archive/constants.pkl", b"")])
    path = written(tmp_path / "a.ckpt", archive)
    with pytest.raises(HeaderError, match="TorchScript"):
        read_header(path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    for name in ("pipe.ckpt", ".", "missing.ckpt"):
        with pytest.raises(HeaderError):
            read_header(tmp_path / name)


def test_limits_are_kept(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.ckpt", saved({"tensors": [torch.ones(1) for _ in range(50)], "path": Path("x")})
    )
    for limits in (
        Limits(directory_bytes=100),
        Limits(records=10),
        Limits(pickle_bytes=50),
        Limits(fast_pickle_bytes=0, operations=50),
        Limits(fast_pickle_bytes=0, tuple_depth=1),
        Limits(globals=2),
    ):
        with pytest.raises(HeaderError):
            read_header(path, limits=limits)
    assert read_header(path, limits=Limits(fast_pickle_bytes=0)).content.keys() == {"tensors", "path"}


def main() -> None:
    """Draw many checkpoints, and end with an error where one is told otherwise than `torch.load` tells it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoints", type=int, default=5_000)
    count = parser.parse_args().checkpoints
    with tempfile.TemporaryDirectory() as folder:
        check_drawn(Path(folder), count)
    sys.stdout.write(f"checkpoints {count}, differences 0\n")


if __name__ == "__main__":
    main()
