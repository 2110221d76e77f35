"""Tensors of layers as rows of features: of a window, or of each step."""

from __future__ import annotations

import math

from torch import Tensor

from energy_models.errors import StudentError


def row_width(shape: tuple[int, ...], steps: int | None, name: str) -> int:
    """Return how many features `feature_rows` makes of a tensor.

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis.
    steps : int or None
        Of a regression's segments; None for classification.
    name : str
        Of the tensor, for messages.

    Raises
    ------
    StudentError
        In a regression, a tensor without an axis of the segment's steps.
    """
    if steps is None:
        return math.prod(shape)
    if steps not in (shape[0], shape[-1]):
        raise StudentError(
            f"{name!r} of shape {shape} has no feature of each of {steps} steps", where="features of a regression",
            remedy="Name a layer whose first or last axis behind the batch is time",
        )
    return math.prod(shape) // steps


def feature_rows(tensor: Tensor, steps: int | None, warmup_steps: int = 0) -> Tensor:
    """Return rows of features, shape (rows, features).

    A window's are everything flattened. In a regression each step behind the warm-up is a row: time is the first axis
    behind the batch if that has as many entries as the segment steps (a recurrent layer's), else the last (a
    convolution's).

    Parameters
    ----------
    tensor : Tensor, shape (batch, ...)
    steps : int or None
        As `row_width`.
    warmup_steps : int
        Left out at the start of each segment.
    """
    if steps is None:
        return tensor.flatten(1)
    timed = tensor if tensor.shape[1] == steps else tensor.movedim(-1, 1)
    counted = timed[:, warmup_steps:].flatten(0, 1)
    return counted.flatten(1) if counted.ndim > 1 else counted[:, None]
