"""Where memories are kept, and what becomes of a file that cannot be believed."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from catalog import snapshot
from catalog.index import Memory
from catalog.keys import _WANDB_VARIABLES, Key, _zone_rules, absolute_path, key_of
from catalog.outline import Outline, outline_of
from catalog.records import Answer, Problem, SkippedCheckpoint
from catalog.revision import Revision
from catalog.scan import Folder
from catalog.store import (
    INDEX_DIR_VARIABLE,
    CatalogCache,
    Remembered,
    clear_global_cache,
    default_index_dir,
    global_cache,
    remembered,
)
from tests.catalog.memories import SIGNATURE, answer, entry_at, memory_of, revised

if TYPE_CHECKING:
    from collections.abc import Callable


def memory_below(root: Path, name: str = "a.ckpt") -> Memory:
    entry = entry_at(root / "exp" / name, root)
    problem = Problem(path=root / "exp" / name, source="sidecar", key="k", expected="e", found="f", remedy="r")
    left_out = SkippedCheckpoint(root / "exp/b.ckpt", "why")
    answers = {
        f"exp/{name}": Answer(f"exp/{name}", entry, None, (problem,), "file", (f"exp/{name}",)),
        "exp/b.ckpt": Answer("exp/b.ckpt", None, left_out, (), "nothing", (), 12),
    }
    folder = Folder(
        "exp", SIGNATURE, (), {name: "file", "b.ckpt": "nothing"}, frozenset({"x.yaml"}), {"b.ckpt": "file"}
    )
    return Memory(folders={"exp": folder}, dependencies={f"exp/{name}": SIGNATURE, "c": None}, answers=answers)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return key_of(str(tmp_path / "outputs"), ("config.yaml",), use_wandb_fallback=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def only_file(folder: Path) -> Path:
    (path,) = Path(CatalogCache(folder).index_dir).iterdir()
    return path


def test_another_process_reads_exactly_what_was_saved(folder: Path, key: Key, tmp_path: Path) -> None:
    memory = memory_below(tmp_path / "outputs")
    CatalogCache(folder).save(key, memory)
    assert CatalogCache(folder).load(key).memory == memory


@pytest.mark.parametrize("root", [".", "outputs", "a/../outputs", "/"])
def test_the_paths_of_a_memory_come_back_as_they_were_given(folder: Path, root: str) -> None:
    key = key_of(root, (), use_wandb_fallback=False)
    CatalogCache(folder).save(key, memory_below(Path(root)))
    assert CatalogCache(folder).load(key).memory == memory_below(Path(root))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "foreign": lambda _: b"SQLite format 3\0" + b"x" * 100,
    "truncated": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
    "newer reader": lambda data: data.replace(b"index\n\0\0\0", b"index\n\0\0\1"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_file_that_cannot_be_believed_is_one_warning_and_nothing_remembered(
    damage: Callable[[bytes], bytes], folder: Path, key: Key, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = CatalogCache(folder)
    cache.save(key, memory_below(tmp_path / "outputs"))
    path = Path(cache.path(key))
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with caplog.at_level(logging.WARNING):
        assert CatalogCache(folder).load(key).memory == Memory()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "read anew" in caplog.text


def test_a_memory_that_cannot_be_read_is_one_warning_once_it_is_asked_for(
    folder: Path, key: Key, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = memory_below(tmp_path / "outputs")
    CatalogCache(folder).save(key, memory)
    kept = CatalogCache(folder).load(key)
    monkeypatch.setattr(snapshot, "_memory", _refusing)
    with caplog.at_level(logging.WARNING):
        assert kept.outline == outline_of(memory)
        assert caplog.records == []
        assert kept.memory == Memory()
        assert kept.memory == Memory()
    assert len(caplog.records) == 1
    assert "read anew" in caplog.text


def _refusing(*_: object) -> Memory:
    raise ValueError("no such thing")


def test_what_follows_a_memory_is_kept_as_if_it_came_first() -> None:
    first, second = answer("a"), answer("b")
    before = remembered(memory_of(first, second))
    assert before.dependents.on(["exp/a.yaml"]) == {"exp/a.ckpt"}
    scored = answer("a", score=0.5)
    after = memory_of(scored, second)
    kept = before.followed_by(after, revised(before.memory, after))
    assert (kept.memory, kept.outline) == (after, outline_of(after))
    assert kept.dependents is before.dependents
    other = memory_of(msgspec.structs.replace(scored, dependencies=("exp/a.yaml", "exp/b.yaml")), second)
    moved = kept.followed_by(other, revised(after, other))
    assert (moved.memory, moved.outline) == (other, outline_of(other))
    assert moved.dependents.on(["exp/b.yaml"]) == {"exp/a.ckpt", "exp/b.ckpt"}
    assert kept.dependents.on(["exp/b.yaml"]) == {"exp/b.ckpt"}


def test_a_revision_of_what_another_thread_has_replaced_is_not_believed() -> None:
    loaded = memory_of(answer("a"), answer("b"))
    after = memory_of(answer("a", score=0.5), answer("b"))
    replaced = remembered(memory_of(answer("a"), answer("b", score=0.25)))
    kept = replaced.followed_by(after, revised(loaded, after))
    assert (kept.memory, kept.outline) == (after, outline_of(after))


def test_an_outline_that_a_file_told_is_not_handed_on() -> None:
    """One that speaks of entries which its memory does not hold must not outlive the first change."""
    ghost = outline_of(memory_of(answer("ghost")))
    empty, memory = Memory(), memory_of(answer("a"))
    assert Remembered(ghost, lambda: empty).followed_by(empty, Revision(empty)).outline == Outline()
    told = msgspec.structs.replace(outline_of(memory), entries=[*outline_of(memory).entries, *ghost.entries])
    assert Remembered(told, lambda: memory).followed_by(memory, Revision(memory)).outline == outline_of(memory)


def test_threads_that_read_one_memory_find_the_same(folder: Path, key: Key, tmp_path: Path) -> None:
    memory = memory_below(tmp_path / "outputs")
    CatalogCache(folder).save(key, memory)
    cache = CatalogCache(folder)
    gate = threading.Barrier(8)

    def read(_: int) -> Memory:
        gate.wait()
        return cache.load(key).memory

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [memory] * 8


def test_a_file_written_for_another_key_is_not_believed(folder: Path, key: Key, tmp_path: Path) -> None:
    cache = CatalogCache(folder)
    cache.save(key, memory_below(tmp_path / "outputs"))
    other = key_of(str(tmp_path / "outputs"), ("other.yaml",), use_wandb_fallback=True)
    os.replace(cache.path(key), cache.path(other))
    assert CatalogCache(folder).load(other).memory == Memory()


def test_every_option_and_every_variable_that_matters_has_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        key_of("outputs", ("a",), use_wandb_fallback=True, environment={}),
        key_of("./outputs", ("a",), use_wandb_fallback=True, environment={}),
        key_of("outputs", ("b",), use_wandb_fallback=True, environment={}),
        key_of("outputs", ("a",), use_wandb_fallback=False, environment={}),
        key_of("outputs", ("a",), use_wandb_fallback=True, environment={"WANDB_API_KEY": "k"}),
        key_of("outputs", ("a",), use_wandb_fallback=True, environment={"WANDB_API_KEY": "another"}),
        key_of("outputs", ("a",), use_wandb_fallback=True, environment={"TZ": "Asia/Tokyo"}),
        *(
            key_of("outputs", ("a",), use_wandb_fallback=True, environment={name: "one"})
            for name in _WANDB_VARIABLES
        ),
    ]
    assert len({key.digest for key in keys}) == len(keys)
    here = [
        key_of("/outputs", (), use_wandb_fallback=True, environment={name: value})
        for name in ("WANDB_DIR", "NETRC", "WANDB_CONFIG_DIR")
        for value in ("runs", "/runs", "~/runs")
    ]
    monkeypatch.chdir("/")
    assert key_of("outputs", ("a",), use_wandb_fallback=True, environment={}).digest != keys[0].digest
    there = [
        key_of("/outputs", (), use_wandb_fallback=True, environment={name: value})
        for name in ("WANDB_DIR", "NETRC", "WANDB_CONFIG_DIR")
        for value in ("runs", "/runs", "~/runs")
    ]
    assert [one == other for one, other in zip(here, there, strict=True)] == [False, True, False] * 3


@pytest.mark.parametrize(
    ("name", "value"), [("tzname", ("ONE", "TWO")), ("timezone", 12345), ("altzone", 54321)]
)
def test_what_the_time_zone_comes_to_is_part_of_the_key(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of("/outputs", (), use_wandb_fallback=False, environment={})
    monkeypatch.setattr(time, name, value)
    assert key_of("/outputs", (), use_wandb_fallback=False, environment={}) != before


@pytest.mark.parametrize("is_below_tzdir", [True, False])
def test_new_rules_of_a_time_zone_are_another_zone_to_the_next_process(
    is_below_tzdir: bool, tmp_path: Path
) -> None:
    zone = tmp_path / "Somewhere"
    told = {"TZDIR": str(tmp_path), "TZ": ":Somewhere"} if is_below_tzdir else {"TZ": f":{zone}"}

    def of_new_process() -> Key:
        _zone_rules.cache_clear()
        return key_of("/outputs", (), use_wandb_fallback=False, environment=told)

    zone.write_bytes(b"old rules")
    before = of_new_process()
    os.replace(shutil.copy(zone, tmp_path / "copy"), zone)
    assert of_new_process() == before
    zone.write_bytes(b"new rules")
    # This process goes by the rules that it began with.
    assert key_of("/outputs", (), use_wandb_fallback=False, environment=told) == before
    assert of_new_process() != before


def test_another_user_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of("/outputs", (), use_wandb_fallback=False, environment={})
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert key_of("/outputs", (), use_wandb_fallback=False, environment={}) != before


def test_where_a_path_leads_through_links_is_part_of_the_key(tmp_path: Path) -> None:
    keys = []
    for version in ("v1", "v2"):
        (tmp_path / version / "code").mkdir(parents=True)
        (tmp_path / "current").unlink(missing_ok=True)
        (tmp_path / "current").symlink_to(tmp_path / version / "code")
        told = {"WANDB_DIR": f"{tmp_path}/current/.."}
        keys.append(key_of("/outputs", (), use_wandb_fallback=True, environment=told))
    assert keys[0] != keys[1]


def test_an_api_key_is_never_written(folder: Path, tmp_path: Path) -> None:
    secret = "k" * 40
    key = key_of(str(tmp_path), (), use_wandb_fallback=True, environment={"WANDB_API_KEY": secret})
    CatalogCache(folder).save(key, memory_below(tmp_path))
    assert secret.encode() not in only_file(folder).read_bytes()


def test_a_folder_that_cannot_be_written_still_lets_this_process_remember(key: Key, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CatalogCache(tmp_path / "file" / "index")
    memory = memory_below(tmp_path / "outputs")
    cache.save(key, memory)
    assert cache.load(key).memory == memory


def test_what_a_killed_writer_left_is_swept_at_the_next_write(folder: Path, key: Key, tmp_path: Path) -> None:
    cache = CatalogCache(folder)
    own = Path(cache.index_dir)
    own.mkdir(parents=True)
    part = f"{key.digest}.{os.getpid()}.0123abcd.index-part"
    for name in (part, part.replace("0123", "4567"), "mine.1.index-part", "mine.index"):
        (own / name).write_bytes(b"half")
    for name in (part, "mine.1.index-part"):
        os.utime(own / name, (0, 0))
    cache.save(key, memory_below(tmp_path / "outputs"))
    others = {part.replace("0123", "4567"), "mine.1.index-part", "mine.index"}
    assert {path.name for path in own.iterdir()} == {Path(cache.path(key)).name, *others}
    cache.clear()
    assert {path.name for path in own.iterdir()} == others


def test_each_user_of_a_shared_folder_has_an_index_there_and_clears_that_alone(
    key: Key, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become another user")
    shared = Path(tempfile.mkdtemp())
    shared.chmod(0o1777)
    mine = CatalogCache(shared)
    mine.save(key, memory_below(tmp_path / "outputs"))
    other = msgspec.structs.replace(key, outputs_dir="/other")
    child = os.fork()
    if child == 0:
        os.seteuid(65534)
        theirs = CatalogCache(shared)
        theirs.save(other, memory_below(Path("/other")))
        is_written = [str(path) for path in theirs.files()] == [theirs.path(other)]
        os._exit(0 if is_written and not theirs.clear() and not theirs.files() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [str(path) for path in mine.files()] == [mine.path(key)]
    shutil.rmtree(shared)


def test_no_folder_at_all_is_the_default_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path))
    assert CatalogCache("").index_dir == f"{tmp_path}/.ckpt-catalog"


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("outputs", "{here}/outputs"),
        ("../here/outputs", "{here}/outputs"),
        ("link/../outputs", "{far}/outputs"),
        ("link/../link", "{far}/link"),
        ("{here}/x/../outputs/", "{here}/outputs"),
    ],
)
def test_links_stay_in_an_absolute_path_but_for_those_that_are_led_back_from(
    path: str, absolute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, far = tmp_path / "here", tmp_path / "far"
    (far / "deep").mkdir(parents=True)
    here.mkdir()
    (here / "link").symlink_to(far / "deep")
    for folder in (here, far):
        (folder / "outputs").symlink_to(tmp_path)
    (far / "link").symlink_to(here)
    monkeypatch.chdir(here)
    places = {"here": here, "far": far}
    assert absolute_path(path.format(**places)) == absolute.format(**places)


def test_an_index_is_for_its_user_alone(folder: Path, key: Key, tmp_path: Path) -> None:
    CatalogCache(folder).save(key, memory_below(tmp_path / "outputs"))
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600


def test_names_that_are_no_utf_8_are_left_out_with_their_folder_and_the_rest_is_kept(
    folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "outputs"
    key = key_of(str(root), (), use_wandb_fallback=False)
    whole, odd = memory_below(root), memory_below(root, "\udcff.ckpt")
    moved = {path.replace("exp", "odd"): answer for path, answer in odd.answers.items()}
    folders = {**whole.folders, "odd": odd.folders["exp"]}
    CatalogCache(folder).save(
        key, Memory(folders, whole.dependencies | odd.dependencies, whole.answers | moved)
    )
    kept = CatalogCache(folder).load(key).memory
    # It is listed anew; the names of its files show what has gone.
    assert kept.folders == {**whole.folders, "odd": Folder("odd", None, (), {}, frozenset({"x.yaml"}), {})}
    assert kept.answers == whole.answers


def test_the_index_folder_is_chosen_by_its_variable_then_by_the_users_cache(tmp_path: Path) -> None:
    assert default_index_dir({INDEX_DIR_VARIABLE: str(tmp_path)}) == f"{tmp_path}/.ckpt-catalog"
    assert default_index_dir({"XDG_CACHE_HOME": str(tmp_path)}) == f"{tmp_path}/ckpt-catalog"


def test_an_index_folder_is_known_by_what_it_is_once_it_is_there(tmp_path: Path) -> None:
    cache = CatalogCache(tmp_path / "link" / ".index")
    assert cache.identity() is None
    (tmp_path / "sub" / ".index" / ".ckpt-catalog").mkdir(parents=True)
    (tmp_path / "link").symlink_to("sub")
    assert cache.identity() is not None
    assert cache.identity() == CatalogCache(tmp_path / "sub" / ".index").identity()


def test_clearing_forgets_this_process_and_the_files(
    key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    global_cache().save(key, memory_below(tmp_path / "outputs"))
    clear_global_cache()
    assert global_cache().load(key).memory == Memory()
    assert list((tmp_path / "index").rglob("*.*.index")) == []
