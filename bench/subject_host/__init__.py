"""The program inside a worker process: it holds one subject and answers requests about it.

It imports the standard library alone, and runs under Python 3.9 and later, so that a subject finds what its own
interpreter has and nothing of the harness's. `bench.worker` starts it as a package of its own, outside `bench`.
"""

from .answers import digest_of, plain_answer
from .calls import Timed, timed_call
from .errors import AnswerError, ClockError, SubjectError
from .field_map import CONTRACT_FIELDS
from .host import SubjectHost, main, serve
from .targets import resolve, split_target

__all__ = [
    "CONTRACT_FIELDS",
    "AnswerError",
    "ClockError",
    "SubjectError",
    "SubjectHost",
    "Timed",
    "digest_of",
    "main",
    "plain_answer",
    "resolve",
    "serve",
    "split_target",
    "timed_call",
]
