"""The steps of a gated recurrent unit, and its backpropagation through time in closed form.

    M[t] = W_n H[t-1] + b_n
    R[t], Z[t] = sigmoid(I[t] + W_rz H[t-1] + b_rz)
    N[t] = tanh(I_n[t] + R[t] M[t])
    H[t] = N[t] + Z[t] (H[t-1] - N[t])

as ``torch.nn.GRU`` has it, whose input product is `driven` (I) here. Kept for the backward pass are H, M and the gates.

In integers (`students.kernels.recurrent_grid`) I, the products, ``R M`` and ``Z (H - N)`` are rounded, sigmoid and tanh
are tables. Gradients go straight through the rounding and the saturation of pre-activations, where the slopes of
sigmoid and tanh, taken at the gates as they are, are nearly zero; only a state that is clipped on its way into the
product hands none on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import KernelPath, choose
from students.kernels.recurrent_grid import (
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


def gru_steps(
    driven: Tensor, state: Tensor, weight: Tensor, bias: Tensor, levels: RecurrentLevels | None = None
) -> Tensor:
    """Return the states of all steps, shape (batch, steps, units). Differentiable once.

    In float both forms give the same numbers within 1e-6 of the largest, and those of ``torch.nn.GRU``; in integers
    they give the same bits.

    Parameters
    ----------
    driven : Tensor, shape (batch, steps, 3 units)
        Input product of each step with its bias: reset, update, candidate.
    state : Tensor, shape (batch, units)
        Before the first step.
    weight : Tensor, shape (3 units, units)
    bias : Tensor, shape (3 units,)
        Of the recurrent product.
    levels : RecurrentLevels or None
        The integers of weight and bias, which are then on their grids, as the state is; None: in float.
    """
    path = choose("gru" if levels is None else "integer gru", driven, state, weight, bias)
    first = driven.contiguous(), state.contiguous(), weight.contiguous()
    return _Gru.apply(*first, bias, levels, path)  # type: ignore[no-any-return]


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, driven: Tensor, state: Tensor, weight: Tensor, bias: Tensor, levels: RecurrentLevels | None,
        path: KernelPath,
    ) -> Tensor:  # fmt: skip
        if levels is None:
            run = _numba_forward if path == "numba" else torch_forward
            states, gates, memory = run(driven, state, weight, bias)
        else:
            states, gates, memory = (_numba_integers if path == "numba" else torch_integers)(driven, state, levels)
        context.save_for_backward(states, state, gates, memory, weight)
        context.path, context.levels = path, levels
        return states

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        run = _numba_backward if context.path == "numba" else torch_backward
        states, state, gates, memory, weight = context.saved_tensors
        levels, operand = context.levels, before_each_step(states, state)
        limit = math.inf if levels is None else levels.limit
        of_driven, of_hidden, of_state = run(gradient.contiguous(), states, state, gates, memory, weight, limit)
        operand = operand if levels is None else levels.operand(operand)
        return of_driven, of_state, *of_parameters(of_hidden, operand), None, None


def before_each_step(states: Tensor, state: Tensor) -> Tensor:
    """Return the states that each step starts from, shape of `states`."""
    return torch.cat((state.unsqueeze(1), states[:, :-1]), dim=1)[:, : states.shape[1]]


def of_parameters(of_hidden: Tensor, operand: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of the recurrent weight and bias from that of their product."""
    rows = of_hidden.flatten(0, 1)
    return rows.t() @ operand.flatten(0, 1), rows.sum(0)


def torch_forward(driven: Tensor, state: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return states, gates and M of each step; the reference of the compiled form."""
    units, before = state.shape[-1], state
    states, gates = driven.new_empty(*driven.shape[:2], units), torch.empty_like(driven)
    memory = torch.empty_like(states)
    for step, drive in enumerate(driven.unbind(1)):
        hidden = torch.addmm(bias, before, weight.t())
        both = torch.sigmoid(drive[:, : 2 * units] + hidden[:, : 2 * units])
        reset, update = both.chunk(2, dim=-1)
        memory[:, step] = hidden[:, 2 * units :]
        candidate = torch.tanh(drive[:, 2 * units :] + reset * memory[:, step])
        gates[:, step] = torch.cat((both, candidate), dim=-1)
        before = states[:, step] = candidate + update * (before - candidate)
    return states, gates, memory


def torch_integers(driven: Tensor, state: Tensor, levels: RecurrentLevels) -> tuple[Tensor, Tensor, Tensor]:
    """Return states, gates and M of each step in integers; what they are by definition."""
    units, before = state.shape[-1], state
    sigmoid, tanh = sigmoid_table(driven.dtype, driven.device), tanh_table(driven.dtype, driven.device)
    states, gates = driven.new_empty(*driven.shape[:2], units), torch.empty_like(driven)
    memory = torch.empty_like(states)
    for step, drive in enumerate(on_steps(driven, FINE, HIGHEST).unbind(1)):
        hidden = levels.product(before)
        both = look_up(sigmoid, drive[:, : 2 * units] + hidden[:, : 2 * units], SIGMOID_STEP)
        reset, update = both.chunk(2, dim=-1)
        memory[:, step] = hidden[:, 2 * units :]
        kept = on_steps(reset * memory[:, step], FINE, HIGHEST)
        candidate = look_up(tanh, drive[:, 2 * units :] + kept, TANH_STEP)
        gates[:, step] = torch.cat((both, candidate), dim=-1)
        before = states[:, step] = candidate + (update * (before - candidate) / STATE_STEP).round() * STATE_STEP
    return states, gates, memory


def torch_backward(  # noqa: PLR0917  the same order as the compiled one
    gradient: Tensor, states: Tensor, state: Tensor, gates: Tensor, memory: Tensor, weight: Tensor, limit: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of both parts of the pre-activations and of the first state.

    No gradient passes the recurrent product from states of size `limit` and above.
    """
    previous, carry = before_each_step(states, state), torch.zeros_like(state)
    of_driven, of_hidden = torch.empty_like(gates), torch.empty_like(gates)
    for step in reversed(range(states.shape[1])):
        reset, update, candidate = gates[:, step].chunk(3, dim=-1)
        before, total = previous[:, step], gradient[:, step] + carry
        of_update = total * (before - candidate) * update * (1 - update)
        of_candidate = total * (1 - update) * (1 - candidate * candidate)
        of_reset = of_candidate * memory[:, step] * reset * (1 - reset)
        of_driven[:, step] = torch.cat((of_reset, of_update, of_candidate), dim=-1)
        of_hidden[:, step] = torch.cat((of_reset, of_update, of_candidate * reset), dim=-1)
        through = (of_hidden[:, step] @ weight).masked_fill_(before.abs() >= limit, 0.0)
        carry = total * update + through
    return of_driven, of_hidden, carry


def _numba_forward(driven: Tensor, state: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import gru_forward

    states, gates = driven.new_empty(*driven.shape[:2], state.shape[-1]), torch.empty_like(driven)
    memory = torch.empty_like(states)
    turned = weight.t().contiguous()
    arrays: Any = (one.detach().numpy() for one in (driven, state, turned, bias, states, gates, memory))
    gru_forward(*arrays)
    return states, gates, memory


def _numba_integers(driven: Tensor, state: Tensor, levels: RecurrentLevels) -> tuple[Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import gru_integers

    states, gates = driven.new_empty(*driven.shape[:2], state.shape[-1]), torch.empty_like(driven)
    memory = torch.empty_like(states)
    signals: Any = (one.detach().numpy() for one in (driven, state))
    results: Any = (one.numpy() for one in (states, gates, memory))
    gru_integers(*signals, *constants_of(levels), *results)
    return states, gates, memory


def constants_of(levels: RecurrentLevels) -> Any:
    """Return what a compiled step in integers reads beside signals: weights, bias, multipliers, tables, its operand."""
    tables = sigmoid_table(torch.float32, torch.device("cpu")), tanh_table(torch.float32, torch.device("cpu"))
    numbers = levels.levels.t(), levels.offset, levels.multiplier, *tables
    given: tuple[Any, ...] = tuple(one.contiguous().numpy() for one in numbers)
    return *given[:3], given[3:], (np.float32(levels.step), np.float32(levels.highest))


def _numba_backward(  # noqa: PLR0917  the same order as the reference
    gradient: Tensor, states: Tensor, state: Tensor, gates: Tensor, memory: Tensor, weight: Tensor, limit: float
) -> tuple[Tensor, Tensor, Tensor]:
    from students.kernels.recurrent_numba import gru_backward

    of_state, of_driven, of_hidden = torch.empty_like(state), torch.empty_like(gates), torch.empty_like(gates)
    given: Any = (one.detach().numpy() for one in (gradient, states, state, gates, memory, weight))
    results: Any = (one.numpy() for one in (of_state, of_driven, of_hidden))
    gru_backward(*(*given, np.float32(limit), *results))
    return of_driven, of_hidden, of_state
