"""Input codes that keep a state: the signal is put on their grid, and they go on in integers."""

from __future__ import annotations

import numpy as np

from students.deploy.codes import Bands, Coder, LockIns, RandomRates, Rates
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.ranges import Range
from students.layers.grid import Grid
from students.neurons.input_codes import (
    CODE_BITS,
    CODE_POINT,
    CODE_STEP,
    Envelopes,
    RandomRateCode,
    RateCode,
)
from students.neurons.lock_in import COSINE_POINT, ENERGY_POINT, MEAN_HIGHEST, MEAN_POINT, LockIn
from students.neurons.random_numbers import RANDOM_BITS, SHIFTS, first_registers

CODES = (RateCode, RandomRateCode, Envelopes, LockIn)
GRID = Grid(CODE_BITS, CODE_STEP, signed=True)


def lower_code(
    builder: Builder, path: str, module: RateCode | RandomRateCode | Envelopes | LockIn, signal: Signal
) -> Signal:
    """Return what a code makes of a signal, which is put on the codes' grid first.

    Raises
    ------
    StudentError
        A signal that is not (channels, steps).
    """
    signal.check_unlimited(path)
    if len(signal.shape) != 2:
        raise refused(path, f"an input code of a signal of shape {signal.shape}")
    given = builder.requantise(signal, GRID, f"{path}.grid")
    node, step = _node(builder.name(path), given, module)
    builder.add(node)
    return Signal(node.name, node.result, scalar(step), scalar(0.0))


def _node(
    name: str, given: Signal, module: RateCode | RandomRateCode | Envelopes | LockIn
) -> tuple[Coder, float]:
    """Return the node of a code, and what a step of its numbers is worth."""
    channels, steps = given.shape
    events = Range(given.shape, -1, 1)
    if isinstance(module, RateCode):
        return Rates(name, given.node, events, module.steps, module.limit), 1.0
    if isinstance(module, RandomRateCode):
        first = first_registers(channels)
        return RandomRates(name, given.node, events, module.steps, first, SHIFTS, RANDOM_BITS), 1.0
    if isinstance(module, Envelopes):
        taps = module.taps[:, 0].cpu().numpy()[:, ::-1].astype(np.int64)
        found = Range((channels * len(taps), steps), 0, module.SMOOTHED * module.largest)
        return Bands(name, given.node, found, taps, module.POINT, module.SMOOTHED, module.largest), module.STEP
    halved = 2 * MEAN_POINT - ENERGY_POINT
    energies = Range((channels * module.count, steps), 0, 2 * MEAN_HIGHEST**2 >> halved)
    cosines, increments = (one.cpu().numpy().astype(np.int64) for one in (module.cosines, module.increments))
    mixed = CODE_POINT + COSINE_POINT - MEAN_POINT
    node = LockIns(name, given.node, energies, cosines, increments, module.shift, mixed, halved, MEAN_HIGHEST)
    return node, 2.0**-ENERGY_POINT
