"""The header reader against `torch.load`, in one process.

Writes checkpoints with the layers of a ResNet, with and without Adam's state, and reads each in turns, in
random order, each after untimed reads of its own kind and a collection of garbage: by the reader, by a
stand-in without guards (`bench.limits_unguarded`), and by `torch.load(map_location="cpu",
weights_only=False)`. *Warm* files are in the page cache, *cold* ones are given up before each read
(`bench.pagecache`). Times are medians. The answers of all three are compared.
"""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench.limits_unguarded import read_unguarded
from bench.pagecache import drop
from bench.subject import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

READER = "catalog.checkpoint:read_checkpoint"
WARM_ROUNDS = 25
COLD_ROUNDS = 60

_OWN_S = 0.003
_ALLOWED_MORE_BYTES = 64_000
_COLD_RATIO = 30.0
_LARGE_MB = 900
_CHANNELS = 64
_BLOCKS_OF_RESNET18, _BLOCKS_OF_RESNET50 = 20, 53
_BYTES_A_VALUE = 4  # of a weight, and of each of Adam's two moments
_STATE_KEY = (
    "ModelCheckpoint{'monitor': 'val/hmean', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
    "'train_time_interval': None}"
)


class Sample(NamedTuple):
    """A checkpoint to be read: its size, whether Adam has two moments beside each weight, whether it counts.

    A ResNet-18 takes 47 MB by itself, and 140 MB with its moments.
    """

    size_mb: int
    has_moments: bool = True
    is_judged: bool = True

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.size_mb} MB, {'with' if self.has_moments else 'without'} moments"


SAMPLES = (Sample(48, has_moments=False), Sample(48, is_judged=False), Sample(138), Sample(900))
"""48 MB with moments hold the tensors of 138 MB, each of a third: shown alone, as no ResNet is like that."""


class HeaderRow(msgspec.Struct, frozen=True):
    """What reading one checkpoint cost, page cache warm or cold. Times are medians in ms.

    `pairs_ms` are the times of `torch.load` and of the reader, round by round.
    """

    name: str
    tensors: int
    state: str
    reader_ms: float
    unguarded_ms: float
    torch_ms: float
    target: float | None
    bytes_read: int
    allowed_bytes: int
    pairs_ms: tuple[tuple[float, float], ...] = ()

    @property
    def guards_ms(self) -> float:
        """What the reader takes beyond the stand-in without guards."""
        return self.reader_ms - self.unguarded_ms


def rows(
    directory: Path,
    samples: Sequence[Sample] = SAMPLES,
    *,
    reader: str = READER,
    warm_rounds: int = WARM_ROUNDS,
    cold_rounds: int = COLD_ROUNDS,
    seed: int = 0,
) -> list[HeaderRow]:
    """Write each checkpoint below `directory`, measure it warm and cold, and delete it.

    Raises `SubjectError` where there is no such reader, `ValueError` where two answers differ, and `OSError`
    where the disk is full, or its files cannot be made cold.
    """
    read = resolve(reader)
    found = []
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        for sample in samples:
            path = Path(folder) / f"{sample.size_mb}.ckpt"
            tensors = write_checkpoint(path, sample)
            measured = _Measured(path, read, random.Random(seed))
            target = 80.0 if sample.size_mb >= _LARGE_MB else 20.0
            # What takes a second to load is told apart by fewer rounds.
            colder = max(1, cold_rounds // 4) if sample.size_mb >= _LARGE_MB else cold_rounds
            for state, rounds, goal in (("warm", warm_rounds, target), ("cold", colder, _COLD_RATIO)):
                times = measured.times_ms(rounds, is_cold=state == "cold")
                found.append(
                    HeaderRow(
                        sample.name,
                        tensors,
                        state,
                        statistics.median(times["reader"]),
                        statistics.median(times["unguarded"]),
                        statistics.median(times["torch"]),
                        goal if sample.is_judged else None,
                        measured.bytes_read(),
                        allowed_bytes(path),
                        tuple(zip(times["torch"], times["reader"], strict=True)),
                    )
                )
            path.unlink()
    return found


class _Measured:
    """One checkpoint and the three ways to read it."""

    def __init__(self, path: Path, read: Callable[..., Any], rng: random.Random) -> None:
        import torch

        self._path = path
        self._rng = rng
        self._arms: dict[str, Callable[[], Any]] = {
            "reader": lambda: read(path, ()).document,
            "unguarded": lambda: read_unguarded(path),
            "torch": lambda: torch.load(path, map_location="cpu", weights_only=False),
        }
        self._check_answers()
        gc.collect()
        gc.freeze()  # modules: a collection before each read need not walk them

    def times_ms(self, rounds: int, *, is_cold: bool) -> Mapping[str, list[float]]:
        """The times of each way, in the order of the rounds.

        Each is timed after `_OWN_S` of untimed calls of its own, as in a listing, where one checkpoint of a
        model follows another: `torch.load` leaves the processor's caches full of weights, and of a reader
        nothing. And the reader knows the form of the file's directory by then.
        """
        times: dict[str, list[float]] = {name: [] for name in self._arms}
        for _ in range(rounds):
            for name in self._rng.sample(list(self._arms), len(self._arms)):
                self._call_untimed(name)
                gc.collect()
                if is_cold and not drop(self._path.parent).cold:
                    raise OSError(f"{self._path}: expected a file that can be made cold, found it cached still")
                begin_ns = time.perf_counter_ns()
                answer = self._arms[name]()
                times[name].append((time.perf_counter_ns() - begin_ns) / 1e6)
                del answer
        return times

    def _call_untimed(self, name: str) -> None:
        until_s = time.perf_counter() + _OWN_S
        self._arms[name]()
        while time.perf_counter() < until_s:
            self._arms[name]()

    def bytes_read(self) -> int:
        """What the reader asks the system for; Linux counts it."""
        before = _bytes_read_so_far()
        of_counting = _bytes_read_so_far() - before
        before = _bytes_read_so_far()
        self._arms["reader"]()
        return _bytes_read_so_far() - before - of_counting

    def _check_answers(self) -> None:
        told = {name: _told(arm()) for name, arm in self._arms.items()}
        if len(set(told.values())) > 1:
            raise ValueError(f"{self._path}: expected the same answer of all, found {told}; mend the reader")


def _told(content: Mapping[str, Any]) -> tuple[float, ...]:
    metrics = content["cleval_metrics"]
    values = (content["epoch"], content["global_step"], *(metrics[name] for name in sorted(metrics)))
    return tuple(float(value) for value in values)


def _bytes_read_so_far() -> int:
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["rchar"])


def allowed_bytes(path: Path) -> int:
    """The archive's directory, `data.pkl`, and 64 kB more."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        pickled = archive.infolist()[0]
        return path.stat().st_size - archive.start_dir + pickled.file_size + _ALLOWED_MORE_BYTES


def write_checkpoint(path: Path, sample: Sample) -> int:
    """Write what Lightning saves of a ResNet and its optimizer; how many tensors it holds.

    A ResNet-18 has 20 convolutions, a ResNet-50 53, each with a batch norm of five more tensors.
    """
    import torch

    blocks = _BLOCKS_OF_RESNET50 if sample.size_mb >= _LARGE_MB else _BLOCKS_OF_RESNET18
    weight_bytes = 3 * _BYTES_A_VALUE if sample.has_moments else _BYTES_A_VALUE
    width = sample.size_mb * 1_000_000 // (blocks * _CHANNELS * weight_bytes)
    generator = torch.Generator().manual_seed(sample.size_mb)
    weights: dict[str, torch.Tensor] = {}
    parameters: list[torch.Tensor] = []
    for block in range(blocks):
        name = f"model.encoder.model.layer{block // 6 + 1}.{block % 6}"
        convolution = torch.randn(width, _CHANNELS, 1, 1, generator=generator)
        norm = {key: torch.rand(_CHANNELS) for key in ("weight", "bias", "running_mean", "running_var")}
        norm["num_batches_tracked"] = torch.tensor(1_000)
        weights[f"{name}.conv1.weight"] = convolution
        weights |= {f"{name}.bn1.{key}": tensor for key, tensor in norm.items()}
        parameters += [convolution, norm["weight"], norm["bias"]]
    adapted = parameters if sample.has_moments else []
    torch.save(_lightning_content(weights, adapted), path)
    return len(weights) + 3 * len(adapted)


def _lightning_content(weights: Mapping[str, torch.Tensor], adapted: Sequence[torch.Tensor]) -> dict[str, Any]:
    """What a checkpoint holds; `adapted` are the parameters that have moments."""
    import torch

    moments = {
        number: {
            "step": torch.tensor(1_000.0),
            "exp_avg": torch.full_like(parameter, 0.001),
            "exp_avg_sq": torch.full_like(parameter, 0.0001),
        }
        for number, parameter in enumerate(adapted)
    }
    group = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "params": list(moments)}
    state = {
        "monitor": "val/hmean",
        "best_model_score": torch.tensor(0.875),
        "best_model_path": "/data/best.ckpt",
        "current_score": torch.tensor(0.75),
        "best_k_models": {"/data/best.ckpt": torch.tensor(0.875)},
        "kth_value": torch.tensor(0.875),
    }
    return {
        "epoch": 9,
        "global_step": 1_000,
        "pytorch-lightning_version": "2.6.1",
        "state_dict": dict(weights),
        "loops": {},
        "callbacks": {_STATE_KEY: state},
        "optimizer_states": [{"state": moments, "param_groups": [group]}],
        "lr_schedulers": [],
        "cleval_metrics": {name: torch.tensor(0.5) for name in ("recall", "precision", "hmean")},
    }
