"""The steps of leaky neurons in integers; ``docs/concepts/quantised_spiking.md`` has the equations and widths.

Levels are integers held in floats: a membrane of 16 bits times a decay of 9 bits fits into the 24 bits of a float32, so
that every number is exact. Gradients are those of the float recurrence (`students.kernels.neurons.fire`,
`students.kernels.neurons.integrate`) at the levels, straight through the rounding and the saturation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from students.kernels.choice import KernelPath, choose
from students.kernels.neurons.events import EventFiring, EventReset, events_gradients, events_of
from students.kernels.neurons.fire import Firing, Reset, fire_gradients
from students.kernels.neurons.integrate import integrate_gradients
from students.kernels.neurons.surrogates import Surrogate

DECAY_BITS = 8
"""Fractional bits of a decay: it is a whole number of 256ths, from 0 to 256."""


@dataclass(frozen=True, slots=True)
class Membrane:
    """Levels of a membrane.

    Parameters
    ----------
    highest : int
        Largest level; the least is its negative.
    threshold : int
        Level above which a neuron fires.
    reset : {'subtract', 'zero', 'none'}
    alpha : float
        Steepness of the surrogate gradient per level.
    """

    highest: int
    threshold: int
    reset: Reset
    alpha: float


@dataclass(frozen=True, slots=True)
class EventMembrane:
    """Levels of a membrane whose neurons may fire several times in a step.

    Parameters
    ----------
    highest : int
        Largest level; the least is its negative.
    most : int
        Most events of one neuron in one step.
    reset : {'subtract', 'residue', 'zero', 'none'}
    surrogate : Surrogate
        Its slope per level.
    """

    highest: int
    most: int
    reset: EventReset
    surrogate: Surrogate


def decay_levels(beta: Tensor) -> Tensor:
    """Return decays in 256ths, whole numbers, shape of `beta`."""
    return (beta.detach().clamp(0.0, 1.0) * 2**DECAY_BITS).round()


def fire_in_levels(drive: Tensor, beta: Tensor, membrane: Membrane) -> Tensor:
    """Return spikes in {0, 1}, shape of `drive`, from membranes of zero. Differentiable once.

    Parameters
    ----------
    drive : Tensor, shape (steps, batch, channels)
        Levels that are added in each step; what rounding left of a division is rounded away.
    beta : Tensor, shape ()
        Decay per step, which is rounded to 256ths.
    membrane : Membrane
    """
    return _Fire.apply(drive.contiguous(), beta, membrane, choose("fire", drive, beta))  # type: ignore[no-any-return]


def events_in_levels(drive: Tensor, beta: Tensor, threshold: Tensor, membrane: EventMembrane) -> Tensor:
    """Return events in 0..most, shape of `drive`, from membranes of zero. Differentiable once, but for the threshold.

    Parameters
    ----------
    drive : Tensor, shape (steps, batch, channels)
        As in `fire_in_levels`.
    beta : Tensor, shape () or (channels,)
        Decay per step, which is rounded to 256ths.
    threshold : Tensor, shape () or (channels,)
        Levels above which a neuron fires once; above twice of it twice.
    membrane : EventMembrane
    """
    path = choose("events", drive, beta, threshold)
    return _Events.apply(drive.contiguous(), beta, threshold, membrane, path)  # type: ignore[no-any-return]


def integrate_in_levels(drive: Tensor, beta: Tensor, highest: int) -> Tensor:
    """Return the membranes of neurons that never fire, shape of `drive`, from zero. Differentiable once.

    Parameters
    ----------
    drive : Tensor, shape (steps, batch, channels)
    beta : Tensor, shape ()
    highest : int
        Largest level; the least is its negative.
    """
    return _Integrate.apply(drive.contiguous(), beta, highest, choose("integrate", drive, beta))  # type: ignore[no-any-return]


def _leaked(before: Tensor, decay: Tensor) -> Tensor:
    """Return levels times a decay, cut towards zero, so that what leaks ends at zero."""
    return (before * decay * 2.0**-DECAY_BITS).trunc()


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, drive: Tensor, beta: Tensor, membrane: Membrane, path: KernelPath) -> Tensor:
        decay, limit = decay_levels(beta), float(membrane.highest)
        membranes, spikes, state = torch.empty_like(drive), torch.empty_like(drive), torch.zeros_like(drive[0])
        before = state
        for step, added in enumerate(drive.round().unbind(0)):
            fired = before > membrane.threshold
            now = _leaked(before.masked_fill(fired, 0.0) if membrane.reset == "zero" else before, decay).add_(added)
            if membrane.reset == "subtract":
                now.sub_(fired * float(membrane.threshold))
            before = membranes[step] = now.clamp_(-limit, limit)
            spikes[step] = now > membrane.threshold
        context.save_for_backward(membranes, state, decay * 2.0**-DECAY_BITS)
        context.membrane, context.path = membrane, path
        return spikes

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        membranes, state, decay = context.saved_tensors
        membrane, threshold = context.membrane, decay.new_tensor(float(context.membrane.threshold))
        how = Firing(membrane.alpha, membrane.reset, "all", context.path)
        saved = membranes, state, decay, threshold
        total, sums = fire_gradients(gradient, torch.zeros_like(state), saved, how, context.needs_input_grad[1])
        return total, sums.beta, None, None


class _Events(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, drive: Tensor, beta: Tensor, threshold: Tensor, membrane: EventMembrane, path: KernelPath
    ) -> Tensor:
        decay, limit, reset = decay_levels(beta), float(membrane.highest), membrane.reset
        membranes, events, state = torch.empty_like(drive), torch.empty_like(drive), torch.zeros_like(drive[0])
        before = fired = state
        for step, added in enumerate(drive.round().unbind(0)):
            kept = before.masked_fill(fired > 0, 0.0) if reset == "zero" else before
            kept = kept - fired * threshold if reset == "residue" else kept
            now = _leaked(kept, decay).add_(added)
            if reset == "subtract":
                now.sub_(fired * threshold)
            before = membranes[step] = now.clamp_(-limit, limit)
            fired = events[step] = events_of(now, threshold, membrane.most)
        context.save_for_backward(membranes, state, decay * 2.0**-DECAY_BITS, threshold)
        context.how = EventFiring(membrane.most, membrane.surrogate, reset, path)
        return events

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        saved, learns = context.saved_tensors, bool(context.needs_input_grad[1])
        total, sums = events_gradients(gradient, torch.zeros_like(saved[1]), saved, context.how, learns)
        return total, sums.beta, None, None, None


class _Integrate(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, drive: Tensor, beta: Tensor, highest: int, path: KernelPath) -> Tensor:
        decay, membranes, state = decay_levels(beta), torch.empty_like(drive), torch.zeros_like(drive[0])
        before = state
        for step, added in enumerate(drive.round().unbind(0)):
            before = membranes[step] = _leaked(before, decay).add_(added).clamp_(-float(highest), float(highest))
        context.save_for_backward(membranes, state, decay * 2.0**-DECAY_BITS)
        context.path = path
        return membranes

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        total, _, of_decay = integrate_gradients(gradient, context.saved_tensors, context.path)
        return total, of_decay, None, None
