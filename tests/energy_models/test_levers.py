"""What would make a device fit: each lever is moved alone until the limits just hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from energy_workloads import dense_layer, quantity, toy_array, toy_site, workload

from energy_models.feasibility import check_limits, levers
from energy_models.feasibility.levers import COSTS, HELPS
from energy_models.hardware import (
    HardwareProfile,
    Site,
    constant_units,
    load_profile,
    load_site,
    profile_names,
    site_names,
    with_constants,
    with_power_budget,
)
from energy_models.pricing import estimate
from energy_models.workload import Workload, at_widths, read_workload

EEGNET = at_widths(
    read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json"),
    weight_bits=2, activation_bits=2,
)
ASIC, UTAH = load_profile("asic65_near_memory"), load_site("implant_utah96")


def headroom(work: Workload, machine: HardwareProfile, site: Site | None, rate_hz: float) -> float:
    assert site is not None
    return min(check.headroom for check in check_limits(site, estimate(work, machine, site, decode_rate_hz=rate_hz)))


@pytest.mark.parametrize("share", [0.7, 3.0])
def test_a_lever_stops_where_the_tightest_limit_is_just_held(share: float) -> None:
    site = with_power_budget(UTAH, share * estimate(EEGNET, ASIC, UTAH, decode_rate_hz=2.0).total_power_w.nominal)
    fits = headroom(EEGNET, ASIC, site, 2.0) >= 1
    found = {lever.name: lever for lever in levers(EEGNET, ASIC, site, decode_rate_hz=2.0)}
    decided = 0
    for name, lever in found.items():
        assert lever.fits_now == fits
        if lever.bound is None:
            continue
        decided += 1
        if name == "decode_rate_hz":
            assert headroom(EEGNET, ASIC, site, lever.bound) == pytest.approx(1.0, rel=1e-6)
            continue
        machine, place = with_constants(ASIC, site, {name: lever.bound})
        assert headroom(EEGNET, machine, place, 2.0) == pytest.approx(1.0, rel=1e-6)
    assert decided


def test_levers_that_need_the_least_change_come_first_and_say_so_in_words() -> None:
    found = levers(EEGNET, ASIC, UTAH, decode_rate_hz=2.0)
    changes = [max(lever.bound / lever.now, lever.now / lever.bound) for lever in found if lever.bound is not None]
    assert changes == sorted(changes)
    assert all(lever.name in lever.text for lever in found)


def test_no_constant_makes_room_in_a_memory() -> None:
    floating = read_workload(Path(__file__).parents[2] / "energy_models/data/workloads/eegnet_8_2.json")
    assert levers(floating, load_profile("cortex_m4f"), load_site("headset_commodity"), decode_rate_hz=1.0) == ()


def test_every_lever_is_a_constant_of_some_shipped_device() -> None:
    known = {path for name in profile_names() for path in constant_units(load_profile(name), None)}
    some = load_profile(profile_names()[0])
    known |= {path for name in site_names() for path in constant_units(some, load_site(name))}
    assert set(COSTS) | set(HELPS) <= known


def test_a_connected_radio_has_its_standing_power_and_its_interval_among_the_levers() -> None:
    site = load_site("headset_pulp")
    found = {lever.name: lever for lever in levers(EEGNET, ASIC, site, decode_rate_hz=2.0)}
    radio = ("energy", "event", "startup", "interval")  # asleep it draws nothing
    assert {f"site.radio.{name}" for name in radio} <= set(found)
    assert not found["site.radio.interval"].is_cost
    assert found["site.radio.event"].is_cost
    assert "profile.always_on_power" in found


def test_a_machine_that_gathers_has_that_power_as_a_lever_and_another_has_not() -> None:
    machine, work = load_profile("cortex_m33_u575"), workload(dense_layer(64, 64))
    gathering, plain = (
        {lever.name: lever for lever in levers(work, machine, toy_site(**parts), decode_rate_hz=1)}
        for parts in ({"gathered_by": "machine"}, {})
    )
    assert "profile.gathering" in gathering
    assert "profile.gathering" not in plain


def test_a_share_of_the_time_is_never_moved_beyond_all_of_it() -> None:
    site = load_site("headset_pulp")
    found = {lever.name: lever for lever in levers(EEGNET, ASIC, site, decode_rate_hz=2.0)}
    bound = found["site.controller.share"].bound
    assert bound is None or bound <= 1


def test_silicon_of_unknown_area_is_said_beside_every_lever() -> None:
    work, limit = workload(dense_layer(16, 6)), {"silicon_area": quantity(4, "mm2")}
    unknown = levers(work, toy_array(), toy_site(**limit), decode_rate_hz=10)
    assert unknown
    assert all("silicon_area not checked" in lever.text for lever in unknown)
    known = levers(work, toy_array(area=quantity(2, "mm2")), toy_site(**limit), decode_rate_hz=10)
    assert not any("not checked" in lever.text for lever in known)


def test_power_rises_with_the_clock_of_a_core_so_that_no_clock_mends_a_power_budget() -> None:
    """Energy of a cycle stays: 12 times the clock takes 12 times the power for a twelfth of the time."""
    core, site = load_profile("cortex_m4f"), load_site("headset_commodity")
    total_w = estimate(EEGNET, core, site, decode_rate_hz=2.0).total_power_w.nominal
    asked = with_power_budget(site, 0.97 * total_w)
    found = {one.name: one for one in levers(EEGNET, core, asked, decode_rate_hz=2.0)}
    assert not found["profile.clock"].fits_now
    assert found["profile.clock"].bound is None
