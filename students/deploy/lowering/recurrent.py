"""Gated recurrent layers: the input's product and its requantisation, then one node for the steps."""

from __future__ import annotations

import numpy as np
import torch

from students.deploy.cells import PREACTIVATION_HIGHEST, STATE_BITS, Recurrent
from students.deploy.fixed_point import fixed_point
from students.deploy.graph import Product, Range
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.lowering.products import ends, grid_scale_of
from students.kernels.recurrent_grid import (
    FINE,
    GATE_STEP,
    PREACTIVATION_BITS,
    STATE_STEP,
    sigmoid_table,
    tanh_table,
)
from students.layers.grid import Grid
from students.quantize import quantisation_of
from students.quantize.recurrent import IntegerRecurrent

PREACTIVATIONS = Grid(PREACTIVATION_BITS, FINE, signed=True)


def lower_recurrent(builder: Builder, path: str, module: IntegerRecurrent, signal: Signal) -> Signal:
    """Return the states of every step, shape (units, steps).

    Raises
    ------
    StudentError
        A signal on no grid, or on another one than when the network ran.
    """
    if len(signal.shape) != 2:
        raise refused(path, f"a recurrent layer of a signal of shape {signal.shape}")
    drive = builder.requantise(_input_product(builder, path, module, signal), PREACTIVATIONS, f"{path}.input.quantise")
    layer, grid = quantisation_of(module.hidden), module.operand_grid
    if layer is None or layer.bias is None:
        raise refused(path, "its recurrent product has no integers")
    weights, bias = layer.weights.numpy(), layer.bias.numpy()
    sums = Range((len(weights),), *ends(weights, bias, Range((module.units,), grid.lowest, grid.highest)))
    scales = layer.weight_scale.numpy().astype(np.float64).reshape(-1) * grid.scale
    constants = fixed_point(
        scales / FINE, scalar(0.0), largest=max(-sums.lowest, sums.highest), limit=PREACTIVATION_HIGHEST,
        bits=builder.multiplier_bits, where=f"{path}.hidden",
    )
    name, highest = builder.name(path), 2 ** (STATE_BITS - 1) - 1
    found = Range((module.units, signal.shape[1]), -highest, highest)
    builder.add(
        Recurrent(
            name, drive.node, found, module.kind, weights, layer.weight_bits, bias, grid.bits, sums, constants,
            _entries(sigmoid_table(torch.float64, torch.device("cpu")), GATE_STEP),
            _entries(tanh_table(torch.float64, torch.device("cpu")), STATE_STEP),
        )
    )  # fmt: skip
    return Signal(name, found, scalar(STATE_STEP), scalar(0.0))


def _input_product(builder: Builder, path: str, module: IntegerRecurrent, signal: Signal) -> Signal:
    """Return the accumulators of the input's product at every step, shape (rows, steps)."""
    path = f"{path}.input"
    scale, layer = grid_scale_of(path, module.input, signal), quantisation_of(module.input)
    if layer is None:
        raise refused(path, "it has no integers")
    weights, bias = layer.weights.numpy(), None if layer.bias is None else layer.bias.numpy()
    found = Range((len(weights), signal.shape[1]), *ends(weights, bias, signal.range))
    name = builder.name(path)
    builder.add(
        Product(name, signal.node, found, weights[:, :, None], layer.weight_bits, bias, (1,), (1,), ((0, 0),), 1)
    )
    factors = layer.weight_scale.numpy().reshape(-1)
    scales = (factors * factors.dtype.type(scale)).astype(np.float64)  # the reference's multiplier, to the last bit
    return Signal(name, found, scales.reshape(()) if scales.size == 1 else scales.reshape(-1, 1), scalar(0.0))


def _entries(table: torch.Tensor, step: float) -> np.ndarray:
    return (table / step).round().to(torch.int64).numpy()
