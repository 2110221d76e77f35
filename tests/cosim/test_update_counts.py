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


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 28, 3)),
        nn.Sequential(nn.Conv1d(4, 8, 3, stride=2), nn.ReLU(), nn.Conv1d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 13, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)),
    ],
    ids=["convolution", "strided", "dense"],
)
def test_products_of_the_backward_pass_are_those_of_torch(model: nn.Module) -> None:
    x = torch.randn(1, 4, 32)
    work = update_work(cosim.count(model, x, rate_hz=100), HOW).example
    ours = sum(
        layer.products.dense_full.mean
        for layer in work.layers if layer.products is not None and "gradient" in layer.name
    )  # fmt: skip
    assert ours == torch_products(model, x)
