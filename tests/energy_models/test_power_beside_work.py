"""What a machine draws beside work, part by part: always on, gated, clock, a rail of the memories' own."""

from __future__ import annotations

import pytest
from energy_workloads import dense_layer, quantity, toy_array, workload

from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.pricing import estimate
from energy_models.quantities import parse_model
from energy_models.technology.scaling import scaled_profile

NW, PW = 1e-9, 1e-12
WORK = workload(dense_layer(300, 2), mode="window", steps=10)
BUSY = 724e-6
"""Seconds of one decode on the toy array: 38 tiles of 19 cycles at 1 MHz and 2 us to wake (`test_retention`)."""


def machine(**changes: object) -> HardwareProfile:
    table = toy_array().model_dump(mode="json", exclude_none=True) | changes
    return parse_model(table, HardwareProfile, where="toy")


def static_w(rate_hz: float, **changes: object) -> float:
    return estimate(WORK, machine(**changes), None, decode_rate_hz=rate_hz).power_w["static"].nominal


def test_nothing_given_leaves_static_as_it_is() -> None:
    assert static_w(10) == pytest.approx(10 * NW)


def test_always_on_is_added_at_any_rate() -> None:
    for rate in (10, 1000):
        assert static_w(rate, always_on_power=quantity(350, "nW")) == pytest.approx(360 * NW)


def test_gated_static_by_hand() -> None:
    # a tenth of 10 nW stays; the rest for 0.724 % of the time
    assert static_w(10, gated_residual=quantity(0.1, "1")) == pytest.approx((1 + 9 * 10 * BUSY) * NW)


def test_gating_saves_nothing_where_nothing_sleeps() -> None:
    assert static_w(2000, gated_residual=quantity(0.1, "1")) == pytest.approx(10 * NW)
    assert static_w(10, gated_residual=quantity(1, "1")) == pytest.approx(10 * NW)


def test_bounds_hold_the_nominal_whichever_way_the_residual_goes() -> None:
    wide = machine(gated_residual=quantity(0.1, "1", 0.0, 0.6))
    found = estimate(WORK, wide, None, decode_rate_hz=10).power_w["static"]
    assert found.low < found.nominal < found.high <= 10 * NW


def test_clock_runs_always_or_while_awake() -> None:
    # 1 pJ a cycle at 1 MHz is 1 uW
    cycle = quantity(1, "pJ")
    assert static_w(10, energy_per_clock_cycle=cycle, clock_runs="always") == pytest.approx(1010 * NW)
    assert static_w(10, energy_per_clock_cycle=cycle, clock_runs="awake") == pytest.approx((10 + 1e4 * BUSY) * NW)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"energy_per_clock_cycle": quantity(1, "pJ")}, "clock_runs"),
        ({"clock_runs": "awake"}, "clock_runs"),
        ({"gated_residual": quantity(1.2, "1")}, "cannot exceed 1"),
        ({"memory_rail": {"supply": quantity(0.6, "V"), "efficiency": quantity(1.2, "1")}}, "efficiency"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        machine(**changes)


def test_a_rail_of_the_memories_costs_what_its_regulator_loses() -> None:
    railed = machine(memory_rail={"supply": quantity(0.6, "V"), "efficiency": quantity(0.8, "1")})
    before, after = (estimate(WORK, one, None, decode_rate_hz=10).power_w for one in (machine(), railed))
    for cause in ("memory", "retention"):
        assert after[cause].nominal == pytest.approx(before[cause].nominal / 0.8)
    assert after["compute"] == before["compute"]


def test_a_rail_keeps_the_memories_where_the_logic_moves() -> None:
    rail = {"supply": quantity(0.7, "V"), "efficiency": quantity(0.8, "1")}
    for table, kept in (({}, False), ({"memory_rail": rail}, True)):
        one = machine(**table)
        low = scaled_profile(one, supply_v=0.7)
        assert (low.bands["memories[0].read"] == one.bands["memories[0].read"]) is kept


def test_an_oscillator_does_not_scale() -> None:
    one = machine(always_on_power=quantity(350, "nW"))
    assert scaled_profile(one, supply_v=0.8).always_on_power == one.always_on_power
