"""Learned delays, sums of past bins, and levels that a signal crossed since the step before."""

from __future__ import annotations

import numpy as np

from students.deploy.delay_lines import PastSums
from students.deploy.fixed_point import FixedPoint
from students.deploy.graph import Add, Delay, Range, Requantise, Steps
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.lowering.moves import lower_move
from students.deploy.ranges import Integers
from students.layers.delay_lines import Delays
from students.layers.delay_lines import PastSums as PastSumsLayer
from students.neurons.encoders import HIGHEST_LEVEL, LOWEST_LEVEL, LevelCrossings

WIDEST = 16
"""Codes of at most so many bits are gone through one by one [bits]."""


def lower_delays(builder: Builder, path: str, module: Delays, signal: Signal) -> Signal:
    """Return a signal each channel of which waits for its own number of steps.

    Raises
    ------
    StudentError
        A signal of which 0 is no number, or other channels.
    """
    signal.check_unlimited(path)
    if signal.shape[:-1] != (module.channels,) or bool(signal.offset.any()):
        raise refused(path, f"delays of {module.channels} channels on a signal of shape {signal.shape}, or on no grid")
    return _delayed(builder, path, signal, module.steps.cpu().numpy())


def _delayed(builder: Builder, path: str, signal: Signal, steps: Integers) -> Signal:
    name = builder.name(path)
    found = Range(signal.shape, min(signal.range.lowest, 0), max(signal.range.highest, 0))
    builder.add(Delay(name, signal.node, found, steps))
    return Signal(name, found, signal.scale, signal.offset)


def lower_past_sums(builder: Builder, path: str, module: PastSumsLayer, signal: Signal) -> Signal:
    """Return sums of past bins, shape (channels, blocks, steps); codes are counted from the one that stands for 0.

    Raises
    ------
    StudentError
        Codes of which none stands for 0: what was before the recording is no sum of them.
    """
    signal.check_unlimited(path)
    scale, offset = np.broadcast_arrays(signal.scale, signal.offset)
    zero = np.rint(-offset / scale).astype(np.int64)
    if len(signal.shape) != 2 or not np.allclose(zero * scale, -offset, rtol=0, atol=1e-9 * float(scale.max())):
        why = "no code stands for 0, which bins before the recording hold; train it on inputs as they are recorded"
        raise refused(path, why)
    if zero.any():
        low, high = int(signal.range.lowest - zero.max()), int(signal.range.highest - zero.min())
        one, none = np.ones_like(zero), np.zeros_like(zero)
        name, found = builder.name(f"{path}.zero"), Range(signal.shape, low, high)
        builder.add(Requantise(name, signal.node, found, FixedPoint(one, -zero, none, none)))
        signal = Signal(name, found, signal.scale, np.zeros(()))
    channels, steps = signal.shape
    ends = (module.width * min(signal.range.lowest, 0), module.width * max(signal.range.highest, 0))
    name, found = builder.name(path), Range((channels * module.blocks, steps), *ends)
    builder.add(PastSums(name, signal.node, found, module.width, module.blocks, module.words))
    several = signal.scale.ndim == 2 and len(signal.scale) > 1
    scale = np.repeat(signal.scale, module.blocks, axis=0) if several else signal.scale
    sums = Signal(name, found, scale, scalar(0.0))
    return lower_move(builder, path, lambda places: places.unflatten(1, (channels, module.blocks)), sums)


def lower_level_crossings(builder: Builder, path: str, module: LevelCrossings, signal: Signal) -> Signal:
    """Return the levels crossed: the level of each code, less that of the step before, within two limits.

    The level of every code is the one that the student's float32 gives, and is a word of 8 bits.

    Raises
    ------
    StudentError
        A signal of too many codes, or of other axes than channels and steps.
    """
    signal.check_unlimited(path)
    if len(signal.shape) != 2 or signal.range.bits > WIDEST:
        raise refused(path, f"levels of a signal of {signal.range.bits} bits and shape {signal.shape}")
    levels = _levels(builder, path, module, signal)
    before = _delayed(builder, path, levels, np.ones(signal.shape[0], dtype=np.int64))
    less = _times(builder, f"{path}.less", before, -1, (-before.range.highest, -before.range.lowest))
    name = builder.name(f"{path}.crossed")
    found = Range(signal.shape, levels.range.lowest + less.range.lowest, levels.range.highest + less.range.highest)
    builder.add(Add(name, levels.node, less.node, found))
    crossed = Signal(name, found, scalar(1.0), scalar(0.0))
    return _times(builder, f"{path}.limits", crossed, 1, (-module.most, module.most))


def _levels(builder: Builder, path: str, module: LevelCrossings, signal: Signal) -> Signal:
    """Return the level of each code, as steps: one row for all channels, or one for each."""
    codes = np.arange(signal.range.lowest, signal.range.highest + 1)
    scale, offset = np.broadcast_arrays(signal.scale.reshape(-1, 1), signal.offset.reshape(-1, 1))
    values = (codes * scale + offset).astype(np.float32)
    levels = np.floor(values * np.float32(1.0 / module.step)).clip(LOWEST_LEVEL, HIGHEST_LEVEL).astype(np.int64)
    edges = [codes[1:][np.diff(row) != 0] for row in levels]
    reached = [row[np.concatenate(([True], np.diff(row) != 0))] for row in levels]
    rows = np.zeros((), dtype=np.int64) if len(levels) == 1 else np.arange(len(levels)).reshape(-1, 1)
    name, found = builder.name(f"{path}.level"), Range(signal.shape, LOWEST_LEVEL, HIGHEST_LEVEL)
    builder.add(Steps(name, signal.node, found, tuple(edges), tuple(reached), rows))
    return Signal(name, found, scalar(1.0), scalar(0.0))


def _times(builder: Builder, path: str, signal: Signal, factor: int, ends: tuple[int, int]) -> Signal:
    """Return whole numbers times 1 or -1 within two ends."""
    one, none = np.array(factor, dtype=np.int64), np.zeros((), dtype=np.int64)
    name, found = builder.name(path), Range(signal.shape, *ends)
    builder.add(Requantise(name, signal.node, found, FixedPoint(one, none, none, none)))
    return Signal(name, found, signal.scale, signal.offset)
