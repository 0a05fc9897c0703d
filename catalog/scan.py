"""One walk over a tree: its checkpoints, and the names that stand beside and above them.

Whoever needs to know whether a file exists asks the listing; nobody calls `exists()` after the walk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from catalog.filesystem import FileSystem, Signature, is_settled
from catalog.layout import CHECKPOINT_SUFFIX
from catalog.records import Kind

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_METADATA_SUFFIXES = (".yaml", ".yml", ".json")
_SUFFIXES = (CHECKPOINT_SUFFIX, *_METADATA_SUFFIXES)
_NO_FOLDERS: Mapping[str, Folder] = {}


Identity = tuple[int, int]
"""The device and inode of a folder."""


class Folder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One folder of the tree as it was listed.

    `path` is below the outputs directory, `""` for itself. `checkpoints` maps names to what they are;
    `files` are the other files that a catalog could read. `links` are those among all of these that
    are symlinks: what they lead to can change without this folder's signature telling. `signature` is
    from before the listing, and `None` where it had not settled.
    """

    path: str
    signature: Signature | None
    folders: tuple[str, ...]
    checkpoints: dict[str, Kind]
    files: frozenset[str]
    links: dict[str, Kind]

    def below(self, name: str) -> str:
        """The path of a name in this folder, below the outputs directory."""
        return f"{self.path}/{name}" if self.path else name


class Tree(msgspec.Struct):
    """What a walk saw: folders by path, those of them that were listed anew, and those that refused."""

    root: str
    folders: Mapping[str, Folder] = {}
    listed: set[str] = set()
    unreadable: dict[str, OSError] = {}

    def absolute(self, path_below: str) -> str:
        """The path that the operating system is asked for; one outside the tree is absolute already."""
        if not path_below:
            return self.root
        if path_below.startswith(os.sep):
            return path_below
        return self.root + path_below if self.root.endswith("/") else f"{self.root}/{path_below}"

    def has_file(self, folder: str, name: str) -> bool:
        """Whether a file that a catalog could read stands under `name` in `folder`."""
        listing = self.folders.get(folder)
        return listing is not None and name in listing.files


class Scanner(msgspec.Struct, frozen=True):
    """How to walk: the file system, further file names that matter, and the folder that is ours, if any.

    `ignored` tells the folder that is not walked, asked when something is listed: the index that the user
    put into the tree.
    """

    files: FileSystem = FileSystem()
    config_filenames: frozenset[str] = frozenset()
    ignored: Callable[[], Identity | None] = lambda: None

    def scan(
        self,
        root: str,
        known: Mapping[str, Folder] = _NO_FOLDERS,
        changed: AbstractSet[str] = frozenset(),
    ) -> Tree:
        """Walk the tree at `root`; of the folders in `known` those in `changed` alone are listed again."""
        tree = Tree(root)
        if known and not changed:
            tree.folders = known
            return tree
        ignored = self.ignored()
        if known and (unmoved := self._unmoved(root, known, changed, ignored)):
            return unmoved
        folders: dict[str, Folder] = {}
        tree.folders = folders
        pending = [""]
        while pending:
            path = pending.pop()
            folder = None if path in changed else known.get(path)
            if folder is None:
                folder = self._list(tree, path, ignored)
            folders[path] = folder
            if folder.folders:
                prefix = f"{path}/" if path else ""
                pending += [prefix + name for name in folder.folders]
        return tree

    def _unmoved(
        self, root: str, known: Mapping[str, Folder], changed: AbstractSet[str], ignored: Identity | None
    ) -> Tree | None:
        """The tree where those in `changed` hold the folders that they held, or `None` where they do not.

        All others stand where they stood then, and need not be walked.
        """
        tree = Tree(root)
        folders = dict(known)
        for path in changed:
            before = known.get(path)
            folder = None if before is None else self._list(tree, path, ignored)
            if before is None or folder is None or set(folder.folders) != set(before.folders):
                return None
            folders[path] = folder
        tree.folders = folders
        return tree

    def _list(self, tree: Tree, path: str, ignored: Identity | None) -> Folder:
        absolute = tree.absolute(path)
        tree.listed.add(path)
        taken_ns = self.files.now_ns()
        signature = self.files.signature(absolute)
        builder = _Listing(self, absolute, ignored)
        checkpoints, files = builder.checkpoints, builder.files
        try:
            with os.scandir(absolute) as entries:
                for entry in entries:
                    name = entry.name
                    # Nearly all names that matter are regular files: they are told by one question.
                    if name.endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False):
                        if name.endswith(CHECKPOINT_SUFFIX):
                            checkpoints[name] = "file"
                        else:
                            files.append(name)
                    else:
                        builder.add(entry)
        except OSError as error:
            tree.unreadable[path] = error
            return Folder(path, None, (), {}, frozenset(), {})  # nothing vouches for it: it is tried again
        return Folder(
            path,
            signature if is_settled(signature, taken_ns) else None,
            tuple(builder.folders),
            builder.checkpoints,
            frozenset(builder.files),
            builder.links,
        )


class _Listing:
    """The names of one folder, sorted into what they mean to a catalog."""

    __slots__ = ("absolute", "checkpoints", "files", "folders", "ignored", "links", "scanner")

    def __init__(self, scanner: Scanner, absolute: str, ignored: Identity | None) -> None:
        self.scanner = scanner
        self.ignored = ignored
        self.absolute = absolute
        self.folders: list[str] = []
        self.checkpoints: dict[str, Kind] = {}
        self.files: list[str] = []
        self.links: dict[str, Kind] = {}

    def add(self, entry: os.DirEntry[str]) -> None:
        name = entry.name
        is_checkpoint = name.endswith(CHECKPOINT_SUFFIX)
        if not (is_checkpoint or name.endswith(_METADATA_SUFFIXES) or name in self.scanner.config_filenames):
            if entry.is_dir(follow_symlinks=False):
                self._add_folder(entry)
            return
        kind = self._kind(entry, name)
        if is_checkpoint:
            self.checkpoints[name] = kind
        elif kind == "file":
            self.files.append(name)
        elif kind == "folder" and name not in self.links:
            self._add_folder(entry)

    def _add_folder(self, entry: os.DirEntry[str]) -> None:
        ignored = self.ignored
        if ignored is None or entry.inode() != ignored[1] or _device(entry) != ignored[0]:
            self.folders.append(entry.name)

    def _kind(self, entry: os.DirEntry[str], name: str) -> Kind:
        if entry.is_symlink():
            kind = self.links[name] = self.scanner.files.kind(f"{self.absolute}/{name}")
            return kind
        if entry.is_file(follow_symlinks=False):
            return "file"
        return "folder" if entry.is_dir(follow_symlinks=False) else "nothing"


def _device(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat(follow_symlinks=False).st_dev
    except OSError:
        return None
