"""Every notebook of `examples/` runs, as a reader would run it."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    """The quick start's cells that hold code, after they were run in order."""
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", 4)
    where = {"metadata": {"path": str(EXAMPLES)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells: list[Any], source: str) -> str:
    """What the cell that begins with `source` shows, as HTML."""
    (cell,) = [one for one in cells if source in one.source]
    return str(cell.outputs[-1].data["text/html"])


def test_the_notebook_shows_what_it_says(cells: list[Any]) -> None:
    cat = shown(cells, 'search("a close-up of a cat"')
    assert "<b>film.mp4</b> 0:15 – 0:2" in cat  # the flower after it fades in
    assert "data:image/jpeg;base64," in cat
    assert "0:25 – " in shown(cells, '"a red motorcycle", limit=3')
    assert "then 0:2" in shown(cells, 'then="a motorcycle"')
    assert "1 indexed" in shown(cells, "report = library.index")
    assert "film.mp4" in shown(cells, 'views="360/180"')
    assert "0:45 – " in shown(cells, "image=picture")
    (picture,) = [one for one in cells if "library.frame" in one.source]
    assert "image/png" in picture.outputs[-1].data


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
