"""A family: band power of each channel after one convolution, then a linear read-out."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Filters of the one convolution."""

    filters: int = Field(default=4, ge=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window."""
    return nn.Sequential(
        layers.quantise_input(),
        layers.conv1d(shape.channels, options.filters, 5, padding="same", bias="none", edge="first"),
        layers.batchnorm(options.filters),
        layers.relu(),
        layers.average_pool(shape.steps),
        nn.Flatten(),
        layers.linear(options.filters, shape.outputs, edge="last"),
    )


FAMILY = Family("Pooled filters", WINDOWS, (Float32, Quantised), False, Options, build)
