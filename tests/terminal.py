"""A terminal whose commands and examples all run in one interpreter.

Each of them would take a second to start, and Spark ten.
"""

import atexit
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

WIDE = {"COLUMNS": "100"}
"""So that lines of messages are not broken where tests look for them."""


@dataclass
class Done:
    """What ended: its exit code, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Terminal:
    """An interpreter; commands run in `folder`, or where this process is, with `environment`."""

    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str, **environment: str) -> Done:
        """Run `framefind` with these words."""
        return self._ask({"words": words}, environment)

    def python(self, code: str) -> Done:
        """Run a program, with globals of its own."""
        return self._ask({"code": code}, {})

    def close(self) -> None:
        """End the interpreter."""
        self._process.communicate()

    def _ask(self, order: Mapping[str, object], environment: Mapping[str, str]) -> Done:
        assert self._process.stdin
        assert self._process.stdout
        where = {
            "folder": str(self.folder or Path.cwd()),
            "environment": {**os.environ, **self.environment, **environment},
        }
        try:
            self._process.stdin.write(json.dumps({**order, **where}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            assert answer, f"{order} has ended the interpreter"
        except BaseException:  # a time limit, too: the next one would get this one's answer
            self._process.kill()
            _shared.cache_clear()
            raise
        return Done(**json.loads(answer))


@contextmanager
def opened(folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal of the test's own."""
    terminal = Terminal(folder, environment)
    try:
        yield terminal
    finally:
        terminal.close()


def run(*words: object, **environment: str) -> Done:
    """Run `framefind` as in a process of its own, in an interpreter that all tests share."""
    return _shared().command(*map(str, words), **WIDE | environment)


def run_python(code: str) -> Done:
    """Run a program in that interpreter, with globals of its own."""
    return _shared().python(code)


def run_alone(*words: object, **environment: str) -> Done:
    """Run `framefind` in a process of its own, for what is decided once in a process."""
    done = subprocess.run(
        [sys.executable, "-m", "framefind.cli", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **WIDE, **environment},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@cache
def _shared() -> Terminal:
    terminal = Terminal()
    atexit.register(terminal.close)
    return terminal


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


def _run(
    folder: str, environment: Mapping[str, str], words: Sequence[str] = (), code: str = ""
) -> int:
    """Run a program, or `framefind` without one; return its exit code."""
    from framefind.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
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
