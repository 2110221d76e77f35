"""A multilayer perceptron: on the flattened window, or sliding over the last few bins as a causal convolution.

The perceptrons of the NeuroBench primate reaching track (Zhou, Sun and Basu 2023, arXiv 2312.15889, and their public
scripts) are ``hidden = 32, hidden_2 = 48, dropout = 0.5`` with ``bins = 50, lags = 1`` (ANN: 4,704 weights at 96
channels) and with ``bins = 7, lags = 7`` (ANN_3D). Departures: ReLU after the norm, where theirs is before it, so that
the norm folds; and the newest 49 bins of ANN_3D, whose published window of 50 leaves the newest one out.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import Skip, linear_skip, per_step, per_window
from students.layers import Layers, PastSums
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Width, depth and memory of the perceptron.

    Parameters
    ----------
    hidden : int
        Units of the first hidden layer.
    hidden_2 : int
        Units of the hidden layers behind it; 0: as many.
    depth : int
        Hidden layers.
    lags : int
        Regression only: bins, or sums of bins, seen by one estimate, the current one included.
    bins : int
        Regression only: bins that are summed before they are seen.
    dropout : float
    skip : {'none', 'linear'}
        ``linear`` adds a linear product of the same inputs to the outputs.
    """

    hidden: int = Field(default=32, ge=1)
    hidden_2: int = Field(default=0, ge=0)
    depth: int = Field(default=2, ge=1)
    lags: int = Field(default=10, ge=1)
    bins: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    skip: Skip = "none"


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window, or a causal estimate per step."""
    return _classifier(options, shape, layers) if shape.task == "classification" else _decoder(options, shape, layers)


def _classifier(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    modules: list[nn.Module] = [layers.quantise_input(), nn.Flatten()]
    inputs = shape.channels * shape.steps
    for depth in range(options.depth):
        width = _width(options, depth)
        modules += [
            layers.linear(inputs, width, bias="none", edge="inner" if depth else "first"),
            layers.batchnorm(width),
            layers.relu(),
            layers.dropout(options.dropout),
        ]
        inputs = width
    readout = layers.linear(inputs, shape.outputs, edge="last")
    return per_window([*modules, readout], shape, layers, skip=options.skip)


def _decoder(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    modules: list[nn.Module] = [layers.quantise_input()]
    inputs, taps = shape.channels, options.lags
    if options.bins > 1:
        modules = [PastSums(options.bins, options.lags), nn.Flatten(1, 2), layers.quantise_input()]
        inputs, taps = shape.channels * options.lags, 1
    shared, skip = len(modules), linear_skip(inputs, taps, shape, layers) if options.skip == "linear" else None
    for depth in range(options.depth):
        edge, width = "inner" if depth else "first", _width(options, depth)
        modules += [
            layers.conv1d(inputs, width, taps, padding="causal", bias="none", edge=edge),
            layers.batchnorm(width),
            layers.relu(),
            layers.dropout(options.dropout),
        ]
        inputs, taps = width, 1
    warmup = options.bins * options.lags - 1
    return per_step(modules, inputs, shape, layers, warmup_steps=warmup, skip=skip, shared=shared)


def _width(options: Options, depth: int) -> int:
    """Return the units of a hidden layer."""
    return options.hidden_2 or options.hidden if depth else options.hidden


FAMILY = Family(
    title="Multilayer perceptron",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
