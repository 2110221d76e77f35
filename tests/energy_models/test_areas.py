"""Areas of chips against the laws: cores inside their bounds, parts of chips below the whole, and the page's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from energy_models.quantities import load_sources
from energy_models.technology import machine_laws
from energy_models.validation.areas import AreaRow, area_rows

PAGE = Path(__file__).parents[2] / "docs" / "machine_laws.md"
SWEPT_CELL = 205.0
CORES = [row for row in area_rows() if row.scope == "core"]


@pytest.mark.parametrize("row", CORES, ids=lambda row: row.id)
def test_cores_lie_within_their_bounds(row: AreaRow) -> None:
    assert row.predicted.low <= row.published_m2 <= row.predicted.high
    assert 0.75 <= row.ratio <= 1.35


@pytest.mark.parametrize("row", [row for row in area_rows() if row.scope == "chip"], ids=lambda row: row.id)
def test_the_known_part_of_a_chip_is_never_the_larger(row: AreaRow) -> None:
    assert row.predicted.nominal < row.published_m2


def test_the_core_factor_is_what_fitted_cores_take_over_the_sweep() -> None:
    # core over memories by the sweep: ODIN 1.8, MorphIC 1.6, SENECA 2.0; ReckOn, held out, 2.5
    over = {
        row.id: row.published_m2 / (row.memory_bits * SWEPT_CELL * (row.node_nm * 1e-9) ** 2) for row in CORES
    }
    factor = machine_laws().area.core_factor
    for name in ("ODIN", "MorphIC", "SENECA"):
        assert factor.low * 0.97 <= over[name] <= factor.high
    assert over["ReckOn"] == pytest.approx(2.5, abs=0.05)
    assert [row.role for row in CORES if row.id == "ReckOn"] == ["held out"]


def test_every_area_names_its_source_and_stands_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for row in area_rows():
        assert row.source in load_sources()
        low, nominal, high = (one * 1e6 for one in (row.predicted.low, row.predicted.nominal, row.predicted.high))
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {row.id} |"))
        cells = [cell.strip() for cell in line.split("|")]
        ends = cells[5].replace("[", "").replace("]", "").replace(",", "").split()
        assert [float(one) for one in ends] == pytest.approx([nominal, low, high], rel=0.05)
        assert float(cells[6]) == pytest.approx(row.ratio, abs=0.006)
        assert float(cells[4]) == pytest.approx(row.published_m2 * 1e6, rel=0.01)
        assert row.predicted.low < row.predicted.nominal < row.predicted.high
