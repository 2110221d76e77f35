"""Constants that hold the same numbers several times: once for every example of a batch, for the most part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Repeats = frozenset[tuple[int, int]]
"""Size and stride of the axes along which a tensor repeats itself, besides those of stride zero."""


def _repeated(tensor: Tensor, known: Repeats) -> list[bool]:
    axes = zip(tensor.shape, tensor.stride(), strict=True)
    return [size > 1 and (not stride or (size, stride) in known) for size, stride in axes]


def without_repeats(tensor: Tensor, known: Repeats) -> tuple[int, ...]:
    """Return a tensor's sizes, one for an axis along which it repeats itself."""
    again = _repeated(tensor, known)
    return tuple(1 if one else size for size, one in zip(tensor.shape, again, strict=True))


def repeats_of(result: Tensor, operands: Sequence[tuple[Tensor, Repeats]]) -> Repeats:
    """Return the axes along which a result repeats itself because an operand does; numbers alone are no reason."""
    axes: set[tuple[int, int]] = set()
    for place, (size, stride) in enumerate(zip(result.shape, result.stride(), strict=True)):
        from_end = place - result.dim()
        reasons = [
            _repeated(one, known)[index]
            for one, known in operands
            for index in {place, one.dim() + from_end}
            if 0 <= index < one.dim() and one.shape[index] == size
        ]
        if size > 1 and any(reasons) and bool(torch.eq(result, result.narrow(place, 0, 1)).all()):
            axes.add((size, stride))
    return frozenset(axes)
