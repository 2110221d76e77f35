"""Leaky neurons with an integer membrane, over the signal's own time, from membranes of zero.

``docs/concepts/quantised_spiking.md`` has the equations and widths. A drive comes with the step of its grid, which is
the step of the membrane.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.membrane import DECAY_BITS, Membrane, decay_levels, fire_in_levels, integrate_in_levels
from students.neurons.models import LeakyIntegratorModel, LIFModel
from students.neurons.parameters import checked_decay, checked_threshold

READOUT_BITS = 16
"""Width of a membrane that is read out as a number, whatever a form says of those that fire [bits]."""


class Drive(Protocol):
    """A signal on a grid: multiples of a step."""

    @property
    def value(self) -> Tensor:
        """Values, shape (batch, channels, steps)."""
        ...

    @property
    def scale(self) -> Tensor:
        """The step, one number."""
        ...


def threshold_level(bits: int) -> int:
    """Return the level of the spike threshold in a membrane of so many bits, at least four.

    A quarter of the bits beyond four is room above it: 4 in -7 .. 7, 32 in -127 .. 127, 2048 in -32767 .. 32767.
    """
    return int(2 ** (bits - 2 - (bits - 4) // 4))


def decay_of(beta: Tensor) -> Tensor:
    """Return the decay that an integer membrane has: a whole number of 256ths."""
    return decay_levels(beta) * 2.0**-DECAY_BITS


class IntegerLIF(nn.Module):
    """Leaky integrate-and-fire neurons on the grid of what drives them.

    Parameters
    ----------
    channels : int
        Neurons.
    model : LIFModel
        Its threshold is where the grid starts; learned is the grid's step.
    bits : int
        Of the membrane.
    """

    threshold: Tensor

    def __init__(self, channels: int, model: LIFModel, bits: int) -> None:
        super().__init__()
        self.channels, self.model, self.bits = channels, model, bits
        learned = model.learnable in {"beta", "both"}
        self.beta = nn.Parameter(torch.tensor(checked_decay(model.beta)), requires_grad=learned)
        self.register_buffer("threshold", torch.tensor(checked_threshold(model.threshold)))
        self.level, self.highest = threshold_level(bits), 2 ** (bits - 1) - 1

    def forward(self, drive: Drive) -> Tensor:
        """Return spikes in {0, 1}, shape (batch, channels, steps)."""
        levels = by_steps(drive.value / drive.scale, self.channels)
        alpha = self.model.surrogate_alpha * float(drive.scale.detach())
        membrane = Membrane(self.highest, self.level, self.model.reset, alpha)
        return fire_in_levels(levels, self.beta, membrane).permute(1, 2, 0)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        threshold = self.beta.new_tensor(float(self.level))
        return Dynamics(
            (decay_of(self.beta),), threshold, reset=self.model.reset, steps_axis=STEPS_AXIS, state_bits=self.bits
        )

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, {self.bits} bits, reset={self.model.reset}"


class IntegerIntegrator(nn.Module):
    """Neurons that leak and never fire, on the grid of what drives them.

    Parameters
    ----------
    channels : int
    model : LeakyIntegratorModel
    """

    def __init__(self, channels: int, model: LeakyIntegratorModel) -> None:
        super().__init__()
        self.channels, self.bits = channels, READOUT_BITS
        self.beta = nn.Parameter(torch.tensor(checked_decay(model.beta)), requires_grad=model.learnable == "beta")
        self.highest = 2 ** (READOUT_BITS - 1) - 1

    def forward(self, drive: Drive) -> Tensor:
        """Return membranes, multiples of the drive's step, shape (batch, channels, steps)."""
        levels = by_steps(drive.value / drive.scale, self.channels)
        return integrate_in_levels(levels, self.beta, self.highest).permute(1, 2, 0) * drive.scale

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        return Dynamics((decay_of(self.beta),), None, steps_axis=STEPS_AXIS, state_bits=self.bits)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, {self.bits} bits"
