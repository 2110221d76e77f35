"""Silicon as a limit of a site: its area, and the decoder's power over it; what is not known is not checked."""

from __future__ import annotations

from typing import Any

import pytest
from energy_workloads import dense_layer, quantity, toy_array, toy_site, workload

from energy_models.errors import ProfileError
from energy_models.feasibility import LimitCheck, check_limits, site_limits, unchecked_limits
from energy_models.hardware import HardwareProfile, Site, load_profile, profile_names
from energy_models.pricing import EnergyReport, estimate

WORK = workload(dense_layer(16, 6))


def report(site: Site, machine: HardwareProfile) -> EnergyReport:
    return estimate(WORK, machine, site, decode_rate_hz=10)


def checks(site: Site, machine: HardwareProfile) -> dict[str, LimitCheck]:
    return {check.name: check for check in check_limits(site, report(site, machine))}


def test_area_and_power_density_by_hand() -> None:
    site = toy_site(silicon_area=quantity(4, "mm2"), silicon_power_density=quantity(20, "uW/mm2"))
    machine = toy_array(area=quantity(2, "mm2", 1, 5))
    found = checks(site, machine)
    area, density = found["silicon_area"], found["silicon_power_density"]
    assert (area.unit, area.value.nominal, area.headroom) == ("m2", 2e-6, 2)
    assert area.verdict == "fits nominally"  # at most 5 mm2
    assert area.spare_w is None
    power = report(site, machine).decoder_power_w.nominal
    assert density.value.nominal == pytest.approx(power / 2e-6)
    assert density.value.low < density.value.nominal < density.value.high
    assert density.verdict == "fits"
    assert unchecked_limits(site_limits(site), report(site, machine)) == ()


@pytest.mark.parametrize(("area", "verdict"), [(3.0, "fits"), (5.0, "exceeds")])
def test_an_area_is_within_its_limit_or_not(area: float, verdict: str) -> None:
    site = toy_site(silicon_area=quantity(4, "mm2"))
    assert checks(site, toy_array(area=quantity(area, "mm2")))["silicon_area"].verdict == verdict


def test_an_unknown_area_is_not_checked_and_never_zero() -> None:
    site = toy_site(silicon_area=quantity(4, "mm2"), silicon_power_density=quantity(20, "uW/mm2"))
    unknown = toy_array()
    assert report(site, unknown).area_m2 is None
    assert not {"silicon_area", "silicon_power_density"} & set(checks(site, unknown))
    lines = unchecked_limits(site_limits(site), report(site, unknown))
    assert lines == (
        "silicon_area not checked: the silicon area of toy is not known",
        "silicon_power_density not checked: the silicon area of toy is not known",
    )
    assert unchecked_limits(site_limits(toy_site()), report(toy_site(), unknown)) == ()


def test_a_larger_limit_never_turns_a_verdict() -> None:
    machine = toy_array(area=quantity(2, "mm2", 1, 5))
    order = ("exceeds", "fits only at best", "fits nominally", "fits")
    found = [
        order.index(checks(toy_site(silicon_area=quantity(room, "mm2")), machine)["silicon_area"].verdict)
        for room in (0.5, 1.5, 3, 6)
    ]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"silicon_area": quantity(0, "mm2")}, "above zero"),
        (
            {
                "silicon_area": quantity(4, "mm2"), "power_budget": None, "link": None,
                "omitted": {name: "not here" for name in (
                    "power_budget", "power_density", "temperature", "harvest", "battery", "link", "deadline")},
            },
            "at least one limit beside those on silicon",
        ),
    ],
)
def test_a_site_has_another_limit_too(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        toy_site(**limits)


def test_shipped_areas_are_of_machines_whose_parts_are_known() -> None:
    known = {name for name in profile_names() if load_profile(name).area is not None}
    assert {"asic65_near_memory", "asic45_reference", "asic22_fdx", "asic130_open"} <= known
    for name in known:
        area = load_profile(name).area
        assert area is not None
        assert 0 < area.low < area.value < area.high
