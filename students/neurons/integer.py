"""Leaky neurons with an integer membrane, over the signal's own time, from membranes of zero.

``docs/concepts/quantised_spiking.md`` has the equations and widths. A drive comes with the step of its grid, which is
the step of the membrane.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from students.kernels.neurons.events import EventReset
from students.kernels.neurons.surrogates import Surrogate
from students.neurons.dynamics import Dynamics
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.membrane import (
    DECAY_BITS,
    EventMembrane,
    Membrane,
    decay_levels,
    events_in_levels,
    fire_in_levels,
    integrate_in_levels,
)
from students.neurons.models import LeakyIntegratorModel, LIFModel, MultiSpikeModel, ParametricModel
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


FiringModel = LIFModel | MultiSpikeModel | ParametricModel


def threshold_level(bits: int, most: int = 1) -> int:
    """Return the level of the spike threshold in a membrane of so many bits, at least four.

    A quarter of the bits beyond four is room above it: 4 in -7 .. 7, 32 in -127 .. 127, 2048 in -32767 .. 32767. Of
    neurons with several events a step, at most as high that one more threshold than there are events fits above zero.
    """
    level = int(2 ** (bits - 2 - (bits - 4) // 4))
    return level if most == 1 else max(1, min(level, (2 ** (bits - 1) - 1) // (most + 1)))


def decay_of(beta: Tensor) -> Tensor:
    """Return the decay that an integer membrane has: a whole number of 256ths."""
    return decay_levels(beta) * 2.0**-DECAY_BITS


class IntegerLIF(nn.Module):
    """Leaky integrate-and-fire neurons on the grid of what drives them.

    Parameters
    ----------
    channels : int
        Neurons.
    model : LIFModel, MultiSpikeModel or ParametricModel
        Its threshold is where the grid starts; learned is the grid's step. Of thresholds of each neuron the highest
        has the level, the others keep their proportions as far as levels do.
    bits : int
        Of the membrane.
    """

    threshold: Tensor

    def __init__(self, channels: int, model: FiringModel, bits: int) -> None:
        super().__init__()
        self.channels, self.model, self.bits = channels, model, bits
        self.most = model.most if isinstance(model, MultiSpikeModel) else 1
        self.reset: EventReset = "zero" if isinstance(model, ParametricModel) else model.reset
        size: tuple[int, ...] = ()
        if isinstance(model, ParametricModel):
            self.w = nn.Parameter(torch.tensor(-math.log(model.tau - 1.0)))
        else:
            size = (channels,) if model.parameters == "of each neuron" else ()
            learned = model.learnable in {"beta", "both"}
            self.beta = nn.Parameter(torch.full(size, checked_decay(model.beta)), requires_grad=learned)
        self.register_buffer("threshold", torch.full(size, checked_threshold(model.threshold)))
        self.level, self.highest = threshold_level(bits, self.most), 2 ** (bits - 1) - 1

    @property
    def learns_threshold(self) -> bool:
        """Whether the step of the grid, and with it the threshold, is learned."""
        return isinstance(self.model, ParametricModel) or self.model.learnable in {"threshold", "both"}

    def decay(self) -> Tensor:
        """Return the decay a step, shape () or (channels,)."""
        return 1.0 - torch.sigmoid(self.w) if isinstance(self.model, ParametricModel) else self.beta

    def limit(self) -> Tensor:
        """Return the threshold in the unit of the currents, shape () or (channels,).

        A neuron with a learned time constant scales its current; here the threshold is divided by that instead.
        """
        return self.threshold / torch.sigmoid(self.w) if isinstance(self.model, ParametricModel) else self.threshold

    def levels(self) -> Tensor:
        """Return the threshold in levels, whole numbers, shape () or (channels,)."""
        limit = self.limit().detach()
        return (limit * (self.level / limit.max())).round().clamp(min=1.0)

    def _gain(self) -> float:
        """Return the membrane of the model over that in the unit of the currents."""
        return float(torch.sigmoid(self.w.detach())) if isinstance(self.model, ParametricModel) else 1.0

    def forward(self, drive: Drive) -> Tensor:
        """Return events in 0..most, shape (batch, channels, steps)."""
        levels, scale = by_steps(drive.value / drive.scale, self.channels), float(drive.scale.detach())
        decay, reset, model = self.decay(), self.reset, self.model
        if isinstance(model, LIFModel):
            surrogate = Surrogate("arctangent", model.surrogate_alpha * scale)
        else:
            unit = scale * self._gain()
            surrogate = Surrogate(model.surrogate.kind, model.surrogate.steepness * unit)
        if self.most == 1 and not decay.ndim and reset != "residue" and surrogate.kind == "arctangent":
            single = Membrane(self.highest, self.level, reset, surrogate.steepness)
            return fire_in_levels(levels, decay, single).permute(1, 2, 0)
        membrane = EventMembrane(self.highest, self.most, reset, surrogate)
        return events_in_levels(levels, decay, self.levels(), membrane).permute(1, 2, 0)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        reset = "subtract" if self.reset == "residue" else self.reset
        return Dynamics(
            (decay_of(self.decay()),), self.levels(), reset=reset, steps_axis=STEPS_AXIS, most=self.most,
            state_bits=self.bits,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, {self.bits} bits, reset={self.reset}"


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
