"""Areas of chips against the laws: cores inside their bounds, parts of chips below the whole, and the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from validation_page import _areas

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


def test_every_area_names_its_source_and_is_known_from_both_sides() -> None:
    for row in area_rows():
        assert row.source in load_sources()
        assert row.predicted.low < row.predicted.nominal < row.predicted.high


def test_what_the_page_says_of_cores_is_what_they_are() -> None:
    ratios = [row.ratio for row in CORES]
    said = re.search(r"four cores lie within their bounds and between ([\d.]+) and ([\d.]+)\.", PAGE.read_text("utf-8"))
    assert said is not None
    assert len(CORES) == 4
    assert [float(one) for one in said.groups()] == pytest.approx([min(ratios), max(ratios)], abs=0.006)


def test_areas_are_drawn_on_the_page_of_validation_from_the_rows() -> None:
    lines = _areas(area_rows()).splitlines()
    assert len(lines) == len(area_rows()) + 3
    (odin,) = (line for line in lines if "| ODIN |" in line)
    assert odin.startswith("| core | fitted |")
    assert "| 36 KiB |" in odin
    assert "| 0.086 mm² | 1.22 |" in odin
