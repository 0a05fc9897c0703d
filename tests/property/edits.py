"""Random edits of a small tree: everything that a remembered answer must notice.

Every edit leaves a tree that a catalog can list. Names are few, so that edits meet each other.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from tests.catalog.trees import SIDECAR, changed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

EXPERIMENTS = ("one", "two", "nested/three")
STEMS = ("best", "last", "epoch=3")
_LITTLE_BYTES = 200
RUNS = ("run00001", "run00002")


@dataclass
class Edits:
    """Edits below `root`, drawn from `rng`; `checkpoints` are the bytes of a few real ones.

    `last` is the sidecar that was written last: what changes twice is what goes stale.
    """

    root: Path
    rng: random.Random
    checkpoints: Sequence[bytes]
    last: Path | None = None

    def folder(self) -> Path:
        """A folder for checkpoints, made if it is missing and nothing stands in its way."""
        folder = self.root / self.rng.choice(EXPERIMENTS) / self.rng.choice(("checkpoints", ""))
        if folder.is_symlink() and not folder.exists():
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def existing(self, pattern: str) -> Path | None:
        """A random existing file below the root."""
        found = sorted(path for path in self.root.rglob(pattern) if path.is_file() or path.is_symlink())
        return self.rng.choice(found) if found else None


def sidecar_text(rng: random.Random, *, like: Path | None = None) -> str:
    """A sidecar that tells all, or little; either is of fixed length, so that a rewrite can keep the size.

    `like` is an existing one whose form, and with that its size, is kept.
    """
    is_whole = rng.random() < 0.5 if like is None else like.stat().st_size > _LITTLE_BYTES
    epoch, hmean = rng.randrange(10, 99), rng.randrange(100, 999) / 1000 + 1e-4
    if is_whole:
        return yaml.safe_dump(changed(SIDECAR, training__epoch=epoch, metrics__hmean=hmean))
    training = {"epoch": epoch, "global_step": 1}
    return yaml.safe_dump({"schema_version": "1.0", "training": training, "metrics": {"hmean": hmean}})


def write_checkpoint(edits: Edits) -> None:
    """Create a checkpoint, or rewrite one in place."""
    path = edits.folder() / f"{edits.rng.choice(STEMS)}.ckpt"
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(edits.rng.choice(edits.checkpoints))


def write_sidecar(edits: Edits) -> None:
    """Add or rewrite a sidecar in place, mostly with the same size."""
    stem = edits.rng.choice(STEMS)
    name = edits.rng.choice((f"{stem}.metadata.yaml", f"{stem}.ckpt.metadata.yaml"))
    edits.last = edits.folder() / name
    edits.last.write_text(sidecar_text(edits.rng))


def rewrite_last(edits: Edits) -> None:
    """Rewrite in place, with the same size, the sidecar that was written last."""
    if edits.last is not None and edits.last.is_file():
        edits.last.write_text(sidecar_text(edits.rng, like=edits.last))


def replace_sidecar(edits: Edits) -> None:
    """Replace a sidecar by a rename, as an atomic writer does."""
    path = edits.existing("*.metadata.yaml")
    if path is not None:
        part = path.with_name("part")
        part.write_text(sidecar_text(edits.rng))
        part.replace(path)


def rewrite_with_times_back(edits: Edits) -> None:
    """Rewrite a sidecar with the same size and set its times back to what they were."""
    path = edits.existing("*.metadata.yaml")
    if path is not None:
        before = path.stat()
        path.write_text(sidecar_text(edits.rng, like=path))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def begin_sidecar(edits: Edits) -> None:
    """Leave a sidecar as it stands while it is being written: its first half."""
    path = edits.existing("*.metadata.yaml")
    if path is not None:
        text = sidecar_text(edits.rng)
        path.write_text(text[: len(text) // 2])


def link_sidecar(edits: Edits) -> None:
    """Let a sidecar's name be a link, or a second name, of a file outside the tree; or rewrite that file."""
    target = edits.root.parent / f"{edits.rng.choice(STEMS)}.yaml"
    if edits.rng.random() < 0.5 or not target.exists():
        target.write_text(sidecar_text(edits.rng))
        return
    name = edits.folder() / f"{edits.rng.choice(STEMS)}.metadata.yaml"
    name.unlink(missing_ok=True)
    if edits.rng.random() < 0.5:
        name.symlink_to(target)
    else:
        os.link(target, name)


def add_name_with_times_back(edits: Edits) -> None:
    """Add or remove a sidecar and set its folder's times back to what they were."""
    path = edits.folder() / f"{edits.rng.choice(STEMS)}.metadata.yaml"
    before = path.parent.stat()
    if path.exists():
        path.unlink()
    else:
        path.unlink(missing_ok=True)
        path.write_text(sidecar_text(edits.rng))
    os.utime(path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def shard_checkpoint(edits: Edits) -> None:
    """Turn a checkpoint into a folder of that name, or back into a file."""
    path = edits.existing("*.ckpt") if edits.rng.random() < 0.5 else None
    folders = sorted(one for one in edits.root.rglob("*.ckpt") if one.is_dir() and not one.is_symlink())
    if path is not None:
        path.unlink()
        path.mkdir()
        (path / "part").write_bytes(b"x")
    elif folders:
        folder = edits.rng.choice(folders)
        shutil.rmtree(folder)
        folder.write_bytes(edits.rng.choice(edits.checkpoints))


def remove_file(edits: Edits) -> None:
    """Delete any file."""
    path = edits.existing("*")
    if path is not None:
        path.unlink()


def rename_checkpoint(edits: Edits) -> None:
    """Give a checkpoint another name in its folder; its sidecar stays behind."""
    path = edits.existing("*.ckpt")
    if path is not None:
        target = path.with_name(f"{edits.rng.choice(STEMS)}.ckpt")
        if target.is_symlink() or not target.is_dir():
            path.replace(target)


def swap_files(edits: Edits) -> None:
    """Let two sidecars, or two checkpoints, change places."""
    pattern = edits.rng.choice(("*.metadata.yaml", "*.ckpt"))
    one, two = edits.existing(pattern), edits.existing(pattern)
    if one is not None and two is not None and one != two:
        part = one.with_name("part")
        one.replace(part)
        two.replace(one)
        part.replace(two)


def write_hydra_config(edits: Edits) -> None:
    """Change only a Hydra config."""
    folder = edits.root / edits.rng.choice(EXPERIMENTS) / ".hydra"
    if not folder.is_symlink():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(_config(edits.rng))


def write_own_config(edits: Edits) -> None:
    """Add or change a config beside or above a checkpoint."""
    name = edits.rng.choice(("config.yaml", "hparams.yaml", "best.config.yaml"))
    (edits.folder() / name).write_text(_config(edits.rng))


def _config(rng: random.Random) -> str:
    architecture = rng.choice(("dbnet", "craft", "psenet"))
    trainer = {"max_epochs": rng.randrange(100, 999)}
    logger = {"wandb": {"id": rng.choice(RUNS)}}
    return yaml.safe_dump({"model": {"architecture": architecture}, "trainer": trainer, "logger": logger})


def write_run(edits: Edits) -> None:
    """Add or change what a W&B run keeps in a folder of its own, of an experiment or of all."""
    place = edits.root / edits.rng.choice((*EXPERIMENTS, ""))
    files = place / "wandb" / f"run-20250101_000000-{edits.rng.choice(RUNS)}" / "files"
    files.mkdir(parents=True, exist_ok=True)
    if edits.rng.random() < 0.5:
        encoder = {"model_name": edits.rng.choice(("resnet18", "resnet50"))}
        (files / "config.yaml").write_text(yaml.safe_dump({"model": {"value": {"encoder": encoder}}}))
    else:
        (files / "wandb-summary.json").write_text(json.dumps({"hmean": edits.rng.randrange(100, 999) / 1000}))


def move_experiment(edits: Edits) -> None:
    """Move a whole experiment to another name, or out of the way and back."""
    source, target = (edits.root / name for name in edits.rng.sample(EXPERIMENTS, 2))
    if source.is_dir() and not source.is_symlink() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def swap_experiments(edits: Edits) -> None:
    """Let two experiments change places."""
    one, two = (edits.root / name for name in edits.rng.sample(EXPERIMENTS, 2))
    if one.is_dir() and two.is_dir() and not (one.is_symlink() or two.is_symlink()):
        part = edits.root / "part"
        one.rename(part)
        two.rename(one)
        part.rename(two)


def folder_to_link(edits: Edits) -> None:
    """Turn a folder into a symlink to where it went, or a link back into a folder."""
    folder = edits.root / edits.rng.choice(EXPERIMENTS) / "checkpoints"
    aside = edits.root.parent / f"aside-{folder.parent.name}"
    if folder.is_symlink():
        folder.unlink()
        if aside.exists():
            shutil.move(str(aside), str(folder))
    elif folder.is_dir() and not aside.exists():
        folder.rename(aside)
        folder.symlink_to(aside, target_is_directory=True)


def link_last(edits: Edits) -> None:
    """Point a `last.ckpt` at another checkpoint, which may vanish later."""
    target = edits.existing("*.ckpt")
    link = edits.folder() / "last.ckpt"
    if target is not None and target != link and (link.is_symlink() or not link.is_dir()):
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def touch(edits: Edits) -> None:
    """Set a checkpoint's times to a drawn moment, long ago or years ahead."""
    path = edits.existing("*.ckpt")
    if path is not None and path.exists():
        os.utime(path, (0, edits.rng.choice((edits.rng.randrange(10**9), 5 * 10**9))))


ALL: tuple[Callable[[Edits], None], ...] = (
    write_checkpoint,
    write_sidecar,
    rewrite_last,
    replace_sidecar,
    rewrite_with_times_back,
    begin_sidecar,
    link_sidecar,
    add_name_with_times_back,
    shard_checkpoint,
    remove_file,
    rename_checkpoint,
    swap_files,
    write_hydra_config,
    write_own_config,
    write_run,
    move_experiment,
    swap_experiments,
    folder_to_link,
    link_last,
    touch,
)
