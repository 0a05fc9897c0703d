from __future__ import annotations

import logging
import os
import pickle
import socket
import time
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from catalog.legacy import build_legacy_catalog
from catalog.records import CheckpointCatalog, CheckpointCatalogEntry, Provenance
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write

STATE_KEY = "ModelCheckpoint{{'monitor': {monitor!r}, 'mode': {mode!r}, 'train_time_interval': {interval!r}}}"


class Tree:
    """A handmade outputs directory with one experiment; the checkpoint's name may be chosen."""

    def __init__(self, root: Path, name: str = "x.ckpt") -> None:
        self.root = root
        self.path = root / "exp" / "checkpoints" / name
        self.own = self.path.parent
        self.own.mkdir(parents=True, exist_ok=True)

    def checkpoint(self, content: object) -> Tree:
        """Write the checkpoint: bytes as they stand, anything else by `torch.save`."""
        if isinstance(content, bytes):
            self.path.write_bytes(content)
        else:
            with self.path.open("wb") as file:  # given a path, torch refuses the name `.ckpt`
                torch.save(content, file)
        return self

    def sidecar(self, content: object, name: str | None = None) -> Tree:
        """Write a sidecar, by default under its first name."""
        write(self.own / (name or f"{self.path.stem}.metadata.yaml"), content)
        return self

    def hydra(self, content: object) -> Tree:
        """Write the Hydra config."""
        write(self.root / "exp" / ".hydra" / "config.yaml", content)
        return self

    def build(self) -> CheckpointCatalog:
        """List the tree."""
        return build_legacy_catalog(self.root)

    def entry(self) -> CheckpointCatalogEntry:
        """The only entry."""
        (entry,) = self.build().entries
        return entry

    def damaged(self) -> list[str]:
        """The names of the files with problems."""
        return sorted({problem.path.name for problem in self.build().problems})


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "outputs")


def state_key(monitor: str = "val/hmean", mode: str = "max", interval: object = None) -> str:
    """A state key as Lightning writes it."""
    return STATE_KEY.format(monitor=monitor, mode=mode, interval=interval)


def saved(**keys: Any) -> dict[str, Any]:
    """A checkpoint of epoch 4 with more keys."""
    return {"epoch": 4, **keys}


# The outputs directory


def test_a_missing_outputs_directory_is_an_empty_catalog_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "catalog.legacy")
    catalog = build_legacy_catalog(tmp_path / "missing")
    assert (catalog.entries, catalog.problems, len(caplog.records)) == ([], [], 1)


def test_a_dangling_link_as_outputs_directory_is_missing(tmp_path: Path) -> None:
    (tmp_path / "outputs").symlink_to(tmp_path / "nowhere")
    assert build_legacy_catalog(tmp_path / "outputs").total_count == 0


def test_a_file_as_outputs_directory_raises_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="outputs"):
        build_legacy_catalog(write(tmp_path / "outputs", "text"))


# Which checkpoints


def test_checkpoints_are_found_at_any_depth_and_in_hidden_folders(tmp_path: Path) -> None:
    names = ["epoch=1.ckpt", "a/epoch=2.ckpt", ".hidden/a/b/c/epoch=3.ckpt"]
    for name in names:
        write(tmp_path / name, b"")
    found = {entry.checkpoint_path for entry in build_legacy_catalog(tmp_path)}
    assert found == {tmp_path / name for name in names}


def test_the_ending_is_compared_with_its_case(tmp_path: Path) -> None:
    write(tmp_path / "epoch=1.CKPT", b"")
    assert build_legacy_catalog(tmp_path).total_count == 0


def test_a_link_to_a_file_is_a_checkpoint_of_its_own(tree: Tree) -> None:
    tree.checkpoint(saved())
    (tree.own / "last.ckpt").symlink_to("x.ckpt")
    assert sorted(entry.display_name for entry in tree.build()) == ["last", "x"]


def test_links_to_folders_are_not_followed(tree: Tree) -> None:
    tree.checkpoint(saved())
    (tree.root / "again").symlink_to(tree.root / "exp")
    assert tree.build().total_count == 1


def test_a_sharded_checkpoint_is_listed_and_not_descended_into(tree: Tree) -> None:
    write(tree.own / "epoch=7.ckpt" / "inner.ckpt", b"damaged")
    catalog = tree.build()
    assert [(entry.display_name, entry.epochs) for entry in catalog] == [("epoch=7", 7)]
    assert (catalog.problems, catalog.skipped) == ([], [])


def test_a_link_to_a_folder_with_the_ending_is_one_checkpoint(tree: Tree) -> None:
    write(tree.root / "shards" / "inner.ckpt", b"")
    (tree.own / "epoch=7.ckpt").symlink_to(tree.root / "shards")
    assert [entry.display_name for entry in tree.build()] == ["epoch=7"]


def test_dangling_and_circular_links_are_problems_and_not_skipped(tree: Tree) -> None:
    (tree.own / "best.ckpt").symlink_to("gone.ckpt")
    (tree.own / "last.ckpt").symlink_to("last.ckpt")
    assert tree.damaged() == ["best.ckpt", "last.ckpt"]
    assert tree.build().skipped == []


def test_pipes_and_sockets_with_the_ending_are_problems(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.ckpt"))  # the whole path may be too long for one
        assert Tree(tmp_path).damaged() == ["pipe.ckpt", "socket.ckpt"]


def test_a_folder_that_cannot_be_read_is_a_problem(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.checkpoint(saved())
    locked = tree.root / "locked"
    locked.mkdir()

    def scandir(path: Path) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)  # the suite may run as root, whom no permission stops
    assert (tree.damaged(), tree.build().total_count) == (["locked"], 1)


def test_a_file_name_that_is_no_unicode_is_listed(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"epoch=3-\xff.ckpt"), b"")
    (entry,) = build_legacy_catalog(tmp_path).entries
    assert os.fsencode(entry.display_name) == b"epoch=3-\xff"


def test_paths_stand_under_the_outputs_directory_as_given(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.checkpoint(saved())
    monkeypatch.chdir(tree.root)
    (entry,) = build_legacy_catalog(Path("../outputs"))
    assert str(entry.checkpoint_path) == "../outputs/exp/checkpoints/x.ckpt"


def test_epoch_0_is_skipped_with_its_reason(tree: Tree) -> None:
    catalog = tree.checkpoint({"epoch": 0}).build()
    assert (catalog.entries, [one.checkpoint_path for one in catalog.skipped]) == ([], [tree.path])
    assert "0" in catalog.skipped[0].reason


def test_an_unknown_epoch_is_skipped(tree: Tree) -> None:
    assert len(tree.checkpoint({}).build().skipped) == 1


def test_entries_stand_in_the_order_of_the_contract(tmp_path: Path) -> None:
    names = [
        "b/epoch=2.ckpt",
        "a/epoch=2.ckpt",
        "epoch=10.ckpt",
        "resnet18/epoch=1.ckpt",
        "dbnet/epoch=9.ckpt",
        "Z/a-epoch=2.ckpt",
    ]
    for name in names:
        write(tmp_path / name, b"")
    found = [entry.checkpoint_path.relative_to(tmp_path).as_posix() for entry in build_legacy_catalog(tmp_path)]
    assert found == [
        "dbnet/epoch=9.ckpt",
        "resnet18/epoch=1.ckpt",
        "Z/a-epoch=2.ckpt",
        "a/epoch=2.ckpt",
        "b/epoch=2.ckpt",
        "epoch=10.ckpt",
    ]


def test_nothing_is_written_into_the_tree(tree: Tree) -> None:
    tree.checkpoint(saved()).sidecar(SIDECAR).hydra(HYDRA)
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    tree.build()
    assert {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")} == before


# The sidecar


def test_a_whole_sidecar_answers_alone(tree: Tree) -> None:
    entry = tree.checkpoint(b"never asked").sidecar(SIDECAR).entry()
    assert entry == CheckpointCatalogEntry(
        checkpoint_path=tree.path,
        config_path=None,
        display_name="x",
        architecture="dbnet",
        backbone="resnet18",
        exp_name="told-experiment",
        epochs=7,
        created_timestamp="20251019_0807",
        hmean=0.85,
        precision=0.9,
        recall=0.8,
        monitor="val/hmean",
        monitor_mode="max",
        score=0.86,
        has_metadata=True,
    )


def test_a_checkpoint_that_was_not_asked_is_no_problem_however_damaged(tree: Tree) -> None:
    assert tree.checkpoint(b"damaged").sidecar(SIDECAR).damaged() == []


def test_one_missing_metric_asks_the_checkpoint(tree: Tree) -> None:
    tree.checkpoint(b"damaged").sidecar(without(SIDECAR, "metrics.recall"))
    assert tree.damaged() == ["x.ckpt"]


@pytest.mark.parametrize("name", ["x.metadata.yaml", "x.ckpt.metadata.yaml", "x.metadata.json"])
def test_each_name_of_a_sidecar_is_read(tree: Tree, name: str) -> None:
    assert tree.checkpoint(b"").sidecar(SIDECAR, name).entry().epochs == 7


def test_the_first_believed_sidecar_wins_and_the_others_are_not_read(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar("[]", "x.metadata.yaml").sidecar(SIDECAR, "x.ckpt.metadata.yaml")
    tree.sidecar("damaged", "x.metadata.json")
    assert (tree.entry().epochs, tree.damaged()) == (7, ["x.metadata.yaml"])


@pytest.mark.parametrize(
    "content",
    ["", "text", "- 1", "a: [", "a: b: c", b"\xff\xfe\x00", "schema_version: '2.0'", "schema_version: 1"],
)
def test_a_sidecar_that_is_not_believed_is_a_problem(tree: Tree, content: object) -> None:
    tree.checkpoint(saved()).sidecar(content)
    assert (tree.entry().has_metadata, tree.damaged()) == (False, ["x.metadata.yaml"])


@pytest.mark.parametrize("version", ["'1.0'", "1.0", "unknown", "", "' '"])
def test_these_versions_are_believed(tree: Tree, version: str) -> None:
    tree.checkpoint(b"").sidecar(f"schema_version: {version}\ntraining: {{epoch: 5}}\n")
    assert tree.entry().epochs == 5


def test_a_folder_or_a_dangling_link_in_the_place_of_a_sidecar_is_passed_over(tree: Tree) -> None:
    tree.checkpoint(saved())
    (tree.own / "x.metadata.yaml").mkdir()
    (tree.own / "x.ckpt.metadata.yaml").symlink_to("gone")
    assert tree.damaged() == []


def test_the_older_form_is_read(tree: Tree) -> None:
    older = {
        "training": {"epoch": 5},
        "model": {"architecture": "craft", "encoder": "resnet34"},
        "config": {"monitor": "val/loss", "mode": "min"},
        "metrics": {"val/hmean": 0.5, "val/precision": 0.6, "val/recall": 0.7, "val/loss": 1.5},
    }
    entry = tree.checkpoint(b"").sidecar(older, "x.metadata.json").entry()
    assert (entry.backbone, entry.monitor, entry.monitor_mode, entry.score) == (
        "resnet34",
        "val/loss",
        "min",
        1.5,
    )
    assert (entry.hmean, entry.precision, entry.recall) == (0.5, 0.6, 0.7)
    assert tree.damaged() == []


def test_an_older_key_answers_where_the_newer_one_is_unusable_which_is_noted(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar(changed(SIDECAR, metrics__hmean=7, **{"metrics__val/hmean": 0.25}))
    assert (tree.entry().hmean, tree.damaged()) == (0.25, ["x.metadata.yaml"])


def test_one_unusable_value_leaves_the_rest_of_the_sidecar_believed(tree: Tree) -> None:
    tree.checkpoint(saved(cleval_metrics={"hmean": 0.125})).sidecar(changed(SIDECAR, metrics__hmean="high"))
    entry = tree.entry()
    assert (entry.hmean, entry.recall, entry.epochs) == (0.125, 0.8, 7)
    assert tree.damaged() == ["x.metadata.yaml"]


def test_a_step_that_is_no_mapping_makes_the_key_unusable_there(tree: Tree) -> None:
    catalog = tree.checkpoint(saved()).sidecar(changed(SIDECAR, training=[7])).build()
    assert [entry.epochs for entry in catalog] == [4]
    assert [problem.key for problem in catalog.problems] == ["training"]


@pytest.mark.parametrize("silent", [None, "", " \t", "unknown"])
def test_silence_is_no_problem(tree: Tree, silent: object) -> None:
    tree.checkpoint(saved()).sidecar(changed(SIDECAR, exp_name=silent, training=silent))
    entry = tree.entry()
    assert (entry.exp_name, entry.epochs, tree.damaged()) == ("exp", 4, [])


@pytest.mark.parametrize(
    "value", [-1, 1.5, True, "7.0", "+7", " 7", "\u0667", 2**63, float("nan"), float("inf"), "9" * 5000, [7]]
)
def test_these_are_no_whole_numbers(tree: Tree, value: object) -> None:
    tree.checkpoint(saved()).sidecar(changed(SIDECAR, training__epoch=value))
    assert (tree.entry().epochs, tree.damaged()) == (4, ["x.metadata.yaml"])


@pytest.mark.parametrize(
    ("value", "epochs"), [(7.0, 7), ("0012", 12), (2**63 - 1, 2**63 - 1), ("0" * 5000 + "3", 3)]
)
def test_these_are_whole_numbers(tree: Tree, value: object, epochs: int) -> None:
    tree.checkpoint(b"").sidecar(changed(SIDECAR, training__epoch=value))
    assert tree.entry().epochs == epochs


@pytest.mark.parametrize("value", [True, "high", float("nan"), "inf", -0.1, 1.0001, [0.5], 10**400, {}])
def test_these_are_no_metrics(tree: Tree, value: object) -> None:
    tree.checkpoint(b"").sidecar(changed(SIDECAR, metrics__recall=value))
    assert (tree.entry().recall, tree.damaged()) == (None, ["x.ckpt", "x.metadata.yaml"])


@pytest.mark.parametrize(("value", "metric"), [(1, 1.0), (0, 0.0), ("0.5", 0.5), (" 5e-1 ", 0.5)])
def test_these_are_metrics(tree: Tree, value: object, metric: float) -> None:
    tree.checkpoint(b"").sidecar(changed(SIDECAR, metrics__recall=value))
    recall = tree.entry().recall
    assert (type(recall), recall) == (float, metric)


@pytest.mark.parametrize("value", ["7", "[dbnet]", '"\\ud800"', "2025-01-01", "true"])
def test_these_are_no_texts(tree: Tree, value: str) -> None:
    tree.checkpoint(b"").sidecar(f"training: {{epoch: 5}}\nexp_name: {value}\n")
    entry = tree.entry()
    assert (entry.exp_name, "x.metadata.yaml" in tree.damaged()) == ("exp", True)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("'2025-10-19T08:07:59.999'", "20251019_0807"),
        ("2025-10-19T08:07:06", "20251019_0807"),
        ("2025-10-19T08:07:06+09:00", "20251019_0807"),
        ("2025-10-19 23:07:06Z", "20251019_2307"),
        ("'2025-10-19T08:07:06+09:00'", "20251019_0807"),
        ("2025-10-19", "20251019_0000"),
        ("'2025-10-19'", "20251019_0000"),
        ("'0800-01-02T03:04'", "08000102_0304"),
    ],
)
def test_a_creation_time_counts_as_its_clock_was_written(tree: Tree, written: str, shown: str) -> None:
    tree.checkpoint(b"").sidecar(f"training: {{epoch: 5}}\ncreated_at: {written}\n")
    assert tree.entry().created_timestamp == shown


@pytest.mark.parametrize("written", ["yesterday", "20251019.5", "[2025]", "1_760_000_000"])
def test_an_unusable_creation_time_falls_back_to_the_file(tree: Tree, written: str) -> None:
    tree.checkpoint(b"").sidecar(f"training: {{epoch: 5}}\ncreated_at: {written}\n")
    os.utime(tree.path, (0, 0))
    local = time.strftime("%Y%m%d_%H%M", time.localtime(0))
    assert (tree.entry().created_timestamp, "x.metadata.yaml" in tree.damaged()) == (local, True)


def test_the_last_nanosecond_of_a_minute_belongs_to_it(tree: Tree) -> None:
    os.utime(tree.checkpoint(saved()).path, ns=(0, 60 * 10**9 - 1))
    assert tree.entry().created_timestamp == time.strftime("%Y%m%d_%H%M", time.localtime(0))


def test_a_link_has_the_time_of_its_target(tree: Tree) -> None:
    os.utime(tree.checkpoint({}).path, (0, 0))
    (tree.own / "last.ckpt").symlink_to("x.ckpt")
    assert tree.entry().created_timestamp == time.strftime("%Y%m%d_%H%M", time.localtime(0))


def test_a_sidecar_that_told_nothing_is_no_metadata(tree: Tree) -> None:
    assert not tree.checkpoint(saved()).sidecar({"hydra_config_path": "x"}).entry().has_metadata


def test_a_sidecar_that_told_only_the_score_is_metadata(tree: Tree) -> None:
    tree.checkpoint(saved()).hydra(HYDRA).sidecar({"metrics": {"additional_metrics": {"val/recall": 0.5}}})
    entry = tree.entry()
    assert (entry.score, entry.has_metadata) == (0.5, True)


def test_an_epoch_0_in_the_sidecar_is_believed(tree: Tree) -> None:
    tree.checkpoint(saved()).sidecar(changed(SIDECAR, training__epoch=0))
    assert (tree.build().total_count, len(tree.build().skipped)) == (0, 1)


# Limits of metadata files


def aliases(levels: int) -> str:
    """A short YAML text that stands for 9 ** levels nodes."""
    lines = ["a0: &a0 [" + ", ".join("x" * 9) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 65 + "]" * 65,
        "a: &a [*a]",
        "&a {x: *a}",
        aliases(9),
        "a: " + "[" * 5000,
        "!!python/object:os.system {}",
        "!!timestamp no",
        "!!int ''",
        "a: 2025-13-45",
        "a: 1\n---\nb: 2",
        "a: *gone",
        "a: \x01",
    ],
    ids=lambda text: str(text)[:20],
)
def test_a_document_beyond_the_limits_or_the_grammar_is_a_problem(tree: Tree, content: str) -> None:
    tree.checkpoint(saved()).sidecar(content)
    assert (tree.entry().epochs, tree.damaged()) == (4, ["x.metadata.yaml"])


@pytest.mark.parametrize("content", [b"{", b"\xff{}", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_json_that_cannot_be_read_is_a_problem(tree: Tree, content: bytes) -> None:
    tree.checkpoint(saved()).sidecar(content, "x.metadata.json")
    assert (tree.entry().epochs, tree.damaged()) == (4, ["x.metadata.json"])


@pytest.mark.parametrize(("levels", "damaged"), [(63, []), (64, ["x.metadata.json"])])
def test_64_collections_in_each_other_are_read_and_65_are_not(
    tree: Tree, levels: int, damaged: list[str]
) -> None:
    tree.checkpoint(saved()).sidecar('{"a": ' + "[" * levels + "]" * levels + "}", "x.metadata.json")
    assert tree.damaged() == damaged


@pytest.mark.parametrize(("items", "damaged"), [(99_997, []), (99_998, ["x.metadata.json"])])
def test_100000_nodes_are_read_and_one_more_is_not(tree: Tree, items: int, damaged: list[str]) -> None:
    # The mapping, its key and the list are nodes too.
    tree.checkpoint(saved()).sidecar('{"a": [' + ",".join("0" * items) + "]}", "x.metadata.json")
    assert tree.damaged() == damaged


@pytest.mark.parametrize(("padding", "damaged"), [(0, []), (1, ["x.metadata.json"])])
def test_8_mebibytes_are_read_and_one_byte_more_is_not(tree: Tree, padding: int, damaged: list[str]) -> None:
    tree.checkpoint(saved()).sidecar(b"{}" + b" " * (8 * 2**20 - 2 + padding), "x.metadata.json")
    assert tree.damaged() == damaged


def test_yaml_means_what_safe_load_reads(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar("training: {epoch: 0o17}\nmetrics: {hmean: 1e-3, recall: yes}\nexp_name: no\n")
    entry = tree.sidecar("training: {epoch: 0x11}\nmetrics: {hmean: 1e-3, recall: yes}\nexp_name: ~\n").entry()
    assert (entry.epochs, entry.hmean, entry.recall, entry.exp_name) == (17, 0.001, None, "exp")


def test_shared_parts_of_a_document_are_read(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar("base: &b {epoch: 6}\ntraining: {<<: *b, x: 1}\n")
    assert tree.entry().epochs == 6


# The checkpoint


def test_a_checkpoint_tells_epoch_and_metrics(tree: Tree) -> None:
    metrics = {"hmean": torch.tensor(0.5), "precision": np.float32(0.25), "recall": 1}
    entry = tree.checkpoint(saved(cleval_metrics=metrics)).entry()
    assert (entry.epochs, entry.hmean, entry.precision, entry.recall) == (4, 0.5, 0.25, 1.0)
    assert (entry.has_metadata, entry.provenance) == (False, Provenance())


@pytest.mark.parametrize("epoch", [torch.tensor(6), np.int64(6), torch.tensor(6.0, dtype=torch.bfloat16)])
def test_a_scalar_counts_as_its_value(tree: Tree, epoch: object) -> None:
    assert tree.checkpoint({"epoch": epoch}).entry().epochs == 6


@pytest.mark.parametrize(
    "epoch", [torch.tensor([6]), torch.tensor(True), np.bool_(True), torch.tensor(6j), (6,)]
)
def test_what_is_no_scalar_number_is_unusable(tree: Tree, epoch: object) -> None:
    catalog = tree.checkpoint({"epoch": epoch}).build()
    assert (catalog.total_count, [problem.key for problem in catalog.problems]) == (0, ["epoch"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"damaged", [1, 2], torch.tensor(1.0), 7])
def test_a_checkpoint_that_does_not_load_or_is_no_mapping_is_a_problem(tmp_path: Path, content: object) -> None:
    tree = Tree(tmp_path, "epoch=3.ckpt").checkpoint(content)
    assert (tree.entry().epochs, tree.damaged()) == (3, ["epoch=3.ckpt"])


def test_a_truncated_checkpoint_is_a_problem(tree: Tree) -> None:
    tree.checkpoint(saved(state_dict={"w": torch.zeros(64)}))
    tree.checkpoint(tree.path.read_bytes()[:700])
    assert (len(tree.build().skipped), tree.damaged()) == (1, ["x.ckpt"])


class Loud:
    """Warns, then raises something of its own when it is loaded."""

    def __reduce__(self) -> Any:
        return (warn_and_raise, ())


def warn_and_raise() -> None:
    warnings.warn("loud", FutureWarning, stacklevel=1)
    raise ZeroDivisionError


def test_whatever_a_checkpoint_raises_or_warns_stays_inside(tree: Tree) -> None:
    assert tree.checkpoint(saved(loud=Loud())).damaged() == ["x.ckpt"]


def test_a_class_that_cannot_be_imported_is_a_problem(tree: Tree) -> None:
    torch.save(saved(hyper_parameters=OrderedDict(a=1)), tree.path, pickle_protocol=2)
    tree.checkpoint(tree.path.read_bytes().replace(b"OrderedDict", b"UnknownDict"))
    assert tree.damaged() == ["x.ckpt"]


@pytest.mark.parametrize("is_zip", [True, False])
def test_both_formats_of_torch_are_loaded(tree: Tree, is_zip: bool) -> None:
    torch.save(saved(), tree.path, _use_new_zipfile_serialization=is_zip)
    assert tree.entry().epochs == 4


def test_mappings_of_other_classes_are_mappings(tree: Tree) -> None:
    metrics = OmegaConf.create({"hmean": 0.5})
    tree.checkpoint(OrderedDict(epoch=4, cleval_metrics=metrics))
    assert tree.entry().hmean == 0.5


def test_a_mapping_that_cannot_be_read_is_unusable(tree: Tree) -> None:
    metrics = OmegaConf.create({"hmean": "${nowhere}"})
    tree.checkpoint(saved(cleval_metrics=metrics))
    assert (tree.entry().hmean, tree.damaged()) == (None, ["x.ckpt"])


@pytest.mark.parametrize(
    ("name", "width", "backbone"),
    [
        ("conv_stem.weight", 16, "mobilenetv3_small_050"),
        ("conv_stem.weight", 24, "mobilenetv3_small_075"),
        ("conv_stem.weight", 25, "mobilenetv3_large_100"),
        ("features.0.0.weight", 40, "efficientnet_b0"),
        ("features.0.0.weight", 41, "efficientnet_b3"),
        ("layer1.0.conv1.weight", 256, "resnet50"),
        ("layer2.0.conv1.weight", 255, "resnet18"),
        ("layer3.0.conv1.weight", 1, "resnet18"),
        ("layer4.0.conv1.weight", 1, "unknown"),
    ],
)
def test_shapes_tell_the_backbone(tree: Tree, name: str, width: int, backbone: str) -> None:
    weights = {f"model.encoder.model.{name}": torch.empty(width, 1, device="cpu")}
    assert tree.checkpoint(saved(state_dict=weights)).entry().backbone == backbone


def test_the_first_rule_of_shapes_stands_before_the_first_key(tree: Tree) -> None:
    weights = {
        "encoder.model.layer1.0.conv1.weight": torch.zeros(1),
        "encoder.model.conv_stem.weight": torch.zeros(1),
    }
    assert tree.checkpoint(saved(state_dict=weights)).entry().backbone == "mobilenetv3_small_050"


def test_a_tensor_without_dimensions_and_what_is_no_tensor_tell_no_shape(tree: Tree) -> None:
    weights = {
        "a.encoder.model.conv_stem.weight": torch.tensor(1.0),
        "b.encoder.model.conv_stem.weight": [1],
        "encoder.model.layer3.0.conv1.weight": torch.zeros(1),
        7: torch.zeros(1),
    }
    assert tree.checkpoint(saved(state_dict=weights)).entry().backbone == "resnet18"


def test_the_first_key_in_the_order_of_the_file_counts(tree: Tree) -> None:
    names = ["encoder.model.layer3.0.conv1.weight", "encoder.model.layer1.0.conv1.weight"]
    weights = dict(zip(names, [torch.empty(256), torch.empty(64)], strict=True))
    assert tree.checkpoint(saved(state_dict=weights)).entry().backbone == "resnet50"


def test_model_state_dict_stands_in_where_state_dict_is_no_mapping(tree: Tree) -> None:
    weights = {"encoder.model.features.0.0.weight": torch.empty(32)}
    assert (
        tree.checkpoint(saved(state_dict=None, model_state_dict=weights)).entry().backbone == "efficientnet_b0"
    )


def test_an_empty_state_dict_is_a_mapping(tree: Tree) -> None:
    weights = {"encoder.model.features.0.0.weight": torch.empty(32)}
    assert tree.checkpoint(saved(state_dict={}, model_state_dict=weights)).entry().backbone == "unknown"


# Names


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("runs/DBNet-x/epoch=1.ckpt", "dbnet"),
        ("craft_dbnetpp/epoch=1.ckpt", "dbnetpp"),
        ("psenet/pan/epoch=1.ckpt", "pan"),
        ("companion/epoch=1.ckpt", "unknown"),
        ("dbnet2/epoch=1.ckpt", "unknown"),
        ("epoch=1.pan.ckpt", "pan"),
    ],
)
def test_an_architecture_is_a_whole_token_of_the_path(tmp_path: Path, name: str, architecture: str) -> None:
    write(tmp_path / name, b"")
    (entry,) = build_legacy_catalog(tmp_path).entries
    assert entry.architecture == architecture


@pytest.mark.parametrize(
    ("name", "backbone"),
    [("xResNet50y/epoch=1.ckpt", "resnet50"), ("resnet50/resnet18-epoch=1.ckpt", "resnet18")],
)
def test_an_encoder_may_stand_anywhere_in_the_path(tmp_path: Path, name: str, backbone: str) -> None:
    write(tmp_path / name, b"")
    (entry,) = build_legacy_catalog(tmp_path).entries
    assert entry.backbone == backbone


def test_folders_above_the_outputs_directory_tell_nothing(tmp_path: Path) -> None:
    write(tmp_path / "dbnet_resnet18" / "outputs" / "epoch=1.ckpt", b"")
    (entry,) = build_legacy_catalog(tmp_path / "dbnet_resnet18" / "outputs")
    assert (entry.architecture, entry.backbone) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("name", "exp_name"),
    [
        ("exp/checkpoints/epoch=1.ckpt", "exp"),
        ("exp/checkpoints/deep/er/epoch=1.ckpt", "exp"),
        ("a/checkpoints/b/checkpoints/epoch=1.ckpt", "b"),
        ("a/checkpoints/checkpoints/epoch=1.ckpt", "checkpoints"),
        ("exp/loose/epoch=1.ckpt", "loose"),
        ("exp/Checkpoints/epoch=1.ckpt", "Checkpoints"),
        ("checkpoints/epoch=1.ckpt", "checkpoints"),
        ("checkpoints/a/epoch=1.ckpt", "a"),
        ("epoch=1.ckpt", "outputs"),
    ],
)
def test_the_experiment_is_named_by_folders(tmp_path: Path, name: str, exp_name: str) -> None:
    write(tmp_path / "outputs" / name, b"")
    (entry,) = build_legacy_catalog(tmp_path / "outputs")
    assert entry.exp_name == exp_name


def test_the_outputs_directory_lends_its_resolved_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "outputs" / "epoch=1.ckpt", b"")
    monkeypatch.chdir(tmp_path / "outputs")
    (entry,) = build_legacy_catalog(Path())
    assert entry.exp_name == "outputs"


@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        ("epoch=5.ckpt", 5),
        ("a-EPOCH_007-step=9.ckpt", 7),
        ("epoch-3-epoch=4.ckpt", 3),
        ("epoch--3_epoch_2.ckpt", 2),
        ("best.ckpt", 999),
        ("Best-v1.ckpt", 999),
        ("LAST.ckpt", 998),
        ("best-epoch=2.ckpt", 2),
        ("epoch=99999999999999999999_best.ckpt", None),
        ("the-best.ckpt", None),
        (".ckpt", None),
    ],
)
def test_epochs_by_name(tmp_path: Path, name: str, epochs: int | None) -> None:
    tree = Tree(tmp_path, name).checkpoint({})
    assert [entry.epochs for entry in tree.build()] == ([] if epochs is None else [epochs])


def test_a_folder_tells_no_epoch(tmp_path: Path) -> None:
    write(tmp_path / "epoch=5" / "x.ckpt", b"")
    assert build_legacy_catalog(tmp_path).total_count == 0


def test_the_checkpoint_stands_before_the_name_and_the_name_before_the_config(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "best-epoch=5.ckpt").hydra(HYDRA).checkpoint(saved())
    assert tree.entry().epochs == 4
    assert tree.checkpoint({}).entry().epochs == 5


def test_max_epochs_stand_before_the_sentinels(tmp_path: Path) -> None:
    assert Tree(tmp_path, "best.ckpt").hydra(HYDRA).checkpoint({}).entry().epochs == 300


# Configs


def config_names(root: Path) -> list[Path]:
    """Every place of a config, the first first."""
    own = root / "exp" / "run" / "checkpoints"
    return [
        *(
            own / f"x{suffix}"
            for suffix in (".config.json", ".config.yaml", ".config.yml", ".resolved.config.json")
        ),
        root / "exp" / "run" / ".hydra" / "config.yaml",
        root / "exp" / ".hydra" / "config.yaml",
        own / "config.yaml",
        own / "hparams.yaml",
        root / "exp" / "run" / "config.yaml",
        root / "exp" / "run" / "hparams.yaml",
    ]


@pytest.mark.parametrize("first", range(10))
def test_the_first_config_that_is_there_is_the_config(tmp_path: Path, first: int) -> None:
    torch.save(saved(), write(tmp_path / "exp" / "run" / "checkpoints" / "x.ckpt", b""))
    for path in config_names(tmp_path)[first:]:
        write(path, {})
    (entry,) = build_legacy_catalog(tmp_path).entries
    assert entry.config_path == config_names(tmp_path)[first]


def test_other_config_names_can_be_chosen(tree: Tree) -> None:
    tree.checkpoint(saved())
    write(tree.own / "config.yaml", {})
    chosen = write(tree.own / "my.yaml", {})
    (entry,) = build_legacy_catalog(tree.root, ["my.yaml"])
    assert entry.config_path == chosen


def test_no_config_is_taken_from_above_the_outputs_directory(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / ".hydra"):
        write(folder / "config.yaml", HYDRA)
    torch.save(saved(), write(tmp_path / "outputs" / "x.ckpt", b""))
    (entry,) = build_legacy_catalog(tmp_path / "outputs")
    assert (entry.config_path, entry.architecture) == (None, "unknown")


def test_a_hydra_folder_beside_the_checkpoint_is_not_looked_into(tree: Tree) -> None:
    tree.checkpoint(saved())
    write(tree.own / ".hydra" / "config.yaml", HYDRA)
    assert tree.entry().config_path is None


def test_a_hydra_folder_that_is_a_link_is_not_looked_into(tree: Tree) -> None:
    tree.checkpoint(saved())
    write(tree.root / "elsewhere" / "config.yaml", HYDRA)
    (tree.root / "exp" / ".hydra").symlink_to(tree.root / "elsewhere")
    assert tree.entry().config_path is None


def test_a_config_tells_what_no_sidecar_told(tree: Tree) -> None:
    entry = tree.checkpoint({}).hydra(HYDRA).entry()
    assert (entry.architecture, entry.backbone, entry.epochs) == ("craft", "resnet50", 300)
    assert (entry.monitor, entry.monitor_mode, entry.has_metadata) == ("val/recall", "max", False)


def test_the_own_config_is_asked_with_all_its_keys_before_the_hydra_config(tree: Tree) -> None:
    tree.checkpoint(saved()).hydra({"model": {"architectures": "pan", "encoder": {"name": "vgg16"}}})
    write(tree.own / "x.config.json", {"model": {"architecture_name": "psenet"}})
    entry = tree.entry()
    assert (entry.architecture, entry.backbone) == ("psenet", "vgg16")


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ({"architectures": "a", "architecture": "b", "architecture_name": "c"}, "a"),
        ({"architectures": "unknown", "architecture": "b", "architecture_name": "c"}, "b"),
        ({"architecture_name": "c"}, "c"),
    ],
)
def test_keys_of_a_config_are_tried_in_order(tree: Tree, model: dict[str, str], architecture: str) -> None:
    assert tree.checkpoint(saved()).hydra({"model": model}).entry().architecture == architecture


def test_an_unusable_key_before_the_one_that_tells_is_noted(tree: Tree) -> None:
    tree.checkpoint(saved()).hydra({"model": {"architectures": {}, "architecture": "b"}})
    assert (tree.entry().architecture, tree.damaged()) == ("b", ["config.yaml"])


@pytest.mark.parametrize("content", ["a: [", "- 1", "text", b"\xff"])
def test_a_config_that_cannot_be_read_is_a_problem_and_the_next_is_asked(tree: Tree, content: object) -> None:
    write(tree.own / "x.config.yaml", content)
    tree.checkpoint({}).hydra(HYDRA)
    assert (tree.entry().architecture, tree.damaged()) == ("craft", ["x.config.yaml"])


@pytest.mark.parametrize("content", ["", "# nothing", "{}", "~"])
def test_an_empty_config_is_silent(tree: Tree, content: str) -> None:
    assert tree.checkpoint(saved()).hydra(content).damaged() == []


def test_a_config_that_was_not_asked_is_no_problem(tree: Tree) -> None:
    assert tree.checkpoint(b"").sidecar(SIDECAR).hydra("a: [").damaged() == []


def test_a_second_config_that_was_not_asked_is_no_problem(tree: Tree) -> None:
    write(tree.own / "x.config.json", HYDRA)
    assert tree.checkpoint(saved()).hydra("a: [").damaged() == []


def test_a_config_shared_by_two_checkpoints_is_noted_once(tree: Tree) -> None:
    tree.checkpoint(saved()).hydra("a: [")
    torch.save(saved(), tree.own / "y.ckpt")
    assert len(tree.build().problems) == 1


# Callbacks


def callback(monitor: object, target: str = "ModelCheckpoint", mode: object = "max") -> dict[str, object]:
    """A callback of a config."""
    return {"_target_": target, "monitor": monitor, "mode": mode}


@pytest.mark.parametrize("as_list", [True, False])
def test_the_first_model_checkpoint_of_a_config_speaks(tree: Tree, as_list: bool) -> None:
    offered = [
        callback("no", "lightning.EarlyStopping", "min"),
        callback("no", "NotAModelCheckpoint", "min"),
        callback("yes", "lightning.pytorch.callbacks.ModelCheckpoint"),
        callback("no"),
    ]
    callbacks: object = offered if as_list else {f"c{n}": one for n, one in enumerate(offered)}
    entry = tree.checkpoint(saved()).hydra({"callbacks": callbacks}).entry()
    assert (entry.monitor, entry.monitor_mode) == ("yes", "max")


def test_without_a_model_checkpoint_the_first_told_monitor_speaks(tree: Tree) -> None:
    callbacks = {"a": None, "b": {}, "c": callback("unknown", "X"), "d": callback("yes", "X", "min")}
    entry = tree.checkpoint(saved()).hydra({"callbacks": callbacks}).entry()
    assert (entry.monitor, entry.monitor_mode, tree.damaged()) == ("yes", "min", [])


def test_the_first_config_with_such_a_callback_counts_though_it_is_silent(tree: Tree) -> None:
    write(tree.own / "x.config.json", {"callbacks": {"a": callback(None, mode="min")}})
    entry = tree.checkpoint(saved()).hydra(HYDRA).entry()
    assert (entry.monitor, entry.monitor_mode) == (None, "min")


def test_a_first_config_without_such_a_callback_leaves_it_to_the_second(tree: Tree) -> None:
    write(tree.own / "x.config.json", {"callbacks": {"a": {"mode": "min"}}})
    entry = tree.checkpoint(saved()).hydra(HYDRA).entry()
    assert (entry.monitor, entry.monitor_mode) == ("val/recall", "max")


@pytest.mark.parametrize("callbacks", ["text", 7, {"a": callback(7)}, {"a": callback("m", mode="up")}])
def test_unusable_callbacks_are_noted(tree: Tree, callbacks: object) -> None:
    assert tree.checkpoint(saved()).hydra({"callbacks": callbacks}).damaged() == ["config.yaml"]


@pytest.mark.parametrize("callbacks", [{"a": "text"}, [7]])
def test_a_callback_of_another_type_is_passed_over(tree: Tree, callbacks: object) -> None:
    assert tree.checkpoint(saved()).hydra({"callbacks": callbacks}).damaged() == []


def test_monitor_and_mode_may_come_from_different_sources(tree: Tree) -> None:
    tree.checkpoint(b"").hydra(HYDRA).sidecar(without(SIDECAR, "checkpointing.mode"))
    entry = tree.sidecar(
        changed(without(SIDECAR, "checkpointing.mode"), checkpointing__monitor="val/loss")
    ).entry()
    assert (entry.monitor, entry.monitor_mode) == ("val/loss", "max")


def test_a_checkpoint_tells_monitor_by_state_and_mode_by_state_key(tree: Tree) -> None:
    callbacks = {"EarlyStopping{'monitor': 'no'}": {}, state_key("old", "min"): {"monitor": "new"}}
    entry = tree.checkpoint(saved(callbacks=callbacks)).entry()
    assert (entry.monitor, entry.monitor_mode) == ("new", "min")


@pytest.mark.parametrize("monitor", ["a', 'mode': 'min", 'a", "mode": "min', "{'mode': 'min'}", "\\d"])
def test_a_monitor_that_quotes_a_mode_misleads_nobody(tree: Tree, monitor: str) -> None:
    callbacks = {state_key(monitor): {"monitor": monitor}}
    entry = tree.checkpoint(saved(callbacks=callbacks)).entry()
    assert (entry.monitor, entry.monitor_mode) == (monitor, "max")


def test_a_time_interval_among_the_arguments_does_not_hide_the_mode(tree: Tree) -> None:
    key = (
        "ModelCheckpoint{'monitor': 'm', 'train_time_interval': datetime.timedelta(seconds=60), 'mode': 'min'}"
    )
    assert tree.checkpoint(saved(callbacks={key: {"monitor": "m"}})).entry().monitor_mode == "min"


@pytest.mark.parametrize(
    "key", ["ModelCheckpoint", "ModelCheckpoint{", "ModelCheckpoint{}", "ModelCheckpoint{1}"]
)
def test_a_state_key_without_arguments_tells_no_mode(tree: Tree, key: str) -> None:
    entry = tree.checkpoint(saved(callbacks={key: {"monitor": "m"}})).entry()
    assert (entry.monitor, entry.monitor_mode, tree.damaged()) == ("m", None, [])


def test_without_a_model_checkpoint_a_state_with_a_monitor_speaks(tree: Tree) -> None:
    callbacks = {"A{'mode': 'max'}": {}, "B{'mode': 'min'}": {"monitor": "m"}, 7: {"monitor": "n"}}
    entry = tree.checkpoint(saved(callbacks=callbacks)).entry()
    assert (entry.monitor, entry.monitor_mode) == ("m", "min")


@pytest.mark.parametrize("callbacks", [[1], "text", {state_key(mode="up"): {}}])
def test_unusable_callbacks_of_a_checkpoint_are_noted(tree: Tree, callbacks: object) -> None:
    assert tree.checkpoint(saved(callbacks=callbacks)).damaged() == ["x.ckpt"]


# Score


@pytest.mark.parametrize(
    ("monitor", "metrics", "score"),
    [
        ("val/a.b", {"additional_metrics": {"val/a.b": -3}}, -3.0),
        ("val/hmean", {"additional_metrics": {"val/hmean": "2e3"}, "hmean": 0.5}, 2000.0),
        ("val/hmean", {"additional_metrics": {"hmean": 1}, "hmean": 0.5}, 0.5),
        ("recall", {"val/recall": 0.25}, 0.25),
        ("a/b/precision", {"precision": 0.75}, 0.75),
        ("train/loss", {"validation_loss": 12.5}, 12.5),
        ("validation_loss", {"val/loss": 0}, 0.0),
        ("val/other", {"hmean": 0.5}, None),
    ],
)
def test_a_sidecar_tells_the_score_of_its_monitor(
    tree: Tree, monitor: str, metrics: dict[str, object], score: float | None
) -> None:
    document = {
        "training": {"epoch": 5},
        "checkpointing": {"monitor": monitor, "mode": "max"},
        "metrics": metrics,
    }
    assert tree.checkpoint(b"").sidecar(document).entry().score == score


def test_an_unusable_score_gives_way_to_the_named_metric_and_is_noted(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar(changed(SIDECAR, **{"metrics__additional_metrics__val/hmean": "high"}))
    assert (tree.entry().score, tree.damaged()) == (0.85, ["x.metadata.yaml"])


def test_a_loss_below_zero_is_unusable(tree: Tree) -> None:
    tree.checkpoint(b"").sidecar(
        changed(SIDECAR, metrics__validation_loss=-1, checkpointing__monitor="val/loss")
    )
    assert (tree.entry().score, tree.damaged()) == (None, ["x.metadata.yaml"])


def test_where_the_sidecar_told_the_monitor_the_checkpoint_is_not_asked_for_the_score(tree: Tree) -> None:
    tree.checkpoint(b"damaged").sidecar(changed(SIDECAR, checkpointing__monitor="val/other"))
    assert (tree.entry().score, tree.damaged()) == (None, [])


def test_without_a_monitor_there_is_no_score(tree: Tree) -> None:
    assert tree.checkpoint(saved(callbacks={"ModelCheckpoint": {"current_score": 0.5}})).entry().score is None


@pytest.mark.parametrize("folder", ["/old/machine/", "C:\\runs\\", ""])
def test_the_score_of_this_file_is_found_by_its_name(tree: Tree, folder: str) -> None:
    best = {"other.ckpt": 0.1, f"{folder}x.ckpt": torch.tensor(0.5), "later/x.ckpt": 0.2}
    state = {"monitor": "val/hmean", "best_k_models": best, "current_score": torch.tensor(0.25)}
    assert tree.checkpoint(saved(callbacks={state_key(): state})).entry().score == 0.5


@pytest.mark.parametrize("best", [None, [1], {}, {"xx.ckpt": 0.5}, {"x.ckpt": None}, {7: 0.5}])
def test_the_current_score_stands_in_where_this_file_is_not_among_the_best(tree: Tree, best: object) -> None:
    state = {"monitor": "val/hmean", "best_k_models": best, "current_score": torch.tensor(0.25)}
    tree.checkpoint(saved(callbacks={state_key(): state}))
    assert (tree.entry().score, tree.damaged()) == (0.25, [])


@pytest.mark.parametrize("best", [{"x.ckpt": float("nan")}, {"x.ckpt": torch.tensor([0.5])}])
def test_an_unusable_best_score_is_noted_and_the_current_one_told(tree: Tree, best: object) -> None:
    state = {"monitor": "val/hmean", "best_k_models": best, "current_score": 0.25}
    tree.checkpoint(saved(callbacks={state_key(): state}))
    assert (tree.entry().score, tree.damaged()) == (0.25, ["x.ckpt"])


def test_the_score_belongs_to_the_first_model_checkpoint_with_the_monitor(tree: Tree) -> None:
    callbacks = {
        state_key("val/loss", "min"): {"monitor": "val/loss", "current_score": 9.0},
        "EarlyStopping{}": {"monitor": "val/recall", "current_score": 8.0},
        state_key("val/recall"): {"monitor": "val/recall", "current_score": 0.5},
        state_key("val/recall", "min"): {"monitor": "val/recall", "current_score": 0.7},
    }
    entry = tree.checkpoint(saved(callbacks=callbacks)).hydra(HYDRA).entry()
    assert (entry.monitor, entry.score) == ("val/recall", 0.5)


# The old way


def test_every_checkpoint_is_loaded_whole_even_where_a_sidecar_tells_all(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[tuple[str, dict[str, Any]]] = []
    load = torch.load

    def recorded(path: Any, **options: Any) -> Any:
        loaded.append((Path(path).name, options))
        return load(path, **options)

    monkeypatch.setattr(torch, "load", recorded)
    tree.checkpoint(saved()).sidecar(SIDECAR).build()
    assert loaded == [("x.ckpt", {"map_location": "cpu", "weights_only": False})]


def test_nothing_is_remembered_between_two_calls(tree: Tree) -> None:
    assert tree.checkpoint(saved()).entry().epochs == 4
    assert tree.checkpoint({"epoch": 5}).entry().epochs == 5


def test_a_plain_pickle_is_executed_as_the_old_service_did(tree: Tree, tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "executed"),))

    tree.checkpoint(pickle.dumps(Touch())).build()
    tree.checkpoint(saved(touch=Touch())).build()
    assert (tmp_path / "executed").is_dir()


@pytest.mark.parametrize(("colons", "is_read"), [(63, True), (64, False)])
def test_a_number_in_base_60_has_64_parts_at_most(colons: int, is_read: bool, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"no checkpoint")
    (tmp_path / "a.metadata.yaml").write_text(f"x: 1{':1' * colons}\ntraining: {{epoch: 3}}\n")
    found = build_legacy_catalog(tmp_path)
    assert [entry.epochs for entry in found.entries] == [3] * is_read
    assert any("64 parts" in problem.expected for problem in found.problems) is not is_read
