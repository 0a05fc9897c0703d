"""Write the genuine Lightning checkpoints of this folder: `python make_lightning_checkpoints.py <folder>`.

Into a folder named after Lightning's version: `best.ckpt` by a ModelCheckpoint that monitors `val/hmean`,
`last.ckpt` and `weights.ckpt` (weights only) of the same run, `old.ckpt` the content of `last.ckpt` in torch's
format from before 1.6. The network is tiny; its keys are named as the contract's are.

It runs with any Lightning from 1.2 on, here with Python 3.11, torch 2.13.0 (CPU) and omegaconf 2.4. Older ones
need more than `pip install --no-deps pytorch-lightning==<version>` in an environment of their own:

- 2.1.4: lightning-utilities, torchmetrics 1.2.1
- 1.2.10, 1.5.10, 1.6.5, 1.9.5: numpy 1.26, lightning-fabric 1.9.5, lightning-utilities 0.8.0,
  torchmetrics 0.11.4, pyDeprecate 0.3.2, future, six, protobuf, absl-py, tensorboard, tensorboardX

and in all fsspec, packaging, pyyaml, setuptools 79 and tqdm. 0.9 does not run with Python 3.11.
"""

from __future__ import annotations

import argparse
import inspect
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, TensorDataset

if TYPE_CHECKING or find_spec("lightning"):
    from lightning import LightningModule, Trainer, __version__, seed_everything
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
else:  # its only name before 2.0
    from pytorch_lightning import LightningModule, Trainer, __version__, seed_everything
    from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

_QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "progress_bar_refresh_rate": 0,
    "weights_summary": None,
}
"""Arguments of the Trainer of one version or another."""


class _Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(4, 4, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.bn1(self.conv1(image)))


class _Backbone(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 4, 3, bias=False)
        self.layer1 = torch.nn.Sequential(_Block())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layer1(self.conv1(image))
        return features.mean(dim=(1, 2, 3))


class _Encoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = _Backbone()


class _Detector(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()


class Training(LightningModule):
    """A detector that learns nothing in particular, and logs what ModelCheckpoint monitors."""

    def __init__(self, model: DictConfig) -> None:
        super().__init__()
        self.save_hyperparameters({"model": model})
        self.model = _Detector()

    def _loss(self, images: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.model.encoder.model(images)
        return output.square().mean()

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """Lightning's hook: the loss of one batch."""
        return self._loss(batch[0])

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        """Lightning's hook: log a number in [0, 1]."""
        self.log("val/hmean", torch.exp(-self._loss(batch[0])))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning's hook: add metrics as a project's evaluation does."""
        checkpoint["cleval_metrics"] = {"recall": 0.5, "precision": 0.25, "hmean": torch.tensor(1 / 3)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Lightning's hook: an optimizer with state."""
        return torch.optim.Adam(self.parameters(), lr=0.01)


def main(folder: Path) -> None:
    """Train three epochs on noise, and keep what was written."""
    seed_everything(7)
    images = DataLoader(TensorDataset(torch.rand(8, 1, 8, 8)), batch_size=4)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoints = ModelCheckpoint(
            dirpath=scratch, filename="best", monitor="val/hmean", mode="max", save_last=True
        )
        stopping = EarlyStopping(monitor="val/hmean", mode="max", patience=9)
        known = inspect.signature(Trainer.__init__).parameters
        quiet: dict[str, Any] = {name: value for name, value in _QUIET.items() if name in known}
        if __version__.startswith("1.2."):
            del quiet["accelerator"]  # which was for clusters then
        trainer = Trainer(max_epochs=3, callbacks=[stopping, checkpoints], default_root_dir=scratch, **quiet)
        model = OmegaConf.create({"name": "dbnet", "channels": [4, 4], "pretrained": None})
        trainer.fit(Training(model), images, images)
        trainer.save_checkpoint(Path(scratch) / "weights.ckpt", weights_only=True)
        target = folder / __version__
        target.mkdir(parents=True, exist_ok=True)
        for name in ("best.ckpt", "last.ckpt", "weights.ckpt"):
            shutil.copyfile(Path(scratch) / name, target / name)
        content = torch.load(target / "last.ckpt", map_location="cpu", weights_only=False)
        torch.save(content, target / "old.ckpt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
