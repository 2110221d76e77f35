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


# What each notebook's claim says of its own variables, checked after its last cell.
CLAIMS = {
    "bit_widths": """
kept = table.loc[["w8a8", "w6a6", "w4a4", "w3a3"]]
assert kept["balanced accuracy"].min() > table.loc["float32", "balanced accuracy"] - 0.08, table
widths = ["w8a8", "w6a6", "w4a4", "w3a3"]
assert table.loc[widths, "weights [kB]"].is_monotonic_decreasing, table
assert table.loc[widths, "decoder [µW]"].is_monotonic_decreasing, table
assert 1 < table.loc["w8a8", "decoder [µW]"] / table.loc["w2a2", "decoder [µW]"] < 1.5, table
""",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_claim_holds(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[path.stem]))
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    kinds = {kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
