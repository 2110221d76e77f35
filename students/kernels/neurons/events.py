"""Leaky neurons that may fire several times in a step, over all steps at once, with backpropagation in closed form.

    N[t] = #{j in 1..most : U[t] > j threshold}  events of one step
    C[t] = U[t-1]                                ``subtract``, ``none``
    C[t] = U[t-1] - N[t-1] threshold             ``residue``: what was left over leaks on
    C[t] = U[t-1], or 0 where N[t-1] > 0         ``zero``
    U[t] = beta C[t] + I[t] - N[t-1] threshold   the last term with ``subtract`` only

``subtract`` takes whole thresholds from a membrane that has leaked, as snnTorch does: with a short memory a burst then
inhibits its neuron in the next step, which ``residue`` does not. With ``most = 1`` and without ``residue`` this is
`students.kernels.neurons.fire`, bit for bit. The reset is detached. The gradient of N is the sum of the surrogate's
slopes at all thresholds, ``dN/dU = sum_j slope(U - j threshold)``. Kept for the backward pass are the membranes, from
which the events follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.arrays import array_of, row_of, sum_over_batch
from students.kernels.choice import KernelPath, choose
from students.kernels.neurons.fire import FireGradients
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate

EventReset = Literal["subtract", "residue", "zero", "none"]
CODES: dict[EventReset, int] = {"none": 0, "subtract": 1, "zero": 2, "residue": 3}
"""Resets as compiled loops know them."""


@dataclass(frozen=True, slots=True)
class EventFiring:
    """What a run does beside its tensors.

    Parameters
    ----------
    most : int
        Most events of one neuron in one step.
    surrogate : Surrogate
    reset : {'subtract', 'residue', 'zero', 'none'}
    path : {'numba', 'torch'}
    """

    most: int
    surrogate: Surrogate
    reset: EventReset
    path: KernelPath


def fire_events(
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, *, most: int,
    surrogate: Surrogate = ARCTANGENT, reset: EventReset = "subtract",
) -> tuple[Tensor, Tensor]:
    """Return events in 0..most, shape of `current`, and the membranes after the last step, shape of `state`.

    Differentiable once. Events and membranes have the same bits in both forms, gradients are within 1e-6.

    Parameters
    ----------
    current : Tensor, shape (steps, batch, channels)
    state : Tensor, shape (batch, channels)
        Membranes before the first step, which say how often each neuron has just fired.
    beta, threshold : Tensor, shape () or (channels,)
    most : int
        At least 1.
    surrogate : Surrogate
    reset : {'subtract', 'residue', 'zero', 'none'}
    """
    inputs = (current, state, beta, threshold)
    how = EventFiring(most, surrogate, reset, choose("events", *inputs))
    return _Events.apply(current.contiguous(), state.contiguous(), beta, threshold, how)  # type: ignore[no-any-return]


def events_of(membranes: Tensor, threshold: Tensor, most: int) -> Tensor:
    """Return how many of the thresholds ``1..most times threshold`` each membrane exceeds, shape of `membranes`."""
    events = (membranes > threshold).to(membranes.dtype)
    for level in range(2, most + 1):
        events += membranes > threshold * level
    return events


def events_gradients(
    arriving: Tensor, last: Tensor, saved: tuple[Tensor, ...], how: EventFiring, learns: bool
) -> tuple[Tensor, FireGradients]:
    """Return dL/dI, shape (steps, batch, channels), and the gradients towards state, decay and threshold.

    Parameters
    ----------
    arriving : Tensor, shape (steps, batch, channels)
        dL/dN.
    last : Tensor, shape (batch, channels)
        dL/dU of the last step.
    saved : tuple of Tensor
        Membranes of all steps, those before the first, decay and threshold.
    how : EventFiring
    learns : bool
        Whether decay or threshold are learned.
    """
    run = _numba_backward if how.path == "numba" else _torch_backward
    return run(arriving.contiguous(), last, saved, how, learns)


class _Events(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, how: EventFiring
    ) -> tuple[Tensor, Tensor]:
        run = _numba_forward if how.path == "numba" else _torch_forward
        membranes, events = run(current, state, beta, threshold, how)
        context.save_for_backward(membranes, state, beta, threshold)
        context.how = how
        return events, (membranes[-1] if len(membranes) else state).clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_events: Tensor, grad_last: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        learns = any(context.needs_input_grad[2:4])
        total, sums = events_gradients(grad_events, grad_last, context.saved_tensors, context.how, learns)
        return total, sums.state, sums.beta, sums.threshold, None


def _torch_forward(
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, how: EventFiring
) -> tuple[Tensor, Tensor]:
    """Return the membranes and events of all steps; the reference of the compiled form."""
    membranes, events = torch.empty_like(current), torch.empty_like(current)
    before, fired = state, events_of(state, threshold, how.most)
    for step, drive in enumerate(current.unbind(0)):
        carried = _carried(before, fired, threshold, how.reset)
        now = carried * beta + drive
        if how.reset == "subtract":
            now = now - fired * threshold
        before, fired = now, events_of(now, threshold, how.most)
        membranes[step], events[step] = now, fired
    return membranes, events


def _carried(before: Tensor, fired: Tensor, threshold: Tensor, reset: EventReset) -> Tensor:
    """Return what of the membranes leaks on."""
    if reset == "residue":
        return before - fired * threshold
    return before.masked_fill(fired > 0, 0.0) if reset == "zero" else before


def _torch_backward(
    arriving: Tensor, last: Tensor, saved: tuple[Tensor, ...], how: EventFiring, learns: bool
) -> tuple[Tensor, FireGradients]:
    """Return dL/dI, shape (steps, batch, channels), and the other gradients; the reference of the compiled form."""
    membranes, state, beta, threshold = saved
    slopes, weighted = torch.zeros_like(membranes), torch.zeros_like(membranes)
    for level in range(1, how.most + 1):
        slope = how.surrogate.slope(membranes - threshold * level)
        slopes += slope
        weighted += slope * level
    total = slopes * arriving
    previous = torch.cat((state.unsqueeze(0), membranes[:-1]))[: len(total)]
    fired = events_of(previous, threshold, how.most)
    running = last
    for now, events in zip(total.unbind(0)[::-1], fired.unbind(0)[::-1], strict=True):
        now.add_(running)
        running = now * beta
        if how.reset == "zero":
            running = running.masked_fill(events > 0, 0.0)
    if not learns:
        return total, FireGradients(running)
    of_threshold = -_reduced(weighted * arriving, threshold)
    if how.reset == "subtract":
        of_threshold = of_threshold - _reduced(total * fired, threshold)
    if how.reset == "residue":
        of_threshold = of_threshold - _reduced(total * beta * fired, threshold)
    carried = _carried(previous, fired, threshold, how.reset)
    return total, FireGradients(running, _reduced(total * carried, beta), of_threshold)


def _reduced(gradient: Tensor, like: Tensor) -> Tensor:
    """Return a (steps, batch, channels) gradient summed to a scalar or per-channel parameter's shape."""
    return gradient.sum() if like.ndim == 0 else gradient.sum((0, 1))


def _numba_forward(
    current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, how: EventFiring
) -> tuple[Tensor, Tensor]:
    from students.kernels.neurons.events_numba import events_forward

    membranes, events = torch.empty_like(current), torch.empty_like(current)
    before = events_of(state.detach(), threshold.detach(), how.most)
    events_forward(
        array_of(current, 1), array_of(state, 0), array_of(before, 0), row_of(beta, state), row_of(threshold, state),
        (CODES[how.reset], how.most), array_of(membranes, 1), array_of(events, 1),
    )  # fmt: skip
    return membranes, events


def _numba_backward(
    arriving: Tensor, last: Tensor, saved: tuple[Tensor, ...], how: EventFiring, learns: bool
) -> tuple[Tensor, FireGradients]:
    from students.kernels.neurons.events_numba import events_backward

    membranes, state, beta, threshold = saved
    total, running = torch.empty_like(arriving), last.clone(memory_format=torch.contiguous_format)
    sums = torch.zeros(2, *state.shape, dtype=torch.float64)
    events_backward(
        array_of(membranes, 1), array_of(state, 0), array_of(arriving, 1), row_of(beta, state),
        row_of(threshold, state), how.surrogate.constants, (CODES[how.reset], how.most), learns,
        array_of(running, 0), array_of(total, 1), array_of(sums, 1),
    )  # fmt: skip
    if not learns:
        return total, FireGradients(running)
    of_beta, of_threshold = (sum_over_batch(one, like) for one, like in zip(sums, (beta, threshold), strict=True))
    return total, FireGradients(running, of_beta, of_threshold)
