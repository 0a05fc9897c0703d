"""A catalog of three records, whatever the tree, for what a self-test puts into catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: list[dict[str, Any]] = [
    {"checkpoint_path": f"{name}.ckpt", "architecture": "dbnet", "epochs": number, "hmean": 0.5}
    for number, name in enumerate("abc", start=1)
]


def build(outputs_dir: Path, config_filenames: tuple[str, ...]) -> list[dict[str, Any]]:  # noqa: ARG001 - as called
    """The three records."""
    return [dict(record) for record in RECORDS]


def _prepare(outputs_dir: Path, config_filenames: tuple[str, ...]) -> None:  # noqa: ARG001 - as called
    (outputs_dir / "prepared").touch()


build.prepare = _prepare  # type: ignore[attr-defined]  # a function's own attribute


def tree_of(root: Path) -> Path:
    """A tree of two metadata files of two lines each."""
    for number in (1, 2):
        folder = root / str(number)
        folder.mkdir(parents=True)
        (folder / "metadata.yaml").write_text(f"epoch: {number}\nhmean: 0.5\n", encoding="utf-8")
    return root
