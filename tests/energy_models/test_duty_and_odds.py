"""Devices that are not always on, lost electrodes, and how surely decoding draws less than raw streaming."""

from __future__ import annotations

import numpy as np
import pytest
from energy_workloads import dense_layer, quantity, toy_array, toy_site, workload

from energy_models.analysis import Design, compare_raw_streaming, crossover, raw_stream, streaming_draws
from energy_models.errors import CosimError
from energy_models.feasibility import (
    average_power_w,
    check_site_limits,
    levers,
    longest_duty_cycle,
    off_power_w,
    site_limits,
)
from energy_models.hardware import with_lost_electrodes
from energy_models.pricing import estimate
from energy_models.quantities import Band

WORK = workload(dense_layer(16, 6))
FRONT_END = {"model": "per_channel", "power": quantity(2, "uW/channel", 1, 4)}
CONVERTER = {"model": "walden", "effective_bits": quantity(10, "bit"), "figure_of_merit": quantity(30, "fJ/step")}
PER_BIT = {"model": "per_bit", "energy": quantity(50, "pJ/bit", 20, 100)}
CONNECTED = {
    "model": "connected", "energy": quantity(30, "nJ/bit"), "asleep": quantity(20, "uW"), "event": quantity(8, "uJ"),
    "interval": quantity(100, "ms"), "startup": quantity(2, "uJ"),
}  # fmt: skip
BATTERY = {
    "capacity": quantity(10, "mAh"), "voltage": quantity(3.6, "V"), "loss": quantity(0, "%/year"),
    "lifetime": quantity(24, "h"),
}  # fmt: skip


def test_off_the_machine_sleeps_the_radio_keeps_its_sleep_and_the_rest_is_off() -> None:
    machine = toy_array()
    site = toy_site(front_end=FRONT_END, converter=CONVERTER, radio=CONNECTED)
    on = estimate(WORK, machine, site, decode_rate_hz=10)
    kept = estimate(WORK, machine, None, decode_rate_hz=1e-9).power_w
    # asleep: 20 uW of the radio, and what the machine draws when nothing is asked of it
    expected = 20e-6 + kept["static"].nominal + kept["retention"].nominal
    off = off_power_w(WORK, machine, site)
    assert off.nominal == pytest.approx(expected, rel=1e-9)
    assert off.nominal < on.total_power_w.nominal


def test_the_average_lies_between_and_a_battery_follows_it() -> None:
    # on 4 W, off 1 W: a quarter of the time on is 1.75 W; 2.5 W are allowed for half of the time, 0.5 W never
    on, off = Band(4, 4, 4), Band(1, 1, 1)
    assert average_power_w(on, off, 0.25).nominal == pytest.approx(1.75)
    assert longest_duty_cycle(4, 1, 2.5) == pytest.approx(0.5)
    assert longest_duty_cycle(4, 1, 0.5) is None
    assert longest_duty_cycle(4, 1, 5) == 1.0
    for share in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(CosimError, match="above 0 and at most 1"):
            average_power_w(on, off, share)
    site = toy_site(battery=BATTERY)
    report = estimate(WORK, toy_array(), site, decode_rate_hz=10)
    always, seldom = (
        {check.name: check for check in check_site_limits(site_limits(site), report, average_w=average)}
        for average in (None, report.total_power_w.times(0.5))
    )
    assert seldom["battery"].headroom == pytest.approx(2 * always["battery"].headroom)
    assert seldom["power_budget"] == always["power_budget"]


def test_levers_of_a_device_that_is_seldom_on_follow_its_average() -> None:
    # 36 mWh a day are 1.5 mW. The front end alone, 16 channels at 200 uW, is 3.2 mW: too much unless half of the time
    site = toy_site(battery=BATTERY, front_end={"model": "per_channel", "power": quantity(200, "uW/channel")})
    half, always = (
        {one.name: one for one in levers(WORK, toy_array(), site, decode_rate_hz=10, duty_cycle=share)}
        for share in (0.4, 1.0)
    )
    assert half["site.front_end.power"].fits_now
    assert not always["site.front_end.power"].fits_now
    bounds = [one["site.front_end.power"].bound for one in (half, always)]
    assert bounds[0] == pytest.approx(bounds[1] / 0.4, rel=0.01)  # the decoder's share is small


def test_lost_electrodes_take_their_front_end_and_converter_with_them() -> None:
    site = toy_site(front_end=FRONT_END, converter=CONVERTER, radio=PER_BIT)
    whole, lost = (
        estimate(WORK, toy_array(), place, decode_rate_hz=10).power_w
        for place in (site, with_lost_electrodes(site, 4, of=16))
    )
    for cause in ("front_end", "converter"):
        for end in ("low", "nominal", "high"):
            assert getattr(lost[cause], end) == pytest.approx(0.75 * getattr(whole[cause], end))
    assert lost["memory"] == whole["memory"]
    assert with_lost_electrodes(site, 0, of=16) is site
    for count in (16, -1):
        with pytest.raises(CosimError, match="Give 0 to 15"):
            with_lost_electrodes(site, count, of=16)


def test_raw_streaming_sends_live_channels_and_records_all() -> None:
    site = with_lost_electrodes(toy_site(front_end=FRONT_END, radio=PER_BIT), 4, of=16)
    raw = raw_stream(site, channels=12, recorded=16)
    # 12 channels x 1 kS/s x 12 bit = 144 kbit/s at 50 pJ; 12 front ends of 2 uW
    assert raw.rate_bit_s.nominal == pytest.approx(144e3)
    assert raw.power_w["radio"].nominal == pytest.approx(7.2e-6)
    assert raw.power_w["front_end"].nominal == pytest.approx(24e-6)


def test_odds_agree_with_the_bounds_and_the_nominal_break_even() -> None:
    site = toy_site(front_end=FRONT_END, radio=PER_BIT)
    report = estimate(WORK, toy_array(), site, decode_rate_hz=10)
    found = compare_raw_streaming(site, report, channels=16)
    (drawn,) = streaming_draws([Design(WORK, toy_array(), site, 10)], draws=512, seed=0)
    assert found.cheaper == "decoding"
    assert drawn.probability == 1.0
    assert found.break_even_j_per_bit == pytest.approx(np.median(drawn.break_even_j_per_bit), rel=0.5)
    assert np.median(drawn.raw_w) == pytest.approx(found.raw.total_power_w.nominal, rel=0.2)
    free = toy_site(front_end=FRONT_END, radio={"model": "per_bit", "energy": quantity(0, "pJ/bit")})
    (nothing,) = streaming_draws([Design(WORK, toy_array(), free, 10)], draws=64, seed=0)
    assert nothing.probability == 0.0


def test_where_a_saving_changes_its_sign() -> None:
    # saved: -2, 0.., +2 at 1, 10, 100: crosses at 10 in the logarithm; other draws a decade apart, or never
    table = np.array([[-2.0, -1e-12, 2.0], [-1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, -1.0, 1.0]])
    found = crossover([1, 10, 100], list(table.T))
    assert (found.decoding, found.streaming, found.crossing, found.several) == pytest.approx((0.2, 0.2, 0.4, 0.2))
    assert found.range_at is None
    rising = crossover([1, 10, 100], list(table[:2].T))
    assert rising.side == "above"
    assert rising.range_at is not None
    assert rising.range_at[0] == pytest.approx(3.162 + 0.05 * (10 - 3.162), rel=1e-3)  # 10^0.5 and 10
    falling = crossover([1, 10], [np.ones(3), -np.ones(3)])
    assert (falling.side, falling.at) == ("below", pytest.approx(10**0.5))
    for values in ([1.0], [1.0, 1.0], [0.0, 1.0], [2.0, 1.0]):
        with pytest.raises(CosimError, match="ascending"):
            crossover(values, [np.ones(2)] * len(values))
