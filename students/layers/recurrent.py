"""Recurrent layers in float32: torch's own, run by a compiled loop where that is faster."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.kernels.choice import choose
from students.kernels.gru import gru_steps
from students.kernels.lstm import lstm_steps
from students.layers.protocol import RecurrentKind


class GRU(nn.GRU):
    """An ``nn.GRU`` of one layer and direction, batch first.

    Where Numba does not run (`students.kernels.choice`), and where every operation is followed, torch's runs.
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, batch_first=True)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return all states, shape (batch, steps, hidden), and the last, of ``(batch, steps, inputs)``."""
        parameters = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        if not _is_batch(input) or choose("gru", input, hx, *parameters) == "torch":
            return super().forward(input, hx)
        if hx is not None:
            self.check_forward_args(input, hx, None)
        start = input.new_zeros(len(input), self.hidden_size) if hx is None else hx[0]
        driven = functional.linear(input, self.weight_ih_l0, self.bias_ih_l0)
        states = gru_steps(driven, start, self.weight_hh_l0, self.bias_hh_l0)
        return states, states[:, -1].unsqueeze(0)


class LSTM(nn.LSTM):
    """An ``nn.LSTM`` of one layer and direction, batch first; by oneDNN where torch has it, which is faster still."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, batch_first=True)

    def forward(  # type: ignore[override]
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return all states, shape (batch, steps, hidden), and the last and its cell, of ``(batch, steps, inputs)``."""
        parameters = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
        fused = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled  # type: ignore[attr-defined]
        if fused or not _is_batch(input) or choose("lstm", input, *(hx or ()), *parameters) == "torch":
            return super().forward(input, hx)
        if hx is not None:
            self.check_forward_args(input, hx, None)
        zero = input.new_zeros(len(input), self.hidden_size)
        driven = functional.linear(input, self.weight_ih_l0, self.bias_ih_l0)
        start = (zero, zero) if hx is None else (hx[0][0], hx[1][0])
        states, cell = lstm_steps(driven, start, self.weight_hh_l0, self.bias_hh_l0)
        return states, (states[:, -1].unsqueeze(0), cell.unsqueeze(0))


def _is_batch(signal: object) -> bool:
    """True for a batch of at least one step; of anything else torch says what is wrong."""
    return isinstance(signal, Tensor) and signal.ndim == 3 and signal.shape[1] > 0


class Recurrent(nn.Module):
    """A GRU or LSTM over steps: ``(batch, inputs, steps)`` to every step's state ``(batch, hidden, steps)``.

    State starts at zero in each call. The torch layer is `cell` (batch first), one layer, one direction.
    """

    def __init__(self, kind: RecurrentKind, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = (GRU if kind == "gru" else LSTM)(inputs, hidden)

    @classmethod
    def around(cls, cell: nn.GRU | nn.LSTM) -> Recurrent:
        """Return the layer over steps of a torch layer, which keeps its weights."""
        layer = cls.__new__(cls)
        nn.Module.__init__(layer)
        layer.cell = cell  # type: ignore[assignment]
        return layer

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` to ``(batch, hidden, steps)``."""
        states, _ = self.cell(signal.transpose(1, 2))
        return states.transpose(1, 2)
