"""Write the genuine Lightning checkpoints of this folder: `python make_lightning_checkpoints.py <folder>`.

`best.ckpt` by a ModelCheckpoint that monitors `val/hmean`, `last.ckpt` of the same run, `old.ckpt` the same
content in torch's format from before 1.6. The network is tiny; its keys are named as the contract's are.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, TensorDataset


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
        trainer = Trainer(
            max_epochs=3,
            accelerator="cpu",
            callbacks=[stopping, checkpoints],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=scratch,
        )
        model = OmegaConf.create({"name": "dbnet", "channels": [4, 4], "pretrained": None})
        trainer.fit(Training(model), images, images)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("best.ckpt", "last.ckpt"):
            shutil.copyfile(Path(scratch) / name, folder / name)
        content = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=False)
        torch.save(content, folder / "old.ckpt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
