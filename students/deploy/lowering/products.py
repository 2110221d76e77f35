"""Products with stored weights: integers as `students.quantize` reads them, and the ends of their accumulators."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from students.deploy.graph import Integers, Linear, Product, Range
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.layers.protocol import resolve_padding
from students.quantize import quantisation_of


def lower_product(builder: Builder, path: str, module: Any, signal: Signal) -> Signal:
    """Return the accumulators of a product.

    Raises
    ------
    StudentError
        A layer that runs on signals of different grids, or a signal on none.
    """
    scale, layer = grid_scale_of(path, module, signal), quantisation_of(module)
    if layer is None:
        raise refused(path, "it has no integers")
    weights, bias = layer.weights.numpy(), None if layer.bias is None else layer.bias.numpy()
    lowest, highest = ends(weights, bias, signal.range)
    name = builder.name(path)
    scales = layer.weight_scale.numpy().astype(np.float64).reshape(-1) * scale
    if isinstance(module, nn.Linear):
        found = Range((*signal.shape[:-1], len(weights)), lowest, highest)
        builder.add(Linear(name, signal.node, found, weights, layer.weight_bits, bias))
        return Signal(name, found, scales.reshape(()) if scales.size == 1 else scales, scalar(0.0))
    axes = weights.ndim - 2
    if len(signal.shape) != axes + 1:
        raise refused(path, f"a convolution over {axes} axes of a signal of shape {signal.shape}")
    pads = _pads(module, axes)
    found = Range((len(weights), *_lengths(module, signal.shape[1:], pads)), lowest, highest)
    source, around = builder.unpadded(signal)
    pads = tuple((own[0] + more[0], own[1] + more[1]) for own, more in zip(pads, around, strict=True))
    builder.add(
        Product(
            name, source, found, weights, layer.weight_bits, bias, tuple(module.stride), tuple(module.dilation),
            pads, module.groups,
        )
    )  # fmt: skip
    return Signal(name, found, scales.reshape(() if scales.size == 1 else (-1, *[1] * axes)), scalar(0.0))


def grid_scale_of(path: str, module: Any, signal: Signal) -> float:
    """Return the scale of the signal that a product takes.

    Raises
    ------
    StudentError
        A layer that runs on signals of different grids, or a signal on none.
    """
    layer, scale = quantisation_of(module), signal.grid_scale(path)
    if layer is None or layer.input_grid.scale != scale:
        raise refused(path, "it runs more than once, on signals of different grids")
    return scale


def ends(weights: Integers, bias: Integers | None, source: Range) -> tuple[int, int]:
    """Return ends that no accumulator passes that starts from the bias, whatever the input and the order of its sum."""
    rows = weights.reshape(len(weights), -1)
    above, below = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    low, high = min(source.lowest, 0), max(source.highest, 0)  # padding is zero
    highest, lowest = above * high + below * low, above * low + below * high
    if bias is not None:
        highest, lowest = highest + bias, lowest + bias
    return int(lowest.min()), int(highest.max())


def _pads(module: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """Return the zeros around each axis, of a layer of our own or of torch's."""
    if hasattr(module, "pads"):
        return (tuple(module.pads),)
    if module.padding == "valid":
        return ((0, 0),) * axes
    if module.padding == "same":
        reach = [dilation * (tap - 1) + 1 for dilation, tap in zip(module.dilation, module.kernel_size, strict=True)]
        return tuple(resolve_padding("same", length) for length in reach)
    return tuple((int(one), int(one)) for one in module.padding)


def _lengths(module: Any, lengths: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> list[int]:
    return [
        (length + sum(pad) - dilation * (tap - 1) - 1) // stride + 1
        for length, pad, dilation, tap, stride in zip(
            lengths, pads, module.dilation, module.kernel_size, module.stride, strict=True
        )
    ]
