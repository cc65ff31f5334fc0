"""How many functions and files does one query, and one clip, pass through?

    python benchmarks/hops.py VIDEO [--list]

Runs `framefind index VIDEO` and `framefind search TEXT` and counts framefind's own functions:

- functions: different ones that were entered, in any thread of the parent process;
- files: different ones that those lie in;
- calls: entries in the main thread, where resuming a generator counts too;
- changes: calls that enter another file than the call before.

Modules are imported first, so that what they run at import is not counted. Comprehensions belong to
the function around them. `--list` prints the functions in the order of their first calls. Another
tree is measured by putting its `src` on `PYTHONPATH`.
"""

import argparse
import contextlib
import importlib
import inspect
import itertools
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def main() -> None:
    """Index one clip and ask one query, and print what each passes through."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--list", action="store_true", help="print the functions, in order")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = ["--library", str(Path(folder) / "hops.framefind")]
        walks = {
            "clip": ["index", str(chosen.video), *library],
            "query": ["search", "a red car on a road", *library],
        }
        for name, arguments in walks.items():
            _print(name, _trace(arguments, Path(folder) / f"{name}.json"), chosen.list)


def _trace(arguments: list[str], out: Path) -> dict[str, Any]:
    """Return what a command passed through, in a process of its own."""
    command = [sys.executable, __file__]
    environment = {**os.environ, "FRAMEFIND_HOPS": str(out)}
    subprocess.run([*command, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    walk: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return walk


def _print(name: str, walk: dict[str, Any], with_list: bool) -> None:
    files = {file for file, _ in walk["functions"]}
    calls: list[str] = walk["calls"]
    changes = sum(before != after for before, after in itertools.pairwise(calls))
    print(
        f"{name}: {len(walk['functions'])} functions, {len(files)} files, {len(calls)} calls, "
        f"{changes} changes of file"
    )
    if with_list:
        for file, function in walk["functions"]:
            print(f"    {file}: {function}")


def _run(arguments: list[str], out: Path) -> None:
    """Run one command of framefind in this process, and write what it passed through."""
    root = _import_all()
    functions: dict[tuple[str, str], None] = {}
    calls: list[str] = []
    main_thread = threading.get_ident()

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(root):
            return
        if code.co_name in COMPREHENSIONS or not code.co_flags & inspect.CO_OPTIMIZED:
            return  # not a function: a class or a module
        file = code.co_filename[len(root) :]
        functions.setdefault((file, code.co_qualname))
        if threading.get_ident() == main_thread:
            calls.append(file)

    entry = importlib.import_module("framefind.cli")
    command = getattr(entry.main, "main", entry.main)
    sys.argv = ["framefind", *arguments]
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        with contextlib.suppress(SystemExit):
            command()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        out.write_text(json.dumps({"functions": list(functions), "calls": calls}), "utf-8")


def _import_all() -> str:
    """Import all modules of framefind that can be imported, and return its folder."""
    package = importlib.import_module("framefind")
    for module in pkgutil.walk_packages(package.__path__, "framefind."):
        if "spark" not in module.name and not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    return os.path.join(package.__path__[0], "")


if __name__ == "__main__":
    if traced := os.environ.pop("FRAMEFIND_HOPS", None):
        _run(sys.argv[1:], Path(traced))
    else:
        main()
