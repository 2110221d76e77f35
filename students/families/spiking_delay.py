"""A spiking network for bins wider than a spike: several events a bin, and delays between its layers.

A causal product over the last bins of the input (a delay line of each channel, a weight for each of its taps), neurons
that fire up to `most` times a bin, a second product over the last bins of their events, neurons again, then a leaky
integrator per output. What one bit a bin cannot carry, counts do; what one bin cannot show, delays do.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import membrane_readout, normed_neurons
from students.families.spiking_mlp import known_code
from students.layers import Layers
from students.neurons import MultiSpikeModel, Surrogate, load_encoder
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Widths, neurons and delays of the network.

    Parameters
    ----------
    hidden_1, hidden_2 : int
        Neurons of the two spiking layers; without the second one (0) the first is read out.
    most : int
        Most events of a neuron in a bin.
    lags, lags_hidden : int
        Bins seen by the first layer's products and by those behind it, the current one included.
    delays : {'taps', 'learned'}
        ``taps``: a product has a weight for each of these bins. ``learned``: each channel and neuron in front of a
        product has one delay of its own below so many bins, which is learned, and the product one weight.
    beta_1, beta_2, beta_readout : float
        Decay of the membranes per step, where learning starts.
    threshold : float
        Spike threshold of both layers, where learning starts.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient.
    code : str
        What the first layer sees, an encoder.
    dropout : float
        On the currents of the spiking layers.
    """

    hidden_1: int = Field(default=32, ge=1)
    hidden_2: int = Field(default=32, ge=0)
    most: int = Field(default=7, ge=1, le=255)
    lags: int = Field(default=10, ge=1)
    lags_hidden: int = Field(default=1, ge=1)
    delays: Literal["taps", "learned"] = "taps"
    beta_1: float = Field(default=0.1, ge=0, le=1)
    beta_2: float = Field(default=0.1, ge=0, le=1)
    beta_readout: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=0.5, gt=0)
    surrogate_alpha: float = Field(default=2.0, gt=0)
    code: Annotated[str, AfterValidator(known_code)] = "counts"
    dropout: float = Field(default=0.2, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``.

    For classification the logits are the mean membranes of the read-out, ``(batch, outputs)``.
    """
    code = load_encoder(options.code, shape.step_rate_hz)
    modules: list[nn.Module] = [code.make(layers.quantise_input)]
    width, lags = code.factor * shape.channels, options.lags
    for place, (neurons, beta) in enumerate(((options.hidden_1, options.beta_1), (options.hidden_2, options.beta_2))):
        if not neurons:
            continue
        if options.delays == "learned" and lags > 1:
            modules.append(layers.delays(width, lags - 1))
            lags = 1
        modules += [
            layers.conv1d(width, neurons, lags, padding="causal", bias="none", edge="inner" if place else "first"),
            *normed_neurons(neurons, _neurons(options, beta), layers, dropout=options.dropout),
        ]
        width, lags = neurons, options.lags_hidden
    return membrane_readout(
        modules, width, shape, layers, beta=options.beta_readout, warmup_steps=options.lags + options.lags_hidden - 2
    )


def _neurons(options: Options, beta: float) -> MultiSpikeModel:
    """Return the model of one spiking layer."""
    return MultiSpikeModel(
        beta, options.threshold, options.most, parameters="of each neuron", learnable="both", reset="residue",
        surrogate=Surrogate("arctangent", options.surrogate_alpha),
    )  # fmt: skip


FAMILY = Family(
    title="Spiking network with delays and counts",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
