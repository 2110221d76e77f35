"""Products of a backward pass against those that torch counts while it runs one."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import cosim
from energy_models.workload import update_work

HOW = cosim.Recalibration(examples=1, epochs=1, batch=1, optimiser="sgd", layers="all", bits=32)


def torch_products(model: nn.Module, x: torch.Tensor) -> int:
    """Return the products of one backward pass, which torch counts as two operations each."""
    with FlopCounterMode(display=False) as forward:
        model(x)
    with FlopCounterMode(display=False) as whole:
        model(x).sum().backward()
    return (whole.get_total_flops() - forward.get_total_flops()) // 2


class Gru(nn.Module):
    """Its last state is decided from."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(4, 10, batch_first=True), nn.Linear(10, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(x.transpose(1, 2))[0][:, -1])


class Attention(nn.Module):
    """One head, whose two products are plain ones that torch counts."""

    def __init__(self) -> None:
        super().__init__()
        self.three, self.out = nn.Linear(4, 24), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.three(x.transpose(1, 2)).split(8, dim=-1)
        return self.out((torch.softmax(query @ key.transpose(1, 2), -1) @ value).mean(1))


def gradients(model: nn.Module, x: torch.Tensor) -> dict[str, float]:
    """Return the products of the backward pass by layer."""
    layers = update_work(cosim.count(model, x, rate_hz=100), HOW).example.layers
    return {
        layer.name: layer.products.dense_full.mean
        for layer in layers if layer.products is not None and "gradient" in layer.name
    }  # fmt: skip


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 28, 3)),
        nn.Sequential(nn.Conv1d(4, 8, 3, stride=2), nn.ReLU(), nn.Conv1d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 13, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)),
        nn.Sequential(nn.Conv1d(4, 4, 1), Gru()),
        Attention(),
    ],
    ids=["convolution", "strided", "dense", "gru", "attention"],
)
def test_products_of_the_backward_pass_are_those_of_torch(model: nn.Module) -> None:
    x = torch.randn(1, 4, 32)
    assert sum(gradients(model, x).values()) == torch_products(model, x)


def test_products_of_a_grouped_convolution_by_hand() -> None:
    # depthwise: 8 channels x 24 steps x 5 taps = 960 products, as many for its weight and for its signal. Torch counts
    # the weight's as if every filter read all 8 channels: 8 x 960.
    layers = nn.Conv1d(4, 8, 5), nn.Conv1d(8, 8, 5, groups=8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 24, 3)
    model, x = nn.Sequential(*layers), torch.randn(1, 4, 32)
    found = gradients(model, x)
    assert found["1.weight_gradient"] == found["1.signal_gradient"] == 960
    assert sum(found.values()) + 7 * 960 == torch_products(model, x)
