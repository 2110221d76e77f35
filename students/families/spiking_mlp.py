"""A spiking perceptron that decodes every bin as it comes: linear, LIF, linear, LIF, linear, leaky integrator.

The shape is that of the streaming network of Zhou, Sun and Basu (2023, arXiv 2312.15889). Departures: both hidden
layers reset by subtraction; a batch norm, folded into the linear layer before it, stands in front of the neurons;
the read-out is linear, so its learned scale is part of its weights and `OutputScale` gives physical units.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import membrane_readout, normed_neurons
from students.layers import Layers
from students.neurons import LIFModel, load_encoder
from students.spec import Float32, Quantised, Shape


def known_code(name: str) -> str:
    """Return the name of an encoder; one that is not there is a ValueError."""
    try:
        load_encoder(name, math.inf)
    except StudentError as error:
        raise ValueError(str(error)) from error
    return name


class Options(FamilyOptions):
    """Widths and neurons of the spiking perceptron.

    Parameters
    ----------
    hidden_1, hidden_2 : int
        Neurons of the two spiking layers.
    beta_1, beta_2, beta_readout : float
        Decay of the membranes per step, where learning starts.
    threshold : float
        Spike threshold of both layers, where learning starts.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient.
    code : str
        What the first layer sees, an encoder: ``counts``, or ``binary``, 1 where there was a spike at all (no
        multiplier needed), or an installed or own one, its settings behind a space (``lock_in 13,17,21/0.5``).
    dropout : float
        On the currents of both spiking layers.
    warmup_steps : int
        First steps of a training segment whose error is left out, while the membranes fill.
    """

    hidden_1: int = Field(default=32, ge=1)
    hidden_2: int = Field(default=48, ge=1)
    beta_1: float = Field(default=0.7, ge=0, le=1)
    beta_2: float = Field(default=0.7, ge=0, le=1)
    beta_readout: float = Field(default=0.7, ge=0, le=1)
    threshold: float = Field(default=0.5, gt=0)
    surrogate_alpha: float = Field(default=5.0, gt=0)
    code: Annotated[str, AfterValidator(known_code)] = "counts"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``.

    For classification the logits are the mean membranes of the read-out, ``(batch, outputs)``.
    """
    code = load_encoder(options.code, shape.step_rate_hz)
    modules: list[nn.Module] = [code.make(layers.quantise_input)]
    widths = (code.factor * shape.channels, options.hidden_1, options.hidden_2)
    for index, beta in enumerate((options.beta_1, options.beta_2)):
        edge = "inner" if index else "first"
        width = widths[index + 1]
        model = LIFModel(beta, options.threshold, learnable="both", surrogate_alpha=options.surrogate_alpha)
        modules += [
            layers.conv1d(widths[index], width, 1, padding=0, bias="none", edge=edge),
            *normed_neurons(width, model, layers, dropout=options.dropout),
        ]
    return membrane_readout(
        modules, options.hidden_2, shape, layers, beta=options.beta_readout, warmup_steps=options.warmup_steps
    )


FAMILY = Family(
    title="Spiking perceptron",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
