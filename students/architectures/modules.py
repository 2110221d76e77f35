"""Modules that plain torch does not offer, made of operations that are counted one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.architectures import blocks
from students.architectures.blocks import Function

LEAST_SQUARE = 1e-6
"""Floor under squares before a root or a logarithm, as in the reference networks."""

FUNCTIONS = {
    "relu": functional.relu,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "square": torch.square,
    "log": lambda signal: torch.log(signal.clamp(min=LEAST_SQUARE)),
    "softmax": lambda signal: torch.softmax(signal, -1),
}


class Apply(nn.Module):
    """A function of every element."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = FUNCTIONS[function]

    def forward(self, signal: Tensor) -> Tensor:
        """Return the function of the signal."""
        return self.function(signal)


class RmsNorm(nn.Module):
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last axis."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def reset_parameters(self) -> None:
        """Set the scale to one."""
        nn.init.ones_(self.weight)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the normalised signal."""
        return signal * torch.rsqrt(signal.square().mean(-1, keepdim=True) + LEAST_SQUARE) * self.weight


class GroupNorm(nn.Module):
    """Group norm over the first axis: each group's elements normalised together, then a scale and offset a channel."""

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight, self.bias = (nn.Parameter(torch.zeros(channels)) for _ in range(2))

    def reset_parameters(self) -> None:
        """Set scales to one, offsets to zero."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the normalised signal."""
        grouped = signal.reshape(signal.shape[0], self.groups, -1)
        normal = functional.layer_norm(grouped, grouped.shape[-1:]).reshape(signal.shape)
        axes = (-1, *(1,) * (signal.dim() - 2))
        return normal * self.weight.reshape(axes) + self.bias.reshape(axes)


class Reduce(nn.Module):
    """Mean or sum over axes."""

    def __init__(self, kind: Literal["mean", "sum"], axes: Sequence[int]) -> None:
        super().__init__()
        self.kind, self.axes = kind, list(axes)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the mean or sum."""
        return signal.mean(self.axes) if self.kind == "mean" else signal.sum(self.axes)


class Gate(nn.Module):
    """First half of an axis times a function of its second half."""

    def __init__(self, axis: int, function: Function) -> None:
        super().__init__()
        self.axis, self.function = axis, FUNCTIONS[function]

    def forward(self, signal: Tensor) -> Tensor:
        """Return the gated half."""
        value, gate = signal.chunk(2, self.axis)
        return value * self.function(gate)


class Recurrent(nn.Module):
    """GRU or LSTM over ``(batch, steps, features)``."""

    def __init__(self, block: blocks.Recurrent, inputs: int) -> None:
        super().__init__()
        cell = {"gru": nn.GRU, "lstm": nn.LSTM}[block.kind]
        self.cell = cell(inputs, block.hidden, block.layers, batch_first=True, bidirectional=block.directions == 2)
        self.last = block.output == "last"

    def forward(self, signal: Tensor) -> Tensor:
        """Return all steps' outputs, or the last one's."""
        out = self.cell(signal)[0]
        return out[:, -1] if self.last else out


class LearnedOffset(nn.Module):
    """Learned numbers added to the signal; shared along the axes where they have size one.

    Where more positions are stored along `axis` than are used, the first ones are.
    """

    def __init__(self, shape: Sequence[int], axis: int, stored: int) -> None:
        super().__init__()
        self.axis, self.used = axis, shape[axis - 1]
        sizes = [stored if stored and place == axis else size for place, size in enumerate(shape, 1)]
        self.offset = nn.Parameter(torch.zeros(1, *sizes))

    def reset_parameters(self) -> None:
        """Draw the numbers."""
        nn.init.normal_(self.offset)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the shifted signal."""
        return signal + self.offset.narrow(self.axis, 0, self.used)


class LearnedTokens(nn.Module):
    """Learned tokens put in front of ``(batch, ..., tokens, features)``."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.zeros(1, count, size))

    def reset_parameters(self) -> None:
        """Draw the tokens."""
        nn.init.normal_(self.tokens)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the longer sequence."""
        return torch.cat((self.tokens.expand(*signal.shape[:-2], -1, -1), signal), -2)


class Wavelets(nn.Module):
    """Magnitude of complex Morlet wavelets, ``(batch, channels, steps)`` to ``(batch, count * channels, steps)``.

    ``w_f(t) = exp(2 pi i f t) exp(-t^2 / (2 s^2)) / norm``, ``s = cycles / (2 pi f)``; frequencies evenly spaced on
    a logarithmic axis. Two real filters a wavelet, stored once for all channels.
    """

    weight: Tensor

    def __init__(self, frequencies_hz: Sequence[float], cycles: float, kernel: int, rate_hz: float) -> None:
        super().__init__()
        self.frequencies_hz, self.cycles, self.kernel, self.rate_hz = tuple(frequencies_hz), cycles, kernel, rate_hz
        self.register_buffer("weight", torch.zeros(2 * len(self.frequencies_hz), 1, kernel))

    def reset_parameters(self) -> None:
        """Compute the filters."""
        time = (torch.arange(self.kernel, dtype=torch.float32) - (self.kernel - 1) / 2) / self.rate_hz
        rows: list[Tensor] = []
        for frequency in self.frequencies_hz:
            width = self.cycles / (2 * math.pi * frequency)
            envelope = torch.exp(-time.square() / (2 * width**2))
            envelope = envelope / envelope.sum()
            rows += [envelope * torch.cos(2 * math.pi * frequency * time)]
            rows += [envelope * torch.sin(2 * math.pi * frequency * time)]
        self.weight.copy_(torch.stack(rows).unsqueeze(1))

    def forward(self, signal: Tensor) -> Tensor:
        """Return the magnitudes, wavelet by wavelet within a channel."""
        channels = signal.shape[1]
        filtered = functional.conv1d(signal.reshape(-1, 1, signal.shape[-1]), self.weight, padding="same")
        parts = filtered.reshape(-1, channels * len(self.frequencies_hz), 2, signal.shape[-1])
        return parts.square().sum(2).sqrt()


class Spectrum(nn.Module):
    """Magnitudes, then phases, of the real Fourier transform over the last axis: ``x @ table``, N to N + 2 numbers."""

    table: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(size, 2 * (size // 2 + 1)))

    def reset_parameters(self) -> None:
        """Compute cosines and sines."""
        size = self.table.shape[0]
        angles = 2 * math.pi / size * torch.outer(torch.arange(size), torch.arange(size // 2 + 1))
        self.table.copy_(torch.cat((angles.cos(), -angles.sin()), 1))

    def forward(self, signal: Tensor) -> Tensor:
        """Return magnitudes and phases."""
        real, imaginary = (signal @ self.table).chunk(2, -1)
        magnitude = (real.square() + imaginary.square()).sqrt()
        return torch.cat((magnitude, torch.atan(imaginary / (real + LEAST_SQUARE**2))), -1)


class Parallel(nn.Module):
    """Branches that read the same signal."""

    def __init__(self, branches: Sequence[nn.Module], join: str, axis: int) -> None:
        super().__init__()
        self.branches, self.join, self.axis = nn.ModuleList(branches), join, axis

    def forward(self, signal: Tensor) -> Tensor:
        """Return the joined branches."""
        parts = [branch(signal) for branch in self.branches]
        if self.join == "concatenate":
            return torch.cat(parts, self.axis)
        total = parts[0]
        for part in parts[1:]:
            total = total + part if self.join == "add" else total * part
        return total


class Move(nn.Module):
    """Moves numbers only: a named function of the signal with fixed arguments."""

    def __init__(self, name: str, *arguments: object) -> None:
        super().__init__()
        self.name, self.arguments = name, arguments

    def forward(self, signal: Tensor) -> Tensor:
        """Return the moved signal."""
        return getattr(torch, self.name)(signal, *self.arguments)


class Reshape(nn.Module):
    """Row-major reshape of everything but the batch axis."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the reshaped signal."""
        return signal.reshape(signal.shape[0], *self.shape)


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, signal: Tensor) -> Tensor:
        """Return the scaled signal."""
        return signal * self.factor


class Pad(nn.Module):
    """Zeros before and after an axis."""

    def __init__(self, axis: int, before: int, after: int) -> None:
        super().__init__()
        self.axis, self.before, self.after = axis, before, after

    def forward(self, signal: Tensor) -> Tensor:
        """Return the longer signal."""
        behind = signal.dim() - 1 - self.axis
        return functional.pad(signal, (0, 0) * behind + (self.before, self.after))
