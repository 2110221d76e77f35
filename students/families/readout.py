"""What families share: neurons behind a batch norm, one estimate per step, the recurrent networks around it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from students.families.family import FamilyOptions
from students.layers import Layers, RecurrentKind, Residual, TimeFirst
from students.neurons import LeakyIntegratorModel, NeuronModel
from students.spec import Shape

Skip = Literal["none", "linear"]
"""Whether a linear product of the input is added to what a network puts out."""


class RecurrentOptions(FamilyOptions):
    """Width of a recurrent network.

    Parameters
    ----------
    hidden : int
        Units of the one recurrent layer.
    dropout : float
        On the states that are read out.
    warmup_steps : int
        Regression only: first steps of a training segment whose error is left out, while the state fills.
    skip : {'none', 'linear'}
        ``linear`` adds a linear product of the window, or of the last `skip_lags` steps, to the outputs.
    skip_lags : int
        Regression only: steps that the linear product sees, the current one included.
    """

    hidden: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    warmup_steps: int = Field(default=5, ge=0)
    skip: Skip = "none"
    skip_lags: int = Field(default=10, ge=1)


class StepDecoder(nn.Module):
    """A causal network with one estimate per step.

    Parameters
    ----------
    body : nn.Module
        ``(batch, channels, steps)`` to ``(batch, outputs, steps)``; the last module is the output scale.
    warmup_steps : int
        First steps of a segment that see padding or an empty state; the training loss leaves them out.
    """

    def __init__(self, body: nn.Module, *, warmup_steps: int) -> None:
        super().__init__()
        self.body = body
        self.warmup_steps = warmup_steps

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to ``(batch, steps, outputs)``."""
        return self.body(signal).transpose(1, 2)


class MeanOverSteps(nn.Module):
    """The mean over a window: ``(batch, features, steps)`` to ``(batch, features)``."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the mean over the last axis."""
        return signal.mean(dim=-1)


class LastStep(nn.Module):
    """The last step of a signal: ``(batch, features, steps)`` to ``(batch, features)``."""

    def forward(self, signal: Tensor) -> Tensor:
        """Return the last step."""
        return signal[..., -1]


def linear_skip(inputs: int, taps: int, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal linear product of so many steps, to be added to a read-out of each step."""
    return layers.conv1d(inputs, shape.outputs, taps, padding="causal", bias="none", edge="last")


def per_step(
    modules: Sequence[nn.Module], features: int, shape: Shape, layers: Layers, *, warmup_steps: int,
    skip: nn.Module | None = None, shared: int = 1, grid: nn.Module | None = None,
) -> StepDecoder:  # fmt: skip
    """Return the modules with a pointwise read-out in physical units after them.

    A `grid` puts what the read-out reads on its grid, where no module before it does.

    A `skip` is added to the read-out; it takes what the first `shared` modules make of the input. What is linear in the
    relation between input and output needs no hidden unit then.
    """
    readout = layers.conv1d(features, shape.outputs, 1, padding=0, edge="last")
    found: list[nn.Module] = [*modules, readout]
    if skip is not None:
        branch = nn.Sequential(*modules[shared:], readout)
        found = [*modules[:shared], Residual(branch, skip, layers.add(edge="last"))]
    named = [(str(place), one) for place, one in enumerate([*found, layers.output_scale(shape.outputs)])]
    if grid is not None:
        named.insert(len(found) - 1, ("readout_grid", grid))
    body = nn.Sequential(OrderedDict(named))
    return StepDecoder(body, warmup_steps=min(warmup_steps, shape.steps - 1))


def per_window(modules: Sequence[nn.Module], shape: Shape, layers: Layers, *, skip: Skip) -> nn.Module:
    """Return the modules, which end in logits; where asked for, with a linear product of the whole window added.

    The first module puts the input on its grid.
    """
    if skip == "none":
        return nn.Sequential(*modules)
    flat = layers.linear(shape.channels * shape.steps, shape.outputs, bias="none", edge="last")
    product = nn.Sequential(nn.Flatten(), flat)
    return nn.Sequential(modules[0], Residual(nn.Sequential(*modules[1:]), product, layers.add(edge="last")))


def normed_neurons(width: int, model: NeuronModel, layers: Layers, *, dropout: float) -> tuple[nn.Module, ...]:
    """Return what turns the currents of one product into spikes: a batch norm, a dropout, neurons."""
    return layers.batchnorm(width), layers.dropout(dropout), layers.neurons(width, model)


def membrane_readout(
    modules: Sequence[nn.Module], features: int, shape: Shape, layers: Layers, *, beta: float, warmup_steps: int
) -> nn.Module:
    """Return spiking modules with a pointwise product and one leaky integrator an output after them.

    For regression its membranes in physical units are the estimate of each step, for classification their mean over the
    window is what is compared.

    Parameters
    ----------
    modules : sequence of nn.Module
        ``(batch, channels, steps)`` to ``(batch, features, steps)``.
    features : int
    shape : Shape
    layers : Layers
    beta : float
        Decay of the membranes per step, where learning starts.
    warmup_steps : int
        As in `StepDecoder`; at least one step of a segment is kept.
    """
    readout = layers.conv1d(features, shape.outputs, 1, padding=0, edge="last")
    membranes = layers.neurons(shape.outputs, LeakyIntegratorModel(beta, learnable="beta"))
    if shape.task == "classification":
        return TimeFirst(*modules, readout, membranes, MeanOverSteps())
    body = TimeFirst(*modules, readout, membranes, layers.output_scale(shape.outputs))
    return StepDecoder(body, warmup_steps=min(warmup_steps, shape.steps - 1))


def recurrent_network(kind: RecurrentKind, options: RecurrentOptions, shape: Shape, layers: Layers) -> nn.Module:
    """Return one recurrent layer with a read-out of every step (regression) or of the last one (classification)."""
    hidden, dropout = options.hidden, options.dropout
    modules = [layers.quantise_input(), layers.recurrent(kind, shape.channels, hidden, edge="first")]
    if shape.task == "regression":
        modules += [layers.requantise(), layers.dropout(dropout)]
        warmup, skip = options.warmup_steps, None
        if options.skip == "linear":
            skip = linear_skip(shape.channels, options.skip_lags, shape, layers)
            warmup = max(warmup, options.skip_lags - 1)
        return per_step(modules, hidden, shape, layers, warmup_steps=warmup, skip=skip)
    modules += [LastStep(), layers.requantise(), layers.dropout(dropout)]
    readout = layers.linear(hidden, shape.outputs, edge="last")
    return per_window([*modules, readout], shape, layers, skip=options.skip)
