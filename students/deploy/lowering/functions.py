"""Functions of one number: tables of a signal on a grid, steps of an accumulator, both read off the network itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from students.deploy.graph import Floats, Integers, Range, Steps, Table
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.ranges import TABLE_BITS
from students.layers.grid import Grid
from students.quantize import output_grid_of, value_of

MOST_EVALUATIONS = 2**27
"""Inputs, over all rows, at which a function is evaluated to find its steps."""


def lower_function(builder: Builder, path: str, module: Any, signal: Signal) -> Signal:
    """Return the function of every number, on its grid.

    Raises
    ------
    StudentError
        An accumulator so wide that its steps cannot be searched for.
    """
    grid = output_grid_of(module)
    if grid is None:
        raise refused(path, "its output is on no grid")
    pairs, rows = _rows(signal)
    count = signal.range.highest - signal.range.lowest + 1
    if count * len(pairs) > MOST_EVALUATIONS:
        raise refused(path, f"a function of {signal.range.bits}-bit accumulators with {len(pairs)} scales")
    name, found = builder.name(path), Range(signal.shape, grid.lowest, grid.highest)
    inputs = np.arange(signal.range.lowest, signal.range.highest + 1)
    codes = [_codes(module, np.clip(inputs * scale + offset, *signal.limits), grid) for scale, offset in pairs]
    if any(not grid.lowest <= one.min() <= one.max() <= grid.highest for one in codes):
        raise refused(path, "it gives no number for some of its inputs")
    if signal.range.bits <= TABLE_BITS:
        builder.add(Table(name, signal.node, found, signal.range.lowest, np.stack(codes), rows))
    else:
        steps = [np.flatnonzero(np.diff(one)) for one in codes]
        edges = tuple(inputs[one + 1] for one in steps)
        values = tuple(np.concatenate([row[:1], row[one + 1]]) for row, one in zip(codes, steps, strict=True))
        builder.add(Steps(name, signal.node, found, edges, values, rows))
    return Signal(name, found, scalar(grid.scale), scalar(0.0), signal.ending)


def _rows(signal: Signal) -> tuple[Floats, Integers]:
    """Return the different pairs of scale and offset, and which of them each place has."""
    scale, offset = np.broadcast_arrays(signal.scale, signal.offset)
    pairs, rows = np.unique(np.stack([scale.ravel(), offset.ravel()], axis=1), axis=0, return_inverse=True)
    return pairs, rows.reshape(scale.shape).astype(np.int64)


def _codes(module: Any, values: Floats, grid: Grid) -> Integers:
    """Return the function's codes, computed by the module itself in its number format."""
    with torch.inference_mode():
        found = value_of(module(torch.from_numpy(values.astype(np.float32))))
    return (found / grid.scale).round().to(torch.int64).numpy()
