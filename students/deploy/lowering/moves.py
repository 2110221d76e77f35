"""Operations that only move numbers or put zeros beside them: done once on the places of the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from students.deploy.graph import Move, Range
from students.deploy.lowering.builder import Builder, Signal, compressed, refused

MIXED = "it does not keep examples apart"


@dataclass(frozen=True, slots=True)
class Turned:
    """A signal on its way through moves that put another axis in front of the examples.

    Parameters
    ----------
    signal : Signal
        Before these moves.
    places : Tensor
        Of two examples' numbers, counted from 1, where they are now.
    """

    signal: Signal
    places: Tensor


def places_of(shape: tuple[int, ...]) -> Tensor:
    """Return the places of two examples' numbers, counted from 1, in the shape of a batch; a zero is padding."""
    size = int(np.prod(shape))
    return torch.arange(1, 2 * size + 1).reshape(2, *shape).to(torch.float64)


def lower_move(builder: Builder, path: str, operation: Callable[[Tensor], Any], signal: Signal) -> Signal:
    """Return the moved signal.

    Parameters
    ----------
    builder, path, signal
    operation : callable
        On a batch of two; the examples stay in the first axis.

    Raises
    ------
    StudentError
        An operation that moves numbers from one example to another.
    """
    moved = operation(places_of(signal.shape))
    if not isinstance(moved, Tensor) or not keeps_examples(moved, signal.shape):
        raise refused(path, MIXED)
    return _moved(builder, path, moved, signal)


def move_onwards(builder: Builder, path: str, places: Tensor, signal: Signal) -> Signal | Turned:
    """Return the moved signal; where examples are not in the first axis, what waits for them to come back there.

    Parameters
    ----------
    builder, path, signal
    places : Tensor
        Of two examples' numbers after all moves so far, counted from 1.
    """
    if keeps_examples(places, signal.shape):
        return _moved(builder, path, places, signal)
    return Turned(signal, places)


def keeps_examples(places: Tensor, shape: tuple[int, ...]) -> bool:
    """Return whether the first axis of moved places of two examples of that shape says which example it is."""
    if places.ndim < 1 or len(places) != 2:
        return False
    size = int(np.prod(shape))
    first, second = (one.reshape(-1).round().to(torch.int64).numpy() for one in places)
    return np.array_equal(np.where(first > 0, first + size, 0), second) and first.max(initial=0) <= size


def _moved(builder: Builder, path: str, moved: Tensor, signal: Signal) -> Signal:
    size = int(np.prod(signal.shape))
    shape, places = tuple(moved.shape[1:]), moved[0].reshape(-1).round().to(torch.int64).numpy() - 1
    padded = bool((places < 0).any())
    if padded and bool(signal.offset.any()):
        raise refused(path, "zeros beside numbers whose zero is not the integer 0")
    everywhere = (np.broadcast_to(one, signal.shape).ravel() for one in (signal.scale, signal.offset))
    scale, offset = (compressed(one[places].reshape(shape)) for one in everywhere)
    low, high = signal.range.lowest, signal.range.highest
    found = Range(shape, min(low, 0) if padded else low, max(high, 0) if padded else high)
    source, places = builder.before_move(signal.node, places)
    if shape == builder.shape_of(source) and np.array_equal(places, np.arange(size)):
        return replace(signal, node=source, range=found, scale=scale, offset=offset)
    name = builder.name(path)
    builder.add(Move(name, source, found, places))
    return replace(signal, node=name, range=found, scale=scale, offset=offset)


def same_shape(builder: Builder, path: str, signals: tuple[Signal, Signal]) -> tuple[Signal, Signal]:
    """Return two signals, each repeated along the axes in which it has one place and the other has more.

    Raises
    ------
    StudentError
        Shapes that do not fit.
    """
    first, second = signals
    if first.shape == second.shape:
        return signals
    fits = len(first.shape) == len(second.shape) and all(
        one == other or 1 in {one, other} for one, other in zip(first.shape, second.shape, strict=True)
    )
    if not fits:
        raise refused(path, f"it takes signals of shapes {first.shape} and {second.shape}")
    shape = np.broadcast_shapes(first.shape, second.shape)
    left, right = (
        lower_move(builder, f"{path}.operand", lambda places: places.expand(2, *shape).clone(), one)
        if one.shape != shape else one
        for one in signals
    )  # fmt: skip
    return left, right
