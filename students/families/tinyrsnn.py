"""The tinyRSNN of NeuroBench's primate reaching track, in its published size: one recurrent layer of 64 neurons.

    bins -> 64 current-based neurons that hear one another -> current-based leaky integrators

Time constants of 20 ms (membranes), 10 ms (currents) and 50 ms (membranes of the read-out) where learning starts, those
of the neurons their own; dropout .3, fast sigmoid surrogate of steepness 20, no biases (Liu et al. 2024, arXiv
2409.02136, and the authors' public code). At 96 channels and two outputs its weights are 10,368. Published training
adds to it a price on rates above 10 Hz and pruning by magnitude, here settings of the training: ``spikes`` and
``pruning``. Departures: the read-out's decays are of the layer; AdamW trains it; the price is on the mean rate.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import MeanOverSteps, StepDecoder
from students.families.spiking_mlp import known_code
from students.layers import Layers
from students.neurons import LeakyIntegratorModel, RecurrentSynapticModel, Surrogate, load_encoder
from students.spec import Float32, Quantised, Shape

SURROGATE = Surrogate("fast sigmoid", 20.0)
THRESHOLD = 1.0


class Options(FamilyOptions):
    """Size and time constants of the network.

    Parameters
    ----------
    hidden : int
        Neurons of the recurrent layer.
    tau_membrane_s, tau_synapse_s, tau_readout_s : float
        Time constants where learning starts [s]; the read-out's currents have `tau_synapse_s` too.
    code : str
        What the first layer sees, an encoder.
    dropout : float
        On the input currents.
    warmup_steps : int
        First steps of a training segment whose error is left out, while the membranes fill.
    """

    hidden: int = Field(default=64, ge=1)
    tau_membrane_s: float = Field(default=0.02, gt=0)
    tau_synapse_s: float = Field(default=0.01, gt=0)
    tau_readout_s: float = Field(default=0.05, gt=0)
    code: Annotated[str, AfterValidator(known_code)] = "counts"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``.

    For classification the logits are the mean membranes of the read-out, ``(batch, outputs)``.
    """

    def decay(tau_s: float) -> float:
        return math.exp(-1.0 / (tau_s * shape.step_rate_hz))

    synapse = decay(options.tau_synapse_s)
    neurons = RecurrentSynapticModel(
        synapse, decay(options.tau_membrane_s), THRESHOLD, parameters="of each neuron", learnable="beta",
        surrogate=SURROGATE,
    )  # fmt: skip
    code = load_encoder(options.code, shape.step_rate_hz)
    modules = [
        code.make(layers.quantise_input),
        layers.conv1d(code.factor * shape.channels, options.hidden, 1, padding=0, bias="none", edge="first"),
        layers.dropout(options.dropout),
        layers.neurons(options.hidden, neurons),
        layers.conv1d(options.hidden, shape.outputs, 1, padding=0, bias="none", edge="last"),
        layers.neurons(shape.outputs, LeakyIntegratorModel(synapse, learnable="beta")),
        layers.neurons(shape.outputs, LeakyIntegratorModel(decay(options.tau_readout_s), learnable="beta")),
    ]
    if shape.task == "classification":
        return nn.Sequential(*modules, MeanOverSteps())
    body = nn.Sequential(*modules, layers.output_scale(shape.outputs))
    return StepDecoder(body, warmup_steps=min(options.warmup_steps, shape.steps - 1))


FAMILY = Family(
    title="Recurrent spiking decoder (tinyRSNN)",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
