"""A spiking network for windows of EEG that spikes in the signal's own time.

Channel mixtures, one temporal filter for each, batch norm, leaky integrate-and-fire neurons over the samples: the
front of the network of Wu et al. (SnnForMI, Neural Networks 2025). An optional second spiking layer, then a leaky
integrator per class whose mean membrane is the logit. Only the first two products see numbers that are not spikes.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.family import WINDOWS, Family, FamilyOptions
from students.families.readout import MeanOverSteps, normed_neurons
from students.layers import Layers
from students.neurons import LeakyIntegratorModel, LIFModel
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Widths and neurons of the spiking convolutional network.

    Parameters
    ----------
    mixtures : int
        Channel mixtures, each with its own temporal filter and neuron.
    kernel_s : float
        Length of the temporal filters [s].
    hidden : int
        Neurons of the second spiking layer; 0 leaves it out.
    beta, beta_hidden, beta_readout : float
        Decay of the membranes per step, where learning starts.
    threshold : float
        Spike threshold, where learning starts.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient.
    dropout : float
        On the currents of the spiking layers.
    """

    mixtures: int = Field(default=16, ge=1)
    kernel_s: float = Field(default=0.25, gt=0)
    hidden: int = Field(default=0, ge=0)
    beta: float = Field(default=0.9, ge=0, le=1)
    beta_hidden: float = Field(default=0.9, ge=0, le=1)
    beta_readout: float = Field(default=0.9, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    surrogate_alpha: float = Field(default=5.0, gt=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``."""
    taps = max(1, min(round(options.kernel_s * shape.step_rate_hz), shape.steps))
    width = options.mixtures
    modules = [
        layers.quantise_input(),
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.requantise(),
        layers.depthwise_conv1d(width, taps, padding="same"),
        *_neurons(options, width, options.beta, layers),
    ]
    if options.hidden:
        modules.append(layers.conv1d(width, options.hidden, 1, padding=0, bias="none"))
        modules += _neurons(options, options.hidden, options.beta_hidden, layers)
        width = options.hidden
    return nn.Sequential(
        *modules,
        layers.conv1d(width, shape.outputs, 1, padding=0, edge="last"),
        layers.neurons(shape.outputs, LeakyIntegratorModel(options.beta_readout, learnable="beta")),
        MeanOverSteps(),
    )


def _neurons(options: Options, width: int, beta: float, layers: Layers) -> tuple[nn.Module, ...]:
    """Return what turns the currents of one layer into its spikes."""
    model = LIFModel(beta, options.threshold, learnable="both", surrogate_alpha=options.surrogate_alpha)
    return normed_neurons(width, model, layers, dropout=options.dropout)


FAMILY = Family(
    title="Spiking convolutional network",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
