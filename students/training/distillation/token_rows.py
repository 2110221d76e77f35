"""Tensors of layers as sequences: positions, with channels at each."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

Channels = Literal["first", "last"]
"""Where a layer's tensor has its channels behind the batch: a convolution's first, a transformer's last."""


def token_shape(shape: tuple[int, ...], channels: Channels) -> tuple[int, int]:
    """Return the positions and the channels of a tensor of this shape (without its batch axis).

    A vector is one position.
    """
    width = shape[0] if channels == "first" else shape[-1]
    return math.prod(shape) // width, width


def tokens(tensor: Tensor, channels: Channels) -> Tensor:
    """Return a tensor as ``(batch, positions, channels)``; several axes of positions become one, in their order."""
    if tensor.ndim == 2:
        return tensor[:, None, :]
    last = tensor if channels == "last" else tensor.movedim(1, -1)
    return last.flatten(1, -2)
