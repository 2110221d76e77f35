"""The page of memory laws is current, and its laws are found again by another solver from the raw sweep."""

from __future__ import annotations

import csv
from functools import cache
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


@cache
def normal_equations(law: Law) -> dict[tuple[int, str], tuple[float, ...]]:
    """Reference, size, width, three curvatures, largest and median error of every fit, all from one solution."""
    text = (files("energy_models.data") / SWEEP).read_text(encoding="utf-8")
    rows = [one for one in csv.DictReader(text.splitlines()) if one["temp_K"] == "300"]
    size, width, figure = (
        np.log2([float(one[name]) for one in rows]) for name in ("size_bytes", "width_bits", COLUMNS[law])
    )
    x, y = size - 13.0, width - 5.0  # powers of two, about 8 KiB = 2^13 and 32 = 2^5
    kinds = sorted({(int(one["node_nm"]), one["cell"]) for one in rows})
    own = np.array([[(int(one["node_nm"]), one["cell"]) == kind for kind in kinds] for one in rows], dtype=float).T
    columns = [*own, *(own * x)] if law == "leakage" else [*own, *(own * x), *(own * y), x * x, y * y, x * y]
    matrix = np.stack(columns)
    found = np.linalg.solve(matrix @ matrix.T, matrix @ figure)
    off, n = np.abs(figure - found @ matrix), len(kinds)
    bent = (0.0, 0.0, 0.0) if law == "leakage" else tuple(float(one) / np.log(2) for one in found[-3:])
    return {
        kind: (
            2 ** found[k], found[n + k], 0.0 if law == "leakage" else found[2 * n + k], *bent,
            2 ** off[own[k] > 0].max() - 1, float(np.median(2 ** off[own[k] > 0] - 1)),
        )
        for k, kind in enumerate(kinds)
    }


@pytest.mark.parametrize("node", [22, 32, 45, 65, 90])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("law", COLUMNS)
def test_every_law_is_found_again(node: int, flavour: Flavour, law: Law) -> None:
    reference, size, width, *bent, largest, median = normal_equations(law)[node, flavour]
    one = memory_fit(node, flavour).laws[law]
    assert one.reference == pytest.approx(reference, rel=1e-9)
    assert one.size == pytest.approx(size, rel=1e-8)
    assert one.width == pytest.approx(width, rel=1e-8)
    assert one.curvature == pytest.approx(bent, rel=1e-6)
    if law != "leakage":  # the stated error is that of these solutions
        assert one.error.largest == pytest.approx(largest, rel=1e-8)
        assert one.error.median == pytest.approx(median, rel=1e-8)
