"""Units, quantities, and the one error that lists all problems of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from energy_workloads import profile_text, quantity
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from energy_models.errors import ProfileError, UnitError
from energy_models.hardware import load_profile
from energy_models.quantities import Quantity, find_unit, to_si
from energy_models.quantities.units import UNITS, units_of


@pytest.mark.parametrize(
    ("value", "unit", "dimension", "si"),
    [
        (3.0, "pJ", "energy", 3e-12),
        (1.0, "mAh", "charge", 3.6),  # 1e-3 A x 3600 s
        (40.0, "mW/cm2", "power_density", 400.0),  # 0.04 W / 1e-4 m2
        (0.029, "degC/mW", "rise_per_power", 29.0),
        (128.0, "KiB", "information", 128 * 1024 * 8),
        (52.0, "uA/MHz", "charge", 52e-12),  # 52e-6 A / 1e6 Hz
        (5.0, "pW/bit", "power_per_bit", 5e-12),
        (120.0, "MHz", "frequency", 120e6),
        (2.5, "uW/MHz", "energy", 2.5e-12),
        (2.0, "%", "ratio", 0.02),
        (4.0, "mm2", "area", 4e-6),
    ],
)
def test_units_by_hand(value: float, unit: str, dimension: str, si: float) -> None:
    assert to_si(value, unit, dimension) == pytest.approx(si)


def test_every_unit_belongs_to_the_dimension_that_lists_it() -> None:
    for unit in UNITS.values():
        assert unit.text in units_of(unit.dimension)
        assert unit.factor > 0


def test_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(UnitError, match=r"unknown unit 'pj'.*'pJ'"):
        find_unit("pj")
    with pytest.raises(UnitError, match="unit 'mW' has dimension power, expected energy"):
        to_si(1.0, "mW", "energy")


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_bounds_are_ordered_or_refused(low: float, value: float, high: float) -> None:
    record = quantity(value, "pJ", low, high)
    if low <= value <= high:
        band = Quantity.model_validate(record).band
        assert band.low <= band.nominal <= band.high
    else:
        with pytest.raises(ValidationError, match="bounds out of order"):
            Quantity.model_validate(record)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "horowitz"}, "unknown source 'horowitz'.*horowitz2014"),
        ({"unit": "pJJ"}, "unknown unit 'pJJ'"),
        ({"basis": "assumed"}, "needs a note"),
        ({"source": "design_choice"}, "was not read"),
        ({"value": float("nan")}, "finite"),
        ({"basis": "guessed"}, "measured"),
    ],
)
def test_quantities_without_foundation_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Quantity.model_validate(quantity(1.0, "pJ", 0.5, 2.0) | change)


def test_all_problems_of_a_file_in_one_error(tmp_path: Path) -> None:
    text = profile_text("cortex_m4f")
    text = re.sub(r'(?m)^(active_power = .*unit = )"mW"', r'\1"mJ"', text)  # wrong dimension
    text = text.replace("[wake]", "[wake]\nenrgy = 3", 1)  # unknown field
    text = text.replace('source = "stm32l4r5_guide"', 'source = "stm32l4r5"', 1)  # unknown source
    path = tmp_path / "cortex_m4f.toml"
    path.write_text(text.replace('title = "', 'titel = "', 1))  # unknown field, and the right one is missing
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert "execution.programmable_core.active_power: unit 'mJ' has dimension energy, expected power" in message
    assert "wake.enrgy: unknown field (did you mean energy" in message
    assert "static: unknown source 'stm32l4r5'. Did you mean 'stm32l4r5_guide'" in message
    assert "titel: unknown field (did you mean title" in message
    assert "title: is missing" in message
    assert "5 problems" in message


@pytest.mark.parametrize(
    ("content", "message"), [("a = ", "is not TOML"), (None, "cannot be read"), ("name = 3", "problems")]
)
def test_broken_files_are_said(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "broken.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


def test_unknown_machine_names_the_nearest() -> None:
    with pytest.raises(ProfileError, match=r"unknown profile 'gap8'.*'gap9'"):
        load_profile("gap8")


def test_a_file_may_bring_its_own_sources(tmp_path: Path) -> None:
    text = profile_text("gap9").replace('source = "rossi2021_vega"', 'source = "mine"')
    record = '\n[sources.mine]\ntitle = "T"\nauthors = "A"\nyear = 2026\nvenue = "V"\nread = "original"\n'
    path = tmp_path / "gap9.toml"
    path.write_text(text + record)
    assert load_profile(path).static.source == "mine"
    assert load_profile(path).digest != load_profile("gap9").digest


def test_a_picojoule_is_no_tolerance() -> None:
    assert pytest.approx(1e-12) != 1.1e-12  # pytest's own would take them for equal
    assert pytest.approx(0.3) == 0.1 + 0.2
