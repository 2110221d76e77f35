"""The page of memory laws is current, and its laws are found again by another solver from the raw sweep."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from memory_page import memory_page

from energy_models.technology import FLAVOURS, SWEEP, Flavour, Law, memory_fit

PAGE = Path(__file__).parents[2] / "docs" / "memory.md"
COLUMNS: dict[Law, str] = {
    "read": "read_pJ", "write": "write_pJ", "access": "access_ns", "leakage": "leak_pW_per_bit",
}


def test_the_page_in_docs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == memory_page(), "python docs/make/memory_page.py > docs/memory.md"


@pytest.mark.parametrize("node", [22, 32, 45, 65, 90])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("law", COLUMNS)
def test_every_law_is_found_again(node: int, flavour: Flavour, law: Law) -> None:
    text = (files("energy_models.data") / SWEEP).read_text(encoding="utf-8")
    rows = [
        one for one in csv.DictReader(text.splitlines())
        if (one["node_nm"], one["cell"], one["temp_K"]) == (str(node), flavour, "300")
    ]
    size, width, figure = (
        np.log2([float(one[name]) for one in rows]) for name in ("size_bytes", "width_bits", COLUMNS[law])
    )
    # normal equations in powers of two, about 8 KiB = 2^13 and 32 = 2^5
    columns = [np.ones(len(rows)), size - 13.0] + ([] if law == "leakage" else [width - 5.0])
    matrix = np.stack(columns)
    found = np.linalg.solve(matrix @ matrix.T, matrix @ figure)
    one = memory_fit(node, flavour).laws[law]
    assert one.reference == pytest.approx(2 ** found[0], rel=1e-9)
    assert one.size == pytest.approx(found[1], rel=1e-8)
    assert one.width == pytest.approx(0.0 if law == "leakage" else found[2], rel=1e-8)
    # the stated error is that of these solutions
    off = np.abs(figure - found @ matrix)
    if law != "leakage":
        assert one.error.largest == pytest.approx(2 ** off.max() - 1, rel=1e-8)
        assert one.error.median == pytest.approx(np.median(2**off - 1), rel=1e-8)
