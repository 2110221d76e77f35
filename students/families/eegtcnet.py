"""EEG-TCNet (Ingolfsson et al. 2020, arXiv 2006.00622): EEGNet's blocks, then a temporal convolutional network.

Departures: those of `students.families.eegnet` in front; ReLU for ELU behind it.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.eegnet import Options as EegnetOptions
from students.families.eegnet import blocks
from students.families.family import WINDOWS, Family
from students.families.readout import LastStep
from students.layers import Layers, Residual
from students.spec import Float32, Quantised, Shape


class Options(EegnetOptions):
    """Widths and lengths.

    Parameters
    ----------
    temporal_filters, depth : int
        F1 and D of EEGNet; F1*D channels in front.
    kernel_s : float
        Length of the first temporal filters [s]; the paper's 32 samples at 250 Hz.
    pool_1, pool_2 : int
        Steps averaged after EEGNet's first and second block.
    separable_taps : int
        Length of the second temporal filters, in steps of the first pool's output.
    features, taps, blocks : int
        Channels, kernel and number of residual blocks; block l is dilated by ``2^l``, l from 0.
    dropout, late_dropout : float
        Of EEGNet's blocks and of the residual blocks.
    """

    kernel_s: float = Field(default=0.128, gt=0)
    pool_1: int = Field(default=8, ge=1)
    features: int = Field(default=12, ge=1)
    taps: int = Field(default=4, ge=1)
    blocks: int = Field(default=2, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    late_dropout: float = Field(default=0.3, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window too short for its two pools.
    """
    return nn.Sequential(
        *blocks(options, shape, layers, family="eegtcnet"),
        *(one for level in range(options.blocks - 1) for one in (_block(options, level, layers), layers.relu())),
        _block(options, options.blocks - 1, layers),
        LastStep(),
        layers.relu(),
        layers.linear(options.features, shape.outputs, edge="last"),
    )


def _block(options: Options, level: int, layers: Layers) -> Residual:
    """Return a residual block of two causal convolutions, with a product on its shortcut where widths differ."""
    features = options.features
    inputs = features if level else options.temporal_filters * options.depth
    branch: list[nn.Module] = []
    for before in (inputs, features):
        branch += [
            layers.conv1d(before, features, options.taps, padding="causal", dilation=2**level, bias="none"),
            layers.batchnorm(features),
            layers.relu(),
            layers.dropout(options.late_dropout),
        ]
    shortcut = nn.Identity() if inputs == features else layers.conv1d(inputs, features, 1, padding=0)
    return Residual(nn.Sequential(*branch), shortcut, layers.add())


FAMILY = Family(
    title="EEG-TCNet",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
