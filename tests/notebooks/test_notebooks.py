"""Every notebook runs from top to bottom, shows what it claims to show, and holds no long function."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_of(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_defines_no_function_over_five_lines(path: Path) -> None:
    for source in code_of(nbformat.read(path, 4)):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or node.lineno) - node.lineno < 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_prints_tables_and_figures(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    kinds = {kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})}
    assert {"image/png", "text/html"} <= kinds


def test_bit_widths_shows_every_width_with_a_plausible_accuracy_and_power() -> None:
    """The saved outputs tell the same story as the text: no width at chance on the easy corpus, power falls with bits."""
    notebook = nbformat.read(FOLDER / "bit_widths.ipynb", 4)
    text = "\n".join(out.data["text/plain"] for cell in notebook.cells for out in cell.get("outputs", [])
                     if "text/plain" in out.get("data", {}))
    for width in ("w8a8", "w4a4", "w2a2"):
        assert width in text
