"""A command as a subject: it takes a directory and prints JSON lines.

`cmd:program --json {dir}` is split as a shell does and run without one, `{dir}` replaced by the directory. It
prints one JSON object a line for each checkpoint, in order; blank lines are passed over. A line whose object
has `skipped` or `problems`, lists of paths, tells what was left out. No line at all is an empty catalog. An
exit code other than 0 and a line that is no object are errors. Its time includes the start of its process.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import AnswerError, SubjectError, excerpt

PREFIX = "cmd:"
PLACE = "{dir}"
_BESIDES = ("skipped", "problems")


def is_command(target: str) -> bool:
    """Whether a target is a command."""
    return target.startswith(PREFIX)


class Command:
    """A command to call with a directory. Raises SubjectError for a text that cannot be one."""

    def __init__(self, target: str) -> None:
        import shlex

        self.program: str | None = None
        self.text = target[len(PREFIX) :].strip()
        try:
            self.words = shlex.split(self.text)
        except ValueError as error:
            raise SubjectError(target, "a command", str(error), "close its quotes") from error
        if not any(PLACE in word for word in self.words[1:]):
            example = f"cmd:{self.text or './mycatalog --json'} {PLACE}"
            raise SubjectError(target, f"{PLACE} in the command", "none", f"write for example '{example}'")

    def found(self) -> Command:
        """This command, once its program is known to exist. Raises SubjectError."""
        import shutil

        program = self.words[0]
        self.program = shutil.which(program)
        if self.program is None:
            remedy = "check its spelling, make it executable (chmod +x), or put its interpreter before it"
            raise SubjectError(PREFIX + self.text, f"a program {program}", "none that can be run", remedy)
        return self

    def __call__(self, outputs_dir: object, config_filenames: object) -> Any:  # noqa: ARG002 - what all are given
        """Run it, and take what it printed as records. Raises AnswerError."""
        import subprocess

        words = [word.replace(PLACE, str(outputs_dir)) for word in self.words]
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode:
            told = excerpt(done.stderr.decode(errors="replace")[-2000:], 600)
            found = f"{done.returncode} and on standard error {told}"
            raise AnswerError(self.text, "exit code 0", found, "run it by hand on this directory")
        return self._answer(done.stdout)

    def _answer(self, printed: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = {"records": []}
        for number, line in enumerate(printed.split(b"\n"), 1):
            if line.strip():
                told = self._object(number, line)
                besides = {name: told[name] for name in _BESIDES if name in told}
                if besides:
                    answer.update(besides)
                else:
                    answer["records"].append(told)
        return answer

    def _object(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            where = f"{self.text}: line {number} of its output"
            found = excerpt(line.decode(errors="replace"))
            remedy = "print one object a line, in UTF-8, and everything else to standard error"
            raise AnswerError(where, "a JSON object", found, remedy)
        return told
