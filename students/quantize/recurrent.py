"""A GRU or LSTM in integers; ``docs/concepts/quantised_recurrent.md`` has the equations and widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from students.kernels.gru import gru_steps
from students.kernels.lstm import lstm_steps
from students.kernels.recurrent_grid import (
    FINE,
    STATE_BITS,
    STATE_STEP,
    RecurrentLevels,
    on_steps,
    preactivations,
    recurrent_levels,
)
from students.layers.grid import Grid
from students.layers.protocol import RecurrentKind
from students.quantize.modules import IntegerLinear
from students.quantize.signals import check_calibrated, on_grid, on_grid_of
from students.quantize.weight_grid import WeightGrid

STATE_GRID = Grid(STATE_BITS, STATE_STEP, signed=True)
"""Of what the layer puts out."""
ROWS: Mapping[RecurrentKind, int] = {"gru": 3, "lstm": 4}
"""Rows of the weights a unit."""


class IntegerRows(IntegerLinear):
    """A product of a recurrent layer, whose integers the layer reads."""

    def constants(self, operand: IntQuantTensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return weights and bias on their grids, and the weights' scale, for a signal on the grid of `operand`."""
        found = self.direct.scaled_constants(self, operand, "recurrent")
        if found is not None and found[1] is not None:
            return found[0], found[1], found[2]
        brevitas: Any = self
        weight = brevitas.quant_weight()
        check_calibrated(weight.scale, "recurrent")
        bias = brevitas.bias_quant(self.bias, operand, weight)
        return weight.value, bias.value, weight.scale


class Preactivations(nn.Module):
    """The input's part of the pre-activations: sums of integers, multiplied and rounded once, without a float's error.

    The gradient goes straight through, to the accumulators that come in.
    """

    def forward(
        self, accumulators: Tensor, signal: IntQuantTensor, constants: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """Return multiples of 2^-12, shape ``(batch, steps, rows)``, before they saturate.

        Parameters
        ----------
        accumulators : Tensor, shape (batch, steps, rows)
            The product in floats.
        signal : IntQuantTensor, shape (batch, steps, inputs)
        constants : (Tensor, Tensor, Tensor)
            Of the product, as `IntegerRows.constants`.
        """
        with torch.no_grad():
            weight, bias, scale = constants
            rows = scale.reshape(-1).expand(len(weight))
            step = rows * signal.scale
            levels = (weight / rows.unsqueeze(1)).round()
            sums = functional.linear((signal.value / signal.scale).round(), levels, (bias / step).round())
            exact = preactivations(sums, step / FINE)
        return accumulators + (exact - accumulators).detach()  # within a thousandth of a step, and rounded again


class IntegerRecurrent(nn.Module):
    """A GRU or LSTM over steps with integer weights, signals and state: every step's state, ``(batch, hidden, steps)``.

    State starts at zero in each call. Its parameters are those of torch's layer under other names (`float_names`).

    Parameters
    ----------
    kind : {'gru', 'lstm'}
    inputs, hidden : int
    input_weights, weights : WeightGrid
        Of the input product and of the recurrent one.
    operand_bits : int
        Of the state as the recurrent product reads it; at most `STATE_BITS`.
    """

    float_names: Mapping[str, str] = {
        "input.weight": "cell.weight_ih_l0",
        "hidden.weight": "cell.weight_hh_l0",
        "input.bias": "cell.bias_ih_l0",
        "hidden.bias": "cell.bias_hh_l0",
    }

    def __init__(
        self, kind: RecurrentKind, inputs: int, hidden: int, *, input_weights: WeightGrid, weights: WeightGrid,
        operand_bits: int,
    ) -> None:
        super().__init__()
        rows = ROWS[kind] * hidden
        self.kind: RecurrentKind = kind
        self.units = hidden
        self.operand_grid = Grid(operand_bits, 2.0 ** (1 - operand_bits), signed=True)
        self.input = IntegerRows(inputs, rows, bias="learned", weights=input_weights)
        self.hidden = IntegerRows(hidden, rows, bias="learned", weights=weights)
        self.hidden.input_grid = self.operand_grid
        self.drive = Preactivations()

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` on a grid to states, multiples of 2^-7."""
        signal = on_grid(input, "recurrent")
        turned = cast(IntQuantTensor, on_grid_of(signal.value.transpose(1, 2), signal))
        driven = self.drive(self.input(turned), turned, self.input.constants(turned))
        weight, bias, levels = self._constants(driven)
        zero = driven.new_zeros(len(driven), self.units)
        if self.kind == "gru":
            return gru_steps(driven, zero, weight, bias, levels).transpose(1, 2)
        return lstm_steps(driven, (zero, zero), weight, bias, levels)[0].transpose(1, 2)

    def _constants(self, like: Tensor) -> tuple[Tensor, Tensor, RecurrentLevels]:
        """Return weight and bias of the recurrent product, and their integers."""
        grid = self.operand_grid
        scale, bits = like.new_tensor(grid.scale), like.new_tensor(float(grid.bits))
        operand = IntQuantTensor(like.new_zeros(1), scale, torch.zeros_like(scale), bits, True, self.training)
        weight, bias, weight_scale = self.hidden.constants(operand)
        return weight, bias, recurrent_levels(weight, weight_scale, bias, grid.bits)

    def operands(self, states: Tensor) -> Tensor:
        """Return what the recurrent product reads in each step, from all states, both ``(batch, hidden, steps)``."""
        before = torch.cat((torch.zeros_like(states[..., :1]), states[..., :-1]), dim=-1)
        return on_steps(before, self.operand_grid.scale, float(self.operand_grid.highest))
