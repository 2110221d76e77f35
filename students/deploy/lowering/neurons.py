"""Leaky neurons with an integer membrane, and what makes spikes of the input."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from students.deploy.cells import MEMBRANE_DECAY_BITS, Adaptation, Feedback, Neurons
from students.deploy.fixed_point import FixedPoint, fixed_point
from students.deploy.graph import Range, Requantise
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.lowering.products import ends
from students.deploy.ranges import Integers
from students.layers.grid import Grid
from students.neurons.integer import IntegerLIF
from students.neurons.integer_states import ADAPTATION_BITS, IntegerStateLIF
from students.neurons.membrane import DECAY_BITS, decay_levels
from students.quantize import output_grid_of, quantisation_of
from students.quantize.neurons import IntegerFeedback, IntegerNeurons


def lower_neurons(builder: Builder, path: str, module: IntegerNeurons, signal: Signal) -> Signal:
    """Return the spikes, or the membranes, of neurons: their currents are put on the membrane's grid first.

    Raises
    ------
    StudentError
        A signal that is not (neurons, steps).
    """
    grid, neurons = output_grid_of(module.grid), module.neurons
    if grid is None or signal.shape[:-1] != (neurons.channels,):
        raise refused(path, f"{neurons.channels} neurons on a signal of shape {signal.shape}")
    drive = builder.requantise(signal, grid, f"{path}.grid")
    membrane, name = Range((neurons.channels,), -neurons.highest, neurons.highest), builder.name(f"{path}.neurons")
    if isinstance(neurons, IntegerStateLIF):
        return _lower_states(builder, name, neurons, drive, grid)
    if isinstance(neurons, IntegerLIF):
        found, scale, most = Range(drive.shape, 0, neurons.most), 1.0, neurons.most
        decay, threshold, reset = neurons.decay(), _whole(neurons.levels()), neurons.reset
    else:
        found, scale, most = Range(drive.shape, membrane.lowest, membrane.highest), grid.scale, 1
        decay, threshold, reset = neurons.beta, None, "none"
    builder.add(Neurons(name, drive.node, found, membrane, _decay(decay), threshold, reset, most))
    return Signal(name, found, scalar(scale), scalar(0.0))


def _lower_states(builder: Builder, name: str, neurons: IntegerStateLIF, drive: Signal, grid: Grid) -> Signal:
    """Return the spikes of neurons with several states, whose drive is on the membrane's grid."""
    found, membrane = Range(drive.shape, 0, 1), Range((neurons.channels,), -neurons.highest, neurons.highest)
    flows = None if neurons.alpha is None else _decay(neurons.alpha)
    adaptation = feedback = None
    if neurons.rho is not None:
        rise = int(neurons.rise().item())
        adaptation = Adaptation(_decay(neurons.rho), rise, neurons.fraction, ADAPTATION_BITS)
    if isinstance(neurons.recurrent, IntegerFeedback):
        feedback = _feedback(builder, name, neurons.recurrent, grid)
    threshold = _whole(neurons.levels())
    builder.add(
        Neurons(
            name, drive.node, found, membrane, _decay(neurons.beta), threshold, neurons.reset, current_decay=flows,
            adaptation=adaptation, feedback=feedback,
        )
    )  # fmt: skip
    return Signal(name, found, scalar(1.0), scalar(0.0))


def _feedback(builder: Builder, name: str, recurrent: IntegerFeedback, grid: Grid) -> Feedback:
    """Return recurrent weights, and the multipliers from their sums to the grid of the currents."""
    layer = quantisation_of(recurrent)
    if layer is None:
        raise refused(name, "its recurrent product has no integers")
    weights, bias = layer.weights.numpy(), None if layer.bias is None else layer.bias.numpy()
    sums = Range((len(weights),), *ends(weights, bias, Range((len(weights),), 0, 1)))
    rows = layer.weight_scale.numpy().reshape(-1)
    ratio = (rows / rows.dtype.type(grid.scale)).astype(np.float64)  # the student's multiplier, to the last bit
    constants = fixed_point(
        ratio.reshape(()) if ratio.size == 1 else ratio, scalar(0.0), largest=max(-sums.lowest, sums.highest),
        limit=grid.highest, bits=builder.multiplier_bits, where=f"{name}.recurrent",
    )  # fmt: skip
    return Feedback(weights, layer.weight_bits, bias, sums, constants)


def _decay(decay: Tensor) -> int | Integers:
    """Return a decay in the steps of a deployed one."""
    return _whole(decay_levels(decay) * 2 ** (MEMBRANE_DECAY_BITS - DECAY_BITS))


def _whole(numbers: Tensor) -> int | Integers:
    """Return whole numbers: one, or one for each neuron."""
    found = numbers.detach().cpu().numpy().astype(np.int64)
    return found if found.ndim else int(found)


def lower_any_spike(builder: Builder, path: str, signal: Signal) -> Signal:
    """Return 1 where a value is above zero: codes less the greatest that is not, limited to 0 and 1.

    Raises
    ------
    StudentError
        A signal that is to be clipped before.
    """
    signal.check_unlimited(path)
    scale, offset = np.broadcast_arrays(signal.scale, signal.offset)
    greatest = np.floor(-offset / scale).astype(np.int64)
    greatest += (greatest + 1) * scale + offset <= 0  # where the division was rounded down
    greatest -= greatest * scale + offset > 0
    unit, zero = np.ones_like(greatest), np.zeros_like(greatest)
    name, found = builder.name(path), Range(signal.shape, 0, 1)
    builder.add(Requantise(name, signal.node, found, FixedPoint(unit, -greatest, zero, zero)))
    return Signal(name, found, scalar(1.0), scalar(0.0))
