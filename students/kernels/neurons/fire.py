"""Leaky integrate-and-fire over all steps at once, and its backpropagation through time in closed form.

    C[t] = U[t-1]                             ``subtract``, ``none``
    C[t] = U[t-1] (1 - R[t])                  ``zero``
    U[t] = beta C[t] + I[t] - R[t] threshold  the last term with ``subtract`` only
    R[t] = (U[t-1] > threshold),              S[t] = (U[t] > threshold)

as ``snntorch.Leaky`` has it; R is detached. The gradient of S is the arctangent surrogate's. Kept for the backward
pass are the membranes, from which the spikes follow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.arrays import array_of, row_of, sum_over_batch
from students.kernels.choice import KernelPath, choose

Reset = Literal["subtract", "zero", "none"]


@dataclass(frozen=True, slots=True)
class Firing:
    """How a layer fires and in which form its kernel runs.

    Parameters
    ----------
    alpha : float
        Steepness of the arctangent surrogate.
    reset : {'subtract', 'zero', 'none'}
    keep : {'all', 'last'}
        Membranes of all steps, which a backward pass needs, or those of the last.
    path : {'numba', 'torch'}
    """

    alpha: float
    reset: Reset
    keep: Literal["all", "last"]
    path: KernelPath


@dataclass(frozen=True, slots=True)
class FireGradients:
    """Sums that a backward pass leaves beside the gradient of the current.

    Parameters
    ----------
    state : Tensor, shape (batch, channels)
    beta, threshold : Tensor or None
        Shape of the parameter; None where neither is wanted.
    """

    state: Tensor
    beta: Tensor | None = None
    threshold: Tensor | None = None


def fire(
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, *, alpha: float, reset: Reset = "subtract"
) -> tuple[Tensor, Tensor]:
    """Return spikes in {0, 1}, shape of `current`, and the membranes after the last step, shape of `state`.

    Differentiable once. Spikes, membranes and the gradients of current and state have the same bits in both forms;
    those of beta and threshold, sums over steps and batch, are added up in float64 by Numba.

    Parameters
    ----------
    current : Tensor, shape (steps, batch, channels)
    state : Tensor, shape (batch, channels)
        Membranes before the first step.
    beta, threshold : Tensor, shape () or (channels,)
        Decay per step; membrane above which a neuron fires.
    alpha : float
        Steepness of the arctangent surrogate.
    reset : {'subtract', 'zero', 'none'}
    """
    inputs = (current, state, beta, threshold)
    learns = torch.is_grad_enabled() and any(one.requires_grad for one in inputs)
    how = Firing(alpha, reset, "all" if learns else "last", choose("fire", *inputs))
    return _Fire.apply(current.contiguous(), state.contiguous(), beta, threshold, how)  # type: ignore[no-any-return]


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, how: Firing
    ) -> tuple[Tensor, Tensor]:
        rows = len(current) if how.keep == "all" else min(len(current), 2)
        membranes, spikes = current.new_empty(rows, *state.shape), torch.empty_like(current)
        run = _numba_forward if how.path == "numba" else torch_forward
        run(current, state, beta, threshold, how.reset, membranes, spikes)
        context.save_for_backward(membranes, state, beta, threshold)
        context.how = how
        return spikes, (membranes[(len(current) - 1) % rows] if rows else state).clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_spikes: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        learns = any(context.needs_input_grad[2:4])
        total, sums = fire_gradients(grad_spikes, grad_last, context.saved_tensors, context.how, learns)
        return total, sums.state, sums.beta, sums.threshold, None


def fire_gradients(
    grad_spikes: Tensor, grad_last: Tensor, saved: tuple[Tensor, ...], how: Firing, learns: bool
) -> tuple[Tensor, FireGradients]:
    """Return dL/dI, shape (steps, batch, channels), and the other gradients.

    Parameters
    ----------
    grad_spikes, grad_last : Tensor
        Of the spikes, and of the last membranes.
    saved : tuple of Tensor
        Membranes of all steps, those before the first, beta, threshold.
    how : Firing
    learns : bool
        Where beta or threshold does, both have their gradients.
    """
    run = _numba_backward if how.path == "numba" else torch_backward
    return run(grad_spikes.contiguous(), grad_last, saved, how, learns)


def torch_forward(  # noqa: PLR0917  the same order as the compiled one
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, reset: Reset, membranes: Tensor, spikes: Tensor
) -> None:
    """Write membranes (step t into row ``t % rows``) and spikes; the reference of the compiled form."""
    before = state
    for step, drive in enumerate(current.unbind(0)):
        now = membranes[step % len(membranes)]
        fired = before > threshold
        torch.mul(before.masked_fill(fired, 0.0) if reset == "zero" else before, beta, out=now)
        now.add_(drive)
        if reset == "subtract":
            now.sub_(fired * threshold)
        spikes[step] = now > threshold
        before = now


def surrogate_slope(distance: Tensor, alpha: float) -> Tensor:
    """Return dS/dU of the arctangent surrogate at ``distance = U - threshold``, any shape.

    S ~ arctan(pi/2 * alpha * x) / pi + 1/2, so dS/dU = alpha/2 / (1 + (pi/2 * alpha * x)^2)
    (Fang et al. 2021, arXiv 2007.05785; ``snntorch.surrogate.atan``).
    """
    return (alpha / 2.0) / (distance * (math.pi / 2.0 * alpha)).square_().add_(1.0)


def torch_backward(
    grad_spikes: Tensor, grad_last: Tensor, saved: tuple[Tensor, ...], how: Firing, learns: bool
) -> tuple[Tensor, FireGradients]:
    """Return dL/dI, shape (steps, batch, channels), and the other gradients; the reference of the compiled form.

    Where beta or threshold `learns`, both have theirs.

    G[t] = dS/dU[t] grad_spikes[t] + beta G[t+1] is both dL/dU[t] in total and dL/dI[t].
    """
    membranes, state, beta, threshold = saved
    total = surrogate_slope(membranes - threshold, how.alpha).mul_(grad_spikes)
    through_spikes = _reduced(total, threshold) if learns else None
    previous = torch.cat((state.unsqueeze(0), membranes[:-1]))[: len(total)]
    fired = previous > threshold
    running = grad_last
    for now, reset in zip(total.unbind(0)[::-1], fired.unbind(0)[::-1], strict=True):
        now.add_(running)
        running = now * beta
        if how.reset == "zero":
            running.masked_fill_(reset, 0.0)
    if through_spikes is None:
        return total, FireGradients(running)
    grad_threshold = -through_spikes
    if how.reset == "subtract":
        grad_threshold = grad_threshold - _reduced(total * fired, threshold)
    carried = previous.masked_fill(fired, 0.0) if how.reset == "zero" else previous
    return total, FireGradients(running, _reduced(total * carried, beta), grad_threshold)


def _reduced(gradient: Tensor, like: Tensor) -> Tensor:
    """Return a (steps, batch, channels) gradient summed to a scalar or per-channel parameter's shape."""
    return gradient.sum() if like.ndim == 0 else gradient.sum((0, 1))


def _numba_forward(  # noqa: PLR0917  the same order as the reference
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, reset: Reset, membranes: Tensor, spikes: Tensor
) -> None:
    from students.kernels.neurons.fire_numba import RESETS, fire_forward

    fire_forward(
        array_of(current, 1), array_of(state, 0), row_of(beta, state), row_of(threshold, state), RESETS[reset],
        array_of(membranes, 1), array_of(spikes, 1),
    )  # fmt: skip


def _numba_backward(
    grad_spikes: Tensor, grad_last: Tensor, saved: tuple[Tensor, ...], how: Firing, learns: bool
) -> tuple[Tensor, FireGradients]:
    from students.kernels.neurons.fire_numba import RESETS, fire_backward

    membranes, state, beta, threshold = saved
    total, running = torch.empty_like(grad_spikes), grad_last.clone(memory_format=torch.contiguous_format)
    sums = torch.zeros(2, *state.shape, dtype=torch.float64)
    fire_backward(
        array_of(membranes, 1), array_of(state, 0), array_of(grad_spikes, 1), row_of(beta, state),
        row_of(threshold, state), (math.pi / 2.0 * how.alpha, how.alpha / 2.0), RESETS[how.reset], learns,
        array_of(running, 0), array_of(total, 1), array_of(sums, 1),
    )  # fmt: skip
    if not learns:
        return total, FireGradients(running)
    of_beta, of_threshold = (sum_over_batch(one, like) for one, like in zip(sums, (beta, threshold), strict=True))
    return total, FireGradients(running, of_beta, of_threshold)
