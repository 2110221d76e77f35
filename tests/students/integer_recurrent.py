"""A GRU and an LSTM in int64, written out from ``docs/concepts/quantised_recurrent.md``; scales are powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from students.layers.grid import LayerQuantisation

HIGHEST = 2**15 - 1


def shift(values: Tensor, bits: int) -> Tensor:
    """Return ``values / 2^bits`` rounded half to even; negative bits shift up."""
    if bits <= 0:
        return values << -bits
    whole, rest, half = values >> bits, values & ((1 << bits) - 1), 1 << (bits - 1)
    return whole + ((rest > half) | ((rest == half) & (whole % 2 == 1))).to(torch.int64)


def table(function: Literal["sigmoid", "tanh"]) -> Tensor:
    """Return the 512 entries as integers."""
    if function == "sigmoid":
        return torch.tensor([min(round(256 / (1 + math.exp(-k / 32))), 255) for k in range(-256, 256)])
    return torch.tensor([max(min(round(128 * math.tanh(k / 64)), 127), -127) for k in range(-256, 256)])


def look_up(function: Literal["sigmoid", "tanh"], values: Tensor) -> Tensor:
    """Return a function of numbers in steps of 2^-12."""
    return table(function)[shift(values, 7 if function == "sigmoid" else 6).clamp(-256, 255) + 256]


@dataclass(frozen=True)
class IntegerProduct:
    """A product that puts out pre-activations in steps of 2^-12."""

    quantisation: LayerQuantisation

    def __call__(self, codes: Tensor) -> Tensor:
        """Return the pre-activations, int64, of codes of shape (batch, inputs)."""
        found = self.quantisation
        assert found.bias is not None
        scale = (found.weight_scale.double() * found.input_grid.scale).flatten()
        shifts = -(scale.log2() + 12)
        assert bool((shifts == shifts.round()).all()), "scales are no powers of two"
        sums = (codes @ found.weights.t() + found.bias).expand(len(codes), len(found.weights))
        columns = [shift(sums[:, k], int(shifts[k if len(shifts) > 1 else 0])) for k in range(sums.shape[1])]
        return torch.stack(columns, dim=1).clamp(-HIGHEST, HIGHEST)


def run(kind: str, codes: Tensor, products: tuple[LayerQuantisation, LayerQuantisation]) -> Tensor:
    """Return states in steps of 2^-7, shape (batch, steps, units), from input codes (batch, steps, inputs)."""
    of_input, of_hidden = map(IntegerProduct, products)
    grid, units = products[1].input_grid, products[1].weights.shape[1]
    state, cell = torch.zeros(len(codes), units, dtype=torch.int64), torch.zeros(len(codes), units, dtype=torch.int64)
    states = []
    for now in codes.unbind(1):
        operand = shift(state, 8 - grid.bits).clamp(-grid.highest, grid.highest)
        drive, hidden = of_input(now), of_hidden(operand)
        if kind == "gru":
            reset, update = look_up("sigmoid", drive[:, : 2 * units] + hidden[:, : 2 * units]).chunk(2, dim=1)
            kept = shift(reset * hidden[:, 2 * units :], 8)
            candidate = look_up("tanh", drive[:, 2 * units :] + kept)
            state = candidate + shift(update * (state - candidate), 8)
        else:
            enter, forget, candidate, leave = (drive + hidden).chunk(4, dim=1)
            enter, forget, leave = (look_up("sigmoid", one) for one in (enter, forget, leave))
            new = enter * look_up("tanh", candidate)  # steps of 2^-15
            cell = shift(forget * cell + (new << 5), 8).clamp(-HIGHEST, HIGHEST)
            state = shift(leave * look_up("tanh", cell), 8)
        states.append(state)
    return torch.stack(states, dim=1)
