"""An index that is damaged, foreign, or cannot be kept: the answer is right, and the next one is remembered."""

from __future__ import annotations

import errno
import logging
import os
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import catalog
from catalog.builder import CheckpointCatalogBuilder, Collaborators, build_catalog
from catalog.filesystem import FileSystem
from catalog.keys import key_of
from catalog.store import INDEX_DIR_VARIABLE, MAX_INDEX_BYTES, CatalogCache
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write
from tests.property.comparison import told
from tests.ticks import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKPOINTS = 4
NOBODY = 65534
SETTLED = FileSystem(now_ns=lambda: time.time_ns() + 3600 * 10**9)
"""A clock by which the trees of these tests, which change only where they say so, have long settled."""


@dataclass
class Build:
    """One build: what it told, how many checkpoints it read for that, and its warnings."""

    told: object
    read: int
    warnings: list[str]


@dataclass
class _Warnings(logging.Handler):
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    __hash__ = logging.Handler.__hash__


def build(outputs: Path, index: Path | None, *, use_cache: bool = True, files: FileSystem = SETTLED) -> Build:
    """A build by a cache that knows only what the index file keeps."""
    totals = [0]
    collaborators = Collaborators(files, CatalogCache(index), lambda _, total: totals.append(total))
    handler, logger = _Warnings(), logging.getLogger("catalog")
    logger.addHandler(handler)
    try:
        built = CheckpointCatalogBuilder(outputs, use_cache, False, collaborators=collaborators).build_catalog()
    finally:
        logger.removeHandler(handler)
    return Build(told(built), totals[-1], handler.texts)


def make_tree(root: Path) -> Path:
    for experiment in ("a", "b"):
        write(root / experiment / "best.ckpt", b"x")
        write(root / experiment / "best.metadata.yaml", changed(SIDECAR, exp_name=experiment))
    write(root / "b" / "last.ckpt", b"no checkpoint")
    write(root / "b" / ".hydra" / "config.yaml", HYDRA)
    (root / "gone.ckpt").symlink_to(root / "nowhere")
    return root


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "outputs")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index"


def own_folder(index: Path) -> Path:
    """Where the files of an index stand that is to be kept in `index`."""
    return Path(CatalogCache(index).index_dir)


def only_file(index: Path) -> Path:
    (path,) = own_folder(index).iterdir()
    return path


def test_an_undamaged_index_is_believed_whole(outputs: Path, index: Path) -> None:
    first, again = build(outputs, index), build(outputs, index)
    assert (first.read, again.read) == (CHECKPOINTS, 0)
    assert first.told == again.told == build(outputs, index, use_cache=False).told
    assert first.warnings == again.warnings == []


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((rng.randrange(min(64, len(data))), rng.randrange(len(data))))]


def flip(data: bytes, rng: random.Random) -> bytes:
    position = rng.choice((rng.randrange(min(64, len(data))), rng.randrange(len(data))))
    return data[:position] + bytes([data[position] ^ 1 << rng.randrange(8)]) + data[position + 1 :]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data))
    return data[:begin] + rng.randbytes(rng.randrange(1, 64)) + data[begin + 64 :]


def extend(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice((data, b"\0", rng.randbytes(9)))


def is_foreign(_: bytes, rng: random.Random) -> bytes:
    return rng.choice(
        (b"", b"\0" * 4096, b"SQLite format 3\0" + rng.randbytes(200), b"{}\n", rng.randbytes(99))
    )


DAMAGES = (cut, flip, overwrite, extend, is_foreign)


@pytest.mark.parametrize("damage", DAMAGES, ids=[one.__name__ for one in DAMAGES])
def test_a_damaged_index_is_one_warning_a_right_answer_and_rebuilt(
    damage: Callable[[bytes, random.Random], bytes], outputs: Path, index: Path
) -> None:
    rng = random.Random(damage.__name__)
    right = build(outputs, index).told
    path = only_file(index)
    sound = path.read_bytes()
    for _ in range(150):
        damaged = damage(sound, rng)
        path.write_bytes(damaged)
        found = build(outputs, index)
        assert found.told == right
        assert (found.read, len(found.warnings)) == ((CHECKPOINTS, 1) if damaged != sound else (0, 0))
        assert "anew" in "".join(found.warnings) or damaged == sound
        again = build(outputs, index)
        assert (again.told, again.read, again.warnings) == (right, 0, [])
    assert only_file(index) == path


def test_a_version_to_come_is_rebuilt(outputs: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("catalog.snapshot.READER_VERSION", 10**6)
        build(outputs, index)
    found = build(outputs, index)
    assert found.read == CHECKPOINTS
    assert len(found.warnings) <= 1
    assert build(outputs, index).read == 0


def test_the_index_of_another_tree_is_not_believed(outputs: Path, index: Path, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other")
    write(other / "a" / "best.metadata.yaml", changed(SIDECAR, exp_name="elsewhere"))
    build(outputs, index)
    path = only_file(index)
    own = path.read_bytes()
    build(other, index)
    foreign = next(one for one in own_folder(index).iterdir() if one != path)
    path.write_bytes(foreign.read_bytes())
    foreign.write_bytes(own)
    for tree in (outputs, other):
        found = build(tree, index)
        assert found.told == build(tree, index, use_cache=False).told
        assert (found.read, len(found.warnings)) == (CHECKPOINTS, 1)
        assert build(tree, index).read == 0


def stand_in_its_place(path: Path, _index: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def dangle(path: Path, index: Path) -> None:
    path.unlink()
    path.symlink_to(index / "nowhere")


def loop(path: Path, _index: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def pipe(path: Path, _index: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def no_folder(path: Path, index: Path) -> None:
    path.unlink()
    index.rmdir()
    index.write_text("a file where the folder should be")


OBSTACLES = (stand_in_its_place, dangle, loop, pipe, no_folder)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("obstruct", OBSTACLES, ids=[one.__name__ for one in OBSTACLES])
def test_something_else_in_place_of_the_index_does_not_matter(
    obstruct: Callable[[Path, Path], None], outputs: Path, index: Path
) -> None:
    right = build(outputs, index).told
    obstruct(only_file(index), own_folder(index))
    for _ in range(2):
        found = build(outputs, index)
        assert found.told == right
        assert len(found.warnings) <= 1
    if own_folder(index).is_dir():
        assert len(list(own_folder(index).iterdir())) == 1  # nothing half-written is left beside it


def as_nobody(call: Callable[[], object]) -> None:
    """Fail as `call` does for a user who owns nothing, has no entry among the users, and may write nowhere.

    It is forked instead of started, since the interpreter itself may lie where that user cannot reach.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY - 4000)
            call()
        except BaseException as error:  # noqa: BLE001 - the parent tells it
            os.write(sender, repr(error).encode()[:4000])
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    assert not text, text


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter; pytest keeps its own to one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def assert_right_twice(outputs: Path, index: Path | None, right: object, *, warnings: int = 0) -> None:
    """Two builds of one cache, and one of the next process, answer rightly with so many warnings at most."""
    for _ in range(2):
        found = build(outputs, index)
        assert found.told == right
        assert len(found.warnings) <= warnings, found.warnings


def test_an_index_or_a_folder_without_rights_costs_the_memory_and_not_the_answer(reachable: Path) -> None:
    outputs, index = make_tree(reachable / "outputs"), reachable / "index"
    right = build(outputs, index).told
    path = only_file(index)
    path.chmod(0o644)
    sound = path.read_bytes()
    index.chmod(0o555)
    as_nobody(lambda: assert_right_twice(outputs, index, right))
    path.write_bytes(sound[:-1])
    as_nobody(lambda: assert_right_twice(outputs, index, right, warnings=1))
    path.chmod(0)
    as_nobody(lambda: assert_right_twice(outputs, index, right, warnings=1))
    index.chmod(0)
    as_nobody(lambda: assert_right_twice(outputs, index, right, warnings=1))
    index.chmod(0o755)
    assert only_file(index) == path


HOMES = ("", None, "/nonexistent", "read-only", "relative", "file")


@pytest.mark.parametrize("home", HOMES, ids=["empty", "unset", "missing", "read-only", "relative", "file"])
def test_a_home_that_cannot_keep_an_index_does_not_matter(home: str | None, reachable: Path) -> None:
    if home is None and os.getuid() != 0:
        pytest.skip("only the superuser can become a user who has no home at all")
    outputs = make_tree(reachable / "outputs")
    (reachable / "read-only").mkdir(mode=0o555)
    (reachable / "file").touch()
    reachable.chmod(0o555)
    right = build(outputs, None, use_cache=False).told

    def call() -> None:
        os.chdir(reachable)
        for name in (INDEX_DIR_VARIABLE, "XDG_CACHE_HOME", "HOME"):
            os.environ.pop(name, None)
        if home is not None:
            os.environ["HOME"] = str(reachable / home) if home in ("read-only", "file") else home
        assert_right_twice(outputs, None, right, warnings=home == "file")

    as_nobody(call)
    reachable.chmod(0o755)
    assert {path.name for path in reachable.iterdir()} == {"outputs", "read-only", "file"}
    assert list((reachable / "read-only").iterdir()) == []


def test_a_tree_that_cannot_be_written_is_remembered(reachable: Path) -> None:
    outputs = make_tree(reachable / "outputs")
    index = reachable / "index"
    index.mkdir()
    index.chmod(0o777)

    def call() -> None:
        first, again = build(outputs, index), build(outputs, index)
        assert (first.read, again.read, first.warnings) == (CHECKPOINTS, 0, [])

    as_nobody(call)


def remembered_in(place: str, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    """An index inside the tree, by parameter or by variable, by a relative path or an absolute one."""
    monkeypatch.chdir(outputs.parent)
    if place == "parameter":
        return Path(outputs.name) / "sub" / ".index"
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(outputs / ".index"))
    return None


@pytest.mark.parametrize("place", ["parameter", "variable"])
def test_a_copied_tree_with_its_index_inside_is_read_anew_once(
    place: str, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = remembered_in(place, outputs, monkeypatch)
    build(outputs, index)
    assert build(outputs, index).read == 0
    copy = Path(shutil.copytree(outputs, tmp_path / "copy", symlinks=True))
    tick(copy)
    write(copy / "a" / "best.metadata.yaml", changed(SIDECAR, exp_name="z"))
    before = (copy / "a" / "best.metadata.yaml").stat()
    os.utime(copy / "a" / "best.metadata.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    index = remembered_in(place, copy, monkeypatch)
    first, again = build(copy, index), build(copy, index)
    assert first.told == again.told == build(copy, index, use_cache=False).told
    assert (first.read, again.read, first.warnings) == (CHECKPOINTS, 0, [])
    assert build(outputs, remembered_in(place, outputs, monkeypatch)).read == 0


def test_an_index_that_took_the_place_of_the_one_inside_the_tree_is_not_believed(
    outputs: Path, tmp_path: Path
) -> None:
    """A tree that is moved away, with another copied to its place: the paths are those of the index."""
    build(outputs, outputs / ".index")
    copy = Path(shutil.copytree(outputs, tmp_path / "copy", symlinks=True))
    tick(copy)
    shutil.rmtree(outputs)
    copy.rename(outputs)
    write(outputs / "a" / "best.metadata.yaml", changed(SIDECAR, exp_name="z"))
    found = build(outputs, outputs / ".index")
    assert found.told == build(outputs, None, use_cache=False).told
    assert found.read >= CHECKPOINTS - 1  # a link that leads nowhere comes from no file


def test_the_names_of_the_old_cache_clear_the_index(
    outputs: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(index))
    for clear in (catalog.clear_global_cache, lambda: catalog.CatalogCache().clear()):
        build_catalog(outputs)
        only_file(index)
        clear()
        assert list(own_folder(index).iterdir()) == []


def test_a_folder_with_a_name_that_is_no_utf_8_is_listed_by_every_process(outputs: Path, index: Path) -> None:
    write(outputs / "b" / "\udcff.ckpt", b"x")
    write(outputs / "b" / "\udcff.metadata.yaml", SIDECAR)
    right = build(outputs, index, use_cache=False).told
    for _ in range(3):
        assert build(outputs, index).told == right


def test_a_tree_whose_own_path_is_no_utf_8_is_remembered_under_it(tmp_path: Path, index: Path) -> None:
    outputs = make_tree(tmp_path / "out\udcff")
    first = build(outputs, index)
    again = build(outputs, index)
    assert again.told == first.told == build(outputs, None, use_cache=False).told
    assert (first.read > 0, again.read) == (True, 0)


def test_an_environment_that_is_no_utf_8_is_a_key_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ENTITY", "\udcff")
    names = ("\udcff.yaml",)
    assert key_of("/a", names, use_wandb_fallback=True).digest
    assert key_of("/\udcff", (), use_wandb_fallback=False) != key_of("/\\udcff", (), use_wandb_fallback=False)
    assert key_of("/\udcff", (), use_wandb_fallback=False).root == "/\udcff"


def test_a_link_to_a_renamed_tree_names_its_experiment_anew(tmp_path: Path, index: Path) -> None:
    outputs = tmp_path / "link"
    for name in ("one", "two"):
        if name == "one":
            write(tmp_path / "one" / "a.ckpt", b"x")
            write(tmp_path / "one" / "a.metadata.yaml", without(SIDECAR, "exp_name"))
        else:
            (tmp_path / "one").rename(tmp_path / "two")
            outputs.unlink()
        outputs.symlink_to(tmp_path / name)
        assert build(outputs, index).told == build(outputs, None, use_cache=False).told


def test_what_the_system_refused_once_is_asked_for_again(
    outputs: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = build(outputs, None, use_cache=False).told

    def refuse(path: str) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    with monkeypatch.context() as patch:
        patch.setattr("catalog.evidence.read_bytes", refuse)
        assert build(outputs, index).told != right
    assert build(outputs, index).told == right


@pytest.mark.parametrize("size_bytes", [MAX_INDEX_BYTES + 1, 2**42])
def test_an_index_that_claims_to_be_huge_is_not_read(outputs: Path, index: Path, size_bytes: int) -> None:
    right = build(outputs, index).told
    os.truncate(only_file(index), size_bytes)
    found = build(outputs, index)
    assert found.told == right
    assert len(found.warnings) == 1
    assert build(outputs, index) == Build(right, 0, [])
