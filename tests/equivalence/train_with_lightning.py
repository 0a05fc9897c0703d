"""Train a tiny network as a Hydra project would: `python -m tests.equivalence.train_with_lightning OUTPUTS`.

A real `Trainer` writes the checkpoints, a real ModelCheckpoint names and keeps them; the Hydra folder is
written beside them. It runs in a process of its own, since Lightning warns of much that is not our concern.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from omegaconf import OmegaConf
from torch import rand
from torch.utils.data import DataLoader, TensorDataset

from tests.data.make_lightning_checkpoints import Training

CONFIG: dict[str, dict[str, Any]] = {
    "model": {"architecture": "dbnet", "encoder": {"model_name": "resnet18"}},
    "trainer": {"max_epochs": 4},
    "callbacks": {
        "early_stopping": {
            "_target_": "lightning.pytorch.callbacks.EarlyStopping",
            "monitor": "val/hmean",
            "mode": "max",
        },
        "model_checkpoint": {
            "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
            "monitor": "val/hmean",
            "mode": "max",
        },
    },
}


def main(outputs: Path) -> None:
    """One experiment with the best three of four epochs, the last one, and a Hydra config."""
    experiment = outputs / "tiny-dbnet-resnet18_training_20250101_101010"
    (experiment / ".hydra").mkdir(parents=True)
    OmegaConf.save(CONFIG, experiment / ".hydra" / "config.yaml")
    seed_everything(7)
    images = DataLoader(TensorDataset(rand(8, 1, 8, 8)), batch_size=4)
    keeper = ModelCheckpoint(
        dirpath=experiment / "checkpoints",
        filename="epoch-{epoch:02d}_step-{step:06d}",
        auto_insert_metric_name=False,
        monitor="val/hmean",
        mode="max",
        save_top_k=3,
        save_last=True,
    )
    trainer = Trainer(
        max_epochs=4,
        accelerator="cpu",
        callbacks=[EarlyStopping(monitor="val/hmean", mode="max", patience=9), keeper],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=experiment,
    )
    trainer.fit(Training(OmegaConf.create(CONFIG["model"])), images, images)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
