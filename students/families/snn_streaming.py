"""The streaming spiking decoder of Zhou, Sun and Basu (2023, arXiv 2312.15889) with its published sizes and settings.

    spikes in a bin or none -> 32 -> LIF (.9, .4) -> 48 -> LIF (.7, .6, no reset) -> outputs -> membranes (.8)

decays and thresholds learned, arctangent surrogate of steepness 2, dropout .3 on both currents. At 96 channels the
three linear layers hold 4,786 numbers. The learned scale of the published read-out is part of its weights here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import membrane_readout
from students.families.spiking_mlp import known_code
from students.layers import Layers
from students.neurons import LIFModel, load_encoder
from students.spec import Float32, Quantised, Shape

SURROGATE_ALPHA = 2.0
NEURONS = (
    LIFModel(0.9, 0.4, learnable="both", reset="subtract", surrogate_alpha=SURROGATE_ALPHA),
    LIFModel(0.7, 0.6, learnable="both", reset="none", surrogate_alpha=SURROGATE_ALPHA),
)
BETA_READOUT = 0.8


class Options(FamilyOptions):
    """Sizes of the published network.

    Parameters
    ----------
    hidden_1, hidden_2 : int
        Neurons of the two spiking layers; half of them is the published small network.
    code : str
        What the first layer sees, an encoder.
    dropout : float
        On the currents of both spiking layers.
    warmup_steps : int
        First steps of a training segment whose error is left out, while the membranes fill.
    """

    hidden_1: int = Field(default=32, ge=1)
    hidden_2: int = Field(default=48, ge=1)
    code: Annotated[str, AfterValidator(known_code)] = "binary"
    dropout: float = Field(default=0.3, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``.

    For classification the logits are the mean membranes of the read-out, ``(batch, outputs)``.
    """
    code = load_encoder(options.code, shape.step_rate_hz)
    modules: list[nn.Module] = [code.make(layers.quantise_input)]
    widths = (code.factor * shape.channels, options.hidden_1, options.hidden_2)
    for place, model in enumerate(NEURONS):
        edge = "inner" if place else "first"
        modules += [
            layers.conv1d(widths[place], widths[place + 1], 1, padding=0, edge=edge),
            layers.dropout(options.dropout),
            layers.neurons(widths[place + 1], model),
        ]
    return membrane_readout(
        modules, options.hidden_2, shape, layers, beta=BETA_READOUT, warmup_steps=options.warmup_steps
    )


FAMILY = Family(
    title="Streaming spiking decoder (Zhou et al. 2023)",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=True,
    Options=Options,
    build=build,
)
