"""Activation memory of observed Brevitas networks: what a kernel requantises is stored on its grid, never as a sum."""

from __future__ import annotations

import brevitas.nn as qnn
import pytest
import torch
from torch import Tensor, nn

from energy_models.hardware import load_profile, load_site
from energy_models.mapping.placing import required_bits
from energy_models.pricing import estimate
from energy_models.workload import Workload
from students.counting import observe

STEPS = 3072


def grid(bits: int = 8) -> nn.Module:
    return qnn.QuantIdentity(bit_width=bits, return_quant_tensor=True)


def conv(inputs: int, outputs: int, taps: int) -> nn.Module:
    return qnn.QuantConv1d(inputs, outputs, taps, padding=taps // 2, weight_bit_width=8, bias=False)


def relu(bits: int = 8) -> nn.Module:
    return qnn.QuantReLU(bit_width=bits, return_quant_tensor=True)


class SharedReLU(nn.Module):
    """One module used behind two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.grid, self.relu = grid(), relu()
        self.first, self.second, self.last = conv(1, 32, 15), conv(32, 32, 3), conv(32, 1, 1)

    def forward(self, signal: Tensor) -> Tensor:
        signal = self.relu(self.first(self.grid(signal)))
        return self.last(self.relu(self.second(signal)))


def seen(net: nn.Module) -> Workload:
    torch.manual_seed(0)
    net.train()
    net(torch.randn(2, 1, STEPS))
    net.eval()
    signal = torch.randn(1, 1, STEPS)
    return observe(net, signal, name="net", mode="window", step_rate_hz=256.0, input_bits=8)


def test_one_int8_convolution_fits_the_ram_of_a_microcontroller() -> None:
    work = seen(nn.Sequential(grid(), conv(1, 32, 15), relu(), conv(32, 1, 1)))
    report = estimate(work, load_profile("nrf52840"), load_site("headset_commodity"), decode_rate_hz=0.05)
    (sram,) = [use for use in report.memories if use.memory == "sram"]
    assert sram.used_bits == 8 * 101_376  # int8 in 3,072 B + int8 out 98,304 B
    assert report.infeasibilities == ()


@pytest.mark.parametrize(
    ("net", "pairs"),
    [
        # a norm between convolution and clip is folded into the convolution
        (nn.Sequential(grid(), conv(1, 32, 15), nn.BatchNorm1d(32), relu(), conv(32, 1, 1)), 32),
        # behind the clip it stays a layer, whose 32 bit are requantised in the same loop
        (nn.Sequential(grid(), conv(1, 32, 15), relu(), nn.BatchNorm1d(32), grid(), conv(32, 1, 1)), 32),
        # 4 bit stored
        (nn.Sequential(grid(), conv(1, 32, 15), relu(4), conv(32, 1, 1)), 16),
        # a pool reads 32 rows and writes half as much
        (nn.Sequential(grid(), conv(1, 32, 15), relu(), nn.MaxPool1d(2), conv(32, 1, 1)), 48),
        (SharedReLU(), 64),
    ],
    ids=["norm", "norm behind", "w8a4", "pool", "shared"],
)
@pytest.mark.parametrize("machine", ["nrf52840", "gap9", "asic22_fdx"])
def test_rows_of_int8_live_at_once(net: nn.Module, pairs: int, machine: str) -> None:
    assert required_bits(seen(net), load_profile(machine).execution)["activations"] == 8 * STEPS * pairs
