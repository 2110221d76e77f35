"""A small spiking network for windows of EEG: mixtures, a filter each, neurons that learn a time constant, rates.

After the network of Wu et al. (SnnForMI, Neural Networks 2025): C channels are mixed into 2 C, each filtered by T / 32
taps, normalised, and sent to neurons whose spikes are averaged over the window and read out. At 22 channels, 1,000
samples and four classes it has 2,601 parameters, with biases in the read-out only.
"""

from __future__ import annotations

import math

from pydantic import Field
from torch import nn

from students.families.family import WINDOWS, Family, FamilyOptions
from students.families.readout import MeanOverSteps, normed_neurons
from students.layers import Layers
from students.neurons import ParametricModel, Surrogate
from students.spec import Float32, Quantised, Shape

TAU = 1.0 + math.exp(-0.5)
"""Time constant where learning starts [steps]: 1 / sigmoid(.5)."""


class Options(FamilyOptions):
    """Widths of the network.

    Parameters
    ----------
    mixtures : int
        Mixtures of each channel: their number is this times the channels.
    taps_per_window : int
        Window length over length of the filters.
    threshold : float
        Spike threshold.
    steepness : float
        Of the sigmoid surrogate.
    dropout : float
        On the currents.
    """

    mixtures: int = Field(default=2, ge=1)
    taps_per_window: int = Field(default=32, ge=1)
    threshold: float = Field(default=1.0, gt=0)
    steepness: float = Field(default=4.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``."""
    width = options.mixtures * shape.channels
    model = ParametricModel(TAU, options.threshold, Surrogate("sigmoid", options.steepness))
    return nn.Sequential(
        layers.quantise_input(),
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.requantise(),
        layers.depthwise_conv1d(width, max(1, shape.steps // options.taps_per_window), padding="same"),
        *normed_neurons(width, model, layers, dropout=options.dropout),
        MeanOverSteps(),
        layers.requantise(),
        layers.linear(width, shape.outputs, edge="last"),
    )


FAMILY = Family(
    title="Spiking network with learned time constants (Wu et al. 2025)",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
