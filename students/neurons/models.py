"""Neuron models that a family asks its layers for, and their float form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from students.kernels.neurons.events import EventReset
from students.kernels.neurons.fire import Reset
from students.kernels.neurons.surrogates import ARCTANGENT, Surrogate
from students.neurons.adaptive import AdaptiveLIF
from students.neurons.lif import LIF, LeakyIntegrator, ZeroInitialState
from students.neurons.multi_spike import MultiSpikeLIF
from students.neurons.parameters import Learnable, Parameters
from students.neurons.parametric import ParametricLIF
from students.neurons.recurrent import RecurrentLIF, Wiring
from students.neurons.recurrent_synaptic import RecurrentSynapticLIF
from students.neurons.synaptic import SynapticLIF


@dataclass(frozen=True, slots=True)
class LIFModel:
    """Leaky integrate-and-fire neurons; the parameters are those of `students.neurons.lif.LIF`."""

    beta: float
    threshold: float
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    reset: Reset = "subtract"
    surrogate_alpha: float = 2.0

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return LIF(
            channels, self.beta, self.threshold, parameters=self.parameters, learnable=self.learnable,
            reset=self.reset, surrogate_alpha=self.surrogate_alpha,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MultiSpikeModel:
    """Neurons with several events a step; the parameters are those of `students.neurons.multi_spike.MultiSpikeLIF`."""

    beta: float
    threshold: float
    most: int
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    reset: EventReset = "subtract"
    surrogate: Surrogate = ARCTANGENT
    start: float = 0.0

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return MultiSpikeLIF(
            channels, self.beta, self.threshold, self.most, parameters=self.parameters, learnable=self.learnable,
            reset=self.reset, surrogate=self.surrogate, start=self.start,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SynapticModel:
    """Neurons with a synaptic current; the parameters are those of `students.neurons.synaptic.SynapticLIF`."""

    alpha: float
    beta: float
    threshold: float
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    reset: Reset = "subtract"
    surrogate: Surrogate = ARCTANGENT

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return SynapticLIF(
            channels, self.alpha, self.beta, self.threshold, parameters=self.parameters, learnable=self.learnable,
            reset=self.reset, surrogate=self.surrogate,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AdaptiveModel:
    """Neurons with a threshold that adapts; the parameters are those of `students.neurons.adaptive.AdaptiveLIF`."""

    beta: float
    rho: float
    threshold: float
    strength: float
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    surrogate: Surrogate = ARCTANGENT

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return AdaptiveLIF(
            channels, self.beta, self.rho, self.threshold, self.strength, parameters=self.parameters,
            learnable=self.learnable, surrogate=self.surrogate,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParametricModel:
    """Neurons with a learned time constant; the parameters are those of `students.neurons.parametric.ParametricLIF`."""

    tau: float
    threshold: float = 1.0
    surrogate: Surrogate = ARCTANGENT

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return ParametricLIF(channels, self.tau, self.threshold, self.surrogate)


@dataclass(frozen=True, slots=True)
class LeakyIntegratorModel:
    """Neurons that leak and never fire; the parameters are those of `students.neurons.lif.LeakyIntegrator`."""

    beta: float
    learnable: Literal["nothing", "beta"] = "nothing"

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return LeakyIntegrator(channels, self.beta, self.learnable)


@dataclass(frozen=True, slots=True)
class RecurrentLIFModel:
    """Neurons that hear their own layer's spikes; the parameters are those of `students.neurons.RecurrentLIF`."""

    beta: float
    threshold: float
    wiring: Wiring = "all to all"
    bias: Literal["learned", "none"] = "none"
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    reset: Reset = "subtract"
    surrogate_alpha: float = 2.0

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return RecurrentLIF(
            channels, self.beta, self.threshold, wiring=self.wiring, bias=self.bias, parameters=self.parameters,
            learnable=self.learnable, reset=self.reset, surrogate_alpha=self.surrogate_alpha,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecurrentSynapticModel:
    """Recurrent neurons with a current; the parameters are those of `students.neurons.RecurrentSynapticLIF`."""

    alpha: float
    beta: float
    threshold: float
    parameters: Parameters = "of the layer"
    learnable: Learnable = "nothing"
    surrogate: Surrogate = ARCTANGENT

    def make(self, channels: int) -> nn.Module:
        """Return so many of these neurons with states in float32."""
        return RecurrentSynapticLIF(
            channels, self.alpha, self.beta, self.threshold, parameters=self.parameters, learnable=self.learnable,
            surrogate=self.surrogate,
        )  # fmt: skip


NeuronModel = (
    LIFModel | MultiSpikeModel | SynapticModel | AdaptiveModel | ParametricModel | RecurrentLIFModel
    | RecurrentSynapticModel | LeakyIntegratorModel
)  # fmt: skip


def float_neurons(channels: int, model: NeuronModel) -> nn.Module:
    """Return neurons with states in float32, which start anew in each call.

    Parameters
    ----------
    channels : int
        Neurons.
    model : NeuronModel

    Returns
    -------
    nn.Module
        Maps currents ``(batch, channels, steps)`` to spikes or membranes of the same shape.
    """
    return ZeroInitialState(model.make(channels))
