"""The windowed spiking decoder of the NeuroBench primate reaching track (SNN_3D), in its published sizes and settings.

    seven sums of seven bins -> layer norm -> 32 -> LIF -> 48 -> LIF -> outputs -> membranes, decays and thresholds .5

in seven steps from membranes of zero for each estimate; arctangent surrogate of steepness 2, dropout .5 on the first
current, nothing of the neurons learned (Zhou, Sun and Basu 2023, arXiv 2312.15889, and their public scripts). At 96
channels seven steps of its three products are 32,928 sites. Departures: the newest 49 bins are seen, where the
published window of 50 leaves the newest one out; the learned scale of its read-out is part of the weights here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from students.families.family import Family, FamilyOptions
from students.families.readout import StepDecoder
from students.layers import Layers, PastSums
from students.neurons import LeakyIntegratorModel, LIFModel
from students.spec import Float32, Shape, Task

BETA, THRESHOLD, SURROGATE_ALPHA = 0.5, 0.5, 2.0


class Options(FamilyOptions):
    """Sizes of the published network.

    Parameters
    ----------
    hidden_1, hidden_2 : int
        Neurons of the two spiking layers; half of them is the published small network.
    bins, blocks : int
        Bins of a sum, and sums in the window: its time steps.
    dropout : float
        On the current of the first layer.
    """

    hidden_1: int = Field(default=32, ge=1)
    hidden_2: int = Field(default=48, ge=1)
    bins: int = Field(default=7, ge=1)
    blocks: int = Field(default=7, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)


class WindowedSteps(nn.Module):
    """A spiking network run over the sums of each window: ``(batch, channels, steps)`` to ``(batch, outputs, steps)``.

    Parameters
    ----------
    sums : PastSums
    norm : nn.Module
        Over sums and channels of a window.
    layers : list of (product, module before the neurons, neurons)
    """

    def __init__(self, sums: PastSums, norm: nn.Module, layers: list[tuple[nn.Module, nn.Module, nn.Module]]) -> None:
        super().__init__()
        self.sums, self.norm = sums, norm
        self.products = nn.ModuleList(product for product, _, _ in layers)
        self.dropouts = nn.ModuleList(dropout for _, dropout, _ in layers)
        self.neurons = nn.ModuleList(neurons for _, _, neurons in layers)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the last membranes of each window's steps."""
        windows = self.norm(self.sums(signal).permute(0, 3, 2, 1))
        batch, steps = windows.shape[:2]
        rows = windows.flatten(0, 1)
        for product, dropout, neurons in zip(self.products, self.dropouts, self.neurons, strict=True):
            rows = neurons(dropout(product(rows)).transpose(1, 2)).transpose(1, 2)
        return rows[:, -1].reshape(batch, steps, -1).transpose(1, 2)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return a causal estimate per step, ``(batch, channels, steps)`` to ``(batch, steps, outputs)``."""
    sums = PastSums(options.bins, options.blocks)
    widths = (shape.channels, options.hidden_1, options.hidden_2, shape.outputs)
    fires = LIFModel(BETA, THRESHOLD, surrogate_alpha=SURROGATE_ALPHA)
    models = (fires, fires, LeakyIntegratorModel(BETA))
    edges: tuple[Literal["first", "inner", "last"], ...] = ("first", "inner", "last")
    made = [
        (
            layers.linear(widths[place], widths[place + 1], edge=edges[place]),
            layers.dropout(0.0 if place else options.dropout),
            layers.neurons(widths[place + 1], model),
        )
        for place, model in enumerate(models)
    ]
    windows = WindowedSteps(sums, nn.LayerNorm([options.blocks, shape.channels]), made)
    body = nn.Sequential(windows, layers.output_scale(shape.outputs))
    return StepDecoder(body, warmup_steps=min(sums.span, shape.steps - 1))


TASKS: dict[Task, Literal["window", "stream"]] = {"regression": "stream"}

FAMILY = Family(
    title="Windowed spiking decoder (NeuroBench SNN_3D)",
    tasks=TASKS,
    forms=(Float32,),
    spiking=True,
    Options=Options,
    build=build,
)
