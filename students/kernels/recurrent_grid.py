"""The integers inside a quantised recurrent layer: fixed grids that are powers of two, and its two tables.

Pre-activations are 16-bit fixed point with 12 bits behind the point, gates have 8 bits behind it, candidates and states
7 and a sign, an LSTM's cell the grid of the pre-activations. Sigmoid and tanh are tables of 512 numbers; the address
is the pre-activation, rounded to a coarser step. All rounding is half to even. ``docs/concepts/quantised_recurrent.md``
has the equations. What is computed here on floats are these integers times their steps: every product and sum of a step
fits into the 24 bits of a float32 (up to 1,000 units), so that no order of additions changes it. A multiplier is a
float32, and its product with a sum of that width is taken in float64, which holds it: pre-activations are exact too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

PREACTIVATION_BITS, CELL_BITS, STATE_BITS, GATE_BITS, ADDRESS_BITS = 16, 16, 8, 8, 9
FINE = 2.0**-12
"""Step of pre-activations and of an LSTM's cell."""
HIGHEST = 2 ** (PREACTIVATION_BITS - 1) - 1
"""Largest of their levels; the least is its negative."""
GATE_STEP, STATE_STEP = 2.0**-GATE_BITS, 2.0 ** (1 - STATE_BITS)
SIGMOID_STEP, TANH_STEP = 2.0**-5, 2.0**-6
"""Between the pre-activations of two entries of a table."""
ENTRIES = 2**ADDRESS_BITS
CELL_LIMIT = HIGHEST * FINE
"""Size at which an LSTM's cell saturates."""


@cache
def sigmoid_table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the sigmoid at -256 .. 255 steps of `SIGMOID_STEP`, in steps of `GATE_STEP` from 0 to 255."""
    values = torch.sigmoid(torch.arange(-ENTRIES // 2, ENTRIES // 2, dtype=torch.float64) * SIGMOID_STEP)
    levels = (values / GATE_STEP).round().clamp(0, 2**GATE_BITS - 1)
    return (levels * GATE_STEP).to(device, dtype)


@cache
def tanh_table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the tanh at -256 .. 255 steps of `TANH_STEP`, in steps of `STATE_STEP` from -127 to 127."""
    values = torch.tanh(torch.arange(-ENTRIES // 2, ENTRIES // 2, dtype=torch.float64) * TANH_STEP)
    highest = 2 ** (STATE_BITS - 1) - 1
    levels = (values / STATE_STEP).round().clamp(-highest, highest)
    return (levels * STATE_STEP).to(device, dtype)


@dataclass(frozen=True, slots=True)
class RecurrentLevels:
    """The integers of a recurrent product, as floats.

    Parameters
    ----------
    levels : Tensor, shape (rows, units)
        Of the weights.
    offset : Tensor, shape (rows,)
        Bias: its levels times `step`, so that it is added to ``levels @ operand``.
    multiplier : Tensor, shape (rows,)
        Steps of the pre-activation in one of ``levels @ operand``.
    step : float
        Of the operand, which is the state on the grid of activations.
    highest : float
        Largest level of the operand.
    """

    levels: Tensor
    offset: Tensor
    multiplier: Tensor
    step: float
    highest: float

    @property
    def limit(self) -> float:
        """Size from which a state is clipped on its way into the product."""
        return (self.highest + 0.5) * self.step

    def operand(self, state: Tensor) -> Tensor:
        """Return states as the product reads them: as they are where it has their grid."""
        return state if self.step == STATE_STEP else on_steps(state, self.step, self.highest)

    def product(self, state: Tensor) -> Tensor:
        """Return the pre-activations' recurrent part, shape (batch, rows), of states of shape (batch, units)."""
        sums = self.operand(state) @ self.levels.t() + self.offset
        return preactivations(sums, self.multiplier).clamp(-CELL_LIMIT, CELL_LIMIT)


def preactivations(sums: Tensor, multiplier: Tensor) -> Tensor:
    """Return sums times multipliers rounded to multiples of `FINE`, before any limit, in the format of the sums.

    Parameters
    ----------
    sums : Tensor, shape (..., rows)
        Integers times a power of two, of up to 24 bits.
    multiplier : Tensor, shape (rows,)
        Steps of a pre-activation in one of the sums, in float32.
    """
    return ((sums.double() * multiplier.double()).round() * FINE).to(sums.dtype)


def recurrent_levels(weight: Tensor, scale: Tensor, bias: Tensor, operand_bits: int) -> RecurrentLevels:
    """Return the integers of a product.

    Parameters
    ----------
    weight : Tensor, shape (rows, units)
        On its grid.
    scale : Tensor, shape (rows, 1) or ()
        Of the weights.
    bias : Tensor, shape (rows,)
        On the accumulator's grid.
    operand_bits : int
        At most `STATE_BITS`.
    """
    step, rows = 2.0 ** (1 - operand_bits), scale.detach().reshape(-1).expand(len(weight))
    levels = (weight.detach() / rows.unsqueeze(1)).round()
    offset = (bias.detach() / (rows * step)).round() * step
    return RecurrentLevels(levels, offset, rows / FINE, step, 2.0 ** (operand_bits - 1) - 1)


def on_steps(values: Tensor, step: float, highest: float) -> Tensor:
    """Return numbers rounded to multiples of a step, at most `highest` of them up and down."""
    return (values / step).round().clamp(-highest, highest) * step


def look_up(table: Tensor, values: Tensor, step: float) -> Tensor:
    """Return a function by its table; what is no number stays none."""
    address = (values / step).round().clamp(-ENTRIES // 2, ENTRIES // 2 - 1).nan_to_num() + ENTRIES // 2
    return table[address.long()] + values * 0.0
