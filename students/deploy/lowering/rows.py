"""Products of two signals, softmax and norms: what `students.quantize.rows` defines."""

from __future__ import annotations

import numpy as np

from students.deploy.graph import Multiply, Range
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.lowering.moves import same_shape
from students.deploy.rows import SPREAD_BITS, MatMul, Norm, Softmax
from students.kernels.row_grid import (
    NORM_HIGHEST,
    NORM_STEP,
    SCORE_BITS,
    SCORE_STEP,
    exponential_table,
    smallest_spread,
)
from students.layers.grid import Grid
from students.quantize.rows import IntegerMatMul, IntegerMultiply, IntegerNorm, IntegerSoftmax

SCORES = Grid(SCORE_BITS, SCORE_STEP, signed=True)
EXACT = 2**53
"""Above which the reference cannot take the bits of a spread."""


def lower_matmul(builder: Builder, path: str, module: IntegerMatMul, signals: tuple[Signal, Signal]) -> Signal:
    """Return the accumulators of a product of two signals.

    Raises
    ------
    StudentError
        Signals on no grid, or on others than when the network ran.
    """
    left, right = signals
    scales = tuple(np.float32(one.grid_scale(path)) for one in signals)
    if module.grids is None or [np.float32(one.scale) for one in module.grids] != list(scales):
        raise refused(path, "it runs more than once, on signals of different grids")
    inner = left.shape[-1]
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    if len(left.shape) != len(right.shape) or shape[:-2] != left.shape[:-2] or shape[:-2] != right.shape[:-2]:
        raise refused(path, f"a product of signals of shapes {left.shape} and {right.shape}")
    products = [one * other for one in _ends(left) for other in _ends(right)]
    name, found = builder.name(path), Range(shape, inner * min(products), inner * max(products))
    builder.add(MatMul(name, left.node, right.node, found, inner))
    return Signal(name, found, scalar(float(scales[0] * scales[1])), scalar(0.0))  # float32, as the student has it


def lower_multiply(builder: Builder, path: str, module: IntegerMultiply, signals: tuple[Signal, Signal]) -> Signal:
    """Return the products of two signals, number by number.

    Raises
    ------
    StudentError
        As `lower_matmul`.
    """
    scales = tuple(np.float32(one.grid_scale(path)) for one in signals)
    if module.grids is None or [np.float32(one.scale) for one in module.grids] != list(scales):
        raise refused(path, "it runs more than once, on signals of different grids")
    left, right = same_shape(builder, path, signals)
    products = [one * other for one in _ends(left) for other in _ends(right)]
    name, found = builder.name(path), Range(left.shape, min(products), max(products))
    builder.add(Multiply(name, left.node, right.node, found))
    return Signal(name, found, scalar(float(scales[0] * scales[1])), scalar(0.0))


def lower_softmax(builder: Builder, path: str, module: IntegerSoftmax, signal: Signal) -> Signal:
    """Return the weights of each row, the last axis."""
    scores = builder.requantise(signal, SCORES, f"{path}.scores")
    name, bits = builder.name(path), module.grid.bits
    found = Range(scores.shape, 0, 2**bits - 1)
    builder.add(Softmax(name, scores.node, found, exponential_table().numpy(), bits))
    return Signal(name, found, scalar(module.grid.scale), scalar(0.0))


def lower_norm(builder: Builder, path: str, module: IntegerNorm, signal: Signal) -> Signal:
    """Return the normalised rows; factor and offset are taken up by what follows.

    Raises
    ------
    StudentError
        A signal on no grid, or so long a row that its squares have no exact sum.
    """
    scale, length = signal.grid_scale(path), module.length(signal.shape)
    if module.input_grid is None or module.input_grid.scale != scale:
        raise refused(path, "it runs more than once, on signals of different grids")
    smallest = smallest_spread(module.steps.epsilon, length, scale)
    if ((length * signal.largest) ** 2 << SPREAD_BITS) + smallest >= EXACT:
        raise refused(path, f"rows of {length} numbers of {signal.range.bits} bits, whose spread passes 53 bits")
    name, found = builder.name(f"{path}.steps"), Range(signal.shape, -NORM_HIGHEST, NORM_HIGHEST)
    builder.add(Norm(name, signal.node, found, length, smallest, module.steps.centred))
    factor, offset = (
        None if one is None else one.detach().cpu().numpy().astype(np.float64)
        for one in module.affine(len(signal.shape))
    )
    step, zero = scalar(NORM_STEP), scalar(0.0)
    return Signal(name, found, step if factor is None else step * factor, zero if offset is None else offset)


def _ends(signal: Signal) -> tuple[int, int]:
    """Return the ends of a signal, zero included, as no sum starts elsewhere."""
    return min(signal.range.lowest, 0), max(signal.range.highest, 0)
