"""Students in small integers: Brevitas layers behind the `Layers` protocol.

Every scale is a learned parameter, stored as the base-two logarithm of its clipping threshold, so that a step of the
optimiser changes it by a proportion. It starts at the least-squares optimum for the trained float student (weights per
channel, activations on a calibration set) and is learned from the first step on. No statistics are collected during
training, so training and evaluation round alike from the start.

Grids. Weights are symmetric, ``-(2^(b-1)-1) .. 2^(b-1)-1`` (two bits: -1, 0, 1); so are signed signals (the raw input,
and what passes between two products). After a ReLU: ``0 .. 2^b-1``. The input and the weights of the first and last
product have widths of their own (`Quantised.input_bits`, `edge_bits`). Biases are 32-bit integers on the
accumulator's grid.

Weight scales are per output channel where a batch norm or a requantisation follows, which multiplies each channel by
its own constant anyway (and depthwise filters differ widely in range). The last product has one scale, so that its raw
accumulators can be compared, or sent, without a multiplication each.

A product returns its accumulator as a float. Batch norm and `OutputScale` stay modules; deployed, they are absorbed
into the multiplier and offset of the requantisation that follows, the integer weights untouched.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import torch
from brevitas import config as brevitas_config
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import RestrictValueType, ScalingImplType, ScalingPerOutputType
from brevitas.nn import QuantConv1d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import Int32Bias
from brevitas.quant.base import NarrowIntQuant, UintQuant
from brevitas.quant.solver.act import ActQuantSolver
from brevitas.quant.solver.weight import WeightQuantSolver
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers.fast_convolution import depthwise_conv1d, pad_steps
from students.layers.grid import LEARNED_THRESHOLD, SPIKES, Grid, LayerQuantisation
from students.layers.modules import OutputScale
from students.layers.protocol import Bias, Edge, Padding, RecurrentKind, resolve_padding
from students.neurons.models import NeuronModel, float_neurons
from students.quantize.calibrate import least_squares_threshold
from students.spec import Quantised

BIAS_BITS = 32
"""Width of a bias, which is added to an accumulator [bits]."""


class _LearnedScale(ExtendedInjector):
    """What all grids share. The threshold is unknown (nan) until it is calibrated or loaded."""

    scaling_impl_type = ScalingImplType.PARAMETER
    restrict_scaling_type = RestrictValueType.LOG_FP
    scaling_init = math.nan


class _WeightPerChannel(_LearnedScale, NarrowIntQuant, WeightQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.CHANNEL


class _WeightPerTensor(_LearnedScale, NarrowIntQuant, WeightQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.TENSOR


class _Unsigned(_LearnedScale, UintQuant, ActQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.TENSOR


class _Signed(_LearnedScale, NarrowIntQuant, ActQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.TENSOR


def value_of(signal: Tensor | QuantTensor) -> Tensor:
    """Return a signal's numbers, whether or not it carries a grid."""
    return signal if isinstance(signal, Tensor) else cast(IntQuantTensor, signal).value


def grid_of(signal: Tensor | QuantTensor) -> Grid | None:
    """Return the grid a signal carries; None for a plain tensor."""
    if not isinstance(signal, IntQuantTensor):
        return None
    return Grid(_bits(signal.bit_width), float(signal.scale.item()), bool(signal.signed))


def _on_grid(signal: Tensor | QuantTensor, where: str) -> IntQuantTensor:
    """Return the signal with its grid; a plain tensor must hold spikes, anything else was never quantised."""
    if isinstance(signal, IntQuantTensor):
        return signal
    plain = value_of(signal)
    if not torch.all((plain == 0) | (plain == 1)):
        raise StudentError(
            "an integer product was given numbers that are on no grid", where=where,
            remedy="Put quantise_input(), relu() or requantise() of the same Layers in front of it",
        )
    scale, bits = (plain.new_tensor(float(number)) for number in (SPIKES.scale, SPIKES.bits))
    return IntQuantTensor(plain, scale, torch.zeros_like(scale), bits, SPIKES.signed, False)


def _calibrated(scale: Tensor, where: str) -> None:
    """Raise where a scale was neither calibrated nor loaded."""
    if bool(torch.isnan(scale).any()):
        raise StudentError(
            "this quantised student has no scales yet", where=where,
            remedy="Make it with quantised_from_float, or load a trained one",
        )


def _product_settings(bits: int, edge: Edge) -> dict[str, Any]:
    """Return the Brevitas arguments of a product."""
    grid = _WeightPerTensor if edge == "last" else _WeightPerChannel
    return {"weight_quant": grid, "weight_bit_width": bits, "bias_quant": Int32Bias}


class IntegerConv1d(QuantConv1d):
    """A convolution with integer weights; its zero padding is spelled out in `pads` (steps before, steps after)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, pads: tuple[int, int], stride: int, groups: int, bias: Bias,
        bits: int, edge: Edge,
    ) -> None:
        settings = _product_settings(bits, edge)
        learned = bias == "learned"
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=learned, **settings)
        self.pads = pads
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` on a grid to accumulators ``(batch, outputs, steps)`` as floats."""
        signal = _on_grid(input, "conv1d")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values, trained by `depthwise_conv1d` where there is one filter a channel."""
        _calibrated(quant_weight.scale, "conv1d")
        signal, weight, bias = x.value, quant_weight.value, None if quant_bias is None else quant_bias.value
        if self.training and self.groups > 1:
            outputs = depthwise_conv1d(signal, weight, self.pads)
            return outputs if bias is None else outputs + bias[:, None]
        return functional.conv1d(pad_steps(signal, self.pads), weight, bias, self.stride, groups=self.groups)


class IntegerLinear(QuantLinear):
    """A product over the last axis with integer weights."""

    def __init__(self, inputs: int, outputs: int, *, bias: Bias, bits: int, edge: Edge) -> None:
        super().__init__(inputs, outputs, bias == "learned", **_product_settings(bits, edge))
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(..., inputs)`` on a grid to accumulators ``(..., outputs)`` as floats."""
        signal = _on_grid(input, "linear")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        _calibrated(quant_weight.scale, "linear")
        return functional.linear(x.value, quant_weight.value, None if quant_bias is None else quant_bias.value)


class IntegerReLU(QuantReLU):
    """A ReLU whose output is on an unsigned grid."""

    def __init__(self, bits: int) -> None:
        super().__init__(act_quant=_Unsigned, bit_width=bits, return_quant_tensor=True)


class Requantise(QuantIdentity):
    """Puts a signal on a grid: signed and symmetric, or unsigned for one that is never negative."""

    def __init__(self, bits: int, sign: Literal["signed", "unsigned"]) -> None:
        super().__init__(act_quant=_Signed if sign == "signed" else _Unsigned, bit_width=bits, return_quant_tensor=True)


class IntegerAveragePool(nn.AvgPool1d):
    """A mean over steps of an unsigned signal, put on a finer grid of its own, as averages are smaller."""

    def __init__(self, kernel: int, stride: int | None, bits: int) -> None:
        super().__init__(kernel, kernel if stride is None else stride)
        self.grid = Requantise(bits, "unsigned")

    def forward(self, input: Tensor | QuantTensor) -> Any:
        """Map ``(batch, channels, steps)`` to the means, on their grid."""
        grid = grid_of(input)
        if grid is None or grid.signed:
            raise StudentError(
                "an integer average pool needs an unsigned signal on a grid", where="average_pool",
                remedy="Put relu() of the same Layers in front of it",
            )
        return self.grid(super().forward(value_of(input)))


class QuantLayers:
    """The `Layers` of an integer student; see the module's text for the grids.

    Parameters
    ----------
    form : Quantised
        One that can be trained (`students.spec.check_trainable`).
    """

    def __init__(self, form: Quantised) -> None:
        self.form = form
        # By default Brevitas makes new parameters whenever a state dict is loaded, so that an optimiser made before
        # would go on training the discarded ones. Set here, so that reading somebody else's network changes nothing.
        brevitas_config.REINIT_ON_STATE_DICT_LOAD = False

    def _weight_bits(self, edge: Edge) -> int:
        return self.form.weight_bits if edge == "inner" else self.form.edge_bits

    def quantise_input(self) -> nn.Module:
        """Return a signed grid of `input_bits`."""
        return Requantise(self.form.input_bits, "signed")

    def requantise(self) -> nn.Module:
        """Return a signed grid of `activation_bits`."""
        return Requantise(self.form.activation_bits, "signed")

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, bias: Bias = "learned",
        edge: Edge = "inner",
    ) -> nn.Module:
        """Return an `IntegerConv1d`."""
        pads, bits = resolve_padding(padding, kernel), self._weight_bits(edge)
        return IntegerConv1d(
            inputs, outputs, kernel, pads=pads, stride=stride, groups=1, bias=bias, bits=bits, edge=edge
        )

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return an `IntegerConv1d` with one filter per channel."""
        pads, bits = resolve_padding(padding, kernel), self._weight_bits(edge)
        return IntegerConv1d(
            channels, channels, kernel, pads=pads, stride=1, groups=channels, bias=bias, bits=bits, edge=edge
        )

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return an `IntegerLinear`."""
        return IntegerLinear(inputs, outputs, bias=bias, bits=self._weight_bits(edge), edge=edge)

    def batchnorm(self, channels: int) -> nn.Module:
        """Return an ``nn.BatchNorm1d``; deployed, it is part of the requantisation that follows."""
        return nn.BatchNorm1d(channels)

    def relu(self) -> nn.Module:
        """Return an `IntegerReLU` of `activation_bits`."""
        return IntegerReLU(self.form.activation_bits)

    def average_pool(self, kernel: int, stride: int | None = None) -> nn.Module:
        """Return an `IntegerAveragePool` of `activation_bits`."""
        return IntegerAveragePool(kernel, stride, self.form.activation_bits)

    def dropout(self, probability: float) -> nn.Module:
        """Return an ``nn.Dropout``."""
        return nn.Dropout(probability)

    def add(self) -> nn.Module:
        """Refuse: two signals on different grids have no integer sum."""
        raise _no_integer_form("a residual sum")

    def matmul(self) -> nn.Module:
        """Refuse: the product of two signals has no integer form here."""
        raise _no_integer_form("a product of two signals (attention)")

    def softmax(self) -> nn.Module:
        """Refuse: a softmax has no integer form here."""
        raise _no_integer_form("a softmax")

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Refuse: recurrent cells have no integer form here."""
        raise _no_integer_form(f"a recurrent layer ({kind})")

    def neurons(self, channels: int, model: NeuronModel) -> nn.Module:
        """Return neurons with states in float32: the currents are accumulators, the spikes need no grid."""
        return float_neurons(channels, model)

    def output_scale(self, outputs: int) -> nn.Module:
        """Return an `OutputScale`; deployed, it is part of the last accumulator's dequantisation."""
        return OutputScale(outputs)


def _no_integer_form(what: str) -> StudentError:
    """Return the refusal of a layer that cannot be quantised."""
    return StudentError(
        f"{what} has no integer form", where="form",
        remedy="Build this family in float32, or leave that layer out of what it builds in integers",
    )


def calibrate(quantiser: Any, values: Tensor) -> None:
    """Set a quantiser's thresholds to the least-squares optimum for values of shape (channels, samples)."""
    parameter = next(value for name, value in quantiser.named_parameters() if name.endswith(LEARNED_THRESHOLD))
    rows = values if parameter.ndim else values.reshape(1, -1)
    bits = _bits(quantiser.bit_width())
    largest = 2 ** (bits - 1) - 1 if quantiser.is_signed else 2**bits - 1
    with torch.no_grad():
        parameter.copy_(least_squares_threshold(rows, largest).log2().reshape(parameter.shape))


def _bits(width: Any) -> int:
    """Return a width that Brevitas keeps in a tensor."""
    return round(float(width))


def quantisation_of(module: nn.Module) -> LayerQuantisation | None:
    """Return the integers of a product; None for a module that is no integer product.

    Raises
    ------
    StudentError
        The model has not run yet, so that the grid of the layer's input is unknown.
    """
    if not isinstance(module, IntegerConv1d | IntegerLinear):
        return None
    if module.input_grid is None:
        raise StudentError(
            "the grid of a layer's input is known once a signal has passed", where=type(module).__name__,
            remedy="Run the model on some examples first",
        )
    with torch.no_grad():
        weight: Any = module.quant_weight()
        scale = weight.scale.detach()
        bias = None
        if module.bias is not None:
            accumulator = (scale * module.input_grid.scale).flatten()
            bias = (module.bias / accumulator).round().to(torch.int64)
        integers = (weight.value / scale).round().to(torch.int64)
    bits = _bits(weight.bit_width)
    return LayerQuantisation(integers, bits, scale, bias, BIAS_BITS if bias is not None else 0, module.input_grid)


def output_grid_of(module: nn.Module) -> Grid | None:
    """Return the grid a ReLU, requantisation or average pool puts its output on; None for any other module."""
    quantiser = module.grid if isinstance(module, IntegerAveragePool) else module
    if not isinstance(quantiser, IntegerReLU | Requantise):
        return None
    proxy: Any = quantiser.act_quant
    with torch.no_grad():
        return Grid(_bits(proxy.bit_width()), float(proxy.scale()), bool(proxy.is_signed))
