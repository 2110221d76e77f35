"""A GRU (Cho et al. 2014, arXiv 1406.1078), causal: every step's state is read out, or the last one.

The reset gate acts after the recurrent product, as in torch.
"""

from __future__ import annotations

from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family
from students.families.readout import RecurrentOptions, recurrent_network
from students.layers import Layers
from students.spec import Float32, Quantised, Shape


def build(options: RecurrentOptions, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window, or a causal estimate per step."""
    return recurrent_network("gru", options, shape, layers)


FAMILY = Family(
    title="GRU",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=RecurrentOptions,
    build=build,
)
