"""Constants set by a caller: amounts with units, paths that exist, and what a price makes of them."""

from __future__ import annotations

import pytest

from energy_models.errors import CosimError, ProfileError, UnitError
from energy_models.hardware import constant_units, load_profile, load_site, with_constants
from energy_models.quantities import amount_si, prefixed


@pytest.mark.parametrize(
    ("written", "dimension", "si"),
    [
        ("3uW/channel", "power_per_channel", 3e-6),
        (" 3 µW/channel ", "power_per_channel", 3e-6),
        ("1e-1 kHz", "frequency", 100.0),
        (".5 V", "voltage", 0.5),
        (7, "energy", 7.0),
        ("2 KiB", "information", 16384.0),
    ],
)
def test_an_amount_is_read_in_si(written: object, dimension: str, si: float) -> None:
    assert amount_si(written, dimension, where="here") == pytest.approx(si)


@pytest.mark.parametrize("written", ["3", "watts", "3 W", "3 Xz", "-1 Hz", float("nan"), -1, True, None, [1], "nan Hz"])
def test_what_is_no_amount_is_refused_with_the_units_or_the_range(written: object) -> None:
    with pytest.raises(UnitError, match=r"here: .*(kHz|from 0 up)"):
        amount_si(written, "frequency", where="here")


def test_a_constant_is_set_exactly_and_says_so() -> None:
    profile, site = load_profile("gap9"), load_site("headset_pulp")
    values = {"profile.clock": "100 MHz", "site.front_end.power": 3e-6, "profile.memories[0].capacity": "1 MB"}
    machine, place = with_constants(profile, site, values)
    assert machine.clock.band.low == machine.clock.band.high == 1e8
    assert machine.memories[0].capacity.band.nominal == pytest.approx(8e6)
    assert place is not None
    changed = place.quantity_at["front_end.power"]
    assert (changed.basis, changed.source) == ("assumed", "design_choice")
    assert "550 uW/channel" in changed.note
    assert place.digest != site.digest
    assert profile.clock.value == load_profile("gap9").clock.value


def test_nothing_set_changes_nothing() -> None:
    profile, site = load_profile("gap9"), load_site("headset_pulp")
    assert with_constants(profile, site, {}) == (profile, site)


@pytest.mark.parametrize("name", ["gap9", "odin_reckon", "asic65_near_memory"])
def test_every_constant_can_be_set_to_what_it_is(name: str) -> None:
    profile, site = load_profile(name), load_site("implant_utah96")
    values = {f"profile.{path}": band.nominal for path, band in profile.bands.items()}
    values |= {f"site.{path}": band.nominal for path, band in site.bands.items()}
    assert set(values) == set(constant_units(profile, site))
    machine, place = with_constants(profile, site, values)
    assert place is not None
    for path, band in profile.bands.items():
        assert machine.bands[path].nominal == pytest.approx(band.nominal)


@pytest.mark.parametrize(
    ("path", "value", "kind", "message"),
    [
        ("site.front_end.powr", 1, ProfileError, "Did you mean site.front_end.power"),
        ("clock", 1, ProfileError, "Did you mean profile.clock"),
        ("profile.clock", "3 mW", UnitError, "dimension power, expected frequency. Use one of: .*MHz"),
        ("site.front_end.power", "3 uW", UnitError, "Use one of: .*uW/channel"),
    ],
)
def test_a_wrong_path_or_unit_names_the_right_ones(
    path: str, value: object, kind: type[CosimError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        with_constants(load_profile("gap9"), load_site("headset_pulp"), {path: value})


def test_values_are_shown_with_a_prefix() -> None:
    assert prefixed(4.2e-5, "W") == "42 µW"
    assert prefixed(0.0, "J") == "0 J"
    assert prefixed(1.5e-13, "J").endswith("fJ")
