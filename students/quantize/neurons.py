"""Leaky neurons with an integer membrane behind the grid of their currents: what a form's state bits ask for."""

from __future__ import annotations

from typing import Any

import torch
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers.grid import LEARNED_THRESHOLD, event_grid
from students.neurons.integer import IntegerIntegrator, IntegerLIF
from students.neurons.models import LeakyIntegratorModel, LIFModel, MultiSpikeModel, NeuronModel, ParametricModel
from students.quantize.modules import Requantise
from students.quantize.signals import on_grid, value_of, with_grid


class IntegerNeurons(nn.Module):
    """Neurons that start at zero in each call, with what puts their currents on the membrane's grid in front.

    Parameters
    ----------
    neurons : IntegerLIF or IntegerIntegrator
    """

    def __init__(self, neurons: IntegerLIF | IntegerIntegrator) -> None:
        super().__init__()
        self.grid = Requantise(neurons.bits, "signed")
        self.neurons = neurons
        if isinstance(neurons, IntegerLIF) and not neurons.learns_threshold:
            self.clipping.requires_grad_(False)

    @property
    def clipping(self) -> nn.Parameter:
        """The base-two logarithm of the grid's clipping threshold, by which a spike threshold is learned."""
        return next(value for name, value in self.grid.named_parameters() if name.endswith(LEARNED_THRESHOLD))

    def start_from_threshold(self) -> None:
        """Set the grid so that the level of the spike threshold stands for the threshold in float."""
        neurons = self.neurons
        if isinstance(neurons, IntegerLIF):
            with torch.no_grad():
                self.clipping.copy_((neurons.limit().max() * (neurons.highest / neurons.level)).log2())

    def forward(self, current: Tensor | QuantTensor) -> Any:
        """Map ``(batch, channels, steps)`` to events (several a step on their grid) or membranes of the same shape."""
        neurons = self.neurons
        signal = neurons(on_grid(self.grid(value_of(current)), "neurons"))
        most = neurons.most if isinstance(neurons, IntegerLIF) else 1
        return with_grid(signal, event_grid(most)) if most > 1 else signal


def integer_neurons(channels: int, model: NeuronModel, bits: int) -> nn.Module:
    """Return neurons with an integer membrane.

    Parameters
    ----------
    channels : int
    model : LIFModel, MultiSpikeModel, ParametricModel or LeakyIntegratorModel
    bits : int
        Of a membrane that fires; one that is read out has `students.neurons.integer.READOUT_BITS`.

    Raises
    ------
    StudentError
        Another model of neurons, a membrane that starts above zero, or a surrogate whose slope has no unit of its own.
    """
    if isinstance(model, LeakyIntegratorModel):
        return IntegerNeurons(IntegerIntegrator(channels, model))
    starts = isinstance(model, MultiSpikeModel) and model.start > 0
    if isinstance(model, LIFModel | MultiSpikeModel | ParametricModel) and not starts:
        if not isinstance(model, LIFModel) and model.surrogate.kind == "fast sigmoid":
            raise StudentError(
                "a fast sigmoid as surrogate of an integer membrane", where="neurons",
                remedy="Use an arctangent or a sigmoid",
            )
        return IntegerNeurons(IntegerLIF(channels, model, bits))
    raise StudentError(
        f"{type(model).__name__} has no integer membrane", where="neurons",
        remedy="Use a form without state bits, or leaky neurons of one variable that start at zero",
    )
