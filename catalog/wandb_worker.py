"""Asks W&B for runs in a process of its own: questions come in at stdin, answers go out at stdout.

`catalog.wandb_process` starts this file as a script, so it imports nothing of the catalog. A process,
because the client's helper may keep retrying for minutes, and only a process can be ended at any time.

One JSON document a line each way. A question holds `runs`, each as [entity, project, id], those of
them whose `history` is wanted, and in `metrics` at which groups of keys. Answers hold, as they arrive,
`run` with `state`, `config`, `summaryMetrics`; or `run` with history `rows`; or `failed` (runs), `found` (what
happened), `status` (that of HTTP, 0 where there was none) and `cause` (`refused` where the client would not ask
at all, `too long` where a run says too much, else empty); at last `done`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import queue
import re
import shutil
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from wandb.apis.public import Api, Run, Runs

Name = tuple[str, str, str]
Node = dict[str, Any]

IDLE_S: Final = 90.0
"""Longer than a run that had not finished is believed: who asks again then still finds this process."""
RUNS_A_REQUEST: Final = 250
MAX_ANSWER_CHARACTERS: Final = 4 * 1024 * 1024
MAX_MEMORY_BYTES: Final = 2 * 1024**3
"""What this process, and the client's helper, may hold each: a server's answer can be of any length."""

SAMPLES: Final = 10_000
_ROW_KEY: Final = "_step"
"""What W&B numbers the rows of a history by."""

_STEP_KEYS: Final = ("trainer/global_step", "epoch")
_HTTP_STATUS: Final = re.compile(r"\bHTTP (\d{3})\b")
_SIDE_BY_SIDE: Final = 32
# Who asks ends this process at the deadline; until then nothing here should give up.
_CLIENT_TIMEOUT_S: Final = 3600


class Conversation:
    """Answers questions by `say`, and keeps the client from one question to the next."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say_lines = say
        self._pool = ThreadPoolExecutor(_SIDE_BY_SIDE)
        self._opened: Api | Exception | None = None

    def open(self) -> None:
        """Have the client ready, or know why it is not. Raises `ImportError`: it is then of no use."""
        self._opened = _opened()

    def answer(self, question: Mapping[str, Any]) -> None:
        """Send what W&B says about the question's runs, as it arrives. Raises nothing."""
        names: list[Name] = sorted(tuple(name) for name in question["runs"])
        history = {tuple(name) for name in question["history"]}
        try:
            api = self._client()
        except Exception as error:  # noqa: BLE001 - see `_opened`
            self._fail(names, error, cause="refused" if _is_refused(error) else "")
        else:
            asked = [
                self._pool.submit(self._ask_runs, api, chunk, history, question["metrics"])
                for chunk in _chunks(names)
            ]
            wait([one for chunk in asked for one in chunk.result()])
        self._say({"done": True})

    def _client(self) -> Api:
        opened, self._opened = self._opened or _opened(), None
        if isinstance(opened, Exception):  # who asks again tries again
            raise opened
        opened.flush()  # type: ignore[no-untyped-call] # the package leaves it without annotations
        self._opened = opened
        return opened

    def _ask_runs(
        self, api: Api, names: Sequence[Name], history: Container[Name], metrics: Sequence[Sequence[str]]
    ) -> list[Future[None]]:
        """Send the runs of one project page by page; returns the histories that are on their way meanwhile."""
        entity, project, _ = names[0]
        ids = [name[2] for name in names]
        wanted = dict(zip(ids, names, strict=True))
        asked: list[Future[None]] = []
        try:
            runs = api.runs(f"{entity}/{project}", {"name": {"$in": ids}}, per_page=len(ids), lazy=False)
            for page in _pages(runs):
                told = {node["name"]: node for node in page if node["name"] in wanted}
                new = [(wanted.pop(run_id), node) for run_id, node in told.items()]
                self._say(*(_told(name, node) for name, node in new))
                remembered = [node for name, node in new if name in history]
                for node, run in zip(remembered, _objects(runs, remembered), strict=True):
                    name = (entity, project, node["name"])
                    asked.append(self._pool.submit(self._ask_history, name, node, run, metrics))
                # A server may claim further pages for ever: only pages that tell something are followed.
                if not wanted or not new:
                    break
        except Exception as error:  # noqa: BLE001 - see `_opened`
            self._fail(wanted.values(), error)
        return asked

    def _ask_history(self, name: Name, node: Node, run: Run, metrics: Sequence[Sequence[str]]) -> None:
        """Send the rows in which any of the metrics was logged, all of them."""
        try:
            rows: list[Any] = []
            for steps, keys, count in _groups(node, metrics):
                together = _rows(run, [*steps, *keys], count)
                if len(together) >= count:
                    rows += together
                else:  # they were logged as often, and not in the same rows
                    rows += [row for key in keys for row in _rows_of_one(run, steps, key, count)]
            self._say({"run": name, "rows": rows})
        except Exception as error:  # noqa: BLE001 - see `_opened`
            self._fail([name], error)

    def _fail(self, names: Iterable[Name], error: Exception, *, cause: str = "") -> None:
        status = _status(error)
        found = str(error).rpartition("while retrying: ")[2] or type(error).__name__
        if status and not found.startswith("HTTP "):
            found = f"HTTP {status}: {found}"
        # Blanks go before it is cut: a key at the cut would stand far behind what is shown.
        found = " ".join(found.split())[:4096]
        self._say({"failed": list(names), "status": status, "cause": cause, "found": found})

    def _say(self, *answers: Node) -> None:
        self._say_lines("".join(map(_line, answers)))


def _opened() -> Api | Exception:
    """The client, or why there is none. Raises `ImportError`."""
    try:
        return open_client()
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the client raises is an answer too
        return error


def _line(answer: Node) -> str:
    """One answer as text; a run that says too much is one that failed."""
    line = json.dumps(answer) + "\n"
    if len(line) <= MAX_ANSWER_CHARACTERS or "run" not in answer:
        return line
    found = f"an answer of {len(line):,} characters, more than {MAX_ANSWER_CHARACTERS:,}"
    return _line({"failed": [answer["run"]], "status": 0, "cause": "too long", "found": found})


def _told(name: Name, node: Node) -> Node:
    """What is sent of a run."""
    return {"run": name, **{key: node.get(key) for key in ("state", "config", "summaryMetrics")}}


def _is_refused(error: Exception) -> bool:
    """Whether the client would not ask with these settings, as far as its exception tells."""
    from wandb.errors import AuthenticationError, UsageError

    # A key that the server refuses is an `AuthenticationError` too, but with the server's answer as its cause.
    return isinstance(error, ValueError | UsageError) or (
        isinstance(error, AuthenticationError) and error.__cause__ is None
    )


def open_client() -> Api:
    """Import the package and let the client introduce itself to the server. Raises what it raises."""
    gc.disable()  # an eighth of the time to import goes into collecting what is still needed
    # The client does without numpy where there is none, and a tenth of its start with it. Runs hold no arrays.
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # so an import of it is refused
    import wandb

    # The helper needs 0.2 s to start, and the rest of the package as long to import: side by side.
    threading.Thread(target=wandb.setup, daemon=True).start()
    from wandb.apis.public import Api

    # The client would load it in the middle of its first page, when nothing is left to wait for beside it.
    with contextlib.suppress(ImportError):
        importlib.import_module("requests")
    gc.freeze()  # nor need it be walked again with every page
    gc.enable()
    # The client asks for a default entity unless it is given one, even where every path has its own.
    return Api(overrides={"entity": "nobody"}, timeout=_CLIENT_TIMEOUT_S)


def _chunks(names: Sequence[Name]) -> Iterator[list[Name]]:
    """Sorted names as they are asked for: by project, `RUNS_A_REQUEST` at most."""
    for _, of_project in groupby(names, key=lambda name: name[:2]):
        project_names = list(of_project)
        for begin in range(0, len(project_names), RUNS_A_REQUEST):
            yield project_names[begin : begin + RUNS_A_REQUEST]


def _pages(runs: Runs) -> Iterator[list[Node]]:
    """The runs page by page as the server sent them.

    The client's own objects would not do: they lose a config that comes as JSON text in JSON text, one run
    that the client cannot read costs it the whole page, and making them takes as long as asking for a history.
    A project that is not there has no pages.
    """
    runs.convert_objects = list  # type: ignore[method-assign]
    shown = None
    while runs.more:
        with contextlib.suppress(StopIteration):  # no object was made of this page either
            next(runs)
        if runs.last_response is shown or runs.last_response is None or runs.last_response["project"] is None:
            return
        shown = runs.last_response
        yield [edge["node"] for edge in shown["project"]["runs"]["edges"]]


def _objects(runs: Runs, nodes: Iterable[Node]) -> list[Run]:
    """The client's own objects for some runs of the last page, with no more than a history takes."""
    shown = runs.last_response
    edges = [{"node": {"name": node["name"]}} for node in nodes]
    runs.last_response = {"project": {"runs": {"edges": edges}}}
    try:
        return type(runs).convert_objects(runs)
    finally:
        runs.last_response = shown


def _rows(run: Run, keys: list[str], count: int) -> list[Any]:
    """The rows of a run that hold all of some keys, of which each was logged `count` times."""
    sampled: list[Any] = run.history(SAMPLES, keys, pandas=False)
    # The sample is one request and mostly whole; where it is not, the exact scan takes several.
    return sampled if len(sampled) >= count else list(run.scan_history([_ROW_KEY, *keys]))


def _rows_of_one(run: Run, steps: list[str], key: str, count: int) -> list[Any]:
    """The rows in which one key was logged, each with whatever it tells of its steps.

    A row that stands under one step may tell the other one too, and must not be taken for one that does not.
    """
    whole = _rows(run, [*steps, key], count)
    if len(whole) >= count:
        return whole
    joined: dict[Any, dict[str, Any]] = {}
    for step in steps:
        for row in _rows(run, [step, key], count):
            joined.setdefault(row.get(_ROW_KEY), {}).update(row)
    return list(joined.values())


def _groups(node: Node, metrics: Sequence[Sequence[str]]) -> list[tuple[list[str], list[str], int]]:
    """The steps and keys to ask a run's history for, those together that were logged as often, and how often.

    W&B hands out the rows that hold *all* the keys of a request; `historyKeys` tells which keys there
    are and how often each was logged.
    """
    known = (node.get("historyKeys") or {}).get("keys") or {}
    steps = [key for key in _STEP_KEYS if key in known]
    groups: dict[tuple[int, int], list[str]] = {}
    for position, group in enumerate(metrics):
        for key in group:
            if key in known and steps:
                count = sum(of_type.get("count", 0) for of_type in known[key].get("typeCounts") or ())
                groups.setdefault((position, count), []).append(key)
    return [(steps, keys, count) for (_, count), keys in groups.items()]


def _status(error: BaseException | None) -> int:
    """The HTTP status behind an exception of the client; 0 where no answer came."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "http_status", 0)
        # After its last try the helper tells the status in words alone.
        told = _HTTP_STATUS.search(str(error))
        if status or told:
            return int(status or (told[1] if told else 0))
        error = error.__cause__
    return 0


def _listen(given: IO[str], questions: queue.SimpleQueue[str], folder: str) -> None:
    """Hand on questions. Their end is that of whoever asked, and so of this process and its folder."""
    for line in given:
        questions.put(line)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class _Writer:
    """Says lines to whoever asked, who may be busy: nobody here waits until they are taken."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unsaid = 0
        threading.Thread(target=self._write, daemon=True).start()

    @property
    def is_idle(self) -> bool:
        """Whether all that was to be said has been taken."""
        return self._unsaid == 0

    def say(self, lines: str) -> None:
        """Have lines written behind those before them."""
        with self._lock:
            self._unsaid += 1
        self._lines.put(lines)

    def _write(self) -> None:
        while True:
            self._answers.write(self._lines.get())
            self._answers.flush()
            with self._lock:
                self._unsaid -= 1


def _claim_streams() -> tuple[IO[str], IO[str]]:
    """Keep stdin and stdout for the conversation: neither the client nor its helper may use them."""
    given = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    return given, answers


def _limit_memory() -> None:
    """Let the system refuse this process and the client's helper more memory than any honest answer takes."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # no such limit here, or a lower one already
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, hard))


def main(folder: str) -> None:
    """Answer questions until nobody is there to ask, or for `IDLE_S` seconds nobody does.

    `folder` is this process's own, and goes where nobody is left to remove it.
    """
    _limit_memory()
    given, answers = _claim_streams()
    questions: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(given, questions, folder), daemon=True).start()
    writer = _Writer(answers)
    conversation = Conversation(writer.say)
    conversation.open()  # a process like this is started where there is something to ask
    while True:
        try:
            question = questions.get(timeout=IDLE_S)
        except queue.Empty:
            if writer.is_idle:
                os._exit(0)  # who gave the folder lives, and removes it
            continue
        conversation.answer(json.loads(question))


if __name__ == "__main__":
    main(sys.argv[1])
