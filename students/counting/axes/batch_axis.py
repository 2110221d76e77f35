"""Batch-axis tracking: which axis of a tensor runs over the decodes, followed through reshapes.

An axis is a tuple of factors ``(size, label)``, outermost first. The label is ``decode`` for the batch, `Steps` for
the time axis of a stream, and empty otherwise. ``(batch * heads)`` is the axis ``((8, "decode"), (4, ""))``. A batch is
never split, and steps only into blocks that arrive with their last one, so a count can always be summed per decode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Steps:
    """Label of an axis along a stream: its element i exists once step ``first + i * every`` has arrived.

    Parameters
    ----------
    total : int
        Steps of a segment; each is a decode.
    first, every : int
        Step at which the first element exists, and steps from one to the next.
    halo : int
        Steps before an element has nothing but true samples in its receptive field.
    """

    total: int
    first: int = 0
    every: int = 1
    halo: int = field(default=0, compare=False)

    @property
    def within(self) -> int:
        """Elements that exist by the last step."""
        return (self.total - 1 - self.first) // self.every + 1

    def windowed(self, span: int, stride: int = 1, *, padded: int = 0) -> Steps:
        """Return the steps of values made of ``span + 1`` neighbours, each `stride` on from the last.

        Parameters
        ----------
        span, stride : int
            In elements of this axis.
        padded : int
            Elements before the first that are known beforehand, so that the first value exists earlier.
        """
        first = self.first + (span - padded) * self.every
        return replace(self, first=first, every=self.every * stride, halo=self.halo + span * self.every)


Factor = tuple[int, str | Steps]
Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]

DECODE = "decode"
AHEAD = "in a stream it must be causal: zeros after the last step stand for samples that have yet to come"


class BatchAxisError(Exception):
    """No axis of this tensor runs over the decodes any more; the text says why, where there is a reason to add."""


def plain(size: int) -> Axis:
    """Return an unlabelled axis."""
    return ((size, ""),)


def is_labelled(axis: Axis) -> bool:
    """True where the axis runs over more than one decode or step."""
    return any(label and size > 1 for size, label in axis)


def steps_of(axis: Axis) -> Steps | None:
    """Return the steps an axis runs along; None where it does not."""
    return next((label for _, label in axis if isinstance(label, Steps)), None)


def step_axis(axes: Axes) -> int | None:
    """Return the place of the axis that runs along the steps; None where there is none."""
    return next((place for place, axis in enumerate(axes) if steps_of(axis)), None)


def overruns(axes: Axes) -> bool:
    """True where elements exist only after the last step of a stream: they must be cut off before they are read."""
    return any(isinstance(label, Steps) and size > label.within for axis in axes for size, label in axis)


def check_cut(axis: Axis) -> None:
    """Refuse an axis with elements that exist only after the last step.

    Raises
    ------
    BatchAxisError
        It has such elements.
    """
    if overruns((axis,)):
        raise BatchAxisError(AHEAD)


def plain_size(axis: Axis) -> int:
    """Return the number of elements along the axis that belong to one decode."""
    return math.prod(size for size, label in axis if not label)


def plain_shape(axes: Axes) -> tuple[int, ...]:
    """Return the shape of one decode: axes that run over decodes only are dropped."""
    return tuple(plain_size(axis) for axis in axes if not axis or any(not label for _, label in axis))


def _merge(axis: list[Factor]) -> Axis:
    """Return the axis with neighbouring unlabelled factors multiplied; never empty."""
    merged: list[Factor] = []
    for size, label in axis:
        if not label and merged and not merged[-1][1]:
            merged[-1] = (merged[-1][0] * size, "")
        elif label or size > 1:
            merged.append((size, label))
    return tuple(merged) or plain(1)


def reshape(axes: Axes, shape: Sequence[int]) -> Axes:
    """Return the axes after a row-major reshape.

    Raises
    ------
    BatchAxisError
        The reshape cuts through the decodes.
    """
    rest = list(_merge([factor for axis in axes for factor in axis]))
    result: list[list[Factor]] = []
    for size in shape:
        axis: list[Factor] = []
        needed = size
        while needed > 1 or (rest and rest[0][0] == 1 and not axis):
            if not rest:
                raise BatchAxisError
            have, label = rest.pop(0)
            if needed % have == 0:
                axis.append((have, label))
                needed //= have
            elif not label and have % needed == 0:
                axis.append((needed, ""))
                rest.insert(0, (have // needed, ""))
                needed = 1
            elif isinstance(label, Steps) and have % needed == 0:
                axis.append((needed, label.windowed(have // needed - 1, have // needed)))
                rest.insert(0, (have // needed, ""))
                needed = 1
            else:
                raise BatchAxisError
        result.append(axis)
    if any(size > 1 for size, _ in rest):
        raise BatchAxisError
    return tuple(_merge(axis) for axis in result)


def broadcast(known_axes: Sequence[Axes], shape: Sequence[int]) -> Axes:
    """Return the axes of an elementwise result of the given shape.

    Raises
    ------
    BatchAxisError
        Two operands have their decodes along different axes.
    """
    result: list[Axis] = []
    for place in range(1, len(shape) + 1):
        found = plain(shape[-place])
        for axes in known_axes:
            if place <= len(axes) and any(label for _, label in axes[-place]):
                axis = axes[-place]
                if any(label for _, label in found) and found != axis:
                    raise BatchAxisError(_apart(found, axis))
                if math.prod(size for size, _ in axis) == shape[-place]:
                    found = axis
                elif is_labelled(axis):
                    raise BatchAxisError
        result.append(found)
    labels = [bool(steps_of((factor,))) for axis in result for factor in axis if factor[1] and factor[0] > 1]
    if len(labels) > len(set(labels)):
        raise BatchAxisError
    return tuple(reversed(result))


def _apart(one: Axis, other: Axis) -> str:
    if steps_of(one) and steps_of(other):
        return "it joins values that exist at different steps of the stream; cut the earlier ones to the later ones"
    return ""


def drop(axes: Axes, dims: Sequence[int], *, keep: int = 0) -> Axes:
    """Return the axes after reducing over `dims`; ``keep=1`` leaves them as axes of size one.

    Raises
    ------
    BatchAxisError
        The reduction mixes decodes.
    """
    gone = {dim % len(axes) for dim in dims}
    if any(steps_of(axes[dim]) for dim in gone):
        raise BatchAxisError("over all steps of a stream there is no fixed window: each step changes it")
    if any(is_labelled(axes[dim]) for dim in gone):
        raise BatchAxisError
    if keep:
        return tuple(plain(1) if place in gone else axis for place, axis in enumerate(axes))
    return tuple(axis for place, axis in enumerate(axes) if place not in gone)


def per_decode(values: Tensor, axes: Axes | None, decodes: int, *, kept: int = 0) -> Tensor:
    """Return int64 sums per decode on the CPU, shape (decodes,), or (decodes, steps) where an axis runs along steps.

    Parameters
    ----------
    values : Tensor
        Whole numbers of any dtype that holds them exactly.
    axes : Axes or None
        None: unknown, which is enough where there is one decode only.
    decodes : int
    kept : int
        Last axes of `values` that `axes` does not describe and that are not summed: they stay last.

    Raises
    ------
    BatchAxisError
        Several decodes, and no axis runs over them.
    """
    if axes is None:
        if decodes != 1:
            raise BatchAxisError
        return _sum(values, tuple(range(values.dim() - kept))).unsqueeze(0)
    split, gone, order, steps = _plan(axes, decodes)
    sums = _sum(values.reshape((*split, *values.shape[values.dim() - kept :])), gone)
    return _ordered(sums, order, steps)


def elements_per_decode(axes: Axes, decodes: int) -> Tensor:
    """Return how many elements a decode has, as `per_decode` of ones.

    Raises
    ------
    BatchAxisError
        As `per_decode`.
    """
    split, gone, order, steps = _plan(axes, decodes)
    shape = [size for place, size in enumerate(split) if place not in gone]
    return _ordered(torch.full(shape, math.prod(split[place] for place in gone)), order, steps)


def _ordered(sums: Tensor, order: str, steps: Steps | None) -> Tensor:
    if order == "none":
        sums = sums.unsqueeze(0)
    elif order == "decodes last" and steps is not None:
        sums = sums.transpose(0, 1)
    return sums if steps is None else at_steps(sums, steps)


@lru_cache(maxsize=4096)
def _plan(axes: Axes, decodes: int) -> tuple[tuple[int, ...], tuple[int, ...], str, Steps | None]:
    """Return the shape that separates labelled factors, the axes to sum, and how the others are ordered."""
    factors = [factor for axis in axes for factor in axis]
    kept = [label for _, label in factors if label]
    if kept.count(DECODE) > 1 or len(kept) - kept.count(DECODE) > 1 or (DECODE not in kept and decodes != 1):
        raise BatchAxisError
    gone = tuple(place for place, (_, label) in enumerate(factors) if not label)
    steps = next((label for label in kept if isinstance(label, Steps)), None)
    order = "none" if DECODE not in kept else "decodes last" if kept[-1] == DECODE else "decodes first"
    return tuple(size for size, _ in factors), gone, order, steps


def at_steps(values: Tensor, steps: Steps) -> Tensor:
    """Return values per element placed at the steps they exist from, shape (decodes, total steps, ...)."""
    check_cut(((values.shape[1], steps),))
    if values.shape[1] == steps.total:
        return values
    placed = values.new_zeros((values.shape[0], steps.total, *values.shape[2:]))
    placed[:, steps.first : steps.first + (values.shape[1] - 1) * steps.every + 1 : steps.every] = values
    return placed


def _sum(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return exact int64 sums on the CPU; doubles hold every whole number up to 2^53."""
    if not dims:
        return values.cpu().to(torch.int64)
    if not values.is_floating_point():
        return values.sum(dims, dtype=torch.int64).cpu()
    return values.sum(dims, dtype=torch.float64).cpu().to(torch.int64)
