"""Leaky integrate-and-fire neurons that hear their own spikes one step later, over all steps of a window.

    B[t] = beta U[t-1] + I[t] + F[t],                F[t] = W S[t-1] + b, or w S[t-1] neuron by neuron
    U[t] = B[t] - R[t] threshold                     ``subtract``
    U[t] = B[t] (1 - R[t])                           ``zero``
    U[t] = B[t]                                      ``none``
    R[t] = (U[t-1] > threshold),                     S[t] = (U[t] > threshold)

as ``snntorch.RLeaky`` has it: R is detached, S is not, and a reset to zero takes the currents with it. The gradient of
S is the arctangent surrogate's, also on its way through the recurrent weights. What a step hears of the one before is
one product of torch's in both forms; what a neuron does with it is compiled, or torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.arrays import array_of, row_of, sum_over_batch
from students.kernels.choice import KernelPath, choose
from students.kernels.neurons.fire import Firing, Reset, surrogate_slope


def fire_recurrently(
    current: Tensor, state: Tensor | None, beta: Tensor, threshold: Tensor, *, weight: Tensor,
    bias: Tensor | None = None, alpha: float, reset: Reset = "subtract",
) -> tuple[Tensor, Tensor]:
    """Return spikes in {0, 1}, shape of `current`, and the membranes after the last step, shape (batch, channels).

    Differentiable once. Spikes, membranes and the gradients of current and state have the same bits in both forms;
    those of beta and threshold, sums over steps and batch, are added up in float64 by Numba.

    Parameters
    ----------
    current : Tensor, shape (steps, batch, channels)
    state : Tensor, shape (batch, channels), or None
        Membranes before the first step; the neurons above their threshold have just fired, with the surrogate's
        gradient. None: zero, and nothing has fired.
    beta, threshold : Tensor, shape () or (channels,)
        Decay per step; membrane above which a neuron fires.
    weight : Tensor, shape (channels, channels), (channels,) or ()
        From each neuron (columns) to each (rows), or from each to itself.
    bias : Tensor, shape (channels,), or None
    alpha : float
        Steepness of the arctangent surrogate.
    reset : {'subtract', 'zero', 'none'}
    """
    path = choose("recurrent_fire", current, state, beta, threshold, weight, bias)
    membrane = current.new_zeros(current.shape[1:]) if state is None else state.contiguous()
    how = Firing(alpha, reset, "all", path), state is not None
    return _FireRecurrently.apply(current.contiguous(), membrane, beta, threshold, weight, bias, how)  # type: ignore[no-any-return]


class _FireRecurrently(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, *given: Any) -> tuple[Tensor, Tensor]:
        current, state, beta, threshold, weight, bias, (how, context.continues) = given
        membranes, spikes, heard = torch.empty_like(current), torch.empty_like(current), torch.empty_like(state)
        step = _forward_step(how.path, (current, state, beta, threshold), how.reset, (heard, membranes, spikes))
        before = (state > threshold).to(current.dtype)
        for place, fired in enumerate(spikes.unbind(0)):
            feed(before, weight, bias, heard)
            step(place)
            before.copy_(fired)  # a row of `spikes` may lie where the product rounds otherwise
        context.save_for_backward(membranes, state, beta, threshold, weight, bias)
        context.how = how
        return spikes, (membranes[-1] if len(current) else state).clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_spikes: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        membranes, state, beta, threshold, weight, bias = context.saved_tensors
        alpha, reset, path = context.how.alpha, context.how.reset, context.how.path
        total, returned = torch.empty_like(membranes), torch.zeros_like(state)
        running = grad_last.clone(memory_format=torch.contiguous_format)
        sums = state.new_zeros(2, *state.shape, dtype=torch.float64 if path == "numba" else state.dtype)
        given = (grad_spikes.contiguous(), membranes, state, beta, threshold)
        step = _backward_step(path, given, (alpha, reset), (returned, running, total, sums))
        for place in range(len(total) - 1, -1, -1):
            step(place)
            hand_back(total[place], weight, returned)
        if context.continues:
            at_start = surrogate_slope(state - threshold, alpha).mul_(returned)
            running.add_(at_start)
            sums[1].sub_(at_start)
        of_beta, of_threshold = (sum_over_batch(one, like) for one, like in zip(sums, (beta, threshold), strict=True))
        heard = torch.cat((state.unsqueeze(0), membranes[:-1]))[: len(total)]
        learns = context.needs_input_grad[4]
        of_weight = _of_weight(total, (heard > threshold).to(total.dtype), weight) if learns else None
        of_bias = None if bias is None else total.sum((0, 1))
        return total, running, of_beta, of_threshold, of_weight, of_bias, None


def feed(spikes: Tensor, weight: Tensor, bias: Tensor | None, heard: Tensor) -> None:
    """Write the current of recurrent weights, shape (batch, channels), that spikes of the step before cause."""
    if weight.ndim < 2:
        torch.mul(spikes, weight, out=heard)
        if bias is not None:
            heard.add_(bias)
    elif bias is None:
        torch.mm(spikes, weight.t(), out=heard)
    else:
        torch.addmm(bias, spikes, weight.t(), out=heard)


def hand_back(gradient: Tensor, weight: Tensor, returned: Tensor) -> None:
    """Write the gradient of the spikes that recurrent weights have carried, from that of their current."""
    if weight.ndim < 2:
        torch.mul(gradient, weight, out=returned)
    else:
        torch.mm(gradient, weight, out=returned)


def _of_weight(gradient: Tensor, spikes: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of recurrent weights: one product over all steps."""
    if weight.ndim == 2:
        return gradient.flatten(0, 1).t() @ spikes.flatten(0, 1)
    return (gradient * spikes).sum() if weight.ndim == 0 else (gradient * spikes).sum((0, 1))


def _forward_step(
    path: KernelPath, given: tuple[Tensor, ...], reset: Reset, written: tuple[Tensor, ...]
) -> Callable[[int], None]:
    """Return what writes membranes and spikes of one step."""
    if path == "numba":
        return _numba_forward_step(given, reset, written)
    (current, state, beta, threshold), (heard, membranes, spikes) = given, written

    def step(place: int) -> None:
        before, now = membranes[place - 1] if place else state, membranes[place]
        fired = before > threshold
        torch.mul(before, beta, out=now)
        now.add_(current[place]).add_(heard)
        if reset == "subtract":
            now.sub_(fired * threshold)
        elif reset == "zero":
            now.masked_fill_(fired, 0.0)
        spikes[place] = now > threshold

    return step


def _backward_step(
    path: KernelPath, given: tuple[Tensor, ...], how: tuple[float, Reset], written: tuple[Tensor, ...]
) -> Callable[[int], None]:
    """Return what writes dL/dI of one step into `total` and what it hands on to the step before into `running`.

    With G[t] = dS/dU[t] (grad_spikes[t] + W' D[t+1]) + beta D[t+1], D[t] is G[t], or zero where ``zero`` resets.
    """
    if path == "numba":
        return _numba_backward_step(given, how, written)
    (grad_spikes, membranes, state, beta, threshold), (returned, running, total, sums) = given, written
    alpha, reset = how

    def step(place: int) -> None:
        before, now = membranes[place - 1] if place else state, total[place]
        fired = before > threshold
        torch.add(grad_spikes[place], returned, out=now)
        now.mul_(surrogate_slope(membranes[place] - threshold, alpha))
        sums[1].sub_(now)
        now.add_(running)
        if reset == "zero":
            now.masked_fill_(fired, 0.0)
        if reset == "subtract":
            sums[1].sub_(now * fired)
        torch.mul(now, beta, out=running)
        sums[0].add_(now * before)

    return step


def _numba_forward_step(given: tuple[Tensor, ...], reset: Reset, written: tuple[Tensor, ...]) -> Callable[[int], None]:
    from students.kernels.neurons.fire_numba import RESETS, recurrent_forward

    (current, state, beta, threshold), (heard, membranes, spikes) = given, written
    arrays = (
        array_of(current, 1), array_of(state, 0), row_of(beta, state), row_of(threshold, state), RESETS[reset],
        array_of(heard, 0), array_of(membranes, 1), array_of(spikes, 1),
    )  # fmt: skip
    return lambda place: recurrent_forward(place, *arrays)


def _numba_backward_step(
    given: tuple[Tensor, ...], how: tuple[float, Reset], written: tuple[Tensor, ...]
) -> Callable[[int], None]:
    from students.kernels.neurons.fire_numba import RESETS, recurrent_backward

    (grad_spikes, membranes, state, beta, threshold), (returned, running, total, sums) = given, written
    arrays = (
        array_of(membranes, 1), array_of(state, 0), array_of(grad_spikes, 1), row_of(beta, state),
        row_of(threshold, state), (math.pi / 2.0 * how[0], how[0] / 2.0), RESETS[how[1]], array_of(returned, 0),
        array_of(running, 0), array_of(total, 1), array_of(sums, 1),
    )  # fmt: skip
    return lambda place: recurrent_backward(place, *arrays)
