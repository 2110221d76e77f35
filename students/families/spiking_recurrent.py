"""One layer of spiking neurons that hear one another, and leaky integrators that read them: a tinyRSNN-like decoder.

After the tinyRSNN of the NeuroBench primate reaching track (64 neurons, learned time constants of their own, dropout
.3). Departures: the neurons have no synaptic current, and nothing is pruned.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import membrane_readout, normed_neurons
from students.families.spiking_mlp import known_code
from students.layers import Layers
from students.neurons import RecurrentLIFModel, load_encoder
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Width and neurons of the network.

    Parameters
    ----------
    hidden : int
        Neurons of the one recurrent layer.
    beta, beta_readout : float
        Decay of the membranes per step, where learning starts.
    threshold : float
        Spike threshold, where learning starts.
    surrogate_alpha : float
        Steepness of the arctangent surrogate gradient.
    code : str
        What the first layer sees, an encoder.
    dropout : float
        On the currents.
    warmup_steps : int
        First steps of a training segment whose error is left out, while the membranes fill.
    """

    hidden: int = Field(default=64, ge=1)
    beta: float = Field(default=0.8, ge=0, le=1)
    beta_readout: float = Field(default=0.8, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    surrogate_alpha: float = Field(default=2.0, gt=0)
    code: Annotated[str, AfterValidator(known_code)] = "counts"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``.

    For classification the logits are the mean membranes of the read-out, ``(batch, outputs)``.
    """
    model = RecurrentLIFModel(
        options.beta, options.threshold, parameters="of each neuron", learnable="both",
        surrogate_alpha=options.surrogate_alpha,
    )  # fmt: skip
    code = load_encoder(options.code, shape.step_rate_hz)
    modules: list[nn.Module] = [
        code.make(layers.quantise_input),
        layers.conv1d(code.factor * shape.channels, options.hidden, 1, padding=0, bias="none", edge="first"),
        *normed_neurons(options.hidden, model, layers, dropout=options.dropout),
    ]
    return membrane_readout(
        modules, options.hidden, shape, layers, beta=options.beta_readout, warmup_steps=options.warmup_steps
    )


FAMILY = Family(
    title="Recurrent spiking network",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
