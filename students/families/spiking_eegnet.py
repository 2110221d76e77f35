"""EEGNet (Lawhern et al. 2018, J. Neural Eng. 15:056013) with spikes in the place of its activations.

Mixtures and temporal filters as in `students.families.eegnet`, each block's ELU a layer of leaky integrate-and-fire
neurons over the block's own time. Averages are taken of currents, in front of the neurons, so that the product behind
neurons reads spikes. The read-out is a leaky integrator a class, whose mean membrane is the logit; EEGNet's weights for
each step of the last block are not needed then.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.families.readout import MeanOverSteps
from students.layers import AveragePool1d, Layers
from students.neurons import LeakyIntegratorModel, LIFModel
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Widths, lengths and neurons of the spiking EEGNet.

    Parameters
    ----------
    temporal_filters, depth : int
        F1 and D of the paper; F1*D channels throughout.
    kernel_s : float
        Length of the first temporal filters [s]; the paper's half second.
    pool_1, pool_2 : int
        Steps averaged in front of the first and second layer of neurons.
    separable_taps : int
        Length of the second temporal filters, in steps of the first layer of neurons.
    beta, beta_readout : float
        Decay of the membranes per step of their own, where learning starts.
    threshold : float
        Spike threshold, where learning starts.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient.
    dropout : float
        On the currents.
    """

    temporal_filters: int = Field(default=8, ge=1)
    depth: int = Field(default=2, ge=1)
    kernel_s: float = Field(default=0.5, gt=0)
    pool_1: int = Field(default=4, ge=1)
    pool_2: int = Field(default=8, ge=1)
    separable_taps: int = Field(default=16, ge=1)
    beta: float = Field(default=0.8, ge=0, le=1)
    beta_readout: float = Field(default=0.9, ge=0, le=1)
    threshold: float = Field(default=0.3, gt=0)
    surrogate_alpha: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window too short for its two averages.
    """
    if shape.steps < options.pool_1 * options.pool_2:
        raise StudentError(
            f"{shape.steps} steps are fewer than pool_1 x pool_2 = {options.pool_1 * options.pool_2}",
            where="options of spiking_eegnet", remedy="Choose smaller pools or longer windows",
        )
    width = options.temporal_filters * options.depth
    taps = max(1, min(round(options.kernel_s * shape.step_rate_hz), shape.steps))
    return nn.Sequential(
        layers.quantise_input(),
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.requantise(),
        layers.depthwise_conv1d(width, taps, padding="same"),
        *_neurons(options, width, options.pool_1, layers),
        layers.depthwise_conv1d(width, options.separable_taps, padding="same"),
        layers.requantise(),
        layers.conv1d(width, width, 1, padding=0, bias="none"),
        *_neurons(options, width, options.pool_2, layers),
        layers.conv1d(width, shape.outputs, 1, padding=0, edge="last"),
        layers.neurons(shape.outputs, LeakyIntegratorModel(options.beta_readout, learnable="beta")),
        MeanOverSteps(),
    )


def _neurons(options: Options, width: int, pool: int, layers: Layers) -> list[nn.Module]:
    """Return what turns the currents of one block into its spikes."""
    model = LIFModel(options.beta, options.threshold, learnable="both", surrogate_alpha=options.surrogate_alpha)
    return [
        layers.batchnorm(width),
        AveragePool1d(pool, pool),
        layers.dropout(options.dropout),
        layers.neurons(width, model),
    ]


FAMILY = Family(
    title="Spiking EEGNet",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
