"""Leaky neurons over the signal's own time, with the state handed in and out and one fused gradient.

The recurrence is the one of ``snntorch.Leaky`` with delayed, detached subtraction of the threshold:

    U[t] = beta * U[t-1] + I[t] - R[t] * threshold,   R[t] = (U[t-1] > threshold),   S[t] = (U[t] > threshold)

An equal membrane and threshold does not fire. Work of one neuron in one step, spike or not: one `leak`
(the product with beta), one `add` (the current; none where it is zero), one `compare`; and one `reset`
(the subtraction) in the step after each spike. One state word is read and written.

A constant factor k_c on a channel's current (a weight scale, a batch norm) needs no multiplication when deployed: the
recurrence is linear between spikes, so the neuron may run on U/k_c with the threshold/k_c of its own.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from energy_models.errors import StudentError
from students.neurons.dynamics import Dynamics

LEAST_THRESHOLD = torch.finfo(torch.float32).eps
"""A learned threshold stays above zero: below it a neuron whose membrane is zero fires in every step."""

Learnable = Literal["nothing", "beta", "threshold", "both"]
Reset = Literal["subtract", "none"]
STEPS_AXIS = 2


def surrogate_slope(distance: Tensor, alpha: float) -> Tensor:
    """Return dS/dU of the arctangent surrogate at ``distance = U - threshold``, any shape.

    S ~ arctan(pi/2 * alpha * x) / pi + 1/2, so dS/dU = alpha/2 / (1 + (pi/2 * alpha * x)^2)
    (Fang et al. 2021, arXiv 2007.05785; ``snntorch.surrogate.atan``).
    """
    return (alpha / 2.0) / (distance * (math.pi / 2.0 * alpha)).square_().add_(1.0)


def _reverse_scan(gradients: Tensor, last: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Return total dL/dU[t], shape (steps, batch, channels), and dL/d(state before the first step).

    G[t] = gradients[t] + beta * G[t+1]; overwrites `gradients`. `last` reaches U[steps - 1] from outside.
    """
    running = last
    for now in gradients.unbind(0)[::-1]:
        now.add_(running)
        running = now * beta
    return gradients, running


def _reduced(gradient: Tensor, like: Tensor) -> Tensor:
    """Return a (steps, batch, channels) gradient summed to a scalar or per-channel parameter's shape."""
    return gradient.sum() if like.ndim == 0 else gradient.sum((0, 1))


def _before(membranes: Tensor, state: Tensor) -> Tensor:
    """Return U[t-1] for each t, shape (steps, batch, channels)."""
    return torch.cat((state.unsqueeze(0), membranes[:-1]))


class _Fire(torch.autograd.Function):
    """The recurrence over all steps at once, and its backpropagation through time in closed form."""

    @staticmethod
    def forward(  # noqa: PLR0917  autograd hands them over by position
        context: Any, current: Tensor, state: Tensor, beta: Tensor, threshold: Tensor, how: tuple[float, Reset]
    ) -> tuple[Tensor, Tensor]:
        """Return spikes, shape of `current` (steps, batch, channels), and the membrane after the last step."""
        alpha, reset = how
        membranes = torch.empty_like(current)
        membrane = state
        for now, drive in zip(membranes.unbind(0), current.unbind(0), strict=True):
            torch.mul(membrane, beta, out=now)
            now.add_(drive)
            if reset == "subtract":
                now.sub_((membrane > threshold) * threshold)
            membrane = now
        context.save_for_backward(membranes, state, beta, threshold)
        context.alpha, context.reset = alpha, reset
        return (membranes > threshold).to(current.dtype), membrane.clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_spikes: Tensor, grad_state: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return gradients for current, state, beta and threshold; the reset's path is detached."""
        membranes, state, beta, threshold = context.saved_tensors
        through_spikes = surrogate_slope(membranes - threshold, context.alpha).mul_(grad_spikes)
        grad_threshold = -_reduced(through_spikes, threshold) if context.needs_input_grad[3] else None
        total, before_first = _reverse_scan(through_spikes, grad_state, beta)
        previous = _before(membranes, state)
        grad_beta = _reduced(total * previous, beta) if context.needs_input_grad[2] else None
        if grad_threshold is not None and context.reset == "subtract":
            grad_threshold = grad_threshold - _reduced(total * (previous > threshold), threshold)
        return total, before_first, grad_beta, grad_threshold, None


class _Integrate(torch.autograd.Function):
    """The leaky recurrence without threshold: U[t] = beta * U[t-1] + I[t]."""

    @staticmethod
    def forward(context: Any, current: Tensor, state: Tensor, beta: Tensor) -> Tensor:
        """Return the membranes, shape of `current` (steps, batch, channels)."""
        membranes = torch.empty_like(current)
        membrane = state
        for now, drive in zip(membranes.unbind(0), current.unbind(0), strict=True):
            torch.mul(membrane, beta, out=now)
            membrane = now.add_(drive)
        context.save_for_backward(membranes, state, beta)
        return membranes

    @staticmethod
    @once_differentiable
    def backward(context: Any, grad_membranes: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return gradients for current, state and beta."""
        membranes, state, beta = context.saved_tensors
        total, before_first = _reverse_scan(grad_membranes.clone(), torch.zeros_like(state), beta)
        grad_beta = _reduced(total * _before(membranes, state), beta) if context.needs_input_grad[2] else None
        return total, before_first, grad_beta


def _time_first(current: Tensor, channels: int) -> Tensor:
    """Return a current (batch, channels, steps) as contiguous (steps, batch, channels)."""
    if current.ndim != 3 or current.shape[1] != channels:
        raise StudentError(
            f"neurons expect a current of shape (batch, {channels}, steps), found {tuple(current.shape)}",
            remedy="Put a pointwise convolution in front, or give the layer the channels it will see",
        )
    return current.permute(2, 0, 1).contiguous()


def _checked_decay(beta: float) -> float:
    """Return beta, or raise where it is no decay."""
    if not 0.0 <= beta <= 1.0:
        raise StudentError(f"the decay per step must lie in 0..1, found {beta}", remedy="Use for example 0.9")
    return beta


def _scalar(value: float, learned: bool) -> nn.Parameter:  # private: a flag is clear enough here
    return nn.Parameter(torch.tensor(value, dtype=torch.float32), requires_grad=learned)


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons; one decay and one threshold for the layer.

    Parameters
    ----------
    channels : int
        Neurons.
    beta : float
        Decay of the membrane per step, clamped to 0..1 in use.
    threshold : float
        Membrane above which a neuron fires; the amount subtracted by the reset. Positive, and kept so in use.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
    reset : {'subtract', 'none'}
        ``none``: a neuron fires in every step in which its membrane is above the threshold.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient; 2 is snnTorch's.

    Raises
    ------
    StudentError
        A decay outside 0..1, a threshold that is not positive, or a current of the wrong shape.
    """

    def __init__(
        self,
        channels: int,
        beta: float,
        threshold: float,
        *,
        learnable: Learnable = "nothing",
        reset: Reset = "subtract",
        surrogate_alpha: float = 2.0,
    ) -> None:
        super().__init__()
        if threshold <= 0.0:
            raise StudentError(f"a spike threshold must be positive, found {threshold}", remedy="Use for example 1.0")
        self.channels, self.surrogate_alpha = channels, surrogate_alpha
        self.reset: Reset = reset
        self.beta = _scalar(_checked_decay(beta), learnable in {"beta", "both"})
        self.threshold = _scalar(threshold, learnable in {"threshold", "both"})

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the membrane, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call; None: zero.
        """
        drive = _time_first(current, self.channels)
        membrane = torch.zeros_like(drive[0]) if state is None else state
        how = (self.surrogate_alpha, self.reset)
        beta, threshold = self.beta.clamp(0.0, 1.0), self.threshold.clamp(min=LEAST_THRESHOLD)
        spikes, after = _Fire.apply(drive, membrane, beta, threshold, how)  # type: ignore[misc]
        return spikes.permute(1, 2, 0), after

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        decay, threshold = self.beta.clamp(0.0, 1.0), self.threshold.clamp(min=LEAST_THRESHOLD)
        return Dynamics((decay,), threshold, reset=self.reset, steps_axis=STEPS_AXIS)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, reset={self.reset}"


class LeakyIntegrator(nn.Module):
    """Neurons that integrate and leak but never fire: the readout of a spiking network.

    Per neuron and step: one `leak`, one `add`; one state word read and written.

    Parameters
    ----------
    channels : int
    beta : float
        Decay of the membrane per step, clamped to 0..1 in use.
    learnable : {'nothing', 'beta'}
    """

    def __init__(self, channels: int, beta: float, learnable: Literal["nothing", "beta"] = "nothing") -> None:
        super().__init__()
        self.channels = channels
        self.beta = _scalar(_checked_decay(beta), learnable == "beta")

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return membranes, shape (batch, channels, steps), and the last of them, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call; None: zero.
        """
        drive = _time_first(current, self.channels)
        membrane = torch.zeros_like(drive[0]) if state is None else state
        membranes: Tensor = _Integrate.apply(drive, membrane, self.beta.clamp(0.0, 1.0))  # type: ignore[assignment]
        return membranes.permute(1, 2, 0), membranes[-1]

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics((self.beta.clamp(0.0, 1.0),), None, steps_axis=STEPS_AXIS)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}"


class ZeroInitialState(nn.Module):
    """Neurons whose state is zero at the start of each call and which return only their signal, for `nn.Sequential`."""

    def __init__(self, neurons: LIF | LeakyIntegrator) -> None:
        super().__init__()
        self.neurons = neurons

    def forward(self, current: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to spikes or membranes of the same shape."""
        signal, _ = self.neurons(current)
        return signal
