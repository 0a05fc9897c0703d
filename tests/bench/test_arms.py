"""Each contestant runs in an environment of its own, and those that ask W&B find a server."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.arms import arms_of, isolated, serve_wandb
from bench.scenario import V2, V2_AGAIN, Contestant, asking_wandb
from bench.subject import Subject
from tests.bench.fakes import variant_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from fixtures.runs import Run

RUNS = variant_of().runs


def test_only_those_that_ask_are_served_each_with_its_latency(tmp_path: Path) -> None:
    served: list[float] = []
    closed: list[float] = []

    @contextlib.contextmanager
    def serve(runs: Iterable[Run], *, latency_s: float, home: Path) -> Iterator[Mapping[str, str]]:
        assert tuple(runs) == RUNS
        assert home.is_dir()
        served.append(latency_s)
        yield {"WANDB_API_KEY": f"key {latency_s}"}
        closed.append(latency_s)

    with arms_of((V2, asking_wandb(0), asking_wandb(20)), RUNS, tmp_path, serve) as arms:
        keys = {arm.name: arm.subject.environment["WANDB_API_KEY"] for arm in arms}
        assert closed == []
    assert keys == {"v2": "", "v2-wandb-0ms": "key 0.0", "v2-wandb-20ms": "key 0.02"}
    assert served == [0.0, 0.02]
    assert sorted(closed) == served


def test_two_arms_of_one_implementation_are_the_same_subject(tmp_path: Path) -> None:
    with arms_of((V2, V2_AGAIN), (), tmp_path, serve_wandb) as arms:
        assert arms[0].subject == arms[1].subject
        assert [arm.name for arm in arms] == ["v2", "v2-again"]


def test_nothing_of_the_user_s_is_in_reach(tmp_path: Path) -> None:
    environment = isolated(tmp_path)
    assert environment["WANDB_API_KEY"] == ""
    assert environment["CKPT_CATALOG_INDEX_DIR"] == ""
    for name in ("HOME", "XDG_CACHE_HOME", "NETRC"):
        assert environment[name].startswith(str(tmp_path))


def test_the_real_server_listens_on_the_loopback(tmp_path: Path) -> None:
    with serve_wandb(RUNS, latency_s=0.0, home=tmp_path) as environment:
        assert environment["WANDB_BASE_URL"].startswith("http://127.0.0.1:")


def test_somebody_else_s_keeps_its_folders_and_what_it_was_given(tmp_path: Path) -> None:
    subject = Subject("mine", "a:build", search_path=("src",), environment={"A": "1"})
    theirs = Contestant("mine", "a:build", subject=subject)
    with arms_of((V2, theirs), (), tmp_path, serve_wandb) as arms:
        assert arms[1].subject.search_path == ("src",)
        assert arms[1].subject.environment["A"] == "1"
        homes = [arm.subject.environment["HOME"] for arm in arms]
    assert len(set(homes)) == 2
    assert all(home.startswith(str(tmp_path)) for home in homes)


def test_two_arms_of_somebody_else_s_are_the_same_subject(tmp_path: Path) -> None:
    theirs = Contestant("reference", "a:build", subject=Subject("mine", "a:build"))
    with arms_of((theirs, replace(theirs, name="reference-again")), (), tmp_path, serve_wandb) as arms:
        assert arms[0].subject == arms[1].subject
