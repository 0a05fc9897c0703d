"""The pipeline as a whole: order, counts, what is left out, what raises, and what is logged."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from catalog import snapshot
from catalog.builder import CheckpointCatalogBuilder, Collaborators, build_catalog
from catalog.filesystem import SETTLING_NS, FileSystem
from catalog.store import INDEX_DIR_VARIABLE, CatalogCache
from tests.catalog.trees import SIDECAR, changed, write
from tests.property.comparison import told as all_told

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    return tmp_path / "index"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    root = tmp_path / "outputs"
    for experiment, epoch in (("b", 2), ("a", 10), ("c", 0)):
        write(root / experiment / "checkpoints" / "best.ckpt", b"x")
        write(
            root / experiment / "checkpoints" / "best.metadata.yaml",
            changed(SIDECAR, training__epoch=epoch, exp_name=experiment),
        )
    write(root / "a" / "checkpoints" / "broken.ckpt", b"nothing of the kind")
    (root / "gone.ckpt").symlink_to(root / "nowhere")
    return root


def test_a_catalog_lists_in_order_and_keeps_what_it_left_out_and_what_is_damaged(outputs: Path) -> None:
    catalog = build_catalog(outputs)
    assert [entry.exp_name for entry in catalog.entries] == ["b", "a"]
    assert (catalog.total_count, len(catalog), catalog.metadata_available_count) == (2, 2, 2)
    assert catalog.metadata_coverage_percent == 100.0
    assert catalog.outputs_dir == outputs
    assert catalog.catalog_build_time_seconds > 0
    assert {one.checkpoint_path.parent.parent.name for one in catalog.skipped} == {"a", "c"}
    assert {problem.path.name for problem in catalog.problems} == {"broken.ckpt", "gone.ckpt"}


def test_paths_stand_under_the_outputs_directory_as_it_was_given(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(outputs.parent)
    for given in (Path("outputs"), Path("outputs/../outputs"), outputs):
        paths = [entry.checkpoint_path for entry in build_catalog(given)]
        assert paths == [given / "b/checkpoints/best.ckpt", given / "a/checkpoints/best.ckpt"]


def test_a_missing_directory_is_an_empty_catalog_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("nowhere", "link", "loop"):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert build_catalog(tmp_path / name).entries == []
        assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_a_file_in_place_of_the_directory_raises_and_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "file", "")
    with pytest.raises(NotADirectoryError, match="file"):
        build_catalog(path)


def as_another_user(outputs: Path) -> str:
    """What a user without rights is answered: root reads everything, so a child gives its rights up.

    It is forked instead of started, since the interpreter itself may lie where that user cannot reach.
    """
    build_catalog(outputs, use_cache=False)  # so that whatever is imported late is there already
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            os.write(sender, told(outputs).encode())
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


def told(outputs: Path) -> str:
    try:
        catalog = build_catalog(outputs, use_cache=False)
    except PermissionError as error:
        return f"PermissionError {error.filename}"
    listed = sorted(entry.exp_name for entry in catalog)
    return f"{listed} {sorted(problem.path.name for problem in catalog.problems)}"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter; pytest keeps its own to one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_what_may_not_be_read_is_a_problem_and_the_rest_is_listed(outputs: Path, reachable: Path) -> None:
    tree = Path(shutil.copytree(outputs, reachable / "outputs", symlinks=True))
    (tree / "b").chmod(0)
    assert as_another_user(tree) == "['a'] ['b', 'broken.ckpt', 'gone.ckpt']"
    (tree / "a" / "checkpoints" / "best.metadata.yaml").chmod(0)
    assert as_another_user(tree) == "['a'] ['b', 'best.ckpt', 'best.metadata.yaml', 'broken.ckpt', 'gone.ckpt']"
    (tree / "b").chmod(0o755)


def test_a_directory_that_may_not_be_read_raises_and_names_it(outputs: Path, reachable: Path) -> None:
    tree = Path(shutil.copytree(outputs, reachable / "outputs", symlinks=True))
    tree.chmod(0o300)
    assert as_another_user(tree) == f"PermissionError {tree}"
    tree.chmod(0o755)


def test_one_info_line_tells_time_counts_sources_and_coverage(
    outputs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        build_catalog(outputs)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(lines) == 1
    for part in ("2 checkpoints", "2 left out", "2 problems", "sidecar 2", "coverage 100.0 %"):
        assert part in lines[0]


def test_a_second_build_believes_what_has_not_changed_and_reads_what_has(outputs: Path, index: Path) -> None:
    sidecar = outputs / "b" / "checkpoints" / "best.metadata.yaml"
    for use_cache in (True, False):
        write(sidecar, changed(SIDECAR, training__epoch=2, exp_name="b"))
        first = build_catalog(outputs, use_cache=use_cache)
        assert build_catalog(outputs, use_cache=use_cache).entries == first.entries
        write(sidecar, changed(SIDECAR, training__epoch=3, exp_name="b"))
        assert build_catalog(outputs, use_cache=use_cache).entries[0].epochs == 3
    assert list(index.rglob("*.index"))


def settled(index: Path) -> Collaborators:
    """What believes at once what it has read, with a process's own memory gone."""
    files = FileSystem(now_ns=lambda: time.time_ns() + 10 * SETTLING_NS)
    return Collaborators(files=files, cache=CatalogCache(index))


def test_what_has_not_changed_is_answered_from_the_outline_alone(
    outputs: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outputs / "gone.ckpt").unlink()
    (outputs / "a" / "checkpoints" / "broken.ckpt").unlink()
    first = CheckpointCatalogBuilder(outputs, collaborators=settled(index)).build_catalog()
    reading = Mock(side_effect=snapshot._memory)
    monkeypatch.setattr(snapshot, "_memory", reading)
    second = CheckpointCatalogBuilder(outputs, collaborators=settled(index)).build_catalog()
    assert (second.entries, second.skipped, second.problems) == (first.entries, first.skipped, first.problems)
    assert reading.call_count == 0
    write(outputs / "b" / "checkpoints" / "new.ckpt", b"x")
    third = CheckpointCatalogBuilder(outputs, collaborators=settled(index)).build_catalog()
    assert reading.call_count == 1
    assert len(third.problems) == len(first.problems) + 1


def test_a_config_that_went_is_noticed_by_another_process_beside_a_name_that_cannot_be_stored(
    tmp_path: Path, index: Path
) -> None:
    """The short way to an entry depends on the names of configs alone."""
    root = tmp_path / "outputs"
    write(root / "exp" / "checkpoints" / "a.ckpt", b"x")
    write(root / "exp" / "checkpoints" / "a.metadata.yaml", SIDECAR)
    config = write(root / "exp" / "config.yaml", b"{}")
    os.mkdir(os.fsencode(root / "exp") + b"/\xff")
    settled = FileSystem(now_ns=lambda: time.time_ns() + 2 * SETTLING_NS)

    def by_another_process() -> Path | None:
        collaborators = Collaborators(settled, CatalogCache(index))
        builder = CheckpointCatalogBuilder(root, True, False, collaborators=collaborators)
        return builder.build_catalog().entries[0].config_path

    assert by_another_process() == config
    config.unlink()
    assert by_another_process() is None


def test_what_a_caller_does_to_a_catalogs_lists_is_not_remembered(outputs: Path, index: Path) -> None:
    collaborators = settled(index)
    counts = []
    for _ in range(3):
        found = CheckpointCatalogBuilder(outputs, collaborators=collaborators).build_catalog()
        counts.append((len(found.entries), len(found.skipped), len(found.problems)))
        for told in (found.entries, found.skipped, found.problems):
            told.clear()
    assert counts == [(2, 2, 2)] * 3


@pytest.mark.parametrize("chosen", [".index", ".", "b", "b/checkpoints"])
def test_an_index_inside_the_tree_is_no_part_of_it_and_hides_nothing(outputs: Path, chosen: str) -> None:
    cache = CatalogCache(outputs / chosen)
    builder = CheckpointCatalogBuilder(outputs, collaborators=Collaborators(cache=cache))
    right = all_told(CheckpointCatalogBuilder(outputs, use_cache=False).build_catalog())
    assert all_told(builder.build_catalog()) == right
    write(Path(cache.index_dir) / "foreign.ckpt", b"x")
    assert all_told(builder.build_catalog()) == right


@pytest.mark.parametrize("chosen", [".index", ".", "b", "b/checkpoints"])
def test_an_index_inside_the_tree_is_written_until_all_has_settled_and_no_more(
    outputs: Path, chosen: str
) -> None:
    files = FileSystem(now_ns=lambda: time.time_ns() + 10 * SETTLING_NS)

    def written() -> list[tuple[int, int]]:
        cache = CatalogCache(outputs / chosen)
        collaborators = Collaborators(files=files, cache=cache)
        CheckpointCatalogBuilder(outputs, collaborators=collaborators).build_catalog()
        return [(path.stat().st_ino, path.stat().st_mtime_ns) for path in cache.files()]

    written()  # its folder is new, and changes the one that it stands in
    assert written() == written() == written()


def test_the_tree_is_never_written_to(outputs: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in outputs.rglob("*")}
    build_catalog(outputs)
    assert {path: path.lstat().st_mtime_ns for path in outputs.rglob("*")} == before


def test_progress_is_told_from_nothing_to_all(outputs: Path) -> None:
    told: list[tuple[int, int]] = []
    collaborators = Collaborators(progress=lambda done, total: told.append((done, total)))
    CheckpointCatalogBuilder(outputs, False, collaborators=collaborators).build_catalog()
    assert told == [(done, 5) for done in range(6)]


def test_a_folder_that_refuses_to_be_listed_stays_a_problem_when_the_rest_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = tmp_path / "half-open"
    (outputs / "closed").mkdir(parents=True)
    (outputs / "open").mkdir()
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    files = FileSystem(now_ns=lambda: time.time_ns() + 10 * SETTLING_NS)
    collaborators = Collaborators(files=files, cache=CatalogCache(tmp_path / "index"))
    for _ in range(3):
        found = CheckpointCatalogBuilder(outputs, collaborators=collaborators).build_catalog()
        assert [problem.path.name for problem in found.problems] == ["closed"]
    monkeypatch.undo()
    assert not CheckpointCatalogBuilder(outputs, collaborators=collaborators).build_catalog().problems
