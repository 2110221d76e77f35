"""Which axis of a tensor tells the decodes apart: a small algebra that follows them through reshapes.

An axis is a tuple of factors ``(size, label)``, outermost first. The label is ``decode`` for the batch, ``step`` for
the time axis of a stream, and empty otherwise. ``(batch * heads)`` is the axis ``((8, "decode"), (4, ""))``. Only
unlabelled factors may be split, so a count can always be summed per decode, whatever a model does to its shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Factor = tuple[int, str]
Axis = tuple[Factor, ...]
Layout = tuple[Axis, ...]

DECODE, STEP = "decode", "step"


class AxisLost(Exception):  # noqa: N818  control flow inside the package: the caller retries with a batch of one
    """The decodes can no longer be told apart in this tensor."""


def plain(size: int) -> Axis:
    """Return an unlabelled axis."""
    return ((size, ""),)


def is_labelled(axis: Axis) -> bool:
    """True where the axis runs over more than one decode or step."""
    return any(label and size > 1 for size, label in axis)


def plain_size(axis: Axis) -> int:
    """Return the number of elements along the axis that belong to one decode."""
    return math.prod(size for size, label in axis if not label)


def plain_shape(layout: Layout) -> tuple[int, ...]:
    """Return the shape one decode has: axes that only tell decodes apart are dropped."""
    return tuple(plain_size(axis) for axis in layout if not axis or any(not label for _, label in axis))


def _merge(axis: list[Factor]) -> Axis:
    """Return the axis with neighbouring unlabelled factors multiplied; never empty."""
    merged: list[Factor] = []
    for size, label in axis:
        if not label and merged and not merged[-1][1]:
            merged[-1] = (merged[-1][0] * size, "")
        elif label or size > 1:
            merged.append((size, label))
    return tuple(merged) or plain(1)


def reshape(layout: Layout, shape: Sequence[int]) -> Layout:
    """Return the layout after a row-major reshape.

    Raises
    ------
    AxisLost
        The reshape cuts through the decodes.
    """
    rest = [factor for axis in layout for factor in axis if factor != (1, "")]
    result: list[list[Factor]] = []
    for size in shape:
        axis: list[Factor] = []
        needed = size
        while needed > 1 or (rest and rest[0][0] == 1 and not axis):
            if not rest:
                raise AxisLost
            have, label = rest.pop(0)
            if needed % have == 0:
                axis.append((have, label))
                needed //= have
            elif not label and have % needed == 0:
                axis.append((needed, ""))
                rest.insert(0, (have // needed, ""))
                needed = 1
            else:
                raise AxisLost
        result.append(axis)
    if any(size > 1 for size, _ in rest):
        raise AxisLost
    return tuple(_merge(axis) for axis in result)


def broadcast(layouts: Sequence[Layout], shape: Sequence[int]) -> Layout:
    """Return the layout of an elementwise result of the given shape.

    Raises
    ------
    AxisLost
        Two operands tell decodes apart along different axes.
    """
    result: list[Axis] = []
    for place in range(1, len(shape) + 1):
        found = plain(shape[-place])
        for layout in layouts:
            if place <= len(layout) and any(label for _, label in layout[-place]):
                axis = layout[-place]
                if any(label for _, label in found) and found != axis:
                    raise AxisLost
                if math.prod(size for size, _ in axis) == shape[-place]:
                    found = axis
                elif is_labelled(axis):
                    raise AxisLost
        result.append(found)
    labels = [label for axis in result for size, label in axis if label and size > 1]
    if len(labels) > len(set(labels)):
        raise AxisLost
    return tuple(reversed(result))


def drop(layout: Layout, dims: Sequence[int], *, keep: int = 0) -> Layout:
    """Return the layout after reducing over `dims`; ``keep=1`` leaves them as axes of size one.

    Raises
    ------
    AxisLost
        The reduction mixes decodes.
    """
    gone = {dim % len(layout) for dim in dims}
    if any(is_labelled(layout[dim]) for dim in gone):
        raise AxisLost
    if keep:
        return tuple(plain(1) if place in gone else axis for place, axis in enumerate(layout))
    return tuple(axis for place, axis in enumerate(layout) if place not in gone)


def per_decode(values: Tensor, layout: Layout | None, decodes: int) -> Tensor:
    """Return int64 sums per decode, shape (decodes,), or (decodes, steps) where the layout has a step axis.

    Parameters
    ----------
    values : Tensor
        Whole numbers of any dtype that holds them exactly.
    layout : Layout or None
        None: unknown, which is enough where there is one decode only.
    decodes : int

    Raises
    ------
    AxisLost
        Several decodes, and nothing tells them apart.
    """
    if layout is None:
        if decodes != 1:
            raise AxisLost
        return _sum(values, tuple(range(values.dim()))).reshape(1)
    factors = [factor for axis in layout for factor in axis]
    split = values.reshape([size for size, _ in factors] or [1])
    labels = [label for _, label in factors] or [""]
    sums = _sum(split, tuple(place for place, label in enumerate(labels) if not label))
    kept = [label for label in labels if label]
    if kept.count(DECODE) > 1 or kept.count(STEP) > 1 or (DECODE not in kept and decodes != 1):
        raise AxisLost
    if DECODE not in kept:
        return sums.unsqueeze(0)
    return sums.t() if kept == [STEP, DECODE] else sums


def _sum(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return exact int64 sums; doubles hold every whole number up to 2^53."""
    if not dims:
        return values.to(torch.int64)
    return values.sum(dims).to(torch.int64) if values.is_floating_point() else values.sum(dims, dtype=torch.int64)
