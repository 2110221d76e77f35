"""The steps of a long short-term memory, and its backpropagation through time in closed form.

    I[t], F[t], O[t] = sigmoid(D[t] + W H[t-1] + b)
    G[t] = tanh(D[t] + W H[t-1] + b)
    C[t] = F[t] C[t-1] + I[t] G[t]
    H[t] = O[t] tanh(C[t])

as ``torch.nn.LSTM`` has it, whose input product is `driven` (D) here. Kept for the backward pass are H, C, tanh(C) and
the gates in torch's order: I, F, G, O. In integers, as in `students.kernels.gru`, D, the product, C and H are rounded;
a cell that saturates hands no gradient on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import KernelPath, choose
from students.kernels.gru import before_each_step, constants_of, of_parameters
from students.kernels.recurrent_grid import (
    CELL_LIMIT,
    FINE,
    HIGHEST,
    SIGMOID_STEP,
    STATE_STEP,
    TANH_STEP,
    RecurrentLevels,
    look_up,
    on_steps,
    sigmoid_table,
    tanh_table,
)


def lstm_steps(
    driven: Tensor, state: tuple[Tensor, Tensor], weight: Tensor, bias: Tensor, levels: RecurrentLevels | None = None
) -> tuple[Tensor, Tensor]:
    """Return the states of all steps, shape (batch, steps, units), and the last cell. Differentiable once.

    In float both forms give the same numbers within 1e-6 of the largest, and those of ``torch.nn.LSTM``; in integers
    they give the same bits.

    Parameters
    ----------
    driven : Tensor, shape (batch, steps, 4 units)
        Input product of each step with its bias: input, forget, candidate, output.
    state : tuple of Tensor, shape (batch, units)
        State and cell before the first step.
    weight : Tensor, shape (4 units, units)
    bias : Tensor, shape (4 units,)
        Of the recurrent product.
    levels : RecurrentLevels or None
        The integers of weight and bias, which are then on their grids, as state and cell are; None: in float.
    """
    path = choose("lstm" if levels is None else "integer lstm", driven, *state, weight, bias)
    first = (one.contiguous() for one in (driven, *state, weight))
    return _Lstm.apply(*first, bias, levels, path)  # type: ignore[no-any-return]


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, driven: Tensor, state: Tensor, cell: Tensor, weight: Tensor, bias: Tensor,
        levels: RecurrentLevels | None, path: KernelPath,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        if levels is None:
            run = _numba_forward if path == "numba" else torch_forward
            found = run(driven, (state, cell), weight, bias)
        else:
            found = (_numba_integers if path == "numba" else torch_integers)(driven, (state, cell), levels)
        states, cells, gates, bounded = found
        context.save_for_backward(states, cells, state, cell, gates, bounded, weight)
        context.path, context.levels = path, levels
        return states, (cells[:, -1] if cells.shape[1] else cell).clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, of_last: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        run = _numba_backward if context.path == "numba" else torch_backward
        states, _, state, *_ = context.saved_tensors
        levels, operand = context.levels, before_each_step(states, state)
        limits = (math.inf, math.inf) if levels is None else (levels.limit, CELL_LIMIT)
        of_driven, of_state, of_cell = run(gradient.contiguous(), of_last, context.saved_tensors, limits)
        operand = operand if levels is None else levels.operand(operand)
        return of_driven, of_state, of_cell, *of_parameters(of_driven, operand), None, None


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


def torch_integers(
    driven: Tensor, state: tuple[Tensor, Tensor], levels: RecurrentLevels
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return states, cells, gates and tanh of the cells of each step in integers; what they are by definition."""
    before, cell = state
    sigmoid, tanh = sigmoid_table(driven.dtype, driven.device), tanh_table(driven.dtype, driven.device)
    gates = torch.empty_like(driven)
    states, cells, bounded = (driven.new_empty(*driven.shape[:2], before.shape[-1]) for _ in range(3))
    for step, drive in enumerate(on_steps(driven, FINE, HIGHEST).unbind(1)):
        enter, forget, candidate, leave = (drive + levels.product(before)).chunk(4, dim=-1)
        enter, forget, leave = (look_up(sigmoid, one, SIGMOID_STEP) for one in (enter, forget, leave))
        candidate = look_up(tanh, candidate, TANH_STEP)
        cell = cells[:, step] = on_steps(forget * cell + enter * candidate, FINE, HIGHEST)
        bounded[:, step] = look_up(tanh, cell, TANH_STEP)
        gates[:, step] = torch.cat((enter, forget, candidate, leave), dim=-1)
        before = states[:, step] = (leave * bounded[:, step] / STATE_STEP).round() * STATE_STEP
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


def _numba_integers(
    driven: Tensor, state: tuple[Tensor, Tensor], levels: RecurrentLevels
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import lstm_integers

    gates = torch.empty_like(driven)
    states, cells, bounded = (driven.new_empty(*driven.shape[:2], state[0].shape[-1]) for _ in range(3))
    first = state[0].detach().numpy(), state[1].detach().numpy()
    results: Any = (one.numpy() for one in (states, cells, gates, bounded))
    lstm_integers(driven.detach().numpy(), first, *constants_of(levels), *results)
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
