"""Leaky neurons with an integer membrane behind the grid of their currents: what a form's state bits ask for.

Recurrent weights are those of a product on spikes, whose sums are put on the grid of the currents by one multiplier a
row, in whole numbers: no float's error is in them.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers.grid import LEARNED_THRESHOLD, SPIKES, event_grid
from students.layers.protocol import Bias
from students.neurons.integer import IntegerIntegrator, IntegerLIF
from students.neurons.integer_states import Hears, IntegerStateLIF, through
from students.neurons.lif import ZeroInitialState
from students.neurons.models import (
    AdaptiveModel,
    LeakyIntegratorModel,
    LIFModel,
    MultiSpikeModel,
    NeuronModel,
    RecurrentLIFModel,
    RecurrentSynapticModel,
    SynapticModel,
)
from students.quantize.modules import IntegerLinear, Requantise
from students.quantize.signals import check_calibrated, on_grid, value_of, with_grid
from students.quantize.weight_grid import WeightGrid


class IntegerFeedback(IntegerLinear):
    """Recurrent weights of neurons, on the spikes of their own layer.

    Parameters
    ----------
    channels : int
    bias : {'learned', 'none'}
    weights : WeightGrid
    """

    def __init__(self, channels: int, *, bias: Bias, weights: WeightGrid) -> None:
        super().__init__(channels, channels, bias=bias, weights=weights)
        self.input_grid = SPIKES

    def _constants(self) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return weights and bias on their grids, and the weights' scale."""
        spikes: Any = with_grid(self.weight.new_zeros(1), SPIKES)
        found = self.direct.scaled_constants(self, spikes, "recurrent")
        if found is not None:
            return found
        brevitas: Any = self
        weight = brevitas.quant_weight()
        check_calibrated(weight.scale, "recurrent")
        bias = None if self.bias is None else brevitas.bias_quant(self.bias, spikes, weight).value
        return weight.value, bias, weight.scale

    def in_use(self) -> tuple[Tensor, Tensor | None]:
        """Return weights and bias on their grids."""
        return self._constants()[:2]

    def hears(self, step: Tensor, highest: int) -> Hears:
        """Return what maps spikes (batch, channels) to their currents in levels of a step, `highest` at most.

        Multipliers are float32, and their product with a sum is taken in float64, which holds it.
        """
        weight, bias, scale = self._constants()
        rows = scale.detach().reshape(-1).expand(len(weight))
        levels = (weight.detach() / rows.unsqueeze(1)).round()
        offset = None if bias is None else (bias.detach() / rows).round()
        ratio, limit = (rows / step.detach()).double(), float(highest)

        def heard(spikes: Tensor) -> Tensor:
            sums = functional.linear(spikes.detach(), levels, offset).double()
            exact = (sums * ratio).round().clamp(-limit, limit).to(spikes.dtype)
            return through((functional.linear(spikes, weight, bias) / step).clamp(-limit, limit), exact)

        return heard


class IntegerNeurons(nn.Module):
    """Neurons that start at zero in each call, with what puts their currents on the membrane's grid in front.

    Parameters
    ----------
    neurons : IntegerLIF, IntegerStateLIF or IntegerIntegrator
    """

    def __init__(self, neurons: IntegerLIF | IntegerStateLIF | IntegerIntegrator) -> None:
        super().__init__()
        self.grid = Requantise(neurons.bits, "signed")
        self.neurons = neurons
        if not isinstance(neurons, IntegerIntegrator) and not neurons.learns_threshold:
            self.clipping.requires_grad_(False)

    @property
    def clipping(self) -> nn.Parameter:
        """The base-two logarithm of the grid's clipping threshold, by which a spike threshold is learned."""
        return next(value for name, value in self.grid.named_parameters() if name.endswith(LEARNED_THRESHOLD))

    def start_from_threshold(self) -> None:
        """Set the grid so that the level of the spike threshold stands for the threshold in float."""
        neurons = self.neurons
        if not isinstance(neurons, IntegerIntegrator):
            with torch.no_grad():
                self.clipping.copy_((neurons.limit().max() * (neurons.highest / neurons.level)).log2())

    def forward(self, current: Tensor | QuantTensor) -> Any:
        """Map ``(batch, channels, steps)`` to events (several a step on their grid) or membranes of the same shape."""
        neurons, drive = self.neurons, on_grid(self.grid(value_of(current)), "neurons")
        recurrent = neurons.recurrent if isinstance(neurons, IntegerStateLIF) else None
        if isinstance(recurrent, IntegerFeedback):
            return neurons(drive, recurrent.hears(drive.scale, neurons.highest))
        signal = neurons(drive)
        most = neurons.most if isinstance(neurons, IntegerLIF) else 1
        return with_grid(signal, event_grid(most)) if most > 1 else signal


def feedback_of(
    channels: int, model: RecurrentLIFModel | RecurrentSynapticModel, weights: WeightGrid
) -> IntegerFeedback:
    """Return the recurrent weights of a model.

    Raises
    ------
    StudentError
        A weight from each neuron to itself alone.
    """
    if isinstance(model, RecurrentLIFModel) and model.wiring == "one to one":
        raise StudentError(
            "a recurrent weight from each neuron to itself alone has no integer form", where="neurons",
            remedy="Use the form float32, or wire all to all",
        )
    bias: Bias = model.bias if isinstance(model, RecurrentLIFModel) else "none"
    return IntegerFeedback(channels, bias=bias, weights=weights)


def fed_back(channels: int, model: RecurrentLIFModel | RecurrentSynapticModel, feedback: IntegerFeedback) -> nn.Module:
    """Return recurrent neurons with states in float32 and integer recurrent weights."""
    neurons: Any = model.make(channels)
    neurons.recurrent = feedback
    return ZeroInitialState(neurons)


def integer_neurons(
    channels: int, model: NeuronModel, bits: int, feedback: IntegerFeedback | None = None
) -> nn.Module:
    """Return neurons with an integer membrane.

    Parameters
    ----------
    channels : int
    model : NeuronModel
    bits : int
        Of a membrane that fires; one that is read out has `students.neurons.integer.READOUT_BITS`.
    feedback : IntegerFeedback or None
        Of a model with recurrent weights.

    Raises
    ------
    StudentError
        A membrane that starts above zero, or a surrogate whose slope has no unit of its own.
    """
    if isinstance(model, LeakyIntegratorModel):
        return IntegerNeurons(IntegerIntegrator(channels, model))
    if isinstance(model, SynapticModel | AdaptiveModel | RecurrentLIFModel | RecurrentSynapticModel):
        return IntegerNeurons(IntegerStateLIF(channels, model, bits, feedback))
    if isinstance(model, MultiSpikeModel) and model.start > 0:
        raise StudentError(
            f"{type(model).__name__} has no integer membrane that starts above zero", where="neurons",
            remedy="Use a form without state bits, or neurons that start at zero",
        )
    if not isinstance(model, LIFModel) and model.surrogate.kind == "fast sigmoid":
        raise StudentError(
            "a fast sigmoid as surrogate of an integer membrane", where="neurons",
            remedy="Use an arctangent or a sigmoid",
        )
    return IntegerNeurons(IntegerLIF(channels, model, bits))
