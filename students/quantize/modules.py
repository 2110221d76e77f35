"""Modules of integer students; `students.quantize.layers` says what their grids are."""

from __future__ import annotations

import math
from typing import Any, Literal

from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import RestrictValueType, ScalingImplType, ScalingPerOutputType
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.nn.quant_layer import QuantNonLinearActLayer as QuantNLAL
from brevitas.quant import Int32Bias
from brevitas.quant.base import NarrowIntQuant, UintQuant
from brevitas.quant.solver.act import ActQuantSolver
from brevitas.quant.solver.weight import WeightQuantSolver
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.layers.fast_convolution import depthwise_conv1d, pad_steps
from students.layers.grid import Grid
from students.layers.protocol import Bias, Edge
from students.quantize.signals import check_calibrated, grid_of, on_grid, value_of


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
        signal = on_grid(input, "conv1d")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values, trained by `depthwise_conv1d` where there is one filter a channel."""
        check_calibrated(quant_weight.scale, "conv1d")
        signal, weight, bias = x.value, quant_weight.value, None if quant_bias is None else quant_bias.value
        if self.training and self.groups > 1:
            outputs = depthwise_conv1d(signal, weight, self.pads)
            return outputs if bias is None else outputs + bias[:, None]
        return functional.conv1d(pad_steps(signal, self.pads), weight, bias, self.stride, groups=self.groups)


class LayerConv1d(QuantConv1d):
    """Any ``nn.Conv1d`` padded with zeros, with integer weights."""

    def __init__(self, layer: nn.Conv1d, *, bits: int, edge: Edge) -> None:
        super().__init__(*_conv_arguments(layer), **_conv_settings(layer, bits, edge))
        self.padding = layer.padding
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` on a grid to accumulators ``(batch, outputs, steps)`` as floats."""
        signal = on_grid(input, "conv1d")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        check_calibrated(quant_weight.scale, "conv1d")
        bias = None if quant_bias is None else quant_bias.value
        return functional.conv1d(
            x.value, quant_weight.value, bias, self.stride, self.padding, self.dilation, self.groups
        )


class LayerConv2d(QuantConv2d):
    """Any ``nn.Conv2d`` padded with zeros, with integer weights."""

    def __init__(self, layer: nn.Conv2d, *, bits: int, edge: Edge) -> None:
        super().__init__(*_conv_arguments(layer), **_conv_settings(layer, bits, edge))
        self.padding = layer.padding
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` on a grid to accumulators ``(batch, outputs, ...)`` as floats."""
        signal = on_grid(input, "conv2d")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        check_calibrated(quant_weight.scale, "conv2d")
        bias = None if quant_bias is None else quant_bias.value
        return functional.conv2d(
            x.value, quant_weight.value, bias, self.stride, self.padding, self.dilation, self.groups
        )


def _conv_arguments(layer: nn.Conv1d | nn.Conv2d) -> tuple[Any, ...]:
    return layer.in_channels, layer.out_channels, layer.kernel_size


def _conv_settings(layer: nn.Conv1d | nn.Conv2d, bits: int, edge: Edge) -> dict[str, Any]:
    """Return the arguments of a convolution behind its sizes; its padding is done by torch, in whatever form it is."""
    same = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups, "bias": layer.bias is not None}
    return {**same, **_product_settings(bits, edge)}


class IntegerLinear(QuantLinear):
    """A product over the last axis with integer weights."""

    def __init__(self, inputs: int, outputs: int, *, bias: Bias, bits: int, edge: Edge) -> None:
        super().__init__(inputs, outputs, bias == "learned", **_product_settings(bits, edge))
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(..., inputs)`` on a grid to accumulators ``(..., outputs)`` as floats."""
        signal = on_grid(input, "linear")
        self.input_grid = grid_of(signal)
        return self.forward_impl(signal)  # type: ignore[return-value]

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        check_calibrated(quant_weight.scale, "linear")
        return functional.linear(x.value, quant_weight.value, None if quant_bias is None else quant_bias.value)


class IntegerReLU(QuantReLU):
    """A ReLU whose output is on an unsigned grid."""

    def __init__(self, bits: int) -> None:
        super().__init__(act_quant=_Unsigned, bit_width=bits, return_quant_tensor=True)


class IntegerActivation(QuantNLAL):
    """A function of one number whose output is on a grid; of a signal on a grid it is a table."""

    def __init__(self, function: nn.Module, bits: int, sign: Literal["signed", "unsigned"]) -> None:
        grid = _Signed if sign == "signed" else _Unsigned
        super().__init__(
            act_impl=nn.ReLU, passthrough_act=False, input_quant=None, act_quant=grid, bit_width=bits,
            return_quant_tensor=True,
        )  # fmt: skip
        quantiser: Any = self.act_quant
        quantiser.fused_activation_quant_proxy.activation_impl = function


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


INTEGER_PRODUCTS = (IntegerConv1d, IntegerLinear, LayerConv1d, LayerConv2d)
SIGNAL_GRIDS = (IntegerReLU, IntegerActivation, Requantise)
