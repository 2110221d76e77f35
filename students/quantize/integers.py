"""The integers of our own quantised students."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from energy_models.errors import StudentError
from students.layers.grid import Grid, LayerQuantisation
from students.quantize.modules import INTEGER_PRODUCTS, SIGNAL_GRIDS, IntegerAveragePool
from students.quantize.signals import bits_of

BIAS_BITS = 32
"""Width of a bias, which is added to an accumulator [bits]."""


def quantisation_of(module: nn.Module) -> LayerQuantisation | None:
    """Return the integers of a product; None for a module that is no integer product.

    Raises
    ------
    StudentError
        The model has not run yet, so that the grid of the layer's input is unknown.
    """
    if not isinstance(module, INTEGER_PRODUCTS):
        return None
    if module.input_grid is None:
        raise StudentError(
            "the grid of a layer's input is known once a signal has passed", where=type(module).__name__,
            remedy="Run the model on some examples first",
        )
    with torch.no_grad():
        weight: Any = module.quant_weight()
        scale = weight.scale.detach()
        bias = None
        if module.bias is not None:
            accumulator = (scale * module.input_grid.scale).flatten()
            bias = (module.bias / accumulator).round().to(torch.int64)
        integers = (weight.value / scale).round().to(torch.int64)
    bits = bits_of(weight.bit_width)
    return LayerQuantisation(integers, bits, scale, bias, BIAS_BITS if bias is not None else 0, module.input_grid)


def output_grid_of(module: nn.Module) -> Grid | None:
    """Return the grid a ReLU, requantisation or average pool puts its output on; None for any other module."""
    quantiser = module.grid if isinstance(module, IntegerAveragePool) else module
    if not isinstance(quantiser, SIGNAL_GRIDS):
        return None
    proxy: Any = quantiser.act_quant
    with torch.no_grad():
        return Grid(bits_of(proxy.bit_width()), float(proxy.scale()), bool(proxy.is_signed))
