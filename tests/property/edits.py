"""Random edits of a small tree: everything that a remembered answer must notice.

Every edit leaves a tree that a catalog can list. Names are few, so that edits meet each other.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

EXPERIMENTS = ("one", "two", "nested/three")
STEMS = ("best", "last", "epoch=3")


@dataclass
class Edits:
    """Edits below `root`, drawn from `rng`; `checkpoints` are the bytes of a few real ones."""

    root: Path
    rng: random.Random
    checkpoints: Sequence[bytes]
    done: list[str] = field(default_factory=list)

    def any(self) -> None:
        """One random edit; what it was is appended to `done`."""
        edit = self.rng.choice(ALL)
        self.done.append(edit.__name__)
        edit(self)

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


def sidecar_text(rng: random.Random, *, epoch: int | None = None) -> str:
    """A sidecar of fixed length, so that a rewrite can keep the size."""
    epoch = rng.randrange(10, 99) if epoch is None else epoch
    document = {
        "schema_version": "1.0",
        "training": {"epoch": epoch, "global_step": 1},
        "metrics": {"hmean": rng.randrange(100, 999) / 1000 + 1e-4},
    }
    return yaml.safe_dump(document)


def write_checkpoint(edits: Edits) -> None:
    """Create a checkpoint, or rewrite one in place."""
    path = edits.folder() / f"{edits.rng.choice(STEMS)}.ckpt"
    if path.is_symlink():
        path.unlink()
    path.write_bytes(edits.rng.choice(edits.checkpoints))


def write_sidecar(edits: Edits) -> None:
    """Add or rewrite a sidecar in place, mostly with the same size."""
    stem = edits.rng.choice(STEMS)
    name = edits.rng.choice((f"{stem}.metadata.yaml", f"{stem}.ckpt.metadata.yaml"))
    (edits.folder() / name).write_text(sidecar_text(edits.rng))


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
        path.write_text(sidecar_text(edits.rng))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def remove_file(edits: Edits) -> None:
    """Delete any file."""
    path = edits.existing("*")
    if path is not None:
        path.unlink()


def rename_checkpoint(edits: Edits) -> None:
    """Give a checkpoint another name in its folder; its sidecar stays behind."""
    path = edits.existing("*.ckpt")
    if path is not None:
        path.replace(path.with_name(f"{edits.rng.choice(STEMS)}.ckpt"))


def swap_sidecars(edits: Edits) -> None:
    """Let two sidecars change places."""
    one, two = edits.existing("*.metadata.yaml"), edits.existing("*.metadata.yaml")
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
    return yaml.safe_dump({"model": {"architecture": architecture}, "trainer": trainer})


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
    if target is not None and target != link:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def touch(edits: Edits) -> None:
    """Set a checkpoint's times to a drawn moment."""
    path = edits.existing("*.ckpt")
    if path is not None and path.exists():
        os.utime(path, (0, edits.rng.randrange(10**9)))


ALL: tuple[Callable[[Edits], None], ...] = (
    write_checkpoint,
    write_sidecar,
    replace_sidecar,
    rewrite_with_times_back,
    remove_file,
    rename_checkpoint,
    swap_sidecars,
    write_hydra_config,
    write_own_config,
    move_experiment,
    swap_experiments,
    folder_to_link,
    link_last,
    touch,
)
