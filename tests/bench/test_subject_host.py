"""The program inside a worker: what is timed, how answers become plain, how requests fail."""

from __future__ import annotations

import gc
import io
import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from bench.subject_host import AnswerError, ClockError, SubjectHost, digest_of, plain_answer, serve, timed_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TREE = Path("outputs")


def ticking(*readings_ns: int) -> Callable[[], int]:
    """A clock that shows these readings one after the other."""
    return iter(readings_ns).__next__


@dataclass
class Record:
    """A record with some of the contract's fields, and one that is none of them."""

    checkpoint_path: Path
    epochs: object = 1
    mood: str = "good"


def test_a_lazy_answer_is_taken_to_its_end_inside_the_time() -> None:
    readings: list[int] = []

    def clock() -> int:
        readings.append(len(taken))
        return len(readings)

    taken: list[int] = []

    def lazy(*_: object) -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    timed = timed_call(lazy, TREE, (), clock=clock)
    assert readings == [0, 3]
    assert timed.records == [0, 1, 2]


def test_wall_and_cpu_time_are_the_clocks_differences() -> None:
    timed = timed_call(lambda *_: [], TREE, (), clock=ticking(100, 350), cpu_clock=ticking(7, 10))
    assert (timed.elapsed_ns, timed.cpu_ns) == (250, 3)


@pytest.mark.parametrize("end_ns", [100, 99], ids=["stands still", "goes back"])
def test_a_clock_that_does_not_advance_is_an_error(end_ns: int) -> None:
    with pytest.raises(ClockError):
        timed_call(lambda *_: [], TREE, (), clock=ticking(100, end_ns))


def test_the_collector_rests_during_the_call_and_works_again_after_it() -> None:
    seen = []

    def raising(*_: object) -> None:
        seen.append(gc.isenabled())
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        timed_call(raising, TREE, ())
    assert seen == [False]
    assert gc.isenabled()


def test_records_may_have_fields_as_attributes_or_as_keys() -> None:
    path = Path("outputs/a.ckpt")
    as_keys = {"checkpoint_path": path, "epochs": 1, "mood": "good"}
    answer = plain_answer([], [Record(path), as_keys, MappingProxyType(as_keys)])
    assert answer["records"] == [{"checkpoint_path": "outputs/a.ckpt", "epochs": 1}] * 3


def test_a_value_of_a_foreign_type_shows_its_type() -> None:
    (record,) = plain_answer([], [Record(TREE, epochs=3 + 0j)])["records"]
    assert record["epochs"] == "<complex (3+0j)>"


def test_skipped_and_problems_are_told_as_paths_however_they_are_held() -> None:
    @dataclass
    class Told:
        skipped: list[object]
        problems: list[object]

    told = Told([Record(Path("a.ckpt"))], [Path("b.yaml"), {"path": "c.ckpt"}, "d.ckpt"])
    answer = plain_answer(told, [])
    assert (answer["skipped"], answer["problems"]) == (["a.ckpt"], ["b.yaml", "c.ckpt", "d.ckpt"])


def test_an_answer_without_skipped_does_not_claim_an_empty_one() -> None:
    assert plain_answer([], [])["skipped"] is None


def held(answer: object) -> list[Any]:
    return timed_call(lambda *_: answer, TREE, (), clock=ticking(0, 1), cpu_clock=ticking(0, 0)).records


def test_records_may_stand_in_a_mapping_or_an_object() -> None:
    @dataclass
    class Result:
        records: tuple[int, ...]

    assert held({"records": [1, 2]}) == held(Result((1, 2))) == held(iter([1, 2])) == [1, 2]


@pytest.mark.parametrize("answer", [None, 3, "a.ckpt", {"a.ckpt": 1}, {"records": None}, dict])
def test_what_holds_no_records_is_no_answer(answer: object) -> None:
    with pytest.raises(AnswerError, match="expected records") as caught:
        held(answer)
    assert ("module:make()" in caught.value.remedy) is callable(answer)


def replies_to(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What a host replies to requests, as it would through its pipes."""
    replies = io.StringIO()
    serve(iter(json.dumps(request) for request in requests), replies)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


def test_a_request_before_loading_is_an_answer_and_not_the_end() -> None:
    first, second = replies_to({"do": "answer"}, {"do": "call", "outputs_dir": ".", "config_filenames": []})
    assert first["error"] == second["error"] == "raised"


def test_a_subject_that_exits_is_told_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = SubjectHost()
    monkeypatch.setattr(host, "_subject", lambda *_: exit(3))
    monkeypatch.setattr("bench.subject_host.host.SubjectHost", lambda: host)
    (reply,) = replies_to({"do": "call", "outputs_dir": str(tmp_path), "config_filenames": []})
    assert "SystemExit: 3" in reply["text"]


def test_a_traceback_begins_with_the_subjects_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    host = SubjectHost()
    monkeypatch.setattr("bench.subject_host.host.SubjectHost", lambda: host)
    ask = {"do": "call", "outputs_dir": ".", "config_filenames": []}
    monkeypatch.setattr(host, "_subject", lambda *_: int("x"))
    (raised,) = replies_to(ask)
    assert "subject_host" not in raised["text"].replace("test_subject_host", "")
    monkeypatch.setattr(host, "_subject", list)
    (uncalled,) = replies_to(ask)
    assert uncalled["text"].startswith("it is called with (outputs_dir, config_filenames)")


class Late:
    """A record that computes its fields when they are read."""

    def __init__(self, read: list[str]) -> None:
        self._read = read

    @property
    def epochs(self) -> int:
        self._read.append("epochs")
        return 3


def test_fields_that_are_computed_when_read_are_read_inside_the_time() -> None:
    read: list[str] = []
    ticks = iter(range(1, 10))

    def clock() -> int:
        read.append("clock")
        return next(ticks)

    timed_call(lambda *_: [Late(read), Late(read)], Path(), (), clock=clock)
    assert read[0] == read[-1] == "clock"
    assert read.count("epochs") >= 2


def test_one_value_of_another_type_has_another_digest() -> None:
    answers = [plain_answer([], [{"epochs": value}]) for value in (1, 1.0, True, 1)]
    digests = [digest_of(answer) for answer in answers]
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]
