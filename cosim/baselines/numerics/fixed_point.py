"""Rounding to a symmetric two's-complement grid, so that a decoder is scored in the arithmetic it is priced in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH_BITS = 16
ACCUMULATOR_BITS = 40
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Integers times a step, saturating at the ends of their width.

    Parameters
    ----------
    step : ndarray
        Value of one least significant bit; broadcasts against what is rounded.
    bits : int
        Width, sign included [bits].
    """

    step: Floats
    bits: int = WIDTH_BITS

    def integers(self, values: NDArray[np.floating]) -> Integers:
        """Return the nearest integers on the grid."""
        top = 2 ** (self.bits - 1) - 1
        return np.clip(np.rint(values / self.step), -top - 1, top).astype(np.int64)

    def rounded(self, values: NDArray[np.floating]) -> Floats:
        """Return the nearest values on the grid."""
        return self.integers(values) * self.step


def grid_of(values: NDArray[np.floating], *, axis: int | tuple[int, ...] | None = None) -> Grid:
    """Return the 16-bit grid whose largest integer is the largest magnitude of `values` along `axis`.

    Whole numbers that fit keep a step of one: spike counts need no scale, and a count of one stays one.
    """
    top = 2 ** (WIDTH_BITS - 1) - 1
    largest = np.asarray(np.abs(values).max(axis=axis, keepdims=axis is not None), dtype=np.float64)
    if axis is None and float(largest) <= top and np.array_equal(values, np.rint(values)):
        return Grid(np.asarray(1.0))
    return Grid(np.where(largest > 0, largest, 1.0) / top)


def saturated(accumulators: NDArray[np.floating]) -> Floats:
    """Return integer sums held to the accumulator's 40 bits."""
    top = 2.0 ** (ACCUMULATOR_BITS - 1)
    return np.clip(np.asarray(accumulators, dtype=np.float64), -top, top - 1)


@dataclass(frozen=True, slots=True)
class FixedLinear:
    """A matrix with 16-bit weights, one step per output row, and biases in the accumulators' unit.

    Parameters
    ----------
    weights : ndarray of int64, shape (outputs, inputs)
    biases : ndarray of int64, shape (outputs,)
    step : ndarray, shape (outputs,)
        Value of one unit of each row's accumulator.
    """

    weights: Integers
    biases: Integers
    step: Floats

    def accumulators(self, activations: NDArray[np.integer]) -> Floats:
        """Return the saturated sums, shape (..., outputs); float64 holds 40-bit integers exactly."""
        sums = activations.astype(np.float64) @ self.weights.astype(np.float64).T
        return saturated(sums + self.biases)

    def values(self, activations: NDArray[np.integer]) -> Floats:
        """Return the sums in the unit of the original weights times the original inputs."""
        return self.accumulators(activations) * self.step


def fixed_linear(weights: Floats, biases: Floats, input_step: float) -> FixedLinear:
    """Return the matrix rounded to 16 bits a row, for activations on a grid of `input_step`.

    Parameters
    ----------
    weights : ndarray, shape (outputs, inputs)
    biases : ndarray, shape (outputs,)
    input_step : float
        Value of one unit of an activation.
    """
    grid = Grid(grid_of(weights, axis=1).step.reshape(-1, 1))
    step = grid.step[:, 0] * input_step
    return FixedLinear(grid.integers(weights), np.rint(biases / step).astype(np.int64), step)
