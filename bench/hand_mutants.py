"""Mutants written by hand: faults that people make when they write a catalog, as changes of V2's text."""

# ruff: noqa: E501 - a mutant is one line: what stands there, and what is put in its place

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

V2: Final = "catalog.subjects:v2"
REMEMBERED: Final = "catalog.subjects:v2_remembered"


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a module of the catalog package that stands there once, and what is put in its place."""

    module: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HandMutant:
    """A fault by name, the changes that make it, and the subject that shows it."""

    name: str
    changes: tuple[Change, ...]
    target: str = V2


def _one(name: str, module: str, before: str, after: str, target: str = V2) -> HandMutant:
    return HandMutant(name, (Change(module, before, after),), target)


_METRIC: Final = 'f"metrics.{name}", f"metrics.val/{name}"),\n'
_CLEVAL: Final = '            _place(Source.CHECKPOINT, f"cleval_metrics.{name}"),\n'

HAND_MUTANTS: Final = (
    _one(
        "metrics: the checkpoint before the sidecar",
        "contract",
        f"            _place(Source.SIDECAR, {_METRIC}{_CLEVAL}",
        f"{_CLEVAL}            _place(Source.SIDECAR, {_METRIC}",
    ),
    _one(
        "architecture: the path before the config",
        "contract",
        '_place(Source.SIDECAR, "model.architecture"),\n',
        '_place(Source.SIDECAR, "model.architecture"),\n            _place(Source.NAMES, "architecture"),\n',
    ),
    _one(
        "epochs: the file name before the checkpoint",
        "contract",
        '_place(Source.CHECKPOINT, "epoch"),\n            _place(Source.NAMES, "epoch"),',
        '_place(Source.NAMES, "epoch"),\n            _place(Source.CHECKPOINT, "epoch"),',
    ),
    HandMutant(
        "precision and recall swapped, in V2 and in legacy alike",
        (
            Change("merge", "        **told,\n", '        **told | {"precision": told.get("recall"), "recall": told.get("precision")},\n'),
            Change(
                "legacy",
                "entries=sorted(entries, key=lambda entry: _rank(entry, outputs_dir)),",
                "entries=[type(one)(**{**{name: getattr(one, name) for name in one.__struct_fields__}, "
                '"precision": one.recall, "recall": one.precision}) '
                "for one in sorted(entries, key=lambda entry: _rank(entry, outputs_dir))],",
            ),
        ),
    ),
    HandMutant(
        "encoder keys of a config swapped, in V2 and in legacy alike",
        (
            Change(
                "contract",
                '("model.encoder.model_name", "model.encoder.name")',
                '("model.encoder.name", "model.encoder.model_name")',
            ),
            Change(
                "legacy",
                '[("model", "encoder", "model_name"), ("model", "encoder", "name")]',
                '[("model", "encoder", "name"), ("model", "encoder", "model_name")]',
            ),
        ),
    ),
    _one("epoch of the file name off by one", "names", 'whole = int(digits or "0")', 'whole = int(digits or "0") + 1'),
    _one("every epoch off by one", "merge", "        **told,\n", '        **told | {"epochs": told["epochs"] + 1},\n'),
    _one("epoch 0 is listed", "merge", "if not epochs:", "if epochs is None:"),
    _one("epoch 1 is left out", "merge", "if not epochs:", "if not epochs or epochs == 1:"),
    _one("ties ordered by path before file name", "revision", 'path.rpartition("/")[2], path', 'path, path.rpartition("/")[2]'),
    _one("order of epochs as texts", "revision", "entry.backbone, entry.epochs)\n", "entry.backbone, str(entry.epochs))\n"),
    _one("order ignores case", "revision", "common = (entry.architecture,", "common = (entry.architecture.lower(),"),
    _one("NaN let through", "contract", "return number if math.isfinite(number) else UNUSABLE", "return number"),
    _one("a share above 1 let through", "contract", "and not 0 <= number <= 1 else number", "and not 0 <= number else number"),
    _one("a bool is a number", "contract", "isinstance(value, bool) or not isinstance(value, int | float | str)", "not isinstance(value, int | float | str)"),
    _one("`unknown` is a text", "contract", "value == UNKNOWN or not value", "not value"),
    _one("white space is a text", "contract", "not value or value.isspace()", "not value"),
    _one("mtime in UTC", "merge", "time.localtime(", "time.gmtime("),
    _one("created_at brought to local time", "contract", "    if isinstance(value, dt.datetime):\n", "    if isinstance(value, dt.datetime):\n        value = value.astimezone()\n"),
    _one("names told apart by case", "names", "lowered = path_below.lower()", "lowered = path_below"),
    _one("tokens split at letters beyond ASCII", "names", 'r"[\\W_]+"', 'r"[^a-z0-9]+"'),
    _one("sentinels exchanged", "names", '(("best", 999), ("last", 998))', '(("best", 998), ("last", 999))'),
    _one("the outermost `checkpoints` counts", "names", "range(len(parts) - 1, 0, -1)", "range(1, len(parts))"),
    _one("experiments right below the root are not seen", "names", "range(len(parts) - 1, 0, -1)", "range(len(parts) - 1, 1, -1)"),
    _one("any sidecar is metadata", "merge", "has_metadata=not METADATA_SOURCES.isdisjoint(findings.provenance.values()),", "has_metadata=True,"),
    _one("a sidecar's monitor still asks the checkpoint", "merge", 'if findings.provenance["monitor"] == Source.SIDECAR.value:', "if False:"),
    _one("problems are not noted", "merge", "if accepted is UNUSABLE:\n", "if accepted is UNUSABLE and not key:\n"),
    _one("long names are cut a letter later", "records", "len(self.exp_name) <= 23", "len(self.exp_name) <= 24"),
    _one("any mode is taken", "contract", 'isinstance(value, str) and value in {"min", "max"}', "isinstance(value, str)"),
    _one("a negative loss is taken", "contract", "isinstance(number, float) and number < 0", "isinstance(number, float) and number < -9"),
    _one("any schema version is believed", "sidecar", "not _is_unversioned(version)", "False"),
    _one("hidden folders are passed over", "scan", "if entry.is_dir(follow_symlinks=False):\n                self._add_folder(entry)", 'if entry.is_dir(follow_symlinks=False) and (name == ".hydra" or name[0] != "."):\n                self._add_folder(entry)'),
    _one("linked folders are walked", "scan", "if entry.is_dir(follow_symlinks=False):\n                self._add", "if entry.is_dir():\n                self._add"),
    _one("the first score of any file", "checkpoint", 're.split(r"[/\\\\]", path)[-1]', 're.split(r"[/]", path)[-1]'),
    _one("a rewritten file is not noticed", "changes", "map(ne, ours, theirs)", "map(bool, ())", REMEMBERED),
    _one("size and mtime vouch for a file", "changes", "map(ne, ours, theirs)", "(one is None or one[2:4] != other[2:4] for one, other in zip(ours, theirs))", REMEMBERED),
    _one("names that come and go are not noticed", "index", "before.files != tree.folders[path].files", "False", REMEMBERED),
    _one("what nothing vouches for is believed", "changes", "map(ne, ours, theirs)", "(one is not None and one != other for one, other in zip(ours, theirs))", REMEMBERED),
    _one("short way: a null is a text", "excerpt", 'elif raw in WORDS or first in', "elif first in"),
    _one("short way: a number is a text", "excerpt", ' or first in "-[{0123456789":', ":"),
    _one("short way: `unknown` is a text", "excerpt", "    if value == UNKNOWN:\n        raise Unproven\n", ""),
    _one("short way: white space is a text", "excerpt", "if not value or value.isspace():", "if not value:"),
    _one("short way: a model of the same length is the one before", "excerpt", "not text.startswith(model, begin)", "len(model) < 9"),
    _one("short way: a model that goes on is the one before", "excerpt", " or text[end : end + 1] in _NO_KEY", ""),
    _one("short way: a mapping may stand twice", "excerpt", 'once = f"(?({self._groups})(?!))"', 'once = ""'),
    _one("short way: a second model is passed over", "excerpt", "(*wanted, *elsewhere)", "wanted"),
    _one("short way: any schema version is believed", "excerpt", r'''r"'1\.0'"''', "_ANY"),
    _one("short way: any mode is taken", "excerpt", r'r"(?:min|max)(?=\n)"', "_ANY"),
    _one("short way: an epoch in octal is one in decimal", "excerpt", "(?:0|[1-9][0-9]{0,17}+)(?=", "[0-9]{1,17}+(?="),
    _one("short way: the sign of -0 is kept", "excerpt", r"(?!-0\n){NUMBER}", "{NUMBER}"),
    _one("short way: a metric by the end of its name", "excerpt", r'rfind(f"\n    {name}: ")', r'rfind(f"{name}: ") - 5'),
    _one("short way: a share above 1 let through", "shortcut", "0.0 <= told.hmean <= 1.0", "0.0 <= told.hmean"),
    _one("short way: a share below 0 let through", "shortcut", "0.0 <= told.precision <= 1.0", "told.precision <= 1.0"),
    _one("short way: epoch 0 is listed", "shortcut", "if not told.epoch:", "if told.epoch is None:"),
    _one("short way: a negative loss is taken", "shortcut", "accept_loss(value) in (SILENT, UNUSABLE)", "accept_loss(value) is SILENT"),
    _one("short way: the score of a monitor without folders", "shortcut", 'told.monitor.rpartition("/")[2]', "told.monitor"),
    _one("short way: no config", "shortcut", "config_path = reader.config_path(folder, file_name)", "config_path = None"),
    _one("short way: no metadata", "shortcut", "has_metadata=True", "has_metadata=False"),
    _one("short way: precision and recall exchanged", "shortcut", "precision=told.precision,\n        recall=told.recall", "precision=told.recall,\n        recall=told.precision"),
)  # fmt: skip
"""At least twenty; a change whose text is no longer found is an error, so that none goes unnoticed."""
