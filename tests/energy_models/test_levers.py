"""What would make a device fit: each lever is moved alone until the limits just hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from energy_models.feasibility import check_limits, levers
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site, with_constants, with_power_budget
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
