"""What takes the place of layers in an adopted network: integer modules, or the layers themselves in its float twin."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from students.layers.protocol import Edge
from students.quantize.adopt.operations import ACTIVATIONS
from students.quantize.modules import (
    IntegerActivation,
    IntegerLinear,
    IntegerReLU,
    LayerConv1d,
    LayerConv2d,
    Requantise,
)
from students.quantize.signals import value_of
from students.spec import Quantised

Sign = Literal["signed", "unsigned"]


def values(signal: Tensor | QuantTensor) -> Tensor:
    """Return a signal's numbers, for operations that know no grids."""
    return value_of(signal)


class Sum(nn.Module):
    """The sum of two signals, each put on one grid that both share: a sum of integers."""

    def __init__(self, operand: nn.Module) -> None:
        super().__init__()
        self.operand = operand

    def forward(self, left: Tensor | QuantTensor, right: Tensor | QuantTensor) -> Tensor:
        """Return the sum, on no grid of its own."""
        return value_of(self.operand(value_of(left))) + value_of(self.operand(value_of(right)))


class Parts(Protocol):
    """Makes what takes the place of a network's layers."""

    def grid(self, role: Literal["input", "activation"], sign: Sign) -> nn.Module:
        """Return what puts a signal on a grid."""
        ...

    def product(self, layer: Any, edge: Edge) -> nn.Module:
        """Return the product in place of a layer."""
        ...

    def activation(self, function: nn.Module) -> nn.Module:
        """Return an activation function whose output is on a grid."""
        ...


class FloatParts:
    """Leaves layers as they are, with an identity where integers would be put on a grid."""

    def grid(self, role: Literal["input", "activation"], sign: Sign) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def product(self, layer: Any, edge: Edge) -> nn.Module:
        """Return the layer."""
        return layer

    def activation(self, function: nn.Module) -> nn.Module:
        """Return the function."""
        return function


class IntegerParts:
    """Makes integer modules with the widths of a form."""

    def __init__(self, form: Quantised) -> None:
        self.form = form

    def grid(self, role: Literal["input", "activation"], sign: Sign) -> nn.Module:
        """Return a quantiser."""
        return Requantise(self.form.input_bits if role == "input" else self.form.activation_bits, sign)

    def product(self, layer: Any, edge: Edge) -> nn.Module:
        """Return a product with integer weights."""
        bits = self.form.weight_bits if edge == "inner" else self.form.edge_bits
        if isinstance(layer, nn.Linear):
            bias = "none" if layer.bias is None else "learned"
            return IntegerLinear(layer.in_features, layer.out_features, bias=bias, bits=bits, edge=edge)
        if isinstance(layer, nn.Conv1d):
            return LayerConv1d(layer, bits=bits, edge=edge)
        return LayerConv2d(layer, bits=bits, edge=edge)

    def activation(self, function: nn.Module) -> nn.Module:
        """Return the function with a quantiser behind it."""
        bits = self.form.activation_bits
        if isinstance(function, nn.ReLU):
            return IntegerReLU(bits)
        return IntegerActivation(function, bits, "unsigned" if ACTIVATIONS[type(function)] else "signed")
