"""Averages as sums whose divisor is left to the requantisation that follows, and maxima."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from torch import nn

from students.deploy.graph import Integers, Pool, Range
from students.deploy.lowering.builder import Builder, Signal, refused, same_within

What = Literal["sum", "mean", "max"]

MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
ADAPTIVE = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
PLANES = (nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def lower_pool(builder: Builder, path: str, module: Any, signal: Signal) -> Signal:
    """Return the sums or maxima of a pool over the last one or two axes.

    Raises
    ------
    StudentError
        Windows of unequal size, or numbers in one window that stand for values on different scales.
    """
    axes = 2 if isinstance(module, PLANES) else 1
    lengths = signal.shape[-axes:]
    if isinstance(module, ADAPTIVE):
        kernel, stride = _adaptive(path, module.output_size, lengths)
        pads, dilation = [0] * axes, [1] * axes
    else:
        if module.ceil_mode or getattr(module, "divisor_override", None):
            raise refused(path, "its windows differ in size, or its divisor is another")
        kernel, stride = _each(module.kernel_size, axes), _each(module.stride, axes)
        pads, dilation = _each(module.padding, axes), _each(getattr(module, "dilation", 1), axes)
    if any(pads) and not getattr(module, "count_include_pad", True):
        raise refused(path, "its averages leave padding out, so that their divisors differ")
    shape, windows = _windows(signal.shape, kernel, stride, pads, dilation)
    return _pooled(builder, path, signal, (shape, windows), "max" if isinstance(module, MAXIMA) else "mean")


def lower_reduction(
    builder: Builder, path: str, signal: Signal, *, axes: Sequence[int], shape: tuple[int, ...], what: What
) -> Signal:
    """Return sum, mean or maximum over whole axes of one example.

    Parameters
    ----------
    builder, path, signal
    axes : sequence of int
        Of one example, the first is 0.
    shape : tuple of int
        Of the result.
    what : {'sum', 'mean', 'max'}

    Raises
    ------
    StudentError
        As `lower_pool`.
    """
    places = np.arange(int(np.prod(signal.shape))).reshape(signal.shape)
    last = np.moveaxis(places, axes, range(-len(axes), 0))
    windows = last.reshape(-1, int(np.prod([signal.shape[axis] for axis in axes])))
    return _pooled(builder, path, signal, (shape, windows), what)


def _pooled(
    builder: Builder, path: str, signal: Signal, where: tuple[tuple[int, ...], Integers], what: What
) -> Signal:
    shape, windows = where
    constants = same_within(windows, (signal.scale, signal.offset), signal.shape)
    if constants is None:
        raise refused(path, "numbers on different scales in one sum; requantise them first")
    scale, offset = (one if one.ndim == 0 else one.reshape(shape) for one in constants)
    size = windows.shape[1]
    name = builder.name(path)
    if what == "max":
        if bool((scale <= 0).any()):
            raise refused(path, "the maximum of numbers that a batch norm of negative weight turned round")
        found = Range(shape, signal.range.lowest, signal.range.highest)
        builder.add(Pool(name, signal.node, found, "max", windows))
        return replace(signal, node=name, range=found, scale=scale, offset=offset)
    signal.check_unlimited(path)
    if bool((windows < 0).any()) and bool(offset.any()):
        raise refused(path, "zeros beside numbers whose zero is not the integer 0")
    found = Range(shape, min(size * signal.range.lowest, 0), max(size * signal.range.highest, 0))
    builder.add(Pool(name, signal.node, found, "sum", windows))
    constants = (scale / size, offset) if what == "mean" else (scale, offset * size)
    return Signal(name, found, *constants, signal.ending)


def _each(value: Any, axes: int) -> list[int]:
    return [int(value)] * axes if isinstance(value, int) else [int(one) for one in value]


def _adaptive(path: str, wanted: Any, lengths: tuple[int, ...]) -> tuple[list[int], list[int]]:
    sizes = [wanted] * len(lengths) if wanted is None or isinstance(wanted, int) else list(wanted)
    outputs = [length if one is None else int(one) for one, length in zip(sizes, lengths, strict=True)]
    if any(length % one for one, length in zip(outputs, lengths, strict=True)):
        raise refused(path, f"{lengths} are not divided into {outputs} windows of equal size")
    kernel = [length // one for one, length in zip(outputs, lengths, strict=True)]
    return kernel, kernel


def _windows(
    shape: tuple[int, ...], kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, ...], Integers]:
    """Return the shape of the output, and the places of every window in the flattened signal."""
    axes = len(kernel)
    before = [(0, 0)] * (len(shape) - axes)
    places = np.pad(
        np.arange(int(np.prod(shape))).reshape(shape), [*before, *((pad, pad) for pad in pads)], constant_values=-1
    )
    reach = tuple(step * (taps - 1) + 1 for step, taps in zip(dilation, kernel, strict=True))
    last = tuple(range(len(shape) - axes, len(shape)))
    seen = np.lib.stride_tricks.sliding_window_view(places, reach, axis=last)
    strided = tuple(slice(None, None, one) for one in stride)
    seen = seen[(..., *strided, *(slice(None, None, one) for one in dilation))]
    outputs = seen.shape[: len(shape)]
    return outputs, seen.reshape(int(np.prod(outputs)), -1)
