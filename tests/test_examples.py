"""Run every notebook of `examples/`, as a reader would."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    """Run the quick start; return its code cells, with their outputs."""
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", 4)
    resources = {"metadata": {"path": str(EXAMPLES)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def html_output(cells: list[Any], source: str) -> str:
    """Return what the cell that contains `source` shows, as HTML."""
    (cell,) = [cell for cell in cells if source in cell.source]
    return str(cell.outputs[-1].data["text/html"])


def test_the_notebook_shows_what_it_says(cells: list[Any]) -> None:
    cat = html_output(cells, 'search("a close-up of a cat"')
    assert "<b>film.mp4</b> 0:15 – 0:2" in cat  # the flower after it fades in
    assert "data:image/jpeg;base64," in cat
    assert "0:25 – " in html_output(cells, '"a red motorcycle", limit=3')
    assert "then 0:2" in html_output(cells, 'then="a motorcycle"')
    assert "1 indexed" in html_output(cells, "report = library.index")
    assert "film.mp4" in html_output(cells, 'views="360/180"')
    assert "0:45 – " in html_output(cells, "image=picture")
    (frame,) = [cell for cell in cells if "library.frame" in cell.source]
    assert "image/png" in frame.outputs[-1].data


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
