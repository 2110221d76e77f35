"""Leaky neurons over the signal's own time, with the state handed in and out (`students.kernels.neurons.fire`).

The recurrence is the one of ``snntorch.Leaky`` with delayed, detached subtraction of the threshold:

    U[t] = beta * U[t-1] + I[t] - R[t] * threshold,   R[t] = (U[t-1] > threshold),   S[t] = (U[t] > threshold)

An equal membrane and threshold does not fire. Work of one neuron in one step, spike or not: one `leak`
(the product with beta), one `add` (the current; none where it is zero), one `compare`; and one `reset`
(the subtraction) in the step after each spike. One state word is read and written.

A constant factor k_c on a channel's current (a weight scale, a batch norm) needs no multiplication when deployed: the
recurrence is linear between spikes, so the neuron may run on U/k_c with the threshold/k_c of its own.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.neurons.fire import Reset, fire
from students.kernels.neurons.integrate import integrate
from students.kernels.neurons.norm_fire import norm_fire
from students.kernels.reorder import steps_first
from students.neurons.dynamics import Dynamics
from students.neurons.parameters import (
    Learnable,
    Parameters,
    decay_parameter,
    in_use,
    learned,
    limit_in_use,
    threshold_parameter,
)

STEPS_AXIS = 2


def by_steps(current: Tensor, channels: int) -> Tensor:
    """Return a current (batch, channels, steps) as (steps, batch, channels)."""
    if current.ndim != 3 or current.shape[1] != channels:
        raise StudentError(
            f"neurons expect a current of shape (batch, {channels}, steps), found {tuple(current.shape)}",
            remedy="Put a pointwise convolution in front, or give the layer the channels it will see",
        )
    return steps_first(current)


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons.

    Parameters
    ----------
    channels : int
        Neurons.
    beta : float
        Decay of the membrane per step, clamped to 0..1 in use.
    threshold : float
        Membrane above which a neuron fires; the amount subtracted by the reset. Positive, and kept so in use.
    parameters : {'of the layer', 'of each neuron'}
        One decay and one threshold for all, or for each.
    learnable : {'nothing', 'beta', 'threshold', 'both'}
    reset : {'subtract', 'zero', 'none'}
        ``zero``: the membrane is cleared before it leaks. ``none``: a neuron fires in every step in which its membrane
        is above the threshold.
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
        parameters: Parameters = "of the layer",
        learnable: Learnable = "nothing",
        reset: Reset = "subtract",
        surrogate_alpha: float = 2.0,
    ) -> None:
        super().__init__()
        self.channels, self.surrogate_alpha = channels, surrogate_alpha
        self.reset: Reset = reset
        self.beta = decay_parameter(beta, channels, parameters, learned(learnable, "beta"))
        self.threshold = threshold_parameter(threshold, channels, parameters, learned(learnable, "threshold"))

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return spikes in {0, 1}, shape (batch, channels, steps), and the membrane, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call; None: zero.
        """
        drive = by_steps(current, self.channels)
        membrane = torch.zeros_like(drive[0]) if state is None else state
        beta, threshold = self._in_use()
        spikes, after = fire(drive, membrane, beta, threshold, alpha=self.surrogate_alpha, reset=self.reset)
        return spikes.permute(1, 2, 0), after

    def of_norm(self, signal: Tensor, norm: nn.BatchNorm1d) -> Tensor:
        """Return the spikes for the currents ``norm(signal)``, from membranes of zero; `norm` is in training.

        Parameters
        ----------
        signal : Tensor, shape (batch, channels, steps)
            In memory as (steps, batch, channels).
        norm : BatchNorm1d
        """
        return norm_fire(signal, norm, *self._in_use(), alpha=self.surrogate_alpha, reset=self.reset)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        decay, threshold = self._in_use()
        return Dynamics((decay,), threshold, reset=self.reset, steps_axis=STEPS_AXIS)

    def _in_use(self) -> tuple[Tensor, Tensor]:
        """Return decay and threshold within their bounds."""
        return in_use(self.beta), limit_in_use(self.threshold)

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
        self.beta = decay_parameter(beta, channels, "of the layer", learned(learnable, "beta"))

    def forward(self, current: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return membranes, shape (batch, channels, steps), and the last of them, shape (batch, channels).

        Parameters
        ----------
        current : Tensor, shape (batch, channels, steps)
        state : Tensor, shape (batch, channels), or None
            Membrane returned by the previous call; None: zero.
        """
        drive = by_steps(current, self.channels)
        membrane = torch.zeros_like(drive[0]) if state is None else state
        membranes = integrate(drive, membrane, in_use(self.beta))
        return membranes.permute(1, 2, 0), membranes[-1]

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics((in_use(self.beta),), None, steps_axis=STEPS_AXIS)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}"


class ZeroInitialState(nn.Module):
    """Neurons whose state is zero at the start of each call and which return only their signal, for `nn.Sequential`."""

    def __init__(self, neurons: nn.Module) -> None:
        super().__init__()
        self.neurons = neurons

    def forward(self, current: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to spikes or membranes of the same shape."""
        signal, _ = self.neurons(current)
        return signal
