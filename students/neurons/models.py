"""Neuron models that a family asks its layers for, and their float form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from students.neurons.lif import LIF, LeakyIntegrator, Learnable, Reset, ZeroInitialState
from students.neurons.recurrent import Parameters, RecurrentLIF, Wiring


@dataclass(frozen=True, slots=True)
class LIFModel:
    """Leaky integrate-and-fire neurons; the parameters are those of `students.neurons.lif.LIF`."""

    beta: float
    threshold: float
    learnable: Learnable = "nothing"
    reset: Reset = "subtract"
    surrogate_alpha: float = 2.0


@dataclass(frozen=True, slots=True)
class LeakyIntegratorModel:
    """Neurons that leak and never fire; the parameters are those of `students.neurons.lif.LeakyIntegrator`."""

    beta: float
    learnable: Literal["nothing", "beta"] = "nothing"


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


NeuronModel = LIFModel | RecurrentLIFModel | LeakyIntegratorModel


def float_neurons(channels: int, model: NeuronModel) -> nn.Module:
    """Return neurons with states in float32, which start at zero in each call.

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
    if isinstance(model, LeakyIntegratorModel):
        return ZeroInitialState(LeakyIntegrator(channels, model.beta, model.learnable))
    if isinstance(model, RecurrentLIFModel):
        return ZeroInitialState(
            RecurrentLIF(
                channels, model.beta, model.threshold, wiring=model.wiring, bias=model.bias,
                parameters=model.parameters, learnable=model.learnable, reset=model.reset,
                surrogate_alpha=model.surrogate_alpha,
            )
        )  # fmt: skip
    return ZeroInitialState(
        LIF(
            channels, model.beta, model.threshold, learnable=model.learnable, reset=model.reset,
            surrogate_alpha=model.surrogate_alpha,
        )
    )  # fmt: skip
