"""How each kind of module is lowered; what is not in these tables is refused by its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from students.deploy.graph import Add, Range
from students.deploy.lowering.attention import lower_attention
from students.deploy.lowering.builder import Builder, Signal, refused
from students.deploy.lowering.codes import CODES, lower_code
from students.deploy.lowering.delays import lower_delays, lower_level_crossings, lower_past_sums
from students.deploy.lowering.functions import lower_function
from students.deploy.lowering.moves import lower_move, same_shape
from students.deploy.lowering.neurons import lower_any_spike, lower_neurons
from students.deploy.lowering.pools import MAXIMA, lower_pool, lower_reduction
from students.deploy.lowering.products import lower_product
from students.deploy.lowering.recurrent import lower_recurrent
from students.deploy.lowering.rows import lower_norm, lower_softmax
from students.families.readout import LastStep, MeanOverSteps
from students.layers.delay_lines import Delays, PastSums
from students.layers.modules import AveragePool1d, ByFilter, OutputScale
from students.neurons.encoders import AnySpike, LevelCrossings
from students.neurons.lif import ZeroInitialState
from students.quantize import (
    INTEGER_PRODUCTS,
    SIGNAL_GRIDS,
    IntegerAveragePool,
    IntegerReLU,
    Requantise,
    output_grid_of,
)
from students.quantize.adopt.parts import Sum
from students.quantize.linear_attention import IntegerLinearAttention
from students.quantize.modules import IntegerActivation
from students.quantize.neurons import IntegerNeurons
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.rows import SIGNAL_PRODUCTS, IntegerNorm, IntegerSoftmax

NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
"""What does nothing in a deployed network; layers derived from these, such as our own dropouts, too."""

MOVES = (nn.Flatten, nn.Unflatten, nn.ZeroPad1d, nn.ZeroPad2d, LastStep, ByFilter)
AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, AveragePool1d)
LAST = (nn.Softmax, nn.LogSoftmax)
LOWERED_WHOLE = (
    *INTEGER_PRODUCTS, *SIGNAL_GRIDS, IntegerAveragePool, IntegerRecurrent, IntegerNeurons, IntegerNorm, IntegerSoftmax,
    *SIGNAL_PRODUCTS, Sum, IntegerLinearAttention,
)  # fmt: skip
"""Modules that hold others and are lowered as one."""


def lower_module(builder: Builder, path: str, module: Any, signal: Signal) -> Signal:
    """Return what a module makes of a signal.

    Raises
    ------
    StudentError
        A module that has no deployed form.
    """
    kind = type(module)
    if signal.ending and not isinstance(module, (*NOTHING, *MOVES)):
        raise refused(path, "it follows a softmax")
    if isinstance(module, INTEGER_PRODUCTS):
        return lower_product(builder, path, module, signal)
    if kind in (IntegerReLU, Requantise):
        grid = output_grid_of(module)
        if grid is not None:
            return builder.requantise(signal, grid, path)
    if kind is IntegerActivation:
        return lower_function(builder, path, module, signal)
    if isinstance(module, IntegerRecurrent):
        return lower_recurrent(builder, path, module, signal)
    if isinstance(module, IntegerNeurons):
        return lower_neurons(builder, path, module, signal)
    if isinstance(module, IntegerSoftmax):
        return lower_softmax(builder, path, module, signal)
    if isinstance(module, IntegerNorm):
        return lower_norm(builder, path, module, signal)
    if isinstance(module, IntegerLinearAttention):
        return lower_attention(builder, path, module, signal)
    if kind is AnySpike:
        return lower_any_spike(builder, path, signal)
    if isinstance(module, Delays):
        return lower_delays(builder, path, module, signal)
    if isinstance(module, PastSums):
        return lower_past_sums(builder, path, module, signal)
    if isinstance(module, LevelCrossings):
        return lower_level_crossings(builder, path, module, signal)
    if isinstance(module, CODES):
        return lower_code(builder, path, module, signal)
    if kind is MeanOverSteps:
        return lower_reduction(builder, path, signal, axes=[1], shape=signal.shape[:1], what="mean")
    if kind is IntegerAveragePool:
        return lower_module(builder, f"{path}.grid", module.grid, lower_pool(builder, path, module, signal))
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return _norm(path, module, signal)
    if kind is OutputScale:
        return signal.affine(path, *(_along(one, signal) for one in (module.scale, module.offset)))
    if kind in MAXIMA or kind in AVERAGES:
        return lower_pool(builder, path, module, signal)
    if kind in MOVES:
        return lower_move(builder, path, module, signal)
    if isinstance(module, NOTHING):
        return signal
    if kind in LAST:
        return _softmax(path, module, signal)
    raise refused(f"{path!r} ({kind.__name__})", _reason(module))


def lower_sum(builder: Builder, path: str, module: Sum, signals: tuple[Signal, Signal]) -> Signal:
    """Return the sum of two signals, each put on the grid that both share.

    Raises
    ------
    StudentError
        As `lower_module`, and signals of two shapes.
    """
    first, second = (lower_module(builder, f"{path}.operand", module.operand, one) for one in signals)
    first, second = same_shape(builder, path, (first, second))
    name = builder.name(path)
    found = Range(
        first.shape, first.range.lowest + second.range.lowest, first.range.highest + second.range.highest
    )
    builder.add(Add(name, first.node, second.node, found))
    return Signal(name, found, first.scale, first.offset)


def _norm(path: str, module: Any, signal: Signal) -> Signal:
    """Return the signal with the batch norm's factor and offset, which the next requantisation takes up."""
    if module.running_mean is None:
        raise refused(path, "a batch norm that keeps no statistics")
    mean, variance = (one.cpu().numpy().astype(np.float64) for one in (module.running_mean, module.running_var))
    deviation = np.sqrt(variance + module.eps)
    weight = 1.0 if module.weight is None else module.weight.detach().cpu().numpy().astype(np.float64)
    bias = 0.0 if module.bias is None else module.bias.detach().cpu().numpy().astype(np.float64)
    factor = weight / deviation
    return signal.affine(path, _along(factor, signal), _along(bias - mean * factor, signal))


def _along(constants: Any, signal: Signal) -> np.ndarray[Any, Any]:
    """Return constants of the first axis as an array that broadcasts over the others."""
    values = constants.detach().cpu().numpy() if isinstance(constants, Tensor) else constants
    return np.asarray(values, dtype=np.float64).reshape(-1, *[1] * (len(signal.shape) - 1))


def _softmax(path: str, module: Any, signal: Signal) -> Signal:
    """Return the signal as it is: which class is greatest does not change."""
    axes = len(signal.shape)
    axis = module.dim if module.dim is not None else 1
    if axes != 1 or axis not in (1, -1):
        raise refused(path, "a softmax over something else than the classes")
    return replace(signal, ending="softmax" if isinstance(module, nn.Softmax) else "log_softmax")


def _reason(module: nn.Module) -> str:
    spiking = isinstance(module, ZeroInitialState) or any(
        name.endswith(("threshold", "beta")) for name in module.state_dict()
    )
    if spiking:
        return "its state is kept in float; train it in a form with state bits, such as w8a8s8"
    return "no integers are defined for it"
