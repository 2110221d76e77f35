"""Quantised networks to lower: untrained weights, batch norms that have seen data, calibrated grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from students.deploy import InputCodes
from students.models.build import build
from students.models.from_float import quantised_from_float
from students.quantize import INTEGER_PRODUCTS, SIGNAL_GRIDS
from students.spec import Shape, StudentSpec, Training, parse_form

CODES = InputCodes(12, signed=True, scale=np.array(0.002), offset=np.array(0.0))
"""Of a converter of 12 bits whose steps are 2/1000 of a deviation."""


def signals(shape: Shape, count: int, seed: int = 0) -> Tensor:
    return torch.randn((count, shape.channels, shape.steps), generator=torch.Generator().manual_seed(seed))


def quantised(
    family: str, form: str, shape: Shape, options: dict[str, Any] | None = None, seed: int = 3
) -> tuple[nn.Module, StudentSpec]:
    """Return a calibrated network whose batch norms have statistics, weights and biases that are not their first."""
    spec = StudentSpec(family=family, options=options or {}, shape=shape, training=Training(epochs=1), seed=seed)
    floating, chance = build(spec), torch.Generator().manual_seed(seed)
    for module in floating.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.copy_(torch.rand(module.num_features, generator=chance) + 0.5)
                module.bias.copy_(torch.randn(module.num_features, generator=chance) * 0.3)
    floating.train()
    with torch.no_grad():
        for step in range(5):
            floating(signals(shape, 16, seed + step) * 1.3)
    floating.eval()
    wanted = spec.model_copy(update={"form": parse_form(form)})
    return quantised_from_float(wanted, floating, signals(shape, 32, seed)).eval(), wanted


class PowerOfTwo(nn.Module):
    """A quantiser's scale, rounded to a power of two."""

    def __init__(self, scale: nn.Module) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, *given: Any) -> Tensor:
        return torch.exp2(self.scale(*given).log2().round())


def round_scales(model: nn.Module) -> None:
    """Make every scale of a quantised network a power of two."""
    for module in model.modules():
        proxies: list[Any] = []
        if isinstance(module, INTEGER_PRODUCTS):
            proxies.append(module.weight_quant)
        if isinstance(module, SIGNAL_GRIDS):
            proxies.append(module.act_quant.fused_activation_quant_proxy)
        for proxy in proxies:
            proxy.tensor_quant.scaling_impl = PowerOfTwo(proxy.tensor_quant.scaling_impl)


def norms_of_powers_of_two(model: nn.Module) -> None:
    """Give batch norms factors and offsets that are binary fractions."""
    chance = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            many = module.num_features
            with torch.no_grad():
                module.eps = 0.0
                module.running_var.fill_(1.0)
                module.running_mean.copy_(torch.randint(-8, 8, (many,), generator=chance) / 8)
                module.weight.copy_(torch.exp2(torch.randint(-2, 2, (many,), generator=chance).float()))
                module.bias.copy_(torch.randint(-8, 8, (many,), generator=chance) / 8)
