"""A terminal whose commands and examples all run in one interpreter.

Each of them would take a second to start, and Spark ten.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile


@dataclass
class Done:
    """What ended: its exit code, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Terminal:
    """An interpreter that runs in `folder`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def command(self, *words: str) -> Done:
        """Run `framefind` with these words."""
        return self._ask({"words": words})

    def python(self, code: str) -> Done:
        """Run a program, with globals of its own."""
        return self._ask({"code": code})

    def _ask(self, order: Mapping[str, str | Sequence[str]]) -> Done:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{order} has ended the interpreter"
        return Done(**json.loads(answer))


@contextmanager
def opened(folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal in a folder."""
    with subprocess.Popen(
        [sys.executable, "-P", __file__],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Terminal(process)
        assert process.stdin
        process.stdin.close()


def _serve() -> None:
    """Run what stdin orders, a JSON object a line; answer each on what stdout was at first."""
    orders = os.fdopen(os.dup(0))
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull) as nowhere:
        os.dup2(nowhere.fileno(), 0)
    for line in orders:
        with TemporaryFile() as stdout, TemporaryFile() as stderr:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            returncode = _run(**json.loads(line))
            _stop_spark()
            sys.stdout.flush()
            sys.stderr.flush()
            printed = []
            for file in (stdout, stderr):
                file.seek(0)
                printed.append(file.read().decode("utf-8", "replace"))
        answers.write(json.dumps(vars(Done(returncode, *printed))) + "\n")
        answers.flush()


def _run(words: Sequence[str] = (), code: str = "") -> int:
    """Run a program, or `framefind` without one; return its exit code."""
    from framefind.cli.main import main

    sys.argv = ["framefind", *words]
    try:
        if code:
            exec(compile(code, "example", "exec"), {"__name__": "__main__"})
        else:
            main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _stop_spark() -> None:
    """Stop a session that is left, so that the next program starts its own; Java runs on."""
    if "pyspark.sql" in sys.modules:
        from pyspark.sql import SparkSession

        if session := SparkSession.getActiveSession():
            session.stop()


if __name__ == "__main__":
    _serve()
