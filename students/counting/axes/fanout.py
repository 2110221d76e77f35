"""The number of products each input element is part of: pure functions of shapes and weights, exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from energy_models.workload import CONVENTIONS


@dataclass(frozen=True, slots=True)
class Geometry:
    """A convolution's shape: per spatial axis its input length, kernel, stride, dilation and zeros on both sides."""

    lengths: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int

    def output(self, axis: int) -> int:
        """Return the output length along an axis."""
        span = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (self.lengths[axis] + sum(self.pads[axis]) - span) // self.stride[axis] + 1

    @property
    def outputs(self) -> tuple[int, ...]:
        """Output lengths."""
        return tuple(self.output(axis) for axis in range(len(self.lengths)))

    def uses(self, axis: int) -> Tensor:
        """Return how many (output, tap) pairs read each input position of one axis, shape (length,), int64."""
        return _uses(self, axis)


@lru_cache(maxsize=256)
def _uses(geometry: Geometry, axis: int) -> Tensor:
    """Return the uses of each position: a tap's are evenly spaced, so marking where they begin and end is enough."""
    length, stride = geometry.lengths[axis], geometry.stride[axis]
    first = np.arange(geometry.kernel[axis]) * geometry.dilation[axis] - geometry.pads[axis][0]
    last = first + (geometry.output(axis) - 1) * stride
    begin = np.where(first < 0, first + -(first // stride) * stride, first)  # the first place on the signal
    end = np.minimum(last, length - 1 - (length - 1 - begin) % stride)  # the last one
    some = (begin < length) & (end >= begin)
    rows = -(-length // stride) + 1
    edges = np.zeros(rows * stride, dtype=np.int64)
    np.add.at(edges, begin[some], 1)
    np.add.at(edges, end[some] + stride, -1)
    return torch.from_numpy(edges.reshape(rows, stride).cumsum(0).reshape(-1)[:length].copy())


def dense_fanout(geometry: Geometry) -> Tensor:
    """Return (output position, tap) pairs per input position, shape `lengths`, float64 whole numbers."""
    fan = torch.ones((), dtype=torch.float64)
    for axis in range(len(geometry.lengths)):
        fan = fan.unsqueeze(-1) * geometry.uses(axis).to(torch.float64)
    return fan


def weighted_fanout(geometry: Geometry, weight: Tensor) -> Tensor:
    """Return the non-zero weights applied to each input element, shape (channels, *lengths), float64 whole numbers.

    Parameters
    ----------
    weight : Tensor, shape (outputs, channels / groups, *kernel)
    """
    mask = (weight != 0).cpu().to(torch.float64)
    ones = torch.ones((1, weight.shape[0], *geometry.outputs), dtype=torch.float64)
    spread = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
    fan = spread[len(geometry.lengths) - 1](
        ones, mask, stride=list(geometry.stride), groups=geometry.groups, dilation=list(geometry.dilation)
    )
    for axis, length in enumerate(geometry.lengths):
        before = geometry.pads[axis][0]
        missing = max(before + length - fan.shape[axis + 2], 0)
        if missing:
            shape = list(fan.shape)
            shape[axis + 2] = missing
            fan = torch.cat((fan, torch.zeros(shape, dtype=fan.dtype)), dim=axis + 2)
        fan = fan.narrow(axis + 2, before, length)
    return fan[0].round()


def valid_sites(geometry: Geometry, extra: Sequence[tuple[int, int]], channels: int, per_group: int) -> int:
    """Return products whose tap is on the signal: neither the convolution's padding nor zeros put there before.

    Parameters
    ----------
    extra : per spatial axis, zeros added in front of the convolution, counted in `lengths`
    channels : int
        Input channels.
    per_group : int
        Output channels of one group.
    """
    taps = 1
    for axis, (before, after) in enumerate(extra):
        taps *= int(geometry.uses(axis)[before : geometry.lengths[axis] - after].sum())
    return taps * channels * per_group


def conventions(
    full: int | Tensor, valid: int | Tensor, mask: tuple[Tensor, Tensor], weighted: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Return the four conventions, each split by whether the site needs a multiplier.

    Parameters
    ----------
    full, valid : int, or int64 per decode
        Textbook sites, and those off the padding.
    mask : (sites with non-zero input, of those the sites that need a multiplier), int64 per decode
    weighted : the same, with a non-zero weight as well
    """
    sites: dict[str, int | Tensor] = dict(zip(CONVENTIONS, (full, valid, mask[0], weighted[0]), strict=True))
    multiply = dict.fromkeys(CONVENTIONS[:3], mask[1]) | {CONVENTIONS[3]: weighted[1]}
    counts: dict[str, Tensor] = {}
    for rule in CONVENTIONS:
        counts[f"{rule}.mac"], counts[f"{rule}.ac"] = multiply[rule], sites[rule] - multiply[rule]
    return counts


def taps(weight: Tensor) -> int:
    """Return products per output element."""
    return math.prod(weight.shape[1:])
