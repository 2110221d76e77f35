"""The front door: an estimate against raw streaming, on a battery, and a network built again at another size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import cosim
from energy_models.hardware import load_site
from energy_models.workload import Workload, at_widths


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 8, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 50, 2))


def counted() -> Workload:
    return cosim.count(network(), torch.ones(3, 4, 50), rate_hz=100)


def integer() -> Workload:
    return at_widths(counted(), weight_bits=8, activation_bits=8)


def test_an_estimate_is_held_against_sending_every_sample() -> None:
    found = cosim.estimate(integer(), "asic22_fdx", "implant_n1_1024", decode_rate_hz=10)
    against = found.against_raw_streaming()
    # 4 channels x 20 kS/s x 10 bit at 100 pJ/bit
    assert against.raw.rate_bit_s.nominal == pytest.approx(4 * 20e3 * 10)
    assert against.raw.power_w["radio"].nominal == pytest.approx(4 * 20e3 * 10 * 100e-12)
    assert against.decoded_w == found.report.total_power_w
    assert found.battery_life_s() is None
    with pytest.raises(cosim.CosimError, match="without a site"):
        cosim.estimate(integer(), "asic22_fdx", decode_rate_hz=10).against_raw_streaming()


def test_battery_life_is_that_of_the_whole_device_and_of_none_that_is_incomplete() -> None:
    found = cosim.estimate(integer(), "asic22_fdx", "implant_endovascular16", decode_rate_hz=10)
    life, battery = found.battery_life_s(), load_site("implant_endovascular16").battery
    assert life is not None
    assert battery is not None
    energy_j = battery.capacity.band.nominal * battery.voltage.band.nominal
    assert 0 < life.low < life.nominal < life.high
    assert life.nominal <= energy_j / found.report.total_power_w.nominal * (1 + 1e-12)
    floats = cosim.estimate(counted(), "asic22_fdx", "implant_endovascular16", decode_rate_hz=10)
    for ask in (floats.battery_life_s, floats.against_raw_streaming):
        with pytest.raises(cosim.CosimError, match="asic22_fdx"):
            ask()


def test_count_builds_again_as_a_sweep_does() -> None:
    built = cosim.count("ind_320_20", channels=32, bits=8)
    assert built.channels == 32
    table = cosim.sweep("ind_320_20", over={"channels": [32], "bits": [8]}, machines="asic22_fdx", decode_rate_hz=10)
    alone = cosim.estimate(built, "asic22_fdx", decode_rate_hz=10).report.decoder_power_w.nominal
    assert table.to_frame()["decoder_power_w"].iloc[0] == alone
    with pytest.raises(cosim.CosimError, match="made-up inputs"):
        cosim.count("ind_320_20", channels=32, rate_hz=20)
    with pytest.raises(cosim.CosimError, match="cannot be built again"):
        cosim.count(network(), channels=32)
