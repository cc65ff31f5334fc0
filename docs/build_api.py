"""Build the API reference from the docstrings: `python docs/build_api.py FOLDER`."""

import sys
from pathlib import Path

import pdoc

import framefind

MODULES = ("framefind", "framefind.errors", "framefind.models", "framefind.spark")


def build(folder: Path) -> None:
    """Write one HTML page per module of `MODULES`, and an index of them, into `folder`."""
    for name in framefind.__all__:  # pdoc sees only what is already imported
        getattr(framefind, name)
    pdoc.render.configure(docformat="markdown", footer_text=f"framefind {framefind.__version__}")
    pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
