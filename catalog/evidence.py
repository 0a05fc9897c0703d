"""What the sources say about one checkpoint, read when the table comes to them, and never twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog import config, layout, names, sidecar
from catalog.contract import WANDB_SOURCES, Source, accept_whole
from catalog.documents import DocumentError, parse_document, read_bytes, unreadable
from catalog.filesystem import ABSENT, FileSystem, Signature
from catalog.layout import HYDRA_CONFIG, OWN_CONFIG_SUFFIXES
from catalog.paths_below import maker_below
from catalog.records import Problem, ProblemSource
from catalog.refusal import HeaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from catalog.checkpoint import CheckpointFacts
    from catalog.records import Kind
    from catalog.scan import Tree


class Document(NamedTuple):
    """What one file, or one part of a run, says. `path` is below the outputs directory."""

    path: str
    content: Mapping[Any, Any]


Documents = tuple[Document | Problem, ...]
"""What a source says, file by file; a file that cannot be believed stands as its problem."""


def problem_source(source: Source) -> ProblemSource:
    """The name under which problems of a source are kept."""
    if source is Source.SIDECAR:
        return "sidecar"
    if source is Source.CHECKPOINT:
        return "checkpoint"
    return "wandb" if source in WANDB_SOURCES else "config"


@dataclass(slots=True)
class Reader:
    """Reads the files of one tree during one build: configs once for all, signatures before contents.

    `signatures` maps each path below the outputs directory that was looked at to what stood there then;
    it stays empty where nothing is to be remembered. `refused` are those that the system did not hand out:
    a disk or a right can be mended without the file changing, so that no signature vouches for a refusal.
    """

    tree: Tree
    config_filenames: tuple[str, ...]
    files: FileSystem = field(default_factory=FileSystem)
    is_remembering: bool = True
    signatures: dict[str, Signature] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    configs: dict[str, Document | Problem | None] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    _last_read: tuple[str, bytes] = ("", b"")
    _shared_configs: dict[str, str | None] = field(default_factory=dict)
    _hydra_configs: dict[str, str | None] = field(default_factory=dict)
    path_below: Callable[[str, str], Path] = field(init=False)

    def __post_init__(self) -> None:
        self.path_below = maker_below(Path(self.tree.root))

    def signature(self, path: str) -> Signature:
        """The signature of a path below the outputs directory, taken once a build."""
        found = self.signatures.get(path)
        if found is None:
            found = self.signatures[path] = self.files.signature(self.tree.absolute(path))
        return found

    def sign(self, paths: Iterable[str]) -> frozenset[str]:
        """Take the signatures of what is about to be read, where anything is remembered; tell the absent."""
        if not self.is_remembering:
            return frozenset()
        return frozenset(path for path in paths if self.signature(path) == ABSENT)

    def absent(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of some paths where nothing stood when their signatures were taken.

        What comes to stand there later must not be read: when it goes again, the signature is what it was.
        """
        return frozenset(path for path in paths if self.signatures.get(path) == ABSENT)

    def data(self, path: str) -> bytes:
        """The bytes of a metadata file; the last one is kept for who asks again. Raises `OSError`."""
        known_path, data = self._last_read
        if known_path != path:
            # The signature is older than the content: a change in between is seen at the next build.
            absolute = self.tree.absolute(path)
            if self.is_remembering and path not in self.signatures:
                self.signatures[path] = self.files.signature(absolute)
            try:
                data = read_bytes(absolute)
            except OSError:
                self.refused.add(path)
                raise
            self._last_read = (path, data)
        return data

    def document(self, path: str) -> object:
        """The value of a metadata file. Raises `DocumentError`."""
        try:
            data = self.data(path)
        except OSError as error:
            raise unreadable(error) from error
        # Its patterns take longer to compile than a remembered catalog to answer.
        from catalog import canonical

        value = canonical.parse(data) if path.endswith(".yaml") else None
        return parse_document(path, data) if value is None else value

    def absolute_path(self, path: str) -> Path:
        """A path below the outputs directory as an object, made once: checkpoints share folders and configs."""
        known = self.paths.get(path)
        if known is None:
            known = self.paths[path] = Path(self.tree.absolute(path))
        return known

    def config_path(self, folder: str, file_name: str) -> str | None:
        """Where the config of a checkpoint stands below the outputs directory."""
        names_here = self.tree.folders[folder].files
        stem = layout.stem_of(file_name)
        for suffix in OWN_CONFIG_SUFFIXES:
            if stem + suffix in names_here:
                return f"{folder}/{stem}{suffix}" if folder else stem + suffix
        if folder not in self._shared_configs:
            found = config.shared_candidates(folder, self.config_filenames)
            self._shared_configs[folder] = next(
                (
                    f"{above}/{name}" if above else name
                    for above, name in found
                    if self.tree.has_file(above, name)
                ),
                None,
            )
        return self._shared_configs[folder]

    def hydra_config_path(self, folder: str) -> str | None:
        """Where the Hydra config of a folder's checkpoints stands below the outputs directory."""
        if folder not in self._hydra_configs:
            name = HYDRA_CONFIG[1]
            found = (one for one in layout.hydra_folders(folder) if self.tree.has_file(one, name))
            above = next(found, None)
            self._hydra_configs[folder] = None if above is None else f"{above}/{name}"
        return self._hydra_configs[folder]

    def config(self, path: str) -> Document | Problem | None:
        """A config file's document, why there is none, or `None` for an empty one."""
        if path not in self.configs:
            self.configs[path] = self._read_config(path)
        return self.configs[path]

    def _read_config(self, path: str) -> Document | Problem | None:
        try:
            value = self.document(path)
            if value is None:
                return None
            if not isinstance(value, dict):
                raise DocumentError("a mapping", type(value).__name__)
        except DocumentError as error:
            return self.problem(path, "config", error)
        return Document(path, value)

    def problem(self, path: str, source: ProblemSource, error: DocumentError | HeaderError) -> Problem:
        """A refusal as a problem of the file at `path`."""
        return Problem(
            path=Path(self.tree.absolute(path)),
            source=source,
            expected=error.expected,
            found=error.found,
            remedy=error.remedy,
        )


@dataclass(slots=True)
class Evidence:
    """The documents of one checkpoint by source.

    `dependencies` lists the files below the outputs directory that were looked at for this checkpoint.
    `runs` is filled by whoever asks W&B.
    """

    reader: Reader
    folder: str
    file_name: str
    kind: Kind = "file"
    dependencies: list[str] = field(default_factory=list)
    runs: Mapping[Source, Documents] = field(default_factory=dict)
    _documents: dict[Source, Documents] = field(default_factory=dict)
    _facts: CheckpointFacts | None = None
    _moment: tuple[int | None, int | None] | None = None

    @property
    def path(self) -> str:
        """The checkpoint's path below the outputs directory."""
        return f"{self.folder}/{self.file_name}" if self.folder else self.file_name

    def documents(self, source: Source) -> Documents:
        """What a source says, or why it cannot be believed; empty where there is nothing."""
        known = self._documents.get(source)
        if known is None:
            if source in WANDB_SOURCES:
                return self.runs.get(source, ())
            known = self._documents[source] = tuple(self._read(source))
        return known

    def believed(self, source: Source) -> Iterator[Document]:
        """What a source says, without what cannot be believed."""
        return (document for document in self.documents(source) if isinstance(document, Document))

    def facts(self) -> CheckpointFacts | None:
        """The checkpoint's own facts beyond its document: its scores."""
        self.documents(Source.CHECKPOINT)
        return self._facts

    def signature(self) -> Signature:
        """The signature of the checkpoint itself; the answer then depends on it."""
        self.dependencies.append(self.path)
        return self.reader.signature(self.path)

    def depend(self, *paths: str) -> None:
        """Let the answer depend on what stands, or does not stand, at further paths from now on."""
        self.dependencies += paths
        if self.reader.is_remembering:
            for path in paths:
                self.reader.signature(path)

    def config_path(self) -> str | None:
        """Where the checkpoint's config stands below the outputs directory."""
        return self.reader.config_path(self.folder, self.file_name)

    def hydra_config_path(self) -> str | None:
        """Where the checkpoint's Hydra config stands below the outputs directory."""
        return self.reader.hydra_config_path(self.folder)

    def moment(self) -> tuple[int | None, int | None]:
        """The checkpoint's own epoch and global step, as far as sidecar, checkpoint or file name tells them."""
        if self._moment is None:
            self._moment = self._find_moment()
        return self._moment

    def has_sidecar(self) -> bool:
        """Whether anything stands where the checkpoint's sidecar may."""
        listing = self.reader.tree.folders[self.folder].files
        return any(name in listing for name in sidecar.sidecar_names(self.file_name))

    def _find_moment(self) -> tuple[int | None, int | None]:
        epoch = step = None
        for document in self.believed(Source.SIDECAR):
            training = document.content.get("training")
            if isinstance(training, dict):
                epoch, step = _whole(training.get("epoch")), _whole(training.get("global_step"))
        if epoch is None or step is None:
            for document in self.believed(Source.CHECKPOINT):
                epoch = _whole(document.content.get("epoch")) if epoch is None else epoch
                step = _whole(document.content.get("global_step")) if step is None else step
        # Lightning names a file by the numbers that it logs: `epoch=N` counts from 0, as the file's own does,
        # so that it is compared as it stands. (Before 1.6 it wrote N + 1 into the file that it named by N.)
        epoch = names.epoch_of(self.file_name) if epoch is None else epoch
        step = names.step_of(self.file_name) if step is None else step
        return epoch, step

    def _read(self, source: Source) -> Iterable[Document | Problem]:
        if source is Source.SIDECAR:
            return self._read_sidecars()
        if source is Source.CHECKPOINT:
            return self._read_checkpoint()
        if source is Source.CONFIG:
            return _with_chosen_callback(self._read_configs())
        return (Document(self.path, names.facts(self.path, self.reader.tree.root)),)

    def _read_sidecars(self) -> Iterator[Document | Problem]:
        """The first sidecar that is believed, after those that are not."""
        listing = self.reader.tree.folders[self.folder].files
        prefix = f"{self.folder}/" if self.folder else ""
        for name in sidecar.sidecar_names(self.file_name):
            if name not in listing:
                continue
            path = prefix + name
            self.dependencies.append(path)
            try:
                yield Document(path, sidecar.believe(self.reader.document(path)))
            except DocumentError as error:
                yield self.reader.problem(path, "sidecar", error)
            else:
                return

    def _read_checkpoint(self) -> Iterator[Document | Problem]:
        if self.kind == "folder":
            return
        # A catalog whose sidecars tell everything never needs the header's reader.
        from catalog.checkpoint import read_checkpoint

        self.signature()
        try:
            self._facts = read_checkpoint(self.reader.tree.absolute(self.path))
        except HeaderError as error:
            if isinstance(error.__cause__, OSError):
                self.reader.refused.add(self.path)
            yield self.reader.problem(self.path, "checkpoint", error)
        else:
            yield Document(self.path, self._facts.document)

    def _read_configs(self) -> Iterator[Document | Problem]:
        for path in dict.fromkeys((self.config_path(), self.hydra_config_path())):
            if path is not None:
                self.dependencies.append(path)
                found = self.reader.config(path)
                if found is not None:
                    yield found


def _whole(value: object) -> int | None:
    accepted = accept_whole(value)
    return accepted if isinstance(accepted, int) else None


def _with_chosen_callback(documents: Iterable[Document | Problem]) -> Iterator[Document | Problem]:
    """Put the contract's callback in place of the first config's that has one; the others then have none."""
    is_chosen = False
    for document in documents:
        if isinstance(document, Problem):
            yield document
            continue
        shown = None if is_chosen else config.chosen_callback(document.content)
        is_chosen = is_chosen or isinstance(shown, dict)
        yield Document(document.path, {**document.content, "callbacks": shown})
