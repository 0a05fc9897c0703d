"""Where things stand in a tree: the names of checkpoints and configs, and the folders that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKPOINT_SUFFIX: Final = ".ckpt"
DEFAULT_CONFIG_FILENAMES: Final = ("config.yaml", "hparams.yaml")
HYDRA_CONFIG: Final = (".hydra", "config.yaml")
OWN_CONFIG_SUFFIXES: Final = (".config.json", ".config.yaml", ".config.yml", ".resolved.config.json")


def stem_of(file_name: str) -> str:
    """The file name without its last `.ckpt`; `.ckpt` itself is its own stem."""
    return file_name.removesuffix(CHECKPOINT_SUFFIX) or file_name


def check_config_filenames(config_filenames: Iterable[str]) -> tuple[str, ...]:
    """The configured names as a tuple. Raises `ValueError` for one that is a path instead of a name."""
    if isinstance(config_filenames, str):
        raise TypeError(
            f"config_filenames: expected a sequence of names, found the string {config_filenames!r}"
        )
    names = tuple(config_filenames)
    for name in names:
        if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
            raise ValueError(f"config_filenames: expected file names, found {name!r}; name the file alone")
    return names


def folders_above(folder: str) -> tuple[str, ...]:
    """The folder one and two above `folder`, as far as they are at or below the outputs directory."""
    if not folder:
        return ()
    one = folder.rpartition("/")[0]
    return (one, one.rpartition("/")[0]) if one else (one,)


def hydra_folders(folder: str) -> tuple[str, ...]:
    """The `.hydra` folders that belong to a checkpoint in `folder`, first choice first."""
    hidden = HYDRA_CONFIG[0]
    return tuple(f"{above}/{hidden}" if above else hidden for above in folders_above(folder))
