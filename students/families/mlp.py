"""A multilayer perceptron: on the flattened window, or sliding over the last few bins as a causal convolution."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import per_step
from students.layers import Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Width, depth and memory of the perceptron.

    Parameters
    ----------
    hidden : int
        Units of each hidden layer.
    depth : int
        Hidden layers.
    lags : int
        Regression only: bins seen by one estimate, the current one included.
    dropout : float
    """

    hidden: int = Field(default=32, ge=1)
    depth: int = Field(default=2, ge=1)
    lags: int = Field(default=10, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window, or a causal estimate per step."""
    return _classifier(options, shape, layers) if shape.task == "classification" else _decoder(options, shape, layers)


def _classifier(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    modules: list[nn.Module] = [layers.quantise_input(), nn.Flatten()]
    inputs = shape.channels * shape.steps
    for depth in range(options.depth):
        modules += [
            layers.linear(inputs, options.hidden, bias="none", edge="inner" if depth else "first"),
            layers.batchnorm(options.hidden),
            layers.relu(),
            layers.dropout(options.dropout),
        ]
        inputs = options.hidden
    return nn.Sequential(*modules, layers.linear(inputs, shape.outputs, edge="last"))


def _decoder(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    modules: list[nn.Module] = [layers.quantise_input()]
    inputs, taps = shape.channels, options.lags
    for depth in range(options.depth):
        edge = "inner" if depth else "first"
        modules += [
            layers.conv1d(inputs, options.hidden, taps, padding="causal", bias="none", edge=edge),
            layers.batchnorm(options.hidden),
            layers.relu(),
            layers.dropout(options.dropout),
        ]
        inputs, taps = options.hidden, 1
    return per_step(modules, options.hidden, shape, layers, warmup_steps=options.lags - 1)


FAMILY = Family(
    title="Multilayer perceptron",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
