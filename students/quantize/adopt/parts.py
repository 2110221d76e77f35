"""What takes the place of layers in an adopted network: integer modules, or the layers themselves in its float twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from brevitas.quant_tensor import QuantTensor
from torch import Tensor, nn

from students.layers.modules import MatMul, Multiply
from students.layers.protocol import Sign
from students.layers.recurrent import Recurrent
from students.quantize.adopt.operations import ACTIVATIONS
from students.quantize.modules import (
    IntegerActivation,
    IntegerLinear,
    IntegerReLU,
    LayerConv1d,
    LayerConv2d,
    Requantise,
)
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.rows import IntegerMatMul, IntegerMultiply, IntegerNorm, IntegerSoftmax
from students.quantize.signals import value_of
from students.quantize.width_plan import Product, ReadSignal, common_bits, layer_bits, weight_grid
from students.spec import LayerBits, Quantised


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

    def grid(self, role: Literal["input", "activation"], sign: Sign, readers: Sequence[Product]) -> nn.Module:
        """Return what puts a signal on a grid that some products read."""
        ...

    def product(self, layer: Any, reader: Product) -> nn.Module:
        """Return the product in place of a layer."""
        ...

    def activation(self, function: nn.Module, readers: Sequence[Product]) -> nn.Module:
        """Return an activation function whose output is on a grid that some products read."""
        ...

    def norm(self, layer: nn.Module) -> nn.Module:
        """Return the norm in place of one that divides by each example's own deviation."""
        ...

    def matmul(self) -> nn.Module:
        """Return the product of two signals."""
        ...

    def multiply(self) -> nn.Module:
        """Return the product of two signals, number by number."""
        ...

    def softmax(self, readers: Sequence[Product]) -> nn.Module:
        """Return a softmax over the last axis whose output some products read."""
        ...


class FloatParts:
    """Leaves layers as they are, with an identity where integers would be put on a grid."""

    def grid(self, role: Literal["input", "activation"], sign: Sign, readers: Sequence[Product]) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def product(self, layer: Any, reader: Product) -> nn.Module:
        """Return the layer."""
        return layer

    def activation(self, function: nn.Module, readers: Sequence[Product]) -> nn.Module:
        """Return the function."""
        return function

    def norm(self, layer: nn.Module) -> nn.Module:
        """Return the layer."""
        return layer

    def matmul(self) -> nn.Module:
        """Return a `MatMul`."""
        return MatMul()

    def multiply(self) -> nn.Module:
        """Return a `Multiply`."""
        return Multiply()

    def softmax(self, readers: Sequence[Product]) -> nn.Module:
        """Return torch's."""
        return nn.Softmax(dim=-1)


class IntegerParts:
    """Makes integer modules with the widths of a form, and notes products, signals and who reads them."""

    def __init__(self, form: Quantised) -> None:
        self.form = form
        self.signals: list[ReadSignal] = []
        self.products: list[Product] = []

    def grid(self, role: Literal["input", "activation"], sign: Sign, readers: Sequence[Product]) -> nn.Module:
        """Return a quantiser."""
        if role == "input":
            return Requantise(self.form.input_bits, sign, self.form.scale)
        return self._noted(Requantise(self._bits(readers), sign, self.form.scale), readers)

    def product(self, layer: Any, reader: Product) -> nn.Module:
        """Return a product with integer weights."""
        self.products.append(reader)
        bits = self._layer_bits(reader)
        weights = weight_grid(self.form, bits, reader.edge)
        if isinstance(layer, Recurrent):
            inner = layer_bits(self.form, reader.name, reader.kind, "inner")
            return IntegerRecurrent(
                "gru" if isinstance(layer.cell, nn.GRU) else "lstm", layer.cell.input_size, layer.cell.hidden_size,
                input_weights=weights, weights=weight_grid(self.form, inner, "inner"),
                operand_bits=bits.activation_bits,
            )  # fmt: skip
        if isinstance(layer, nn.Linear):
            bias = "none" if layer.bias is None else "learned"
            return IntegerLinear(layer.in_features, layer.out_features, bias=bias, weights=weights)
        if isinstance(layer, nn.Conv1d):
            return LayerConv1d(layer, weights=weights)
        return LayerConv2d(layer, weights=weights)

    def activation(self, function: nn.Module, readers: Sequence[Product]) -> nn.Module:
        """Return the function with a quantiser behind it."""
        bits = self._bits(readers)
        if isinstance(function, nn.ReLU):
            return self._noted(IntegerReLU(bits, self.form.scale), readers)
        sign: Sign = "unsigned" if ACTIVATIONS[type(function)] else "signed"
        return self._noted(IntegerActivation(function, bits, sign, self.form.scale), readers)

    def _noted(self, module: nn.Module, readers: Sequence[Product]) -> nn.Module:
        self.signals.append(ReadSignal(module, tuple(readers)))
        return module

    def norm(self, layer: nn.Module) -> nn.Module:
        """Return an `IntegerNorm`."""
        return IntegerNorm(layer)

    def matmul(self) -> nn.Module:
        """Return an `IntegerMatMul`."""
        return IntegerMatMul()

    def multiply(self) -> nn.Module:
        """Return an `IntegerMultiply`."""
        return IntegerMultiply()

    def softmax(self, readers: Sequence[Product]) -> nn.Module:
        """Return an `IntegerSoftmax`."""
        return IntegerSoftmax(self._bits(readers))

    def _bits(self, readers: Sequence[Product]) -> int:
        return common_bits(self.form, ((reader.name, self._layer_bits(reader)) for reader in readers))

    def _layer_bits(self, reader: Product) -> LayerBits:
        return layer_bits(self.form, reader.name, reader.kind, reader.edge)
