"""EEGNet (Lawhern et al. 2018, J. Neural Eng. 15:056013) in a form that integer hardware can run.

Departures from the paper: ReLU for ELU; no max-norm on the weights; no batch norm between the temporal and the
spatial convolution, so the two are one linear map and their order is free. It is trained and deployed spatial-first:
``F1*D`` channel mixtures, then one temporal filter for each. In the paper's order the D mixtures of one temporal
filter share its taps; here each has its own.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import FusedSequential, Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Widths and lengths of EEGNet.

    Parameters
    ----------
    temporal_filters, depth : int
        F1 and D of the paper; F1*D channels throughout.
    kernel_s : float
        Length of the first temporal filters [s]; the paper's half second.
    pool_1, pool_2 : int
        Steps averaged after the first and second block.
    separable_taps : int
        Length of the second temporal filters, in steps of the first pool's output.
    dropout : float
    """

    temporal_filters: int = Field(default=8, ge=1)
    depth: int = Field(default=2, ge=1)
    kernel_s: float = Field(default=0.5, gt=0)
    pool_1: int = Field(default=4, ge=1)
    pool_2: int = Field(default=8, ge=1)
    separable_taps: int = Field(default=16, ge=1)
    dropout: float = Field(default=0.25, ge=0, lt=1)


def blocks(options: Options, shape: Shape, layers: Layers, *, family: str) -> list[nn.Module]:
    """Return the two convolutional blocks: ``(batch, channels, steps)`` to ``(batch, F1*D, steps / pools)``.

    Parameters
    ----------
    options : Options
    shape : Shape
    layers : Layers
    family : str
        Whose options they are, for the error.

    Raises
    ------
    StudentError
        A window too short for its two pools.
    """
    width = options.temporal_filters * options.depth
    if shape.steps // options.pool_1 // options.pool_2 < 1:
        raise StudentError(
            f"{shape.steps} steps are fewer than pool_1 x pool_2 = {options.pool_1 * options.pool_2}",
            where=f"options of {family}", remedy="Choose smaller pools or longer windows",
        )
    taps = max(1, min(round(options.kernel_s * shape.step_rate_hz), shape.steps))
    return [
        layers.quantise_input(),
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.requantise(),
        layers.depthwise_conv1d(width, taps, padding="same"),
        layers.batchnorm(width),
        layers.relu(),
        layers.average_pool(options.pool_1),
        layers.dropout(options.dropout),
        layers.depthwise_conv1d(width, options.separable_taps, padding="same"),
        layers.requantise(),
        layers.conv1d(width, width, 1, padding=0, bias="none"),
        layers.batchnorm(width),
        layers.relu(),
        layers.average_pool(options.pool_2),
        layers.dropout(options.dropout),
    ]


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window too short for its two pools.
    """
    left = shape.steps // options.pool_1 // options.pool_2
    return FusedSequential(
        *blocks(options, shape, layers, family="eegnet"),
        nn.Flatten(),
        layers.linear(options.temporal_filters * options.depth * left, shape.outputs, edge="last"),
    )


FAMILY = Family(
    title="EEGNet",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
