"""What counts as a change of a remembered tree, and what is asked of the system to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.changes import Changes, _differing, changes
from catalog.filesystem import ABSENT, SETTLING_NS, FileSystem
from catalog.index import Memory
from catalog.outline import outline_of
from catalog.records import Answer
from catalog.scan import Folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.filesystem import Signature, Stat
    from catalog.records import Kind

NOW_NS = 100 * SETTLING_NS
OLD: Signature = (0o100644, 2, 3, 4, 5)
NEW: Signature = (0o100644, 2, 3, 4, 6)
ANSWER = Answer("exp/a.ckpt", None, None, (), "file", ("exp/a.yaml",))


class Status:
    """What a stat tells."""

    def __init__(self, told: Signature) -> None:
        self.st_mode, self.st_ino, self.st_size, self.st_mtime_ns, self.st_ctime_ns = told


class Standing:
    """A file system of a dictionary, which counts what it is asked."""

    def __init__(self, standing: Mapping[str, Signature]) -> None:
        self.standing = standing
        self.asked: list[str] = []

    def stat(self, path: str) -> Stat:
        self.asked.append(path)
        if path not in self.standing:
            raise FileNotFoundError(path)
        return Status(self.standing[path])


def folder(path: str, signature: Signature | None = OLD, links: dict[str, Kind] | None = None) -> Folder:
    return Folder(path, signature, (), {}, frozenset(), links or {})


def memory(**parts: object) -> Memory:
    usual: dict[str, object] = {
        "folders": {"": folder(""), "exp": folder("exp")},
        "dependencies": {"exp/a.yaml": OLD, "/runs/config.yaml": OLD},
        "answers": {"exp/a.ckpt": ANSWER},
    }
    return Memory(**{**usual, **parts})  # type: ignore[arg-type]  # as above


UNCHANGED: dict[str, Signature] = dict.fromkeys(
    ("root", "root/exp", "root/exp/a.yaml", "/runs/config.yaml"), OLD
)


def found(remembered: Memory, **now: Signature | None) -> Changes:
    """The changes of a tree in which some paths (`root_exp` for `root/exp`) have other signatures, or none."""
    standing = dict(UNCHANGED)
    for name, signature in now.items():
        path = {one.replace("/", "_"): one for one in UNCHANGED}[name]
        del standing[path]
        if signature is not None:
            standing[path] = signature
    return changes(outline_of(remembered), "root", FileSystem(Standing(standing).stat, lambda: NOW_NS))


def test_nothing_changed_is_false() -> None:
    assert found(memory()) == Changes(NOW_NS)
    assert not found(memory())


@pytest.mark.parametrize("now", [NEW, None])
def test_changed_and_vanished_folders_and_files_are_told_apart(now: Signature | None) -> None:
    assert found(memory(), root_exp=now) == Changes(NOW_NS, folders={"exp"})
    assert found(memory(), root=now) == Changes(NOW_NS, folders={""})
    assert found(memory(), **{"root_exp_a.yaml": now}) == Changes(NOW_NS, files={"exp/a.yaml": 2})
    assert found(memory(), **{"_runs_config.yaml": now}) == Changes(NOW_NS, files={"/runs/config.yaml": 3})


def test_what_had_not_settled_counts_as_changed() -> None:
    assert found(memory(folders={"": folder(""), "exp": folder("exp", None)})).folders == {"exp"}
    assert found(memory(dependencies={"exp/a.yaml": None, "/runs/config.yaml": OLD})).files == {"exp/a.yaml": 2}


@pytest.mark.parametrize(("kind", "expected"), [("file", set()), ("folder", {"exp"}), ("nothing", {"exp"})])
def test_a_link_that_leads_to_something_else_changes_its_folder(kind: Kind, expected: set[str]) -> None:
    linked = memory(folders={"": folder(""), "exp": folder("exp", links={"a.yaml": kind})})
    assert found(linked).folders == expected


@pytest.mark.parametrize("path", ["", "exp"])
def test_links_are_looked_for_in_their_own_folder(path: str) -> None:
    files = Standing({**UNCHANGED, "root/last.ckpt": OLD, "root/exp/last.ckpt": OLD})
    linked = memory(folders={path: folder(path, links={"last.ckpt": "file"})})
    assert not changes(outline_of(linked), "root", FileSystem(files.stat, lambda: NOW_NS)).folders
    assert files.asked[-1] == (f"root/{path}/last.ckpt" if path else "root/last.ckpt")


@pytest.mark.parametrize(("expires_ns", "expired"), [(NOW_NS, True), (NOW_NS + 1, False), (None, False)])
def test_an_answer_whose_time_is_over_is_a_change(expires_ns: int | None, expired: bool) -> None:
    answer = Answer("exp/a.ckpt", None, None, (), "file", ("exp/a.yaml",), expires_ns)
    assert bool(found(memory(answers={"exp/a.ckpt": answer}))) == expired


@pytest.mark.parametrize("root", ["/", "root"])
def test_everything_is_asked_for_once(root: str) -> None:
    prefix = "/" if root == "/" else "root/"
    standing = dict.fromkeys((root, f"{prefix}exp", f"{prefix}exp/a.yaml", "/runs/config.yaml"), OLD)
    files = Standing(standing)
    assert not changes(outline_of(memory()), root, FileSystem(files.stat, lambda: NOW_NS))
    assert sorted(files.asked) == sorted(standing)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 12))
def test_lists_that_are_compared_in_pieces_differ_where_their_signatures_do(
    is_changed: list[bool], piece: int
) -> None:
    known: list[Signature | None] = [(1, number, 3, 4, 5) for number in range(len(is_changed))]
    found: list[Signature] = [(2 if one else 1, number, 3, 4, 5) for number, one in enumerate(is_changed)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("catalog.changes._PIECE", piece)
        assert _differing(known, found) == [place for place, one in enumerate(is_changed) if one]
    assert _differing([None, *known], [ABSENT, *found])[:1] == [0], (
        "what nothing vouches for differs from anything"
    )
