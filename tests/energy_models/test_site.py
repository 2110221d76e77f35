"""Sites: every limit accounted for, worked numbers, and verdicts within bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_models.analysis import raw_stream
from energy_models.errors import ProfileError
from energy_models.feasibility import LIMIT_VERDICTS, battery_power_w, check_limits, limit_quantities, limit_verdict
from energy_models.feasibility.limits import sphere_slope_k_per_w
from energy_models.hardware import LIMIT_NAMES, Site, load_site, site_names
from energy_models.pricing import EnergyReport, LayerEnergy
from energy_models.quantities import Band, load_sources, parse_model, quantities

YEAR = 365.25 * 86400


LATENCY = Band(1e-3, 2e-3, 3e-3)


def report(power: Band, latency: Band = LATENCY, rate_hz: float = 10.0) -> EnergyReport:
    energy = {"compute": Band(1e-9, 2e-9, 3e-9)}
    return EnergyReport(
        workload="w", profile="p", profile_hash="h", decode_rate_hz=rate_hz,
        layers=(LayerEnergy("one", "linear", energy),), power_w={"compute": power}, latency_s=latency,
        cycles=Band(1, 1, 1), busy=Band(0.5, 0.5, 0.5), memories=(),
        infeasibilities=(), unaccounted=(), not_charged=(), sources=(), assumed=(),
    )  # fmt: skip


def number(value: float, unit: str, low: float | None = None, high: float | None = None) -> dict[str, object]:
    return {
        "value": value, "low": value if low is None else low, "high": value if high is None else high, "unit": unit,
        "basis": "derived", "source": "own", "where": "test",
    }  # fmt: skip


def site(**limits: object) -> Site:
    return parse_model(table(**limits), Site, where="test")


def table(**limits: object) -> dict[str, Any]:
    absent = {"model": "absent", "reason": "not in this test"}
    own = {"title": "t", "authors": "a", "year": 2026, "venue": "v", "read": "original"}
    return {
        "name": "test_site", "title": "Test", "description": "for tests", "sources": {"own": own},
        "sampling": {"channels": number(4, "channel"), "rate": number(250, "S/s"), "converter": number(10, "bit")},
        "front_end": absent, "converter": absent, "radio": absent, "regulator": absent,
        "omitted": {name: "not in this test" for name in LIMIT_NAMES if name not in limits},
        **limits,
    }  # fmt: skip


BOX = {"length": number(6, "mm"), "width": number(6, "mm"), "thickness": number(1.5, "mm")}
TISSUE = {
    "conductivity": number(0.5, "W/(m K)", 0.45, 0.55), "perfusion": number(0.0087, "1/s", 0.005, 0.012),
    "blood_heat": number(4.07e6, "J/(m3 K)"),
}  # fmt: skip


SHIPPED = (
    "headset_commodity", "headset_pulp", "implant_ecog64_wimagine", "implant_endovascular16",
    "implant_epilepsy",
    "implant_n1_1024", "implant_uecog_bisc", "implant_utah96",
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sites_load_and_name_their_sources(name: str) -> None:
    assert name in site_names()
    loaded = load_site(name)
    assert loaded.name == name
    found = list(quantities(loaded))
    assert len(found) >= 8
    assert {quantity.source for _, quantity in found} <= set(load_sources())


def test_recalled_numbers_are_marked_assumed_with_a_note() -> None:
    for name in site_names():
        for path, quantity in quantities(load_site(name)):
            if not load_sources()[quantity.source].was_read:
                assert quantity.basis == "assumed", path
                assert quantity.note, path


def test_limits_name_the_numbers_of_limits_only() -> None:
    # what records, sends and feeds is named by the report that charged it
    paths = [path for path, _ in limit_quantities(load_site("implant_utah96"))]
    assert "implant_utah96.package.length" in paths
    assert "implant_utah96.link.message" in paths
    parts = ("sampling", "front_end", "converter", "radio", "regulator")
    assert not [path for path in paths if path.split(".")[1] in parts]


def test_utah_array_reaches_its_thermal_limit_at_34_mw() -> None:
    # 1 degC / 0.029 degC/mW = 34.48 mW; at 15 mW the rise is 0.435 K and the budget of 15 mW is used up exactly.
    checks = {c.name: c for c in check_limits(load_site("implant_utah96"), report(Band(15e-3, 15e-3, 15e-3)))}
    assert checks["temperature"].value.nominal == pytest.approx(0.435)
    assert checks["temperature"].headroom == pytest.approx(34.48 / 15, rel=1e-3)
    assert checks["power_budget"].headroom == pytest.approx(1.0)
    assert checks["power_budget"].verdict == "fits"
    # 15 mW over 108 mm2 = 138.9 W/m2 against 400 W/m2
    assert checks["power_density"].value.nominal == pytest.approx(138.9, abs=0.05)
    assert checks["power_density"].limit.nominal == pytest.approx(400.0)
    # 10 decodes/s of 32 bit
    assert checks["link"].value.nominal == pytest.approx(320.0)


def test_the_surface_array_draws_what_it_was_reported_to_draw() -> None:
    # 1024 channels of 25.43 uW and 100 Mb/s of 50 pJ/bit behind a regulator of 0.8: (26.04 + 5) / 0.8 = 38.8 mW. Its
    # own 1024 x 8 kS/s x 10 bit are 81.92 Mb/s: (26.04 + 4.096) / 0.8 = 37.67 mW, inside what is taken as its budget
    site = load_site("implant_uecog_bisc")
    constants = site.bands
    front_end, bit = constants["front_end.power"].nominal, constants["radio.energy"].nominal
    assert (1024 * front_end + 100e6 * bit) / 0.8 == pytest.approx(38.8e-3, rel=1e-4)
    assert raw_stream(site, channels=1024).total_power_w.nominal == pytest.approx(37.67e-3, rel=1e-3)


def test_epilepsy_cell_without_losses_gives_34_uw() -> None:
    # 1 Ah * 3 V = 10.8 kJ over 10 years = 10800 / 3.15576e8 = 34.22 uW
    battery = load_site("implant_epilepsy").battery
    assert battery is not None
    lossless = battery.model_copy(update={"loss": battery.loss.model_copy(update={"value": 0.0, "high": 0.0})})
    assert battery_power_w(lossless).nominal == pytest.approx(34.22e-6, rel=1e-3)


def test_epilepsy_cell_that_loses_five_percent_a_year() -> None:
    # r E0 / (e^(rT) - 1) = 0.05 * 10800 J / (e^0.5 - 1) = 540 / 0.648721 = 832.41 J a year = 26.38 uW
    battery = load_site("implant_epilepsy").battery
    assert battery is not None
    band = battery_power_w(battery)
    assert band.nominal == pytest.approx(832.41 / YEAR, rel=1e-4)
    assert band.low < band.nominal < band.high
    # high: 3 Ah, no loss: 32.4 kJ over 10 years = 102.67 uW
    assert band.high == pytest.approx(102.67e-6, rel=1e-4)


def test_headset_cell_for_half_a_day() -> None:
    # 0.15 Ah * 3.7 V / 12 h = 46.25 mW
    battery = load_site("headset_commodity").battery
    assert battery is not None
    assert battery_power_w(battery).nominal == pytest.approx(46.25e-3)


def test_pennes_sphere_where_no_slope_was_measured() -> None:
    place = site(temperature={"limit": number(1, "degC"), "tissue": TISSUE}, package=BOX)
    assert place.temperature is not None
    assert place.temperature.tissue is not None
    assert place.package is not None
    slope = sphere_slope_k_per_w(place.temperature.tissue, place.package)
    assert slope.nominal == pytest.approx(30.50, abs=0.01)  # worked in test_thermal
    assert slope.low < slope.nominal < slope.high


def test_the_binding_limit_comes_first() -> None:
    # 10 mW: 1.5 of 15 mW headroom; 0.305 of 1 K by the sphere gives 3.3, 0.29 by the slope 3.4; 92.6 of 400 W/m2 4.3
    checks = check_limits(load_site("implant_utah96"), report(Band(9e-3, 10e-3, 11e-3)))
    assert [check.name for check in checks[:4]] == [
        "power_budget", "temperature_sphere", "temperature", "power_density",
    ]  # fmt: skip
    assert checks[0].headroom == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Band(1, 2, 3), "fits"),
        (Band(1, 2, 9.99), "fits"),
        (Band(1, 2, 10), "fits"),
        (Band(1, 2, 11), "fits nominally"),
        (Band(9, 11, 13), "fits nominally"),
        (Band(9, 11.1, 13), "fits only at best"),
        (Band(1, 11.1, 11.1), "fits only at best"),
        (Band(12, 13, 14), "fits only at best"),
        (Band(12.1, 13, 14), "exceeds"),
    ],
)
def test_verdict_within_bounds(value: Band, expected: str) -> None:
    assert limit_verdict(Band(10, 11, 12), value) == expected


ordered = st.tuples(*[st.floats(0, 100)] * 3).map(lambda three: Band(*sorted(three)))


@given(ordered, ordered, st.floats(1, 10))
def test_more_power_never_fits_better(limit: Band, value: Band, factor: float) -> None:
    rank = LIMIT_VERDICTS
    assert rank.index(limit_verdict(limit, value.times(factor))) >= rank.index(limit_verdict(limit, value))


def test_a_value_of_zero_has_endless_headroom() -> None:
    place = site(power_budget=number(1, "mW"))
    assert check_limits(place, report(Band(0, 0, 0)))[0].headroom == math.inf


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"omitted": {}}, "power_density is missing"),
        ({"deadline": number(5, "mW")}, "expected time"),
        ({"deadlin": number(5, "ms")}, "did you mean deadline"),
        ({"radio": {"model": "per_bit", "energy": number(50, "pJ/bit")}}, "a radio needs its message"),
        ({"regulator": {"model": "efficiency", "efficiency": number(1.1, "1")}}, "efficiency must lie above 0"),
        ({"front_end": {"model": "absent", "reason": ""}}, "front_end.absent.reason"),
        ({"temperature": {"limit": number(1, "degC")}}, "give slope"),
        ({"temperature": {"limit": number(1, "degC"), "tissue": TISSUE}}, "package is missing"),
        ({"power_density": number(40, "mW/cm2")}, "package is missing"),
    ],
)
def test_a_wrong_file_says_what_and_where(change: Mapping[str, object], said: str) -> None:
    data = table(power_budget=number(1, "mW"))
    data["omitted"] = {k: v for k, v in data["omitted"].items() if k not in change}
    with pytest.raises(ProfileError, match=said):
        parse_model({**data, **change}, Site, where="test")


def test_a_limit_given_and_omitted_at_once_is_refused() -> None:
    data = table(power_budget=number(1, "mW"))
    data["omitted"]["power_budget"] = "why not"
    with pytest.raises(ProfileError, match="given and omitted at once"):
        parse_model(data, Site, where="test")


def test_digest_follows_content() -> None:
    assert site(power_budget=number(1, "mW")).digest == site(power_budget=number(1, "mW")).digest
    assert site(power_budget=number(1, "mW")).digest != site(power_budget=number(2, "mW")).digest
