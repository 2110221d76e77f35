"""Recurrent cells as NeuroBench 2.3 counts them; used by ``students.neurobench`` only.

Weights, biases, inputs and states are zeros and ones (1 where the value is not zero). Gate products count as well as
weight products; sigmoid and tanh are free. Its deviations from the usual definitions are commented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


def cell_operations(layer: nn.RNNCellBase, inputs: Sequence[object], operands: str) -> int:
    """Return the synaptic operations of one call of a cell.

    Parameters
    ----------
    layer : nn.RNNCell, nn.LSTMCell or nn.GRUCell
    inputs : sequence
        Positional arguments of the call: input (batch, features), then the state.
    operands : {'nonzero', 'all'}
        ``nonzero``: effective operations. ``all``: dense ones; but the states of an LSTM cell, which arrive as a
        pair, still count only where they are not zero.

    Raises
    ------
    ValueError
        Where NeuroBench raises, or looks at one example of the batch only.
    """
    if len(inputs) < 2:
        raise ValueError("called without a state: NeuroBench takes the first example for the batch, or raises")
    signal = _marked(cast(Tensor, inputs[0]), operands)
    weight_ih, weight_hh = (_marked(w, operands) for w in (layer.weight_ih, layer.weight_hh))
    driven = weight_ih @ signal.T
    if isinstance(layer, nn.LSTMCell):
        hidden, cell = (_marked(state, "nonzero").T for state in cast(tuple[Tensor, Tensor], inputs[1]))
        return int(_lstm(driven + weight_hh @ hidden, cell, sum(_biases(layer, operands))))
    hidden = _marked(cast(Tensor, inputs[1]), operands).T
    if isinstance(layer, nn.GRUCell):
        if not layer.bias:
            raise ValueError("a GRU cell without bias: NeuroBench raises")
        return int(_gru(driven, weight_hh @ hidden, hidden, _biases(layer, operands)))
    return int((driven + weight_hh @ hidden).sum())


def _marked(values: Tensor, operands: str) -> Tensor:
    marks = torch.ones_like(values, dtype=torch.float64)
    return marks if operands == "all" else marks * (values != 0)


def _biases(layer: nn.RNNCellBase, operands: str) -> tuple[Tensor, Tensor]:
    if not layer.bias:
        nothing = torch.zeros(layer.weight_ih.shape[0], 1, dtype=torch.float64)
        return nothing, nothing
    return _marked(layer.bias_ih, operands)[:, None], _marked(layer.bias_hh, operands)[:, None]


def _lstm(products: Tensor, cell: Tensor, biases: Tensor | int) -> Tensor:
    """Products, then one for each non-zero ``f * c``, ``i * g`` and ``o * tanh(c)``."""
    gate_in, forget, candidate, gate_out = ((products + biases) != 0).double().chunk(4)
    state = forget * cell + gate_in * candidate
    return products.sum() + state.sum() + (gate_out * (state != 0)).sum()


def _gru(driven: Tensor, recurrent: Tensor, hidden: Tensor, biases: tuple[Tensor, Tensor]) -> Tensor:
    """Products, then one for each non-zero ``r * h_n``, ``(1 - z) * n`` and ``z * h``."""
    bias_ih, bias_hh = biases
    products = driven + recurrent
    gates = products + bias_ih + bias_hh
    reset, update, _ = gates.chunk(3)
    gated = (reset != 0) & ((recurrent.chunk(3)[2] + bias_hh.chunk(3)[2]) != 0)
    # The third element of the input bias stands for all of the candidate's, and `1 - z` is zero where z counts one.
    candidate = (recurrent.chunk(3)[2] + bias_ih[2] + gated) != 0
    kept = ((update != 1) & candidate).double() + (update != 0) * (hidden != 0)
    return products.sum() + gated.sum() + kept.sum()
