"""The leaky recurrence without a threshold over all steps at once: ``U[t] = beta U[t-1] + I[t]``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.arrays import array_of, row_of, sum_over_batch
from students.kernels.choice import KernelPath, choose


def integrate(current: Tensor, state: Tensor, beta: Tensor) -> Tensor:
    """Return membranes, shape of `current`. Differentiable once.

    Membranes and the gradients of current and state have the same bits in both forms; that of beta, a sum over steps
    and batch, is added up in float64 by Numba.

    Parameters
    ----------
    current : Tensor, shape (steps, batch, channels)
    state : Tensor, shape (batch, channels)
        Membranes before the first step.
    beta : Tensor, shape () or (channels,)
        Decay per step.
    """
    path = choose("integrate", current, state, beta)
    return _Integrate.apply(current.contiguous(), state.contiguous(), beta, path)  # type: ignore[no-any-return]


class _Integrate(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, current: Tensor, state: Tensor, beta: Tensor, path: KernelPath) -> Tensor:
        membranes = torch.empty_like(current)
        run = _numba_forward if path == "numba" else torch_forward
        run(current, state, beta, membranes)
        context.save_for_backward(membranes, state, beta)
        context.path = path
        return membranes

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_membranes: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return (*integrate_gradients(grad_membranes, context.saved_tensors, context.path), None)


def integrate_gradients(
    gradient: Tensor, saved: tuple[Tensor, ...], path: KernelPath
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gradients of current, state and beta.

    Parameters
    ----------
    gradient : Tensor, shape (steps, batch, channels)
        Of the membranes.
    saved : tuple of Tensor
        Membranes of all steps, those before the first, beta.
    path : {'numba', 'torch'}
    """
    run = _numba_backward if path == "numba" else torch_backward
    return run(gradient.contiguous(), *saved)


def torch_forward(current: Tensor, state: Tensor, beta: Tensor, membranes: Tensor) -> None:
    """Write the membranes; the reference of the compiled form."""
    before = state
    for now, drive in zip(membranes.unbind(0), current.unbind(0), strict=True):
        torch.mul(before, beta, out=now)
        before = now.add_(drive)


def torch_backward(gradient: Tensor, membranes: Tensor, state: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return gradients of current, state and beta; the reference of the compiled form.

    G[t] = gradient[t] + beta G[t+1] is dL/dI[t].
    """
    total, running = gradient.clone(), torch.zeros_like(state)
    for now in total.unbind(0)[::-1]:
        now.add_(running)
        running = now * beta
    previous = torch.cat((state.unsqueeze(0), membranes[:-1]))[: len(total)]
    product = total * previous
    return total, running, product.sum() if beta.ndim == 0 else product.sum((0, 1))


def _numba_forward(current: Tensor, state: Tensor, beta: Tensor, membranes: Tensor) -> None:
    from students.kernels.neurons.integrate_numba import integrate_forward

    integrate_forward(array_of(current, 1), array_of(state, 0), row_of(beta, state), array_of(membranes, 1))


def _numba_backward(gradient: Tensor, membranes: Tensor, state: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    from students.kernels.neurons.integrate_numba import integrate_backward

    total, running = torch.empty_like(gradient), torch.zeros_like(state)
    sums = torch.zeros_like(state, dtype=torch.float64)
    integrate_backward(
        array_of(membranes, 1), array_of(state, 0), array_of(gradient, 1), row_of(beta, state),
        array_of(running, 0), array_of(total, 1), array_of(sums, 0),
    )  # fmt: skip
    return total, running, sum_over_batch(sums, beta)
