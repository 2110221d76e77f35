"""LSTM, GRU and plain recurrent layers.

ONNX stacks the gates in another order than torch (LSTM ``i o f c`` against ``i f c o``; GRU ``z r h`` against
``r z h``), so the weights are laid out anew on reading, and belong to the node under torch's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.interchange.graph import Builder, Node, UnsupportedVariant
from students.interchange.operators.quantised import OnGrid, Quantiser, Saturated

ORDER: Mapping[str, tuple[int, ...]] = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where torch's gates stand among those of ONNX."""

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",),
}  # fmt: skip

FUSED: Mapping[str, Any] = {"LSTM": torch.lstm, "GRU": torch.gru, "Tanh": torch.rnn_tanh, "Relu": torch.rnn_relu}

DIRECTIONS = ("forward", "reverse", "bidirectional")
GATE_BITS, GATE_STEP = 16, 2.0**-12
"""Of an integer LSTM's gates before their functions, in TensorFlow Lite."""
WEIGHTS = frozenset((1, 2, 3))
"""Inputs that the node stores itself."""


class RecurrentNode(nn.Module):
    """One recurrent layer in one or two directions, signal ``(steps, batch, inputs)``.

    Parameters
    ----------
    node : Node
        With stored weights.

    Raises
    ------
    UnsupportedVariant
        Peepholes, sequence lengths, clipping, other activations, computed weights.
    """

    stores = WEIGHTS

    def __init__(self, node: Node) -> None:
        super().__init__()
        kind, activation = node.operator, _checked(node)
        self.fused = FUSED[activation if kind == "RNN" else kind]
        self.states = 2 if kind == "LSTM" else 1
        direction = node.attribute("direction", "forward")
        self.backward_only, self.directions = direction == "reverse", 2 if direction == "bidirectional" else 1
        self.batch_first = bool(node.attribute("layout", 0))
        self.has_bias = node.has(3)
        matrices = [node.constant(place) for place in (1, 2, 3)]
        if any(stored is None and node.has(place + 1) for place, stored in enumerate(matrices)):
            raise UnsupportedVariant("its weights are computed")
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        self.order: list[str] = []
        for way in range(self.directions):
            for name, tensor in zip(names, _torch_order(kind, matrices, way), strict=False):
                self.order.append(name + ("_reverse" if way else ""))
                self.register_parameter(self.order[-1], nn.Parameter(tensor.contiguous(), requires_grad=False))
        self.units = matrices[1].shape[-1]  # type: ignore[union-attr]

    def forward(self, signal: Tensor, *rest: Tensor | None) -> tuple[Tensor, ...]:
        """Return outputs ``(steps, directions, batch, units)`` and the last states ``(directions, batch, units)``."""
        signal = signal.transpose(0, 1) if self.batch_first else signal
        steps, batch, _ = signal.shape
        given = [one for one in rest if one is not None]
        if self.batch_first:
            given = [one.transpose(0, 1) for one in given]
        rest_state = torch.zeros(self.directions, batch, self.units, dtype=signal.dtype, device=signal.device)
        state: Any = [*given, *([rest_state] * (self.states - len(given)))]
        weights = [self.get_parameter(name) for name in self.order]
        ordered = signal.flip(0) if self.backward_only else signal
        out, *last = self.fused(
            ordered, state if self.states == 2 else state[0], weights, self.has_bias, 1, 0.0, False,
            self.directions == 2, False,
        )  # fmt: skip
        out = out.flip(0) if self.backward_only else out
        out = out.reshape(steps, batch, self.directions, self.units).permute(0, 2, 1, 3)
        if self.batch_first:
            return out.permute(2, 0, 1, 3), *(one.transpose(0, 1) for one in last)
        return out, *last


class ResetFirstGru(nn.Module):
    """One GRU layer whose reset gate acts on the state before its product (``linear_before_reset = 0``, as in Keras).

    ``z, r = sigmoid(W x + R h + b)``, ``n = tanh(W x + R (r h) + b)``, ``h <- (1 - z) n + z h`` (Cho et al. 2014);
    torch has only the other cell. Both biases of a gate are one.

    Parameters
    ----------
    node : Node
        With stored weights.

    Raises
    ------
    UnsupportedVariant
        As `RecurrentNode`; both directions.
    """

    stores = WEIGHTS

    def __init__(self, node: Node) -> None:
        super().__init__()
        _checked(node)
        node.expect("direction", "forward", "reverse")
        matrices = [node.constant(place) for place in (1, 2, 3)]
        if any(stored is None and node.has(place + 1) for place, stored in enumerate(matrices)):
            raise UnsupportedVariant("its weights are computed")
        inputs, hidden, *biases = _torch_order("GRU", matrices, 0)
        units = hidden.shape[-1]
        self.inputs = _linear(inputs, biases[0] + biases[1] if biases else None)
        self.gates, self.candidate = _linear(hidden[: 2 * units], None), _linear(hidden[2 * units :], None)
        self.backward_only = node.attribute("direction", "forward") == "reverse"
        self.batch_first = bool(node.attribute("layout", 0))

    def forward(self, signal: Tensor, *rest: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs ``(steps, 1, batch, units)`` and the last state ``(1, batch, units)``."""
        signal = signal.transpose(0, 1) if self.batch_first else signal
        given = next((one.select(1 if self.batch_first else 0, 0) for one in rest if one is not None), None)
        units = self.candidate.in_features
        state = at_rest(signal[0], units) if given is None else given
        gates = self.inputs(signal)
        outputs: list[Tensor] = []
        for now in (gates.flip(0) if self.backward_only else gates).unbind(0):
            reset, update = torch.sigmoid(now[:, : 2 * units] + self.gates(state)).chunk(2, -1)
            new = torch.tanh(now[:, 2 * units :] + self.candidate(reset * state))
            state = (1 - update) * new + update * state
            outputs.append(state)
        out = torch.stack(outputs[::-1] if self.backward_only else outputs).unsqueeze(1)
        if self.batch_first:
            return out.permute(2, 0, 1, 3), state.unsqueeze(1)
        return out, state.unsqueeze(0)


class SteppedLstm(nn.Module):
    """One LSTM layer in integers, step by step from zeros: weights given on their grid, states put on theirs.

    As TensorFlow Lite runs it: the accumulators of both products are each put on the gates' grid, 16 bits in steps of
    2^-12, and added there with saturation.

    Parameters
    ----------
    node : Node
        Inputs: signal (steps, batch, inputs), both weights in torch's order of gates, bias, then scale and zero
        point of the hidden state and of the cell, which are stored; attribute ``bits``: their widths.
    """

    stores = frozenset(range(4, 8))

    def __init__(self, node: Node) -> None:
        super().__init__()
        bits = list(node.attribute("bits", (8, 16)))
        self.hidden, self.cell = (
            _state_quantiser(node, 4 + 2 * place, width, Quantiser) for place, width in enumerate(bits)
        )
        self.started = _state_quantiser(node, 4, bits[0], OnGrid)
        self.entered, self.fed_back = (_gates(node, Quantiser) for _ in range(2))
        self.gates = _gates(node, Saturated)

    def forward(self, signal: Tensor, inputs: Tensor, hidden: Tensor, bias: Tensor, *_: Tensor | None) -> Tensor:
        """Return outputs ``(steps, batch, units)``."""
        cell = at_rest(signal[0], hidden.shape[1])
        state = self.started(cell)
        outputs: list[Tensor] = []
        for now in self.entered(functional.linear(signal, inputs, bias)).unbind(0):
            gates = self.gates(now + self.fed_back(functional.linear(state, hidden)))
            enter, forget, candidate, leave = gates.chunk(4, -1)
            cell = self.cell(torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate))
            state = self.hidden(torch.sigmoid(leave) * torch.tanh(cell))
            outputs.append(state)
        return torch.stack(outputs)


def _state_quantiser(node: Node, place: int, bits: int, kind: type[Quantiser]) -> Quantiser:
    names = node.inputs[place : place + 2]
    stored = {name: node.constants[name].reshape(()) for name in names}
    return _signed(node, names, stored, bits, kind)


def _gates(node: Node, kind: type[Quantiser]) -> Quantiser:
    stored = {"scale": torch.tensor(GATE_STEP), "zero": torch.zeros(())}
    return _signed(node, tuple(stored), stored, GATE_BITS, kind)


def _signed(
    node: Node, names: tuple[str, ...], stored: dict[str, Tensor], bits: int, kind: type[Quantiser]
) -> Quantiser:
    alone = replace(node, inputs=("", *names), constants=stored, attributes={"rounds_first": 1})
    return kind(alone, bits, (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), "signed")


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.contiguous(), requires_grad=False)
    return made


def at_rest(signal: Tensor, units: int) -> Tensor:
    """Return zeros (batch, units) made from a signal (batch, ...): the first recurrent product is work like others."""
    first = signal.flatten(1)[:, :1]
    return torch.masked_fill(first, torch.ones_like(first, dtype=torch.bool), 0.0).expand(len(signal), units)


def _recurrent(node: Node) -> nn.Module:
    first = node.operator == "GRU" and not node.attribute("linear_before_reset", 0)
    return ResetFirstGru(node) if first else RecurrentNode(node)


def _checked(node: Node) -> str:
    """Return the (first) activation of a recurrent node; refuse what torch's fused layers do not do."""
    kind = node.operator
    node.expect("direction", *DIRECTIONS)
    ways = 2 if node.attribute("direction", "forward") == "bidirectional" else 1
    found = [str(name) for name in node.attribute("activations", DEFAULTS[kind] * ways)]
    alike = [list(DEFAULTS[kind] * ways), *([["Relu"] * ways] if kind == "RNN" else [])]
    if found not in alike:
        raise UnsupportedVariant(f"activations = {found}")
    for name in ("clip", "input_forget"):
        if node.attribute(name, 0):
            raise UnsupportedVariant(f"{name} = {node.attribute(name, 0)}")
    for place, what in ((4, "sequence lengths"), (7, "peepholes")):
        if node.has(place):
            raise UnsupportedVariant(what)
    return found[0]


def _torch_order(kind: str, matrices: list[Tensor | None], way: int) -> list[Tensor]:
    """Return input weights, hidden weights and, where there are some, their biases, gates in torch's order."""
    order = ORDER[kind]

    def gates(stacked: Tensor) -> Tensor:
        parts = stacked.chunk(len(order))
        return torch.cat([parts[place] for place in order])

    inputs, hidden, bias = (None if one is None else one[way] for one in matrices)
    assert inputs is not None and hidden is not None, "the reader's check makes sure"  # noqa: S101, PT018
    halves = [] if bias is None else [gates(half) for half in bias.chunk(2)]
    return [gates(inputs), gates(hidden), *halves]


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    return dict.fromkeys(ORDER, _recurrent)
