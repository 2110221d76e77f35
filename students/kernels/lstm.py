"""The steps of a long short-term memory, and its backpropagation through time in closed form.

    I[t], F[t], O[t] = sigmoid(D[t] + W H[t-1] + b)
    G[t] = tanh(D[t] + W H[t-1] + b)
    C[t] = F[t] C[t-1] + I[t] G[t]
    H[t] = O[t] tanh(C[t])

as ``torch.nn.LSTM`` has it, whose input product is `driven` (D) here. Kept for the backward pass are H, C, tanh(C) and
the gates in torch's order: I, F, G, O.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import KernelPath, choose
from students.kernels.gru import before_each_step, of_parameters


def lstm_steps(driven: Tensor, state: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states of all steps, shape (batch, steps, units), and the last cell. Differentiable once.

    Both forms give the same numbers within 1e-6 of the largest, and those of ``torch.nn.LSTM``.

    Parameters
    ----------
    driven : Tensor, shape (batch, steps, 4 units)
        Input product of each step with its bias: input, forget, candidate, output.
    state : tuple of Tensor, shape (batch, units)
        State and cell before the first step.
    weight : Tensor, shape (4 units, units)
    bias : Tensor, shape (4 units,)
        Of the recurrent product.
    """
    path = choose("lstm", driven, *state, weight, bias)
    first = (one.contiguous() for one in state)
    return _Lstm.apply(driven.contiguous(), *first, weight.contiguous(), bias, path)  # type: ignore[no-any-return]


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, driven: Tensor, state: Tensor, cell: Tensor, weight: Tensor, bias: Tensor, path: KernelPath
    ) -> tuple[Tensor, Tensor]:
        run = _numba_forward if path == "numba" else torch_forward
        states, cells, gates, bounded = run(driven, (state, cell), weight, bias)
        context.save_for_backward(states, cells, state, cell, gates, bounded, weight)
        context.path = path
        return states, (cells[:, -1] if cells.shape[1] else cell).clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, of_last: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        run = _numba_backward if context.path == "numba" else torch_backward
        states, _, state, *_ = context.saved_tensors
        of_driven, of_state, of_cell = run(
            gradient.contiguous(), of_last, context.saved_tensors, (math.inf, math.inf)
        )
        operand = before_each_step(states, state)
        return of_driven, of_state, of_cell, *of_parameters(of_driven, operand), None


def torch_forward(
    driven: Tensor, state: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return states, cells, gates and tanh of the cells of each step; the reference of the compiled form."""
    before, cell = state
    gates = torch.empty_like(driven)
    states, cells, bounded = (driven.new_empty(*driven.shape[:2], before.shape[-1]) for _ in range(3))
    for step, drive in enumerate(driven.unbind(1)):
        enter, forget, candidate, leave = (drive + torch.addmm(bias, before, weight.t())).chunk(4, dim=-1)
        enter, forget, leave = enter.sigmoid(), forget.sigmoid(), leave.sigmoid()
        candidate = candidate.tanh()
        cell = cells[:, step] = forget * cell + enter * candidate
        bounded[:, step] = cell.tanh()
        gates[:, step] = torch.cat((enter, forget, candidate, leave), dim=-1)
        before = states[:, step] = leave * bounded[:, step]
    return states, cells, gates, bounded


def torch_backward(
    gradient: Tensor, of_last: Tensor, saved: tuple[Tensor, ...], limits: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the pre-activations, the first state and the first cell.

    No gradient passes the recurrent product from states of size ``limits[0]`` and above, nor a cell of ``limits[1]``.
    """
    states, cells, state, cell, gates, bounded, weight = saved
    previous, before_cells = before_each_step(states, state), before_each_step(cells, cell)
    carry, of_cell, of_driven = torch.zeros_like(state), of_last, torch.empty_like(gates)
    for step in reversed(range(states.shape[1])):
        enter, forget, candidate, leave = gates[:, step].chunk(4, dim=-1)
        size, total = bounded[:, step], gradient[:, step] + carry
        of_cell = (of_cell + total * leave * (1 - size * size)).masked_fill(cells[:, step].abs() >= limits[1], 0.0)
        of_driven[:, step] = torch.cat(
            (
                of_cell * candidate * enter * (1 - enter),
                of_cell * before_cells[:, step] * forget * (1 - forget),
                of_cell * enter * (1 - candidate * candidate),
                total * size * leave * (1 - leave),
            ),
            dim=-1,
        )
        of_cell = of_cell * forget
        carry = (of_driven[:, step] @ weight).masked_fill_(previous[:, step].abs() >= limits[0], 0.0)
    return of_driven, carry, of_cell


def _numba_forward(
    driven: Tensor, state: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import lstm_forward

    gates = torch.empty_like(driven)
    states, cells, bounded = (driven.new_empty(*driven.shape[:2], state[0].shape[-1]) for _ in range(3))
    first = state[0].detach().numpy(), state[1].detach().numpy()
    given = driven.detach().numpy(), first, weight.detach().t().contiguous().numpy(), bias.detach().numpy()
    lstm_forward(*given, *(one.numpy() for one in (states, cells, gates, bounded)))
    return states, cells, gates, bounded


def _numba_backward(
    gradient: Tensor, of_last: Tensor, saved: tuple[Tensor, ...], limits: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import lstm_backward

    *_, weight = saved
    states, cells, state, cell, gates, bounded = (one.detach().numpy() for one in saved[:-1])
    of_state, of_cell = torch.zeros_like(saved[2]), of_last.clone(memory_format=torch.contiguous_format)
    of_driven = torch.empty_like(saved[4])
    lstm_backward(
        gradient.detach().numpy(), (states, cells), (state, cell), gates, bounded, weight.detach().numpy(),
        (np.float32(limits[0]), np.float32(limits[1])), (of_state.numpy(), of_cell.numpy()), of_driven.numpy(),
    )  # fmt: skip
    return of_driven, of_state, of_cell
