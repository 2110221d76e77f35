"""Modules that float layers are made of, beside torch's own; some train by a faster form of what they deploy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from students.kernels.arrays import in_memory_order
from students.kernels.norm_pool import Pool, average_pool, norm_relu_pool
from students.layers.fast_convolution import depthwise_conv1d, pad_steps
from students.layers.layout import pointwise
from students.layers.protocol import Bias


class Conv1d(nn.Conv1d):
    """A convolution over steps with its zero padding spelled out in `pads` (steps before, steps after).

    A pointwise one is trained as a matrix product, which torch computes faster; deployed (eval) as a convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, pads: tuple[int, int], stride: int, groups: int, bias: Bias,
        dilation: int = 1,
    ) -> None:
        super().__init__(
            inputs, outputs, kernel, stride=stride, groups=groups, bias=bias == "learned", dilation=dilation
        )
        self.pads = pads

    @property
    def is_pointwise(self) -> bool:
        """True for a matrix product at every step."""
        return self.kernel_size == self.stride == (1,) and self.groups == 1 and self.pads == (0, 0)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, inputs, steps)`` to ``(batch, outputs, steps)``."""
        if self.training and self.is_pointwise:
            return pointwise(input, self.weight, self.bias)
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


class FilterBank(Conv1d):
    """Every filter of a bank on every channel: the filters are given, and never learned.

    Parameters
    ----------
    channels : int
    taps : Tensor, shape (filters, length)
    pads : tuple of int
    """

    def __init__(self, channels: int, taps: Tensor, *, pads: tuple[int, int]) -> None:
        super().__init__(
            channels, channels * len(taps), taps.shape[1], pads=pads, stride=1, groups=channels, bias="none"
        )
        hold_filters(self, taps)


def hold_filters(convolution: nn.Conv1d, taps: Tensor) -> None:
    """Give each channel of a grouped convolution the filters of a bank, shape (filters, length), for good."""
    convolution.weight.data.copy_(taps.repeat(convolution.groups, 1)[:, None])
    convolution.weight.requires_grad_(False)


class AveragePool1d(nn.AvgPool1d):
    """A mean over steps, with a cheap gradient in training; see `students.kernels.norm_pool`."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__(kernel, stride)
        self.pool = Pool(kernel, stride)

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(batch, channels, steps)`` to ``(batch, channels, averages)``."""
        return average_pool(input, self.pool) if self.training else super().forward(input)

    def of_norm(self, signal: Tensor, norm: nn.BatchNorm1d, relu: nn.Module) -> Tensor | None:
        """Return the averages of ``relu(norm(signal))``; None where the function between is another."""
        return norm_relu_pool(signal, norm, self.pool) if type(relu) is nn.ReLU and self.training else None


class Dropout(nn.Dropout):
    """A dropout that draws 16 random bits a value from torch's global generator, 64 at a time.

    A value is dropped where its bits, as a number, are below ``round(65536 probability)``; what is kept is divided by
    the share that is. One seed drops other values than ``nn.Dropout``, which takes eight times as long to draw them.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the signal, in training with some of its values set to zero."""
        if not self.training or not 0 < self.p < 1:
            return super().forward(input)
        dropped = round(self.p * 2**16)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64, device=input.device).random_(-(2**63), None)
        kept = words.view(torch.int16)[: input.numel()] >= dropped - 2**15
        factors = torch.empty_like(input)  # in the order of the input's memory, which stays as it is
        in_memory_order(factors).copy_(kept.view(in_memory_order(factors).shape))
        return input * factors.mul_(2**16 / (2**16 - dropped))


class Add(nn.Module):
    """Sum of two signals of one shape (a residual connection), as a module so that hooks see it.

    `operand` does nothing; it stands where an integer form puts both signals on one grid.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operand = nn.Identity()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left + right``."""
        return self.operand(left) + self.operand(right)


class Residual(nn.Module):
    """Two branches of one signal, summed: a residual connection, or a linear product beside a network.

    Parameters
    ----------
    branch, shortcut : nn.Module
        Of one signal to one shape; ``nn.Identity()`` passes the signal on.
    add : nn.Module
        As `Layers.add` makes it.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module, add: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut, self.add = branch, shortcut, add

    def forward(self, signal: Tensor) -> Tensor:
        """Return the sum of what the branches make of the signal."""
        return self.add(self.branch(signal), self.shortcut(signal))


class ByFilter(nn.Module):
    """What a bank of filters puts out, its filters on the last axis.

    ``(batch, channels * filters, steps)`` becomes ``(batch, channels, steps, filters)``.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.filters = filters

    def forward(self, signal: Tensor) -> Tensor:
        """Return the same numbers in that order."""
        return signal.unflatten(1, (-1, self.filters)).transpose(2, 3)


class MatMul(nn.Module):
    """Product of two activations (attention), as a module so that hooks see it."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left @ right``."""
        return left @ right


class Multiply(nn.Module):
    """Product of two signals, number by number (a gate), as a module so that hooks see it."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``left * right``."""
        return left * right


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
