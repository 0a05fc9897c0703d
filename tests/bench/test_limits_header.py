"""The header reader's rows: measured on a small checkpoint, missed where a reader is slow, greedy or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bench.limits_header import Sample, allowed_bytes, rows, write_checkpoint
from bench.limits_unguarded import read_unguarded
from bench.pagecache import cold_supported

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.limits_header import HeaderRow


class Facts:
    """What a reader answers with."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document


def greedy_reader(path: Path) -> Facts:
    """A reader that reads the whole file."""
    Path(path).read_bytes()
    return Facts(read_unguarded(path))


def wrong_reader(path: Path) -> Facts:
    """A reader that is one epoch off."""
    told = read_unguarded(path)
    return Facts(told | {"epoch": told["epoch"] + 1})


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str], list[HeaderRow]]:
    """The rows of a small checkpoint for a reader."""
    (tmp_path / "probe").write_bytes(b"x" * 9_999)
    if not cold_supported(tmp_path):
        pytest.skip("the file system of the temporary folder does not let its files be made cold")
    return lambda reader: rows(tmp_path, (Sample(2),), reader=reader, warm_rounds=1, cold_rounds=1)


def test_the_catalogs_reader_is_measured_warm_and_cold_and_reads_little(
    measured: Callable[[str], list[HeaderRow]], tmp_path: Path
) -> None:
    found = measured("catalog.checkpoint:read_checkpoint")
    name = "2 MB, with moments"
    assert [(row.name, row.state, row.target) for row in found] == [(name, "warm", 20.0), (name, "cold", 30.0)]
    for row in found:
        assert 0 < row.bytes_read <= row.allowed_bytes < 2_000_000
        assert min(row.reader_ms, row.unguarded_ms, row.torch_ms) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["probe"]


def test_a_reader_that_reads_more_than_it_may_misses(measured: Callable[[str], list[HeaderRow]]) -> None:
    for row in measured(f"{__name__}:greedy_reader"):
        assert row.bytes_read > max(2_000_000, row.allowed_bytes)


def test_a_reader_that_answers_otherwise_than_torch_is_not_timed(
    measured: Callable[[str], list[HeaderRow]],
) -> None:
    with pytest.raises(ValueError, match="same answer"):
        measured(f"{__name__}:wrong_reader")


@pytest.mark.parametrize("has_moments", [True, False])
def test_a_checkpoint_weighs_what_it_shall_and_the_stand_in_reads_it(tmp_path: Path, has_moments: bool) -> None:
    path = tmp_path / "a.ckpt"
    tensors = write_checkpoint(path, Sample(3, has_moments=has_moments))
    assert path.stat().st_size == pytest.approx(3_000_000, rel=0.1)
    content = torch.load(path, weights_only=False)
    moments = content["optimizer_states"][0]["state"]
    assert bool(moments) == has_moments
    assert tensors == len(content["state_dict"]) + 3 * len(moments)
    told = read_unguarded(path)
    assert (told["epoch"], told["scores"]) == (content["epoch"], [[0.875, 0.75]])
    assert allowed_bytes(path) < path.stat().st_size / 10
