from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from catalog import wandb_log
from catalog.wandb_log import RunLog, read_run_log, read_run_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER = b":W&B\xe1\xbe\x00"


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def told(number: int, data: bytes | str) -> bytes:
    """One length-delimited field of a protocol buffer."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def item(key: str, value: object) -> bytes:
    return told(1, key) + told(16, json.dumps(value))


def history(row: Mapping[str, Any]) -> bytes:
    number = varint(1 << 3) + varint(300)
    return number + told(2, b"".join(told(1, item(key, value)) for key, value in row.items()))


def summary(update: Mapping[str, Any], *removed: str) -> bytes:
    changes = [told(1, item(key, value)) for key, value in update.items()]
    return told(3, b"".join(changes + [told(2, told(1, key)) for key in removed]))


def run(config: Mapping[str, Any], entity: str = "", project: str = "") -> bytes:
    updates = b"".join(told(1, item(key, value)) for key, value in config.items())
    place = told(2, entity) + told(3, project)
    return told(17, told(1, "abc123") + place + told(4, updates))


def chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data


def log_of(*records: bytes) -> bytes:
    """A log as the client writes it: records that do not fit into a block of 32 KiB go on in the next."""
    out = bytearray(HEADER)
    for record in records:
        rest, is_begun = record, False
        while rest or not is_begun:
            left = 32768 - len(out) % 32768
            if left < 7:
                out += bytes(left)
                left = 32768
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (3 if is_begun else 2) if rest else (4 if is_begun else 1)
            out += chunk(kind, part)
            is_begun = True
    return bytes(out)


def read(tmp_path: Path, data: bytes) -> RunLog:
    path = tmp_path / "run-abc123.wandb"
    path.write_bytes(data)
    return read_run_log(str(path))


ROWS = [{"epoch": epoch, "trainer/global_step": 10 * epoch, "val/hmean": epoch / 10} for epoch in range(3)]
RECORDS = (
    run({"_wandb": {}, "model": {"architecture": "dbnet"}, "odd": {"value": 3}}),
    *(record for row in ROWS for record in (summary(row), history(row))),
)


def test_a_log_tells_config_summary_and_history(tmp_path: Path) -> None:
    log = read(tmp_path, log_of(*RECORDS))
    assert log.config == {"model": {"architecture": "dbnet"}, "odd": {"value": 3}}
    assert log.last_summary == ROWS[-1]
    assert log.history == ROWS


def test_a_record_may_be_spread_over_blocks(tmp_path: Path) -> None:
    log = read(tmp_path, log_of(run({"text": "x" * 100_000}), *RECORDS))
    assert len(log.config["text"]) == 100_000
    assert log.history == ROWS


@pytest.mark.parametrize("room", range(9))
def test_a_block_may_end_in_any_way(tmp_path: Path, room: int) -> None:
    filler = 32768 - len(HEADER) - 7 - room
    padding = told(9, b"x" * (filler - 4))
    assert len(log_of(padding)) == 32768 - room
    assert read(tmp_path, log_of(padding, *RECORDS)).history == ROWS


def test_other_keys_of_the_history_are_left_out(tmp_path: Path) -> None:
    log = read(tmp_path, log_of(history({"gradients": "x", "epoch": 1}), history({"lr": 0.1})))
    assert log.history == [{"epoch": 1}]


def test_what_was_removed_is_gone(tmp_path: Path) -> None:
    assert read(tmp_path, log_of(summary({"a": 1, "b": 2}), summary({}, "a"))).summary == {"b": 2}


def test_nested_keys_lead_into_mappings(tmp_path: Path) -> None:
    nested = told(1, told(2, "best") + told(2, "hmean") + told(16, "0.5"))
    assert read(tmp_path, log_of(told(3, nested))).summary == {"best": {"hmean": 0.5}}


def test_a_log_that_ends_anywhere_tells_what_stands_before(tmp_path: Path) -> None:
    whole = log_of(*RECORDS)
    for size in range(len(whole)):
        log = read(tmp_path, whole[:size])
        assert log.history == ROWS[: len(log.history)]


def test_a_changed_byte_never_becomes_a_wrong_value(tmp_path: Path) -> None:
    whole = log_of(*RECORDS)
    for position in range(len(whole)):
        log = read(tmp_path, whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        assert log.history == ROWS[: len(log.history)]
        assert log.config in ({}, {"model": {"architecture": "dbnet"}, "odd": {"value": 3}})


@pytest.mark.parametrize(
    "record",
    [
        b"\xff" * 20,
        told(2, told(1, told(1, "epoch") + told(16, "{"))),
        told(3, told(1, b"")),
        told(3, told(1, told(1, b"\xff") + told(16, "1"))),
        told(3, told(1, told(1, "k") + told(16, "{"))),
        told(3, told(1, told(1, "k") + told(16, "[" * 100_000))),
        b"\x13",
        varint(3 << 3 | 2) + varint(1000) + b"x",
    ],
)
def test_a_record_that_makes_no_sense_ends_the_reading(tmp_path: Path, record: bytes) -> None:
    assert read(tmp_path, log_of(RECORDS[0], record, *RECORDS)).history == []


@pytest.mark.parametrize("data", [b"", b":W&", b"SQLite format 3\x00", HEADER])
def test_what_is_no_log_tells_nothing(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, data) == RunLog(is_whole=data == HEADER)


def test_the_summary_of_a_log_that_is_damaged_before_its_end_is_not_the_last(tmp_path: Path) -> None:
    whole = log_of(*RECORDS)
    begin = len(log_of(*RECORDS[:4]))
    log = read(tmp_path, whole[: begin + 9] + bytes([whole[begin + 9] ^ 0x55]) + whole[begin + 10 :])
    assert (log.history, log.is_whole, log.last_summary) == (ROWS[:1], False, {})
    assert log.summary == ROWS[1]


@pytest.mark.parametrize("end", [b"", bytes(5000)], ids=["cut off", "zeros"])
def test_a_log_whose_client_was_killed_tells_the_last_summary_that_it_wrote(tmp_path: Path, end: bytes) -> None:
    whole, before = log_of(*RECORDS), len(log_of(*RECORDS[:-1]))
    log = read(tmp_path, whole[: before if end else len(whole) - 3] + end)
    assert (log.history, log.is_whole, log.last_summary) == (ROWS[:2], True, ROWS[2])


def test_the_summary_of_a_log_that_was_not_read_to_its_end_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = log_of(*RECORDS)
    monkeypatch.setattr(wandb_log, "MAX_LOG_BYTES", len(whole) - 1)
    log = read(tmp_path, whole)
    assert log.last_summary == {}
    assert log.history == ROWS[:2]
    assert log.config["model"] == {"architecture": "dbnet"}


def test_of_too_many_records_the_first_are_read_and_no_summary_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_log, "MAX_RECORDS", 2)
    log = read(tmp_path, log_of(summary({"epoch": 1}), *map(history, ROWS)))
    assert log.history == ROWS[:1]
    assert log.summary == {"epoch": 1}
    assert log.last_summary == {}


def test_a_pipe_or_a_device_in_the_place_of_a_log_holds_nothing_and_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    assert read_run_log(str(tmp_path / "pipe")) == RunLog(is_whole=False)
    assert read_run_log(str(tmp_path / "device")) == RunLog(is_whole=False)


@pytest.mark.parametrize("characters", [0, 40_000, 400_000])
def test_a_log_tells_the_place_of_its_run_however_long_the_config_is(tmp_path: Path, characters: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(log_of(told(21, ""), run({"text": "x" * characters}, "team", "ocr"), summary({"a": 1})))
    assert read_run_place(str(path)) == ("team", "ocr")


@pytest.mark.parametrize(
    "data", [b"", b"no log", log_of(), log_of(b"\x07"), log_of(told(17, told(2, b"\xff")))]
)
def test_a_log_that_tells_no_place_tells_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    assert read_run_place(str(path)) == ("", "")
