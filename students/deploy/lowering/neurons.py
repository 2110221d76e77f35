"""Leaky neurons with an integer membrane, and what makes spikes of the input."""

from __future__ import annotations

import numpy as np

from students.deploy.cells import MEMBRANE_DECAY_BITS, Neurons
from students.deploy.fixed_point import FixedPoint
from students.deploy.graph import Range, Requantise
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.neurons.integer import IntegerLIF
from students.neurons.membrane import DECAY_BITS, decay_levels
from students.quantize import output_grid_of
from students.quantize.neurons import IntegerNeurons


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
    fires = isinstance(neurons, IntegerLIF)
    membrane = Range((neurons.channels,), -neurons.highest, neurons.highest)
    found = Range(drive.shape, 0, 1) if fires else Range(drive.shape, membrane.lowest, membrane.highest)
    decay = int(decay_levels(neurons.beta)) << (MEMBRANE_DECAY_BITS - DECAY_BITS)
    threshold, reset = (neurons.level, neurons.model.reset) if fires else (None, "none")
    name = builder.name(f"{path}.neurons")
    builder.add(Neurons(name, drive.node, found, membrane, decay, threshold, reset))
    return Signal(name, found, scalar(1.0 if fires else grid.scale), scalar(0.0))


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
