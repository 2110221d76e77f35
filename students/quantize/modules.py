"""Modules of integer students; `students.quantize.layers` says what their grids are."""

from __future__ import annotations

from typing import Any

from brevitas.inject.enum import ScalingPerOutputType
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.nn.quant_layer import QuantNonLinearActLayer as QuantNLAL
from brevitas.quant.base import NarrowIntQuant, UintQuant
from brevitas.quant.solver.act import ActQuantSolver
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.kernels.norm_pool import LevelGrid, Pool, average_pool, norm_relu_pool
from students.layers.delay_lines import Delays
from students.layers.fast_convolution import depthwise_conv1d, pad_steps
from students.layers.grid import Grid, event_grid
from students.layers.layout import pointwise
from students.layers.modules import Dropout
from students.layers.protocol import Bias, Sign
from students.neurons import ZeroInitialState
from students.quantize.direct import DirectGrid, direct_weights
from students.quantize.signals import check_calibrated, grid_of, on_grid, on_grid_of, value_of, with_grid
from students.quantize.weight_grid import RESTRICTIONS, LearnedScale, ScaleKind, WeightGrid


class _Unsigned(LearnedScale, UintQuant, ActQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.TENSOR


class _Signed(LearnedScale, NarrowIntQuant, ActQuantSolver):
    scaling_per_output_type = ScalingPerOutputType.TENSOR


def _signal_settings(bits: int, sign: Sign, scale: ScaleKind) -> dict[str, Any]:
    """Return the Brevitas arguments of a module that puts a signal on a grid."""
    grid = _Signed if sign == "signed" else _Unsigned
    return {"act_quant": grid, "bit_width": bits, "restrict_scaling_type": RESTRICTIONS[scale]}


def _accumulators(layer: Any, signal: Tensor | QuantTensor, where: str) -> Tensor:
    """Return what a layer with integer weights makes of a signal on a grid: accumulators, as floats."""
    found = on_grid(signal, where)
    layer.input_grid = grid_of(found)
    constants = layer.direct.constants(layer, found, where)
    return layer.forward_impl(found) if constants is None else layer.product(found.value, *constants)


def _of_values(layer: Any, given: tuple[Any, Any, Any], where: str) -> Tensor:
    """Return the product of the plain values of a signal, weights and bias, as Brevitas gives them."""
    signal, weight, bias = given
    check_calibrated(weight.scale, where)
    return layer.product(signal.value, weight.value, None if bias is None else bias.value)


class IntegerConv1d(QuantConv1d):
    """A convolution with integer weights; its zero padding is spelled out in `pads` (steps before, steps after)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, pads: tuple[int, int], stride: int, groups: int, bias: Bias,
        weights: WeightGrid, dilation: int = 1,
    ) -> None:
        same = {"stride": stride, "groups": groups, "dilation": dilation, "bias": bias == "learned"}
        super().__init__(inputs, outputs, kernel, **same, **weights.settings())
        self.pads = pads
        self.is_pointwise = kernel == stride == groups == 1 and pads == (0, 0)
        self.is_depthwise = groups > 1 and inputs == outputs and stride == dilation == 1
        self.direct = direct_weights(weights)
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` on a grid to accumulators ``(batch, outputs, steps)`` as floats."""
        return _accumulators(self, input, "conv1d")

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        return _of_values(self, (x, quant_weight, quant_bias), "conv1d")

    def product(self, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product, in training in the faster forms of one filter a channel and of one tap."""
        if not self.training or not (self.is_depthwise or self.is_pointwise):
            padded = pad_steps(signal, self.pads)
            return functional.conv1d(padded, weight, bias, self.stride, 0, self.dilation, self.groups)
        if self.is_pointwise:
            return pointwise(signal, weight, bias)
        outputs = depthwise_conv1d(signal, weight, self.pads)
        return outputs if bias is None else outputs + bias[:, None]


class LayerConv1d(QuantConv1d):
    """Any ``nn.Conv1d`` padded with zeros, with integer weights."""

    def __init__(self, layer: nn.Conv1d, weights: WeightGrid) -> None:
        super().__init__(*_conv_arguments(layer), **_conv_settings(layer, weights))
        self.padding = layer.padding
        self.direct = direct_weights(weights)
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` on a grid to accumulators ``(batch, outputs, steps)`` as floats."""
        return _accumulators(self, input, "conv1d")

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        return _of_values(self, (x, quant_weight, quant_bias), "conv1d")

    def product(self, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product."""
        return functional.conv1d(signal, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class LayerConv2d(QuantConv2d):
    """Any ``nn.Conv2d`` padded with zeros, with integer weights."""

    def __init__(self, layer: nn.Conv2d, weights: WeightGrid) -> None:
        super().__init__(*_conv_arguments(layer), **_conv_settings(layer, weights))
        self.padding = layer.padding
        self.direct = direct_weights(weights)
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(batch, inputs, rows, columns)`` on a grid to accumulators ``(batch, outputs, ...)`` as floats."""
        return _accumulators(self, input, "conv2d")

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        return _of_values(self, (x, quant_weight, quant_bias), "conv2d")

    def product(self, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product."""
        return functional.conv2d(signal, weight, bias, self.stride, self.padding, self.dilation, self.groups)


def _conv_arguments(layer: nn.Conv1d | nn.Conv2d) -> tuple[Any, ...]:
    return layer.in_channels, layer.out_channels, layer.kernel_size


def _conv_settings(layer: nn.Conv1d | nn.Conv2d, weights: WeightGrid) -> dict[str, Any]:
    """Return the arguments of a convolution behind its sizes; its padding is done by torch, in whatever form it is."""
    same = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups, "bias": layer.bias is not None}
    return {**same, **weights.settings()}


class IntegerLinear(QuantLinear):
    """A product over the last axis with integer weights."""

    def __init__(self, inputs: int, outputs: int, *, bias: Bias, weights: WeightGrid) -> None:
        super().__init__(inputs, outputs, bias == "learned", **weights.settings())
        self.direct = direct_weights(weights)
        self.input_grid: Grid | None = None

    def forward(self, input: Tensor | QuantTensor) -> Tensor:
        """Map ``(..., inputs)`` on a grid to accumulators ``(..., outputs)`` as floats."""
        return _accumulators(self, input, "linear")

    def inner_forward_impl(self, x: Any, quant_weight: Any, quant_bias: Any) -> Tensor:
        """Return the product of the plain values."""
        return _of_values(self, (x, quant_weight, quant_bias), "linear")

    def product(self, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the product."""
        return functional.linear(signal, weight, bias)


class IntegerReLU(QuantReLU):
    """A ReLU whose output is on an unsigned grid."""

    def __init__(self, bits: int, scale: ScaleKind = "float") -> None:
        super().__init__(return_quant_tensor=True, **_signal_settings(bits, "unsigned", scale))
        self.direct = DirectGrid(bits, "unsigned", scale)

    def forward(self, input: Tensor | QuantTensor) -> Any:
        """Return the signal on its grid."""
        scale = self.direct.signal_scale(self)
        return super().forward(input) if scale is None else self.direct.put(functional.relu(value_of(input)), scale)


class IntegerActivation(QuantNLAL):
    """A function of one number whose output is on a grid; of a signal on a grid it is a table."""

    def __init__(self, function: nn.Module, bits: int, sign: Sign, scale: ScaleKind = "float") -> None:
        super().__init__(
            act_impl=nn.ReLU, passthrough_act=False, input_quant=None, return_quant_tensor=True,
            **_signal_settings(bits, sign, scale),
        )  # fmt: skip
        quantiser: Any = self.act_quant
        quantiser.fused_activation_quant_proxy.activation_impl = function
        self.direct = DirectGrid(bits, sign, scale)

    def forward(self, input: Tensor | QuantTensor) -> Any:
        """Return the function of the signal on its grid."""
        scale = self.direct.signal_scale(self)
        if scale is None:
            return super().forward(input)
        quantiser: Any = self.act_quant
        return self.direct.put(quantiser.fused_activation_quant_proxy.activation_impl(value_of(input)), scale)


class Requantise(QuantIdentity):
    """Puts a signal on a grid: signed and symmetric, or unsigned for one that is never negative."""

    def __init__(self, bits: int, sign: Sign, scale: ScaleKind = "float") -> None:
        super().__init__(return_quant_tensor=True, **_signal_settings(bits, sign, scale))
        self.direct = DirectGrid(bits, sign, scale)

    def forward(self, input: Tensor | QuantTensor) -> Any:
        """Return the signal on its grid."""
        scale = self.direct.signal_scale(self)
        return super().forward(input) if scale is None else self.direct.put(value_of(input), scale)


class IntegerAveragePool(nn.AvgPool1d):
    """A mean over steps of a signal on a grid, put on a finer grid of its own, as averages are smaller."""

    def __init__(
        self, kernel: int, stride: int | None, bits: int, sign: Sign = "unsigned", scale: ScaleKind = "float"
    ) -> None:
        super().__init__(kernel, kernel if stride is None else stride)
        self.pool = Pool(kernel, kernel if stride is None else stride)
        self.sign: Sign = sign
        self.grid = Requantise(bits, sign, scale)

    def forward(self, input: Tensor | QuantTensor) -> Any:
        """Map ``(batch, channels, steps)`` to the means, on their grid."""
        grid = grid_of(input)
        if grid is None or (grid.signed and self.sign == "unsigned"):
            raise StudentError(
                f"an integer average pool needs {'an unsigned signal' if grid else 'a signal'} on a grid",
                where="average_pool",
                remedy="Put relu() of the same Layers in front of it, or say that the signal is signed",
            )
        signal = value_of(input)
        return self.grid(average_pool(signal, self.pool) if self.training else super().forward(signal))

    def of_norm(self, signal: Tensor, norm: nn.BatchNorm1d, relu: nn.Module) -> Any:
        """Return the means of ``relu(norm(signal))`` on their grid; None where the modules have to run one by one."""
        if type(relu) is not IntegerReLU or not self.training:
            return None
        scale = relu.direct.signal_scale(relu)
        if scale is None:
            return None
        return self.grid(norm_relu_pool(signal, norm, self.pool, LevelGrid(scale, relu.direct.highest)))


class EventNeurons(ZeroInitialState):
    """Neurons that fire up to `most` times in a step; how often is a number on a grid of step one.

    Parameters
    ----------
    neurons : nn.Module
    most : int
    """

    def __init__(self, neurons: nn.Module, most: int) -> None:
        super().__init__(neurons)
        self.grid = event_grid(most)

    def forward(self, current: Tensor) -> Any:
        """Map currents ``(batch, channels, steps)`` to events on their grid, same shape."""
        return with_grid(super().forward(current), self.grid)


class IntegerDropout(Dropout):
    """A dropout of a signal on a grid, which stays on it."""

    def forward(self, input: Any) -> Any:
        """Return the signal, in training with some of its values set to zero."""
        return on_grid_of(super().forward(value_of(input)), input)


class IntegerDelays(Delays):
    """Delays of a signal on a grid, which stays on it."""

    def forward(self, signal: Any) -> Any:
        """Return each channel as it was so many steps ago."""
        return on_grid_of(super().forward(value_of(signal)), signal)


INTEGER_PRODUCTS = (IntegerConv1d, IntegerLinear, LayerConv1d, LayerConv2d)
SIGNAL_GRIDS = (IntegerReLU, IntegerActivation, Requantise)
