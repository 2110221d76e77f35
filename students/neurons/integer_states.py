"""Neurons of several states with integer membranes: a synaptic current, a threshold that adapts, their own spikes.

``docs/concepts/quantised_spiking.md`` has the equations and widths. Levels are whole numbers held in floats, as in
`students.neurons.membrane`; the steps run in torch. Gradients are those of the float neurons at the levels, straight
through rounding, cutting and saturation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from students.kernels.neurons.surrogates import Surrogate, spike
from students.neurons.dynamics import Dynamics
from students.neurons.integer import READOUT_BITS, Drive, decay_of, threshold_level
from students.neurons.lif import STEPS_AXIS, by_steps
from students.neurons.membrane import DECAY_BITS, decay_levels
from students.neurons.models import AdaptiveModel, RecurrentLIFModel, RecurrentSynapticModel, SynapticModel
from students.neurons.parameters import checked_decay, checked_threshold

ADAPTATION_BITS = READOUT_BITS
"""Width of what raises a threshold, whatever the membrane's: a slow decay needs the bits [bits]."""

StateModel = SynapticModel | AdaptiveModel | RecurrentLIFModel | RecurrentSynapticModel
StateReset = Literal["subtract", "zero", "clear", "none"]
"""``zero`` forgets the membrane before its leak, ``clear`` the membrane that the step made."""

Hears = Callable[[Tensor], Tensor]
"""From spikes of the step before, shape (batch, channels), to their currents in levels."""


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, *given: Any) -> Tensor:
        return given[1].clone()

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return gradients[0], None


def through(smooth: Tensor, whole: Tensor) -> Tensor:
    """Return `whole` with the gradient of `smooth`, of the same shape."""
    found: Tensor = _Through.apply(smooth, whole)  # pyright: ignore[reportAssignmentType]
    return found


class IntegerStateLIF(nn.Module):
    """Neurons with a synaptic current, an adapting threshold or recurrent weights, on the grid of what drives them.

    Parameters
    ----------
    channels : int
        Neurons.
    model : SynapticModel, AdaptiveModel, RecurrentLIFModel or RecurrentSynapticModel
    bits : int
        Of membrane and synaptic current.
    recurrent : nn.Module or None
        The layer of recurrent weights, where the model has them.
    """

    threshold: Tensor
    strength: Tensor
    most = 1

    def __init__(self, channels: int, model: StateModel, bits: int, recurrent: nn.Module | None = None) -> None:
        super().__init__()
        self.channels, self.model, self.bits, self.recurrent = channels, model, bits, recurrent
        size = (channels,) if model.parameters == "of each neuron" else ()
        learned = model.learnable in {"beta", "both"}

        def decay(value: float) -> nn.Parameter:
            return nn.Parameter(torch.full(size, checked_decay(value)), requires_grad=learned)

        self.beta = decay(model.beta)
        self.alpha = decay(model.alpha) if isinstance(model, SynapticModel | RecurrentSynapticModel) else None
        self.rho = None
        if isinstance(model, AdaptiveModel):
            self.rho = decay(model.rho)
            self.register_buffer("strength", torch.tensor(model.strength))
        self.register_buffer("threshold", torch.full(size, checked_threshold(model.threshold)))
        self.level, self.highest = threshold_level(bits), 2 ** (bits - 1) - 1
        self.reset: StateReset = _reset(model)
        self.surrogate = (
            Surrogate("arctangent", model.surrogate_alpha) if isinstance(model, RecurrentLIFModel) else model.surrogate
        )

    @property
    def learns_threshold(self) -> bool:
        """Whether the step of the grid, and with it the threshold, is learned."""
        return self.model.learnable in {"threshold", "both"}

    @property
    def fraction(self) -> int:
        """Bits by which the steps of the adaptation are finer than those of the membrane."""
        return ADAPTATION_BITS - self.bits

    def limit(self) -> Tensor:
        """Return the threshold in the unit of the currents, shape () or (channels,)."""
        return self.threshold

    def levels(self) -> Tensor:
        """Return the threshold in levels, whole numbers, shape () or (channels,)."""
        return (self.threshold * (self.level / self.threshold.max())).round().clamp(min=1.0)

    def rise(self) -> Tensor:
        """Return by how much one spike raises the threshold, in the adaptation's steps, a whole number, shape ()."""
        steps = self.strength * (self.level * 2**self.fraction) / self.threshold.max()
        return steps.round().clamp(max=2 ** (ADAPTATION_BITS - 1) - 1)

    def forward(self, drive: Drive, hears: Hears | None = None) -> Tensor:
        """Return spikes in {0, 1}, shape (batch, channels, steps), from states of zero.

        Parameters
        ----------
        drive : Drive, of shape (batch, channels, steps)
        hears : callable or None
            Where there are recurrent weights.
        """
        given, unit = by_steps(drive.value / drive.scale, self.channels), float(drive.scale.detach())
        given = through(given, given.detach().round())
        beta, alpha, rho = _decay(self.beta), *(None if one is None else _decay(one) for one in (self.alpha, self.rho))
        membrane = flowing = adaptation = fired = torch.zeros_like(drive.value[..., 0])
        limit, highest, spikes = self.levels(), float(self.highest), list[Tensor]()
        for current in given.unbind(0):
            into, before = current if hears is None else current + hears(fired), fired.detach()
            if alpha is not None:
                into = flowing = _held(_leaked(flowing, alpha) + into, highest)
            now = _leaked(membrane * (1.0 - before) if self.reset == "zero" else membrane, beta) + into
            if self.reset == "subtract":
                now = now - before * limit
            membrane = _held(now * (1.0 - before) if self.reset == "clear" else now, highest)
            over = membrane - limit
            if rho is not None:
                risen = _leaked(adaptation, rho) + fired * self.rise()
                adaptation = _held(risen, 2.0 ** (ADAPTATION_BITS - 1) - 1)
                over = over - adaptation * 2.0**-self.fraction
            fired = spike(over * unit, self.surrogate)
            spikes.append(fired)
        return torch.stack(spikes, dim=-1) if spikes else torch.zeros_like(drive.value)

    def heard(self, spikes: Tensor) -> Tensor:
        """Return the spikes that the recurrent weights see in each step, shape of `spikes`: those of the step before.

        Parameters
        ----------
        spikes : Tensor, shape (batch, channels, steps)
        """
        return torch.cat((torch.zeros_like(spikes[..., :1]), spikes[..., :-1]), -1)

    def dynamics(self) -> Dynamics:
        """Return what these neurons do in a step."""
        decays = tuple(decay_of(one) for one in (self.alpha, self.beta, self.rho) if one is not None)
        adapts, flows = self.rho is not None, self.alpha is not None
        return Dynamics(
            decays, self.levels(), states=("syn", "mem") if flows else ("mem",), steps_axis=STEPS_AXIS,
            reset="subtract" if self.reset == "subtract" else "none" if self.reset == "none" else "zero",
            adds=int(flows) + int(adapts), spike_adds=int(adapts), constants=(self.rise(),) if adapts else (),
            product="" if self.recurrent is None else "recurrent", state_bits=self.bits,
            adaptation_bits=ADAPTATION_BITS if adapts else 0,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.channels}, {self.bits} bits, reset={self.reset}"


def _reset(model: StateModel) -> StateReset:
    """Return what a spike does to the membrane in the next step."""
    if isinstance(model, AdaptiveModel):
        return "subtract"
    if isinstance(model, RecurrentSynapticModel):
        return "zero"
    return "clear" if model.reset == "zero" else model.reset


def _decay(one: Tensor) -> Tensor:
    return through(one.clamp(0.0, 1.0), decay_levels(one) * 2.0**-DECAY_BITS)


def _leaked(before: Tensor, decay: Tensor) -> Tensor:
    """Return levels times a decay, cut towards zero."""
    product = before * decay
    return through(product, product.detach().trunc())


def _held(levels: Tensor, highest: float) -> Tensor:
    """Return levels within the ends of their width."""
    return through(levels, levels.detach().clamp(-highest, highest))
