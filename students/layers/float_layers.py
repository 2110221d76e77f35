"""The layers a family may be built from, and their float32 form.

One family definition serves float and quantised students: it asks a `Layers` object for its parts. All signals are
``(batch, channels, steps)``, or ``(batch, features)`` after flattening. Between its products a family uses only
`flatten`, `transpose` and the modules made here, so that hooks see all the arithmetic and quantised tensors survive.

Order inside a block: product, batch norm, ReLU. A batch norm therefore always folds into the product before it.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.layers.fast_convolution import depthwise_conv1d, mixed_depthwise_conv1d, pad_steps

Edge = Literal["first", "inner", "last"]
Bias = Literal["learned", "none"]
Padding = Literal["same", "causal"] | int
RecurrentKind = Literal["gru", "lstm"]


def resolve_padding(padding: Padding, kernel: int) -> tuple[int, int]:
    """Return how many zero steps go before and after the signal.

    Parameters
    ----------
    padding : 'same', 'causal' or int
        ``same`` keeps the length and puts the odd step after (as torch does); ``causal`` keeps the length and pads
        only before, so that no output sees the future; an integer pads both sides by so many steps.
    kernel : int
        Taps.

    Raises
    ------
    StudentError
        Negative padding, or a kernel without taps.
    """
    if kernel < 1:
        raise StudentError(f"a kernel of {kernel} taps", where="conv1d", remedy="Use at least one tap")
    if padding == "same":
        return (kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2
    if padding == "causal":
        return kernel - 1, 0
    if padding < 0:
        raise StudentError(f"padding of {padding} steps", where="conv1d", remedy="Use 'same', 'causal' or 0, 1, 2 ...")
    return padding, padding


class Conv1d(nn.Conv1d):
    """A convolution over steps with its zero padding spelled out in `pads` (steps before, steps after).

    A pointwise one is trained as a matrix product, which torch computes faster; deployed (eval) as a convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, pads: tuple[int, int], stride: int, groups: int, bias: Bias
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=bias == "learned")
        self.pads = pads

    @property
    def is_pointwise(self) -> bool:
        """True for a matrix product at every step."""
        return self.kernel_size == self.stride == (1,) and self.groups == 1 and self.pads == (0, 0)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` to ``(batch, outputs, steps)``."""
        if self.training and self.is_pointwise:
            outputs = torch.matmul(self.weight[:, :, 0], input)
            return outputs if self.bias is None else outputs + self.bias[:, None]
        return super().forward(pad_steps(input, self.pads))


class DepthwiseConv1d(Conv1d):
    """One filter per channel: trained by matrix products, deployed (eval) as the direct convolution.

    The two are the same function; torch's weight gradient of a depthwise convolution is what makes the direct one
    slow to train on a CPU. See `students.layers.fast_convolution`.
    """

    def __init__(self, channels: int, kernel: int, *, pads: tuple[int, int], bias: Bias) -> None:
        super().__init__(channels, channels, kernel, pads=pads, stride=1, groups=channels, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to ``(batch, channels, steps)``."""
        if not self.training:
            return super().forward(input)
        outputs = depthwise_conv1d(input, self.weight, self.pads)
        return outputs if self.bias is None else outputs + self.bias[:, None]


class AveragePool1d(nn.AvgPool1d):
    """A mean over steps; trained as torch's plain mean, whose gradient is faster, where the averages do not overlap."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__(kernel, stride)
        self.disjoint = kernel if stride == kernel else None

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to ``(batch, channels, averages)``."""
        kernel = self.disjoint
        if not self.training or kernel is None:
            return super().forward(input)
        return input[..., : input.shape[-1] // kernel * kernel].unflatten(-1, (-1, kernel)).mean(dim=-1)


class SpatialFirst(nn.Sequential):
    """A network that starts with an input quantiser, a pointwise convolution, a requantiser and a depthwise one.

    Deployed (eval), and in training where quantisers stand between them, its modules run one after the other. In float
    training the two convolutions, linear with nothing between, run as one: the same function, a third less time.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Run the modules."""
        before, spatial, between, temporal, *rest = self
        plain = self.training and type(between) is nn.Identity
        if not (plain and type(spatial) is Conv1d and type(temporal) is DepthwiseConv1d):
            return super().forward(input)
        if not spatial.is_pointwise or spatial.bias is not None or temporal.bias is not None:
            return super().forward(input)
        signal = mixed_depthwise_conv1d(before(input), spatial.weight[:, :, 0], temporal.weight, temporal.pads)
        for module in rest:
            signal = module(signal)
        return signal


class Add(nn.Module):
    """Sum of two signals of one shape (a residual connection), as a module so that hooks see it."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left + right``."""
        return left + right


class MatMul(nn.Module):
    """Product of two activations (attention), as a module so that hooks see it."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left @ right``."""
        return left @ right


class Recurrent(nn.Module):
    """A GRU or LSTM over steps: ``(batch, inputs, steps)`` to every step's state ``(batch, hidden, steps)``.

    State starts at zero in each call. The torch layer is `cell` (batch first), one layer, one direction.
    """

    def __init__(self, kind: RecurrentKind, inputs: int, hidden: int) -> None:
        super().__init__()
        layer = nn.GRU if kind == "gru" else nn.LSTM
        self.cell = layer(inputs, hidden, batch_first=True)

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` to ``(batch, hidden, steps)``."""
        states, _ = self.cell(signal.transpose(1, 2))
        return states.transpose(1, 2)


class OutputScale(nn.Module):
    """Physical units of a regression: ``y = scale * x + offset`` per output, on ``(batch, outputs, steps)``.

    Both are constants set from the training targets by `students.training`, never learned. They fold into the last
    layer's weights and bias (or its dequantisation), so they cost nothing when deployed.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(outputs))
        self.register_buffer("offset", torch.zeros(outputs))

    def forward(self, signal: Tensor) -> Tensor:
        """Return the scaled signal, same shape."""
        return signal * self.scale[:, None] + self.offset[:, None]


class Layers(Protocol):
    """Makes a family's layers in one number format. `edge` marks the first and last products of the network."""

    @property
    def arithmetic(self) -> Literal["float", "integer"]:
        """Number format of the products; families without an integer form refuse ``integer``."""
        ...

    def quantise_input(self) -> nn.Module:
        """Return what puts the raw input on a (signed) grid; the first module of every family."""
        ...

    def requantise(self) -> nn.Module:
        """Return what puts a signed signal on the activation grid between two products without a ReLU between."""
        ...

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, bias: Bias = "learned",
        edge: Edge = "inner",
    ) -> nn.Module:
        """Return a convolution ``(batch, inputs, steps)`` to ``(batch, outputs, steps)``; kernel 1 is pointwise."""
        ...

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return a convolution with one filter per channel, stride 1."""
        ...

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return a product over the last axis."""
        ...

    def batchnorm(self, channels: int) -> nn.Module:
        """Return a batch norm over channels, foldable into the product before it."""
        ...

    def relu(self) -> nn.Module:
        """Return a ReLU whose output is on the (unsigned) activation grid."""
        ...

    def average_pool(self, kernel: int, stride: int | None = None) -> nn.Module:
        """Return a mean over `kernel` steps every `stride` steps (default `kernel`); incomplete ends are dropped."""
        ...

    def dropout(self, probability: float) -> nn.Module:
        """Return a dropout; nothing when deployed."""
        ...

    def add(self) -> nn.Module:
        """Return a module that sums two signals."""
        ...

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Return a recurrent layer ``(batch, inputs, steps)`` to ``(batch, hidden, steps)``, or raise StudentError."""
        ...

    def output_scale(self, outputs: int) -> nn.Module:
        """Return the last module of a regression: physical units."""
        ...


class FloatLayers:
    """Layers in float32: plain torch modules and the few classes of this file."""

    arithmetic: Literal["float", "integer"] = "float"

    def quantise_input(self) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def requantise(self) -> nn.Module:
        """Return an identity."""
        return nn.Identity()

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, bias: Bias = "learned",
        edge: Edge = "inner",
    ) -> nn.Module:
        """Return a `Conv1d`."""
        pads = resolve_padding(padding, kernel)
        return Conv1d(inputs, outputs, kernel, pads=pads, stride=stride, groups=1, bias=bias)

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return a `DepthwiseConv1d`."""
        return DepthwiseConv1d(channels, kernel, pads=resolve_padding(padding, kernel), bias=bias)

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return an ``nn.Linear``."""
        return nn.Linear(inputs, outputs, bias=bias == "learned")

    def batchnorm(self, channels: int) -> nn.Module:
        """Return an ``nn.BatchNorm1d``."""
        return nn.BatchNorm1d(channels)

    def relu(self) -> nn.Module:
        """Return an ``nn.ReLU``."""
        return nn.ReLU()

    def average_pool(self, kernel: int, stride: int | None = None) -> nn.Module:
        """Return an `AveragePool1d`."""
        return AveragePool1d(kernel, kernel if stride is None else stride)

    def dropout(self, probability: float) -> nn.Module:
        """Return an ``nn.Dropout``."""
        return nn.Dropout(probability)

    def add(self) -> nn.Module:
        """Return an `Add`."""
        return Add()

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Return a `Recurrent`."""
        return Recurrent(kind, inputs, hidden)

    def output_scale(self, outputs: int) -> nn.Module:
        """Return an `OutputScale`."""
        return OutputScale(outputs)
