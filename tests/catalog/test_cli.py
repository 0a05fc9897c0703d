"""`ckpt-catalog` as a person and as a program would call it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from catalog import cli
from catalog.builder import CheckpointCatalogBuilder
from catalog.cli import FOUND_FAULTS, NOTHING_MATCHED, PASSED, USAGE, main
from catalog.store import INDEX_DIR_VARIABLE, CatalogCache
from tests.catalog.trees import HYDRA, SIDECAR, changed, without, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from catalog.records import CheckpointCatalog


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index"))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "outputs"
    for experiment, hmean in (("one", 0.9), ("two", 0.7)):
        for epoch in (1, 2):
            folder = root / experiment / "checkpoints"
            write(folder / f"epoch={epoch}.ckpt", b"x")
            document = changed(
                SIDECAR, training__epoch=epoch, exp_name=experiment, metrics__hmean=hmean + epoch / 100
            )
            write(folder / f"epoch={epoch}.metadata.yaml", document)
    return root


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    code, out, _ = run(capsys, "list", "--json", *arguments)
    assert code == PASSED
    entries: list[dict[str, Any]] = json.loads(out)["entries"]
    return entries


@pytest.mark.usefixtures("outputs")
def test_list_shows_a_line_a_checkpoint_and_counts_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "list")
    lines = out.splitlines()
    assert code == PASSED
    assert lines[0].split()[0] == "epochs"
    assert len(lines) == 5
    assert lines[1].endswith("one/checkpoints/epoch=1.ckpt")
    assert "4 of 4 checkpoints shown" in err


@pytest.mark.usefixtures("outputs")
def test_list_filters_sorts_and_cuts(capsys: pytest.CaptureFixture[str]) -> None:
    assert [one["epochs"] for one in listed(capsys, "--experiment", "o*")] == [1, 2]
    assert len(listed(capsys, "--where", "hmean>0.9", "--where", "epochs=2")) == 1
    assert [one["exp_name"] for one in listed(capsys, "--best", "hmean", "--per", "experiment")] == [
        "one",
        "two",
    ]
    assert [one["hmean"] for one in listed(capsys, "--sort=-hmean", "--limit", "2")] == [0.92, 0.91]
    assert len(listed(capsys, "--where", "has_metadata=yes")) == 4
    code, out, _ = run(capsys, "list", "--json", "--where", "has_metadata=no")
    assert (code, json.loads(out)["entries"]) == (NOTHING_MATCHED, [])
    code, out, _ = run(capsys, "list", "--json", "--arch", "pan")
    assert (code, json.loads(out)["entries"]) == (NOTHING_MATCHED, [])


def test_the_best_of_each_architecture_is_not_that_of_each_backbone(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [("dbnet", "resnet18", 0.5), ("dbnet", "resnet50", 0.6), ("pan", "resnet50", 0.7)]
    for epoch, (architecture, backbone, hmean) in enumerate(models, 1):
        told = {"model__architecture": architecture, "model__encoder__model_name": backbone}
        document = changed(SIDECAR, training__epoch=epoch, metrics__hmean=hmean, **told)
        write(outputs / "models" / f"{epoch}.ckpt", b"x")
        write(outputs / "models" / f"{epoch}.metadata.yaml", document)
    arguments = ["--best", "hmean", str(outputs / "models"), "--per"]
    assert [one["epochs"] for one in listed(capsys, *arguments, "architecture")] == [2, 3]
    assert [one["epochs"] for one in listed(capsys, *arguments, "backbone")] == [1, 3]


def test_json_names_what_was_left_out_and_damaged(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(outputs / "three" / "broken.ckpt", b"nothing of the kind")
    _, out, _ = run(capsys, "list", "--json", str(outputs))
    told = json.loads(out)
    assert told["total_count"] == 4
    assert [one["checkpoint_path"] for one in told["skipped"]] == [str(outputs / "three" / "broken.ckpt")]
    assert [one["source"] for one in told["problems"]] == ["checkpoint"]


@pytest.mark.usefixtures("outputs")
def test_show_tells_a_field_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "one/checkpoints/epoch=2.ckpt")
    told = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert code == PASSED
    assert told["hmean"] == ["0.92", "sidecar"]
    assert told["checkpoint_path"] == ["outputs/one/checkpoints/epoch=2.ckpt"]
    assert run(capsys, "show", os.path.abspath("outputs/one/checkpoints/epoch=2.ckpt"))[1] == out


def test_show_tells_the_source_of_every_field(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = outputs / "three"
    write(folder / ".hydra" / "config.yaml", HYDRA)
    write(folder / "checkpoints" / "epoch=5_resnet50.ckpt", b"x")
    partly = without(SIDECAR, "model", "exp_name", "training", "checkpointing")
    write(folder / "checkpoints" / "epoch=5_resnet50.metadata.yaml", partly)
    _, out, _ = run(capsys, "show", "epoch=5_resnet50.ckpt", "--no-wandb")
    told = {line.split()[0]: " ".join(line.split()[2:]) for line in out.splitlines()}
    assert told == {
        "checkpoint_path": "",
        "config_path": "",
        "display_name": "",
        "architecture": "config",
        "backbone": "config",
        "exp_name": "names",
        "epochs": "names",
        "created_timestamp": "sidecar",
        "hmean": "sidecar",
        "precision": "sidecar",
        "recall": "sidecar",
        "monitor": "config",
        "monitor_mode": "config",
        "score": "sidecar",
        "has_metadata": "",
    }


@pytest.mark.usefixtures("outputs")
@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["list", "nowhere"], "no such directory"),
        (["list", "--where", "speed>3"], "expected one of"),
        (["list", "--sort", "speed"], "expected one of"),
        (["list", "--per", "experiment"], "--best"),
        (["list", "--limit", "-1"], "0 or more"),
        (["list", "--where", "hmean>nan"], "finite"),
        (["list", "--where", "has_metadata=maybe"], "yes or no"),
        (["list", ""], "empty name"),
        (["list", "--config-name", "a/b"], "file names"),
        (["show", "epoch=2.ckpt"], "more of the path"),
        (["show", "other.ckpt"], "ckpt-catalog list"),
        (["validate", "nowhere"], "no such file"),
    ],
)
def test_a_wrong_call_says_in_one_line_what_to_do(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (USAGE, "")
    assert remedy in err
    assert err.count("\n") == 1


def test_a_file_in_place_of_the_tree_is_a_wrong_call(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "list", str(outputs / "one" / "checkpoints" / "epoch=1.ckpt"))
    assert code == USAGE
    assert "expected a directory" in err


def test_show_tells_what_is_wrong_with_a_checkpoint_that_is_not_listed(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("three", "four"):
        (outputs / name).mkdir()
        (outputs / name / "z.ckpt").symlink_to("nowhere")
    write(outputs / "three" / "broken.ckpt", b"x")
    code, out, err = run(capsys, "show", "z.ckpt")
    assert (code, out) == (USAGE, "")
    assert "three/z.ckpt: expected a checkpoint" in err
    assert "four/z.ckpt: expected a checkpoint" in err
    code, _, err = run(capsys, "show", os.path.abspath("outputs/three/z.ckpt"))
    assert code == USAGE
    assert "three/z.ckpt: expected a checkpoint" in err
    assert "four" not in err
    assert "left out" not in err
    code, _, err = run(capsys, "show", os.path.abspath("outputs/three/broken.ckpt"))
    assert code == USAGE
    assert "it is not listed, because" in err


def test_a_tree_s_name_is_quoted_where_it_is_part_of_a_command(
    tmp_path: Path, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(outputs / "broken.ckpt", b"x")
    assert "`ckpt-catalog problems outputs` tells" in run(capsys, "list", "outputs")[2]
    root = str(outputs.rename(tmp_path / "my 'tree'"))
    _, _, err = run(capsys, "list", root)
    assert shlex.split(err.split("`")[1]) == ["ckpt-catalog", "problems", root]


def test_no_name_of_a_tree_or_of_the_index_steers_the_terminal(
    tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(outputs / "broken.ckpt", b"x")
    outputs.rename("steering\x1b[31m")
    (tmp_path / "empty\x1b[31m").mkdir()
    monkeypatch.setenv(INDEX_DIR_VARIABLE, str(tmp_path / "index\x1b[31m"))
    for arguments in (["list", "steering\x1b[31m"], ["list", "empty\x1b[31m"], ["index", "show"]):
        _, out, err = run(capsys, *arguments)
        assert "\\u001b[31m" in out + err
        assert "\x1b" not in out + err


def test_problems_tells_what_to_mend_and_fails_where_there_is_something(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "problems")[0] == PASSED
    write(outputs / "three" / "broken\x1b[31m.ckpt", b"nothing of the kind")
    code, out, _ = run(capsys, "problems")
    assert code == FOUND_FAULTS
    assert "expected" in out
    assert "left out" in out
    assert "\x1b" not in out


def test_coverage_tells_who_lacks_a_sidecar(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(outputs / "three" / "epoch=3.ckpt", b"x")
    code, out, _ = run(capsys, "coverage")
    assert code == PASSED
    assert "4 of 5" in out
    assert "three/epoch=3.ckpt" in out
    assert json.loads(run(capsys, "coverage", "--json")[1])["metadata_coverage_percent"] == 80.0


def test_validate_fails_where_a_sidecar_breaks_the_schema(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "validate", str(outputs))[0] == PASSED
    path = write(
        outputs / "one" / "checkpoints" / "epoch=1.metadata.yaml", changed(SIDECAR, training__epoch=-1)
    )
    code, out, _ = run(capsys, "validate", str(path))
    assert code == FOUND_FAULTS
    assert "training.epoch" in out
    assert run(capsys, "validate", "--json", str(path))[0] == FOUND_FAULTS


@pytest.mark.usefixtures("outputs")
@pytest.mark.parametrize(
    "command", [["list"], ["coverage"], ["problems"], ["show", "one/checkpoints/epoch=1.ckpt"]]
)
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], (True, True)),
        (["--no-cache"], (False, True)),
        (["--no-wandb"], (True, False)),
        (["--no-cache", "--no-wandb"], (False, False)),
    ],
)
def test_what_shall_not_be_asked_is_told_to_the_builder(
    command: list[str],
    flags: list[str],
    expected: tuple[bool, bool],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build = CheckpointCatalogBuilder.build_catalog
    asked: list[tuple[bool, bool]] = []

    def noted(builder: CheckpointCatalogBuilder) -> CheckpointCatalog:
        asked.append((builder.use_cache, builder.use_wandb_fallback))
        return build(builder)

    monkeypatch.setattr(CheckpointCatalogBuilder, "build_catalog", noted)
    assert run(capsys, *command, *flags)[0] == PASSED
    assert asked == [expected]


@pytest.mark.parametrize("count", [1000, 1001])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_is_told_how_much_of_a_large_tree_has_been_read(
    tmp_path: Path,
    count: int,
    is_terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in range(count):
        (tmp_path / f"{number}.ckpt").symlink_to("nowhere")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    _, out, err = run(capsys, "list", "--no-cache", str(tmp_path))
    parts = [f"\r{done} of {count} checkpoints read\033[K" for done in (0, 500, 1000)] + ["\r\033[K"]
    assert out == ""
    if is_terminal and count > 1000:
        assert err.startswith("".join(parts) + "0 of 0 checkpoints shown")
    else:
        assert err.startswith("0 of 0 checkpoints shown")


@pytest.mark.usefixtures("outputs")
def test_index_tells_what_is_remembered_and_clears_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "list")
    assert "1 trees remembered" in run(capsys, "index", "show")[1]
    assert "0 trees remembered" in run(capsys, "index", "clear")[1]


@pytest.mark.usefixtures("outputs")
def test_what_cannot_be_cleared_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "list")
    (path,) = CatalogCache().files()
    path.unlink()
    path.mkdir()
    code, _, told = run(capsys, "index", "clear")
    assert code == 2
    assert f"{path}: expected to delete it, found: Is a directory; remove it by hand" in told


def test_names_that_are_no_utf_8_are_shown_escaped(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.fsencode(outputs) + b"/odd\xff"
    os.mkdir(folder)
    with open(folder + b"/epoch=3.ckpt", "wb") as file:
        file.write(b"x")
    assert run(capsys, "list")[0] == PASSED
    assert any("odd" in entry["checkpoint_path"] for entry in listed(capsys))


def test_a_flag_that_there_is_not_is_answered_by_the_commands_own_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["list", ".", "--nope"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "--experiment" in told
    assert "unrecognized arguments: --nope; `ckpt-catalog list --help` explains" in told


@pytest.mark.parametrize("columns", ["40", " 60", "100", "0", "-3", "wide", "", "9" * 5000])
@pytest.mark.parametrize("arguments", [[], ["list"], ["index"]])
def test_help_is_as_wide_as_argparse_makes_it(
    arguments: list[str], columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    parser = cli._parser(arguments)
    ours = _help_of(parser)
    for one in (parser, *_commands_of(parser)):
        one.formatter_class = argparse.HelpFormatter
    assert ours == _help_of(parser)


def _help_of(parser: argparse.ArgumentParser) -> list[str]:
    return [one.format_help() for one in (parser, *_commands_of(parser))]


def _commands_of(parser: argparse.ArgumentParser) -> Iterable[argparse.ArgumentParser]:
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return list(commands.choices.values())
