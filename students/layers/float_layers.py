"""Layers in float32."""

from __future__ import annotations

from torch import Tensor, nn

from students.layers.delay_lines import Delays
from students.layers.layout import BatchNorm1d
from students.layers.linear_attention import LinearAttention
from students.layers.modules import (
    Add,
    AveragePool1d,
    Conv1d,
    DepthwiseConv1d,
    Dropout,
    FilterBank,
    MatMul,
    OutputScale,
)
from students.layers.protocol import Bias, Edge, Padding, RecurrentKind, Sign, resolve_padding
from students.layers.recurrent import Recurrent
from students.neurons.models import NeuronModel, float_neurons
from students.spec import Shape


class FloatLayers:
    """Layers in float32: plain torch modules and the few classes of this file."""

    def quantise_input(self) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def requantise(self) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, dilation: int = 1,
        bias: Bias = "learned", edge: Edge = "inner",
    ) -> nn.Module:
        """Return a `Conv1d`."""
        pads = resolve_padding(padding, dilation * (kernel - 1) + 1)
        return Conv1d(inputs, outputs, kernel, pads=pads, stride=stride, groups=1, bias=bias, dilation=dilation)

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return a `DepthwiseConv1d`."""
        return DepthwiseConv1d(channels, kernel, pads=resolve_padding(padding, kernel), bias=bias)

    def filter_bank(self, channels: int, taps: Tensor, *, padding: Padding, edge: Edge = "first") -> nn.Module:
        """Return a `FilterBank`."""
        return FilterBank(channels, taps, pads=resolve_padding(padding, taps.shape[1]))

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return an ``nn.Linear``."""
        return nn.Linear(inputs, outputs, bias=bias == "learned")

    def batchnorm(self, channels: int) -> nn.Module:
        """Return a `BatchNorm1d`."""
        return BatchNorm1d(channels)

    def relu(self) -> nn.Module:
        """Return an ``nn.ReLU``."""
        return nn.ReLU()

    def delays(self, channels: int, most: int) -> nn.Module:
        """Return a `Delays`."""
        return Delays(channels, most)

    def average_pool(self, kernel: int, stride: int | None = None, *, sign: Sign = "unsigned") -> nn.Module:
        """Return an `AveragePool1d`."""
        return AveragePool1d(kernel, kernel if stride is None else stride)

    def dropout(self, probability: float) -> nn.Module:
        """Return a `Dropout`."""
        return Dropout(probability)

    def add(self, *, edge: Edge = "inner") -> nn.Module:
        """Return an `Add`."""
        return Add()

    def matmul(self) -> nn.Module:
        """Return a `MatMul`."""
        return MatMul()

    def linear_attention(self, width: int) -> nn.Module:
        """Return a `LinearAttention`."""
        return LinearAttention(width)

    def softmax(self) -> nn.Module:
        """Return an ``nn.Softmax``."""
        return nn.Softmax(dim=-1)

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Return a `Recurrent`."""
        return Recurrent(kind, inputs, hidden)

    def neurons(self, channels: int, model: NeuronModel) -> nn.Module:
        """Return neurons with states in float32."""
        return float_neurons(channels, model)

    def output_scale(self, outputs: int) -> nn.Module:
        """Return an `OutputScale`."""
        return OutputScale(outputs)

    def adopt(self, network: nn.Module, shape: Shape) -> nn.Module:
        """Return the network."""
        return network
